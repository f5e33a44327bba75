"""From one mouth to the other's ear: ``make bench-mouth-to-ear``.

Two devices, each two real processes with ALSA, in a room of a real ``kontor host``; then two Chromiums on the same host's
page, on the same microphones and loudspeakers. Those are nodes of a private PipeWire graph of 256 samples a turn: what goes
into a microphone and what comes out of the other's loudspeaker are recorded on one clock (probe.py). All sound passes a
relay of our own (relay.py), which loses datagrams both ways when it is told to. Echo cancelling and the like are off, but
for one more call of the devices with the whole front end: in that one of them talks at a time, since nothing of what they play
comes back into their microphones and a canceller could not learn.
"""

import argparse
import asyncio
import importlib.util
import math
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from tools.bench import graph
from tools.bench.call import processes
from tools.bench.parties import House, Network, devices, pages, straight, write_talks
from tools.bench.priority import prefer
from tools.bench.quality import Heard
from tools.measurements import Figure, write
from tools.system import find

LOSS = 0.1


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


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that was measured."""

    floor: Rates
    ours: Rates
    ours_loss: Rates
    low: Rates
    front_end: Rates
    chromium: Rates
    chromium_loss: Rates


async def bench(house: House, seconds: float) -> Results:
    """All of it, one after the other on the same graph and host."""
    relay = [sys.executable, "-m", "tools.bench.relay", f"127.0.0.2:{house.port}", f"127.0.0.1:{house.port}"]
    with straight(house):
        floor = Rates(await house.measure(16))
    with (
        processes([house.host_command()], env=house.environment),
        processes([relay], env=house.environment, stdin=subprocess.PIPE) as (through,),
    ):
        network = Network(through)
        await asyncio.sleep(2)

        async def clean_and_lossy() -> tuple[Rates, Rates]:
            clean = Rates(await house.measure(seconds))
            network.lose(LOSS)
            await asyncio.sleep(2)
            lossy = Rates(await house.measure(seconds))
            network.lose(0)
            return clean, lossy

        async with pages(house):
            chromium, chromium_loss = await clean_and_lossy()
        async with devices(house, 20):
            ours, ours_loss = await clean_and_lossy()
        async with devices(house, 10):
            low = Rates(await house.measure(seconds))
        async with devices(house, 20, front_end=True):
            front_end = Rates(await house.measure_in_turn(seconds / 2))
    return Results(floor, ours, ours_loss, low, front_end, chromium, chromium_loss)


_LOSSY = "10 % of all datagrams lost at random, on the way to the host and on the way from it"
_FRONT_END = (
    "the whole front end as it is by default: full duplex, gain control, limiter; one of the two talks at a time"
)
_PEER = "two Chromiums on the same host's page"


def figures(found: Results, how: str) -> list[Figure]:
    """The rows of the table."""
    ours, low, lossy = found.ours, found.low, found.ours_loss
    peer, peer_lossy = found.chromium, found.chromium_loss

    def late(name: str, value: float, goal: float, other: float, note: str = "") -> Figure:
        goal = min(goal, other)  # below Chromium in any case
        return Figure(f"mouth.{name}", round(value, 1), "ms", f"<= {goal:.1f}", _PEER, round(other, 1), note)

    def good(name: str, rates: Rates, other: Rates, note: str = "") -> Figure:
        note = ", ".join(part for part in (note, rates.lost) if part)
        value, than = round(rates.pesq, 2), round(other.pesq, 2)
        return Figure(f"mouth.{name}", value, "MOS", f">= {than}", _PEER, than, note)

    note = f"both ways at once, {how}"
    return [
        late("median_ms", ours.median, 105, peer.median, note),
        late("p95_ms", ours.p95, math.inf, peer.p95),
        late("low_delay_median_ms", low.median, 80, peer.median, "packets of 10 ms, no front end"),
        late("low_delay_p95_ms", low.p95, math.inf, peer.p95),
        late("front_end_median_ms", found.front_end.median, 120, peer.median, _FRONT_END),
        late("front_end_p95_ms", found.front_end.p95, math.inf, peer.p95),
        late("loss10_median_ms", lossy.median, math.inf, peer_lossy.median, _LOSSY),
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
    packages = graph.missing() + ([] if find("chromium") else ["chromium"])
    modules = [name for name in ("alsaaudio", "pesq") if importlib.util.find_spec(name) is None]
    if packages:
        return f"missing {', '.join(packages)}; type: python3 -m tools.system bench"
    return f"missing {', '.join(modules)}; type: make alsa judges" if modules else ""


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="From one mouth to the other's ear.")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each recording; default: 60")
    given = parser.parse_args()
    problem = missing()
    if problem:
        print(f"kontor: {problem}", file=sys.stderr)
        return 69
    preferred = prefer()
    with tempfile.TemporaryDirectory(prefix="k") as name:
        folder = Path(name)
        (folder / "graph").mkdir()
        sounds = graph.Graph(folder / "graph", ["micA", "micB"], ["spkA", "spkB"], hums=True)
        try:
            sounds.start()
            house = House(folder, sounds)
            write_talks(house, given.seconds)
            found = asyncio.run(bench(house, given.seconds))
        finally:
            sounds.stop()
    write("mouth-to-ear", figures(found, f"{given.seconds:.0f} s; {preferred}; {house.said}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
