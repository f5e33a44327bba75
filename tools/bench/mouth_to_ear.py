"""From one mouth to the other's ear: ``make bench-mouth-to-ear``.

Two devices, each two real processes with ALSA, in a room of a real ``kontor host``; then two Chromiums on the same host's
page, on the same microphones and loudspeakers. Those are nodes of a private PipeWire graph of 256 samples a turn: what goes
into a microphone and what comes out of the other's loudspeaker are recorded on one clock (probe.py). All sound passes a
relay of our own (relay.py), which loses datagrams both ways when it is told to. Echo cancelling and the like are off.
"""

import argparse
import asyncio
import base64
import contextlib
import importlib.util
import json
import secrets
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from playwright.async_api import async_playwright

from appliance.app.demo import free_port
from appliance.app.sound import VIRTUAL_PANEL
from appliance.app.speech import prepare
from appliance.app.supervisor import kontor
from appliance.audio.virtual import read_wav
from appliance.core.tokens import Claims, issue
from appliance.core.units import RATE
from appliance.health.status import ask
from appliance.rooms.device_key import DeviceKey
from tools.bench import graph
from tools.bench.call import processes
from tools.bench.priority import prefer
from tools.bench.quality import Heard, judge
from tools.measurements import Figure, write

SKIP = 4.0
"""Seconds of a recording that are not judged: playouts find their place."""
SETTLE = 6.0
"""Seconds between a call that is up and its first recording."""
LOSS = 0.1
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


@dataclass(frozen=True, slots=True)
class Rates:
    """What was measured of a call, both directions together."""

    ways: tuple[Heard, Heard]

    @property
    def delays(self) -> list[float]:
        """Milliseconds."""
        return [delay for way in self.ways for delay in way.delays]

    @property
    def median(self) -> float:
        """Milliseconds."""
        return median(self.delays)

    @property
    def p95(self) -> float:
        """Milliseconds."""
        return float(np.percentile(self.delays, 95))

    @property
    def pesq(self) -> float:
        """Median of all pieces of 8 s, MOS-LQO: a stall of the machine spoils one of them."""
        return median(score for way in self.ways for score in way.pesq)

    @property
    def lost(self) -> str:
        """In words."""
        lost = sum(way.lost for way in self.ways)
        return f"{lost} of {lost + len(self.delays)} windows not found" if lost else ""


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

    def host_command(self) -> list[str]:
        """``kontor host`` with a room for devices and one for pages; told to announce the relay's address."""
        (self.folder / "k.key").write_bytes(self.key)
        (self.folder / "k.key").chmod(0o600)
        rooms = "".join(
            f'[[host.rooms]]\nid = "{room}"\nkey_files = {{ k = "{self.folder}/k.key" }}\n'
            for room in ("sites", "pages")
        )
        for name, place in self.devices.items():
            (place / "state").mkdir(parents=True)
            key = base64.b64encode(DeviceKey.load_or_make(place / "state").public).decode()
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

    def device_commands(self, frame_ms: int) -> list[list[str]]:
        """Sound and link of both devices."""
        configs = []
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
complexity = 9
[panel]
kind = "virtual"
""")
        return [kontor(part, "--config", str(path)) for path in configs for part in ("sound", "link")]

    def link_of(self, name: str) -> str:
        """A person's link to the pages' room."""
        claims = Claims("pages", name, name, "speaker", "person", int(time.time()) + 3600, "k")
        return f"{self.url}/pages#{issue(claims, self.key)}"

    async def measure(self, seconds: float) -> Rates:
        """Play and record for ``seconds``, both directions at once."""
        targets = [self.folder / f"heard{side}.npy" for side in _SIDES]
        ways = [
            [str(self.talks[0]), "micA:input_MONO", "spkB:monitor_MONO", str(targets[1])],
            [str(self.talks[1]), "micB:input_MONO", "spkA:monitor_MONO", str(targets[0])],
        ]
        command = [*graph.real_time(graph.PRIORITY - 1), sys.executable, "-m", "tools.bench.probe", str(seconds)]
        done = await asyncio.to_thread(
            subprocess.run,
            [*command, json.dumps(ways)],
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        print(f"  recorded: {done.stdout.strip()}", flush=True)
        pairs = zip(self.talks, reversed(targets), strict=True)
        first, second = [
            await asyncio.to_thread(judge, read_wav(talk)[: int(seconds * RATE)], np.load(target), SKIP)
            for talk, target in pairs
        ]
        return Rates((first, second))


def write_talks(house: House, seconds: float) -> None:
    """The same speech into both microphones, the second begins in its middle."""
    said = read_wav(house.folder / "said.wav")
    for talk, start in zip(house.talks, (0, len(said) // 2), strict=True):
        samples = np.resize(np.roll(said, -start), int(seconds * RATE))
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
async def devices(house: House, frame_ms: int) -> AsyncIterator[None]:
    """Two devices in their room, gates open."""
    with processes(house.device_commands(frame_ms), env=house.environment):
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
            print(f"  {place.name}: {({name: value for name, value in more.items() if value})}", flush=True)


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
                executable_path="/usr/bin/chromium",
                args=list(_CHROMIUM),
                ignore_default_args=["--mute-audio"],
                env={**house.environment, "PULSE_SOURCE": f"mic{side}", "PULSE_SINK": f"spk{side}"},
            )
            stack.push_async_callback(browser.close)
            prefer()  # it has made a session of its own
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


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that was measured."""

    floor: Rates
    ours: Rates
    ours_loss: Rates
    low: Rates
    chromium: Rates
    chromium_loss: Rates


async def bench(house: House, seconds: float) -> Results:
    """All of it, one after the other on the same graph and host."""
    relay = [sys.executable, "-m", "tools.bench.relay", f"127.0.0.2:{house.port}", f"127.0.0.1:{house.port}"]
    with straight(house):
        floor = await house.measure(16)
    with (
        processes([house.host_command()], env=house.environment),
        processes([relay], env=house.environment, stdin=subprocess.PIPE) as (through,),
    ):
        network = Network(through)
        await asyncio.sleep(2)

        async def clean_and_lossy() -> tuple[Rates, Rates]:
            clean = await house.measure(seconds)
            network.lose(LOSS)
            await asyncio.sleep(2)
            lossy = await house.measure(seconds)
            network.lose(0)
            return clean, lossy

        async with pages(house):
            chromium, chromium_loss = await clean_and_lossy()
        async with devices(house, 20):
            ours, ours_loss = await clean_and_lossy()
        async with devices(house, 10):
            low = await house.measure(seconds)
    return Results(floor, ours, ours_loss, low, chromium, chromium_loss)


_LOSSY = "10 % of all datagrams lost at random, on the way to the host and on the way from it"
_PEER = "two Chromiums on the same host's page"


def figures(found: Results, said: str, seconds: float) -> list[Figure]:
    """The rows of the table."""
    ours, low, lossy = found.ours, found.low, found.ours_loss
    peer, peer_lossy = found.chromium, found.chromium_loss

    def late(name: str, value: float, goal: float, other: float, note: str = "") -> Figure:
        return Figure(f"mouth.{name}", round(value, 1), "ms", f"<= {goal:.1f}", _PEER, round(other, 1), note)

    def good(name: str, rates: Rates, other: Rates, note: str = "") -> Figure:
        note = ", ".join(part for part in (note, rates.lost) if part)
        value, than = round(rates.pesq, 2), round(other.pesq, 2)
        return Figure(f"mouth.{name}", value, "MOS", f">= {than}", _PEER, than, note)

    note = f"{seconds:.0f} s, both ways at once, encoder complexity 9 as Chromium's, sound at real time; {said}"
    return [
        late("median_ms", ours.median, 105, peer.median, note),
        late("p95_ms", ours.p95, peer.p95, peer.p95),
        late("low_delay_median_ms", low.median, 80, peer.median, "packets of 10 ms; there is no front end yet"),
        late("low_delay_p95_ms", low.p95, peer.p95, peer.p95),
        late("loss10_median_ms", lossy.median, peer_lossy.median, peer_lossy.median, _LOSSY),
        good("pesq", ours, peer, "no loss"),
        good("low_delay_pesq", low, peer, "no loss"),
        good("pesq_loss10", lossy, peer_lossy, _LOSSY),
        Figure(
            "mouth.floor_ms", round(found.floor.median, 1), "ms", note="microphone linked to loudspeaker in the graph"
        ),
        Figure("mouth.floor_pesq", round(found.floor.pesq, 2), "MOS", note="the same"),
    ]


def missing() -> str:
    """What has to be installed first, in one sentence, or nothing."""
    packages = graph.missing()
    modules = [name for name in ("alsaaudio", "pesq") if importlib.util.find_spec(name) is None]
    if packages:
        return f"missing {', '.join(packages)}; type: python3 -m tools.system bench"
    return f"missing {', '.join(modules)}; type: python3 -m tools.bootstrap bench" if modules else ""


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="From one mouth to the other's ear.")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each recording; default: 60")
    given = parser.parse_args()
    problem = missing()
    if problem:
        print(f"kontor: {problem}", file=sys.stderr)
        return 69
    prefer()
    with tempfile.TemporaryDirectory(prefix="k") as name:
        folder = Path(name)
        (folder / "graph").mkdir()
        sounds = graph.Graph(folder / "graph", ["micA", "micB"], ["spkA", "spkB"])
        try:
            sounds.start()
            house = House(folder, sounds)
            write_talks(house, given.seconds)
            found = asyncio.run(bench(house, given.seconds))
        finally:
            sounds.stop()
    write("mouth-to-ear", figures(found, house.said, given.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
