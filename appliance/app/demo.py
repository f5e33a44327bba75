"""Puts ``kontor demo`` together: a host, and a whole device with a virtual sound card and panel, on this machine.

The host runs here; sound and link are the real processes, watched as ``kontor run`` watches them. Everything lives in a
private folder of this user, is on the loopback interface, and is gone with this process.
"""

import asyncio
import contextlib
import getpass
import os
import secrets
import shutil
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from appliance.app.panel_route import PanelRoute
from appliance.app.places import demo_base, private_folder
from appliance.app.process import NotAllowed, until_stopped
from appliance.app.sound import STATUS, VIRTUAL_PANEL
from appliance.app.speech import ATTRIBUTION, SYNTHETIC, find
from appliance.app.supervisor import Supervisor, device_children
from appliance.core.protocol import Claims, issue
from appliance.health.journal import Journal
from appliance.host.config import DeviceConfig, HostConfig, RoomConfig
from appliance.host.server import Host
from appliance.rooms.device_key import DeviceKey
from appliance.settings.describe import toml_value

ROOM, TITLE, DEVICE, DEVICE_NAME = "studio", "Studio", "meeting-room", "Meeting room"
_KEY_ID = "demo"
_PORTS = 100
_A_WEEK = 7 * 24 * 3600
_JOIN = 20.0
"""Seconds within which the device should be in the room."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of the command."""

    port: int = 8080
    record: Path | None = None
    microphone: str = "speech"
    quiet: bool = False
    """Print the address alone."""


def free_port(address: str, first: int) -> int:
    """The first port from ``first`` on that is free for TCP and UDP.

    :raises NotAllowed: none of a hundred is.
    """
    for port in range(first, min(first + _PORTS, 65536)):
        try:
            with (
                socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            ):
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tcp.bind((address, port))
                udp.bind((address, port))
        except OSError:
            continue
        return port
    raise NotAllowed(f"no port is free from {first} to {first + _PORTS - 1}: name another with --port")


def ssh_address() -> str:
    """The address under which the far end of an SSH session reaches this machine, or "" without one."""
    parts = os.environ.get("SSH_CONNECTION", "").split()
    return parts[2] if len(parts) == 4 and ":" not in parts[2] else ""


async def prepare_speech(folder: Path, wish: str) -> tuple[str, str]:
    """The microphone setting for ``wish``, and the line that says what it plays."""
    if wish != "speech":
        return wish, f"microphone plays {wish}"
    said = ATTRIBUTION if find() else SYNTHETIC
    target = folder.parent / ("speech.wav" if said == ATTRIBUTION else "voice.wav")
    if not target.exists():
        # Another process: decoding loads libraries that are not needed afterwards.
        unfinished = target.with_suffix(".new")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "appliance.app.speech", str(unfinished), stdout=asyncio.subprocess.DEVNULL
        )
        if await process.wait():
            return "tone:440", "microphone plays a tone: the speech could not be prepared"
        unfinished.rename(target)
    return str(target), said


def write_config(folder: Path, port: int, microphone: str, record: Path | None) -> Path:
    """The settings of the demo's device; returns the file."""
    text = f"""schema = 1

[device]
name = "{DEVICE_NAME}"
id = "{DEVICE}"
state_dir = {toml_value(str(folder / "state"))}
runtime_dir = {toml_value(str(folder))}

[room]
url = "http://127.0.0.1:{port}"
id = "{ROOM}"

[audio]
backend = "virtual"
microphone = {toml_value(microphone)}
{f"record = {toml_value(str(record.absolute()))}" if record else ""}

[panel]
kind = "virtual"
mute = "latching"

[log]
level = "warning"
"""
    path = folder / "kontor.toml"
    path.write_text(text)
    return path


class Demo:
    """One demo: its folder, host and device."""

    def __init__(self, wishes: Wishes, journal: Journal) -> None:
        self._wishes, self._journal = wishes, journal
        self._secret = secrets.token_bytes(32)
        self._public = ssh_address()
        self._listen = "127.0.0.1"
        self.port = free_port(self._listen, wishes.port)
        base = private_folder(demo_base())
        self.folder = base / str(self.port)
        shutil.rmtree(self.folder, ignore_errors=True)
        private_folder(self.folder)
        private_folder(self.folder / "state")
        self._panel = PanelRoute(self.folder / STATUS)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop``; everything is ended and removed then."""
        try:
            microphone, said = await prepare_speech(self.folder, self._wishes.microphone)
            config = write_config(self.folder, self.port, microphone, self._wishes.record)
            host = Host(self._host_config(), self._journal.write, [self._panel.route])
            await host.start()
            try:
                children = device_children(["--config", str(config)], {VIRTUAL_PANEL: "1"})
                async with Supervisor(children, self._journal) as supervisor:
                    parts = {
                        "host": host.wait,
                        "processes": supervisor.watch,
                        "greeting": lambda: self._greet(host, supervisor, said),
                    }
                    await until_stopped(stop, parts)
            finally:
                await host.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _greet(self, host: Host, supervisor: Supervisor, said: str) -> None:
        """Print the address as soon as the device is in the room, then wait for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_JOIN):
                await self._joined(host)
        joined = any(room["connected"] for room in host.state()["rooms"])
        print("\n".join(self._lines(supervisor, said, joined)), flush=True)  # noqa: T201 - this is what the command says
        await asyncio.Event().wait()

    async def _joined(self, host: Host) -> None:
        while not any(room["connected"] for room in host.state()["rooms"]):  # noqa: ASYNC110 - the host tells no event
            await asyncio.sleep(0.05)

    def _lines(self, supervisor: Supervisor, said: str, joined: bool) -> list[str]:
        pids = {child.name: child.pid for child in supervisor.children}
        record = f", written to {self._wishes.record}" if self._wishes.record else ""
        lines = [
            "",
            f"  {self.address()}",
            "",
            f"  host    pid {os.getpid():<8} room “{TITLE}”, port {self.port} (TCP and UDP)",
            f"  sound   pid {pids['sound']:<8} virtual microphone, loudspeaker{record} and panel",
            f"  link    pid {pids['link']:<8} {'in the room' if joined else 'not in the room yet'}, as “{DEVICE_NAME}”",
            f"  {said}",
        ]
        if os.environ.get("SSH_CONNECTION"):
            target = f"{getpass.getuser()}@{self._public or socket.gethostname()}"
            lines += ["", f"  From your own computer:  ssh -L {self.port}:localhost:{self.port} {target}"]
            lines += ["  and open the address there: a browser gives the microphone on localhost only."]
        return [*lines, "", "  Ctrl-C ends everything.", ""]

    def address(self) -> str:
        """The page's address, with a link for one guest and the panel's one-time token behind the #."""
        claims = Claims(
            room=ROOM,
            identity="guest",
            name="Guest",
            role="speaker",
            kind="person",
            expires=int(time.time()) + _A_WEEK,
            key_id=_KEY_ID,
        )
        return f"http://localhost:{self.port}/{ROOM}#{issue(claims, self._secret)}&panel={self._panel.token}"

    def _host_config(self) -> HostConfig:
        key = DeviceKey.load_or_make(self.folder / "state")
        return HostConfig(
            listen_host=self._listen,
            http_port=self.port,
            # Over SSH the page's sound does not pass the tunnel: it takes the way to this machine's own address.
            udp_host="0.0.0.0" if self._public else self._listen,  # noqa: S104 - said above
            udp_port=self.port,
            public_address=self._public or self._listen,
            max_members=50,
            rooms=(RoomConfig(ROOM, TITLE, {_KEY_ID: self._secret}),),
            devices=(DeviceConfig(DEVICE, DEVICE_NAME, ROOM, key.public),),
            certificate_path=self.folder / "state" / "host.pem",
        )


async def main(wishes: Wishes, stop: asyncio.Event, journal: Journal) -> None:
    """``kontor demo``.

    :raises NotAllowed: no port is free, or the folder cannot be had.
    """
    try:
        demo = Demo(wishes, journal)
    except OSError as error:
        raise NotAllowed(str(error)) from error
    await demo.run(stop)
