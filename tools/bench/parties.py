"""Who speaks in bench-mouth-to-ear: two devices, two Chromiums, the host between them, and the graph they hear and speak in."""

import asyncio
import base64
import contextlib
import json
import secrets
import subprocess
import sys
import time
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from playwright.async_api import async_playwright

from appliance.app.demo import free_port
from appliance.app.panels import VIRTUAL_PANEL
from appliance.app.speech import prepare
from appliance.app.supervisor import kontor
from appliance.audio.virtual import read_wav
from appliance.core.tokens import Claims, issue
from appliance.core.units import RATE
from appliance.health.status import ask
from appliance.rooms.device_key import DeviceKey
from tools.bench import graph
from tools.bench.call import processes
from tools.bench.quality import Heard, judge
from tools.system import find

SKIP = 4.0
"""Seconds of a recording that are not judged: playouts find their place."""
SETTLE = 12.0
"""Seconds between a call that is up and its first recording."""
_SIDES = ("A", "B")
_CHROMIUM = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=AudioServiceSandbox",
    "--disable-quic",
)
_RAW = """const asked = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = () =>
  asked({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 } });"""


class House:
    """The host, the relay before it, the speech that is played, and the graph."""

    def __init__(self, folder: Path, sounds: graph.Graph) -> None:
        self.folder, self.graph = folder, sounds
        self.port, self.key = free_port("127.0.0.1", 18_400), secrets.token_hex(32).encode()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**sounds.environment, VIRTUAL_PANEL: "1", "PYTHONPATH": str(Path.cwd())}
        self.devices = {name: folder / name for name in ("alpha", "beta")}
        self.said = prepare(folder / "said.wav")
        self.talks = [folder / f"talk{side}.wav" for side in _SIDES]
        self.silence = folder / "silence.wav"

    def host_command(self) -> list[str]:
        """``kontor host`` with a room for devices and one for pages; told to announce the relay's address."""
        (self.folder / "k.key").write_bytes(self.key)
        (self.folder / "k.key").chmod(0o600)
        rooms = "".join(
            f'[[host.rooms]]\nid = "{room}"\nkey_files = {{ k = "{self.folder}/k.key" }}\n'
            for room in ("sites", "pages")
        )
        for name, place in self.devices.items():
            (place / "state" / "link").mkdir(parents=True)
            key = base64.b64encode(DeviceKey.load_or_make(place / "state" / "link").public).decode()
            rooms += f'[[host.devices]]\nid = "{name}"\nname = "{name}"\nroom = "sites"\npublic_key = "{key}"\n'
        path = self.folder / "host.toml"
        path.write_text(f"""schema = 1
[device]
state_dir = "{self.folder}/host"
runtime_dir = "{self.folder}/host"
[host]
port = {self.port}
public_address = "127.0.0.2"
{rooms}""")
        return kontor("host", "--config", str(path))

    def device_commands(self, frame_ms: int, *, front_end: bool) -> list[list[str]]:
        """Sound and link of both devices."""
        configs = []
        plain = "" if front_end else 'echo = "off"\nnoise = "off"\ngain_control = false'
        for side, (name, place) in zip(_SIDES, self.devices.items(), strict=True):
            configs.append(place / "kontor.toml")
            configs[-1].write_text(f"""schema = 1
[device]
name = "{name}"
state_dir = "{place}/state"
runtime_dir = "{place}"
[room]
url = "{self.url}"
id = "sites"
[audio]
backend = "alsa"
capture = "mic{side}"
playback = "spk{side}"
frame_ms = {frame_ms}
{plain}
[panel]
kind = "virtual"
""")
        return [kontor(part, "--config", str(path)) for path in configs for part in ("sound", "link")]

    def link_of(self, name: str) -> str:
        """A person's link to the pages' room."""
        claims = Claims("pages", name, name, "speaker", "person", int(time.time()) + 3600, "k")
        return f"{self.url}/pages#{issue(claims, self.key)}"

    async def measure(self, seconds: float) -> tuple[Heard, Heard]:
        """Play and record for ``seconds``, both directions at once."""
        first, second = await self._record(seconds, self.talks)
        return await self._judge(seconds, 0, first), await self._judge(seconds, 1, second)

    async def measure_in_turn(self, seconds: float) -> tuple[Heard, Heard]:
        """The same, each direction for itself, while the other side is silent."""
        first, _ = await self._record(seconds, [self.talks[0], self.silence])
        heard = await self._judge(seconds, 0, first)
        _, second = await self._record(seconds, [self.silence, self.talks[1]])
        return heard, await self._judge(seconds, 1, second)

    async def _judge(self, seconds: float, side: int, target: Path) -> Heard:
        said = read_wav(self.talks[side])[: int(seconds * RATE)]
        return await asyncio.to_thread(judge, said, np.load(target), SKIP)

    async def _record(self, seconds: float, talks: list[Path]) -> tuple[Path, Path]:
        """What is heard of the first talk and of the second."""
        targets = [self.folder / f"heard{side}.npy" for side in _SIDES]
        ways = [
            [str(talks[0]), "micA:input_MONO", "spkB:monitor_MONO", str(targets[1])],
            [str(talks[1]), "micB:input_MONO", "spkA:monitor_MONO", str(targets[0])],
        ]
        # Its start must not hold up what is measured; the graph gives its one thread that plays and records a priority.
        command = [*graph.ordinary(), sys.executable, "-m", "tools.bench.probe", str(seconds)]
        done = await asyncio.to_thread(
            subprocess.run,
            [*command, json.dumps(ways)],
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        print(f"  recorded: {done.stdout.strip()}", flush=True)
        return targets[1], targets[0]


def write_talks(house: House, seconds: float) -> None:
    """The same speech into both microphones, the second begins in its middle."""
    said = read_wav(house.folder / "said.wav")
    count = int(seconds * RATE)
    parts = [np.resize(np.roll(said, -start), count) for start in (0, len(said) // 2)]
    parts.append(np.zeros(count, np.float32))
    for talk, samples in zip([*house.talks, house.silence], parts, strict=True):
        with wave.open(str(talk), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes((samples * 32767).astype("<i2").tobytes())


def status(folder: Path, part: str) -> dict[str, Any]:
    """What a part of a device says of itself; empty while it is not there."""
    try:
        return dict(ask(folder / f"{part}.status", {"do": "status"}))
    except OSError:
        return {}


@contextlib.asynccontextmanager
async def devices(house: House, frame_ms: int, *, front_end: bool = False) -> AsyncIterator[None]:
    """Two devices in their room, gates open."""
    with processes(house.device_commands(frame_ms, front_end=front_end), env=house.environment):
        end = time.monotonic() + 30
        while not all(
            status(place, "link").get("phase") == "in_room" and status(place, "sound").get("gate") == "open"
            for place in house.devices.values()
        ):
            if time.monotonic() > end:
                raise TimeoutError("the devices did not come into their room")
            await asyncio.sleep(0.2)
        await asyncio.sleep(SETTLE)
        before = {place: troubles(place) for place in house.devices.values()}
        yield
        for place, count in before.items():
            more = {name: value - count.get(name, 0) for name, value in troubles(place).items()}
            print(f"  {place.name}: { ({name: value for name, value in more.items() if value}) }", flush=True)


def troubles(place: Path) -> dict[str, int]:
    """The counters that tell why something was late or missing."""
    counters = {**status(place, "sound").get("counters", {}), **status(place, "link").get("counters", {})}
    names = (
        "capture_overruns",
        "playback_underruns",
        "blocks_dropped",
        "downlink_missing",
        "packets_lost",
        "packets_late",
        "packets_redundant",
        "frames_concealed",
        "frames_recovered",
        "frames_dropped",
    )
    return {name: counters[name] for name in names if counters.get(name)}


@contextlib.asynccontextmanager
async def pages(house: House) -> AsyncIterator[None]:
    """Two Chromiums on the host's page, joined and unmuted."""
    async with async_playwright() as playwright, contextlib.AsyncExitStack() as stack:
        for side, name in zip(_SIDES, ("anna", "bert"), strict=True):
            browser = await playwright.chromium.launch(
                executable_path=find("chromium"),
                args=list(_CHROMIUM),
                ignore_default_args=["--mute-audio"],
                env={**house.environment, "PULSE_SOURCE": f"mic{side}", "PULSE_SINK": f"spk{side}"},
            )
            stack.push_async_callback(browser.close)
            page = await browser.new_page()
            await page.add_init_script(_RAW)
            await page.goto(house.link_of(name))
            for word in ("Unmute", "You are live"):
                await asyncio.sleep(2)
                await page.locator("#own").click()
                await page.locator("#own-first", has_text=word).wait_for(timeout=20_000)
        await asyncio.sleep(SETTLE)
        yield


@contextlib.contextmanager
def straight(house: House) -> Iterator[None]:
    """Each microphone's node linked to the other's loudspeaker: the floor of the graph."""
    links = (("micA:capture_MONO", "spkB:playback_MONO"), ("micB:capture_MONO", "spkA:playback_MONO"))
    for source, target in links:
        house.graph.link(source, target)
    try:
        yield
    finally:
        for source, target in links:
            house.graph.unlink(source, target)


class Network:
    """The running relay."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def lose(self, share: float) -> None:
        """Lose this share of the datagrams from now on."""
        if self._process.stdin is not None:
            print(share, file=self._process.stdin, flush=True)
