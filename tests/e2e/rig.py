"""A host in this process, and devices that are the real processes, for the tests of the whole path."""

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from appliance.app.panels import VIRTUAL_PANEL
from appliance.audio.virtual import read_wav
from appliance.core.protocol import Claims, issue
from appliance.health.status import ask
from appliance.host.config import DeviceConfig, HostConfig, RoomConfig
from appliance.host.server import Host
from appliance.rooms.device_key import DeviceKey

ROOM = "studio"
ROOT = Path(__file__).resolve().parents[2]


async def until(what: Callable[[], Awaitable[object]], seconds: float = 20.0, every: float = 0.05) -> None:
    """Wait until ``what`` gives something true."""
    end = time.monotonic() + seconds
    while not await what():
        assert time.monotonic() < end, f"it did not happen within {seconds} s"
        await asyncio.sleep(every)


class Device:
    """A device: its folder, its settings, its processes."""

    def __init__(self, folder: Path, name: str, port: int, microphone: str, mute: str = "latching") -> None:
        self.name, self.folder = name, folder / name
        self.state = self.folder / "state"
        (self.state / "link").mkdir(parents=True)
        self.record = self.folder / "played.wav"
        self.config = self.folder / "kontor.toml"
        self.config.write_text(f"""schema = 1
[device]
name = "{name.title()}"
id = "{name}"
state_dir = "{self.state}"
runtime_dir = "{self.folder}"
[room]
url = "http://127.0.0.1:{port}"
id = "{ROOM}"
[audio]
microphone = "{microphone}"
record = "{self.record}"
[panel]
kind = "virtual"
mute = "{mute}"
""")
        self.process: asyncio.subprocess.Process | None = None

    @property
    def public_key(self) -> bytes:
        return DeviceKey.load_or_make(self.state / "link").public

    async def start(self) -> None:
        """``kontor run``."""
        environment = {**os.environ, VIRTUAL_PANEL: "1", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "appliance", "run", "--config", str(self.config)]
        self.process = await asyncio.create_subprocess_exec(*command, env=environment)

    async def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), 10)

    async def status(self, part: str) -> Mapping[str, Any]:
        """What a part says of itself; empty when it does not answer."""
        try:
            return await asyncio.to_thread(ask, self.folder / f"{part}.status", {"do": "status"}, 1.0)
        except OSError:
            return {}

    async def panel(self, **request: str) -> Mapping[str, Any]:
        """Move the virtual panel, or look at it."""
        return await asyncio.to_thread(ask, self.folder / "sound.status", {"do": "panel", **request})

    async def pid(self, part: str) -> int:
        """The pid of a part, 0 when it does not answer."""
        return int((await self.status(part)).get("pid", 0))

    async def kill(self, part: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a part; gives the pid that it had."""
        pid = await self.pid(part)
        assert pid, f"{part} does not answer"
        os.kill(pid, number)
        return pid

    async def in_room(self) -> bool:
        """Whether link is in the room."""
        return (await self.status("link")).get("phase") == "in_room"

    async def gate(self) -> str:
        """The word open or closed, or nothing when sound does not answer."""
        return str((await self.status("sound")).get("gate", ""))

    async def reasons(self) -> list[str]:
        """Why the gate is closed."""
        return list((await self.status("sound")).get("reasons", []))

    def played(self, seconds: float) -> np.ndarray:
        """What the loudspeaker played last, shape (n,) float32; shorter when it has not played that long."""
        try:
            return read_wav(self.record)[-int(seconds * 48_000) :]
        except ValueError:  # its first second is not written yet
            return np.zeros(0, np.float32)


class Rig:
    """A host and its devices; use as an async context manager."""

    def __init__(self, folder: Path, port: int, microphones: Mapping[str, str], mute: str = "latching") -> None:
        self.folder, self.port, self.secret = folder, port, secrets.token_bytes(32)
        self.devices = {name: Device(folder, name, port, wish, mute) for name, wish in microphones.items()}
        self.host = self._host()

    def _host(self) -> Host:
        return Host(
            HostConfig(
                listen_host="127.0.0.1",
                http_port=self.port,
                udp_host="127.0.0.1",
                udp_port=self.port,
                public_address="127.0.0.1",
                max_members=10,
                rooms=(RoomConfig(ROOM, "Studio", {"k": self.secret}),),
                devices=tuple(DeviceConfig(d.name, d.name.title(), ROOM, d.public_key) for d in self.devices.values()),
                certificate_path=self.folder / "host.pem",
            ),
            lambda event: None,
        )

    async def __aenter__(self) -> Self:
        await self.host.start()
        await asyncio.gather(*(device.start() for device in self.devices.values()))
        for device in self.devices.values():
            await until(device.in_room)
        return self

    async def __aexit__(self, *_: object) -> None:
        codes = await asyncio.gather(*(device.stop() for device in self.devices.values()), return_exceptions=True)
        await self.host.stop()
        assert codes == [0] * len(codes), f"exit codes of the devices: {codes}"

    def token(self, identity: str, role: str = "speaker") -> str:
        """A link's token."""
        claims = Claims(
            room=ROOM,
            identity=identity,
            name=identity.title(),
            role=role,  # type: ignore[arg-type]
            kind="person",
            expires=int(time.time()) + 600,
            key_id="k",
        )
        return issue(claims, self.secret)


def strength(sound: np.ndarray, frequency: float) -> float:
    """How loud a tone of ``frequency`` Hz is in ``sound``, dBFS of its peak."""
    window = np.hanning(len(sound))
    spectrum = np.abs(np.fft.rfft(sound * window)) / (window.sum() / 2)
    at = round(frequency * len(sound) / 48_000)
    return float(20 * np.log10(spectrum[max(0, at - 3) : at + 4].max() + 1e-9))
