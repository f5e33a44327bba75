"""What a room costs its host: ``make bench-room``.

A host in a process of its own, as ``kontor host`` runs it, and members in others, which really join (HTTP, ICE, DTLS), decipher
everything and watch for gaps. CPU is the host's own, from /proc, over the seconds of talk. The same is asked of LiveKit's
server (``make tools-livekit``) and of Janus' AudioBridge in the same run, one after the other.
"""

import asyncio
import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from tools import livekit, system
from tools.bench.processes import cpu_seconds, rss_mib
from tools.bench.room_load import KEY, speech_packets
from tools.bench.room_peers import Cost, audiobridge_cost, livekit_cost
from tools.measurements import Figure, write

SECONDS = 15.0
JOINS = 20
SIZES = ((100, 1), (400, 1), (800, 1), (100, 3), (400, 3), (800, 3))
LISTENERS = 400
_RED = "the same with redundancy (RFC 2198)"
_PAGES = "100 pages open, which are told levels 15 times a second, and 100 listeners of one talker"
_SHORT = (
    "Short of 3: three quarters of our CPU is the kernel's, in sendmmsg, the waking of the readers included. Tried: rows grouped"
    " by what they take, one libsrtp loop, reports to those who only listen every 5 s (10.7 to 8.2 µs a packet)"
)
BRIDGED = 50
"""Listeners of the AudioBridge: more than it carries on one core would only queue."""


@dataclass(frozen=True)
class Measured:
    """One run of talk."""

    listeners: int
    cpu: float
    """Seconds of the host."""
    seconds: float
    packets: float
    p99: float
    """ms."""
    troubles: str = ""
    """What did not go as it should, in words."""

    @property
    def us_per_packet(self) -> float:
        """µs of the host for each packet that arrived."""
        return 1e6 * self.cpu / self.packets

    @property
    def per_core(self) -> float:
        """Listeners that a core would carry, 50 packets a second each."""
        return 1e6 / (50 * self.us_per_packet)


class Room:
    """A host under load."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, key: str) -> None:
        self.pid = process.pid
        self.url = url
        self._environment = {**os.environ, KEY: key}

    @contextlib.asynccontextmanager
    async def load(self, *arguments: object) -> AsyncIterator[asyncio.subprocess.Process]:
        """A process of members."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tools.bench.room_load", self.url, *map(str, arguments)),
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def talk(self, load: asyncio.subprocess.Process, listeners: int, seconds: float) -> Measured:
        """Let joined members talk, and watch the host meanwhile."""
        if load.stdin is None:
            raise RuntimeError("the load has no input")
        before = cpu_seconds(self.pid)
        load.stdin.write(b"go\n")
        got = await said(load)
        cpu = cpu_seconds(self.pid) - before
        return Measured(listeners, cpu, seconds, got["packets"], got["p99"], _troubles(got))


def _troubles(got: dict[str, float]) -> str:
    """A figure of a run in which anything was lost says so."""
    names = {"gaps": "gaps in what arrived", "refused": "packets that could not be deciphered"}
    found = [f"{got[name]:.0f} {words}" for name, words in names.items() if got[name]]
    if not got["decoded_least"]:
        found.append("a listener who decoded nothing")
    return ", ".join(found)


async def said(load: asyncio.subprocess.Process) -> dict[str, float]:
    """The next line of a load process."""
    if load.stdout is None:
        raise RuntimeError("the load has no output")
    line = await load.stdout.readline()
    if not line:
        raise RuntimeError("the load has ended")
    found: dict[str, float] = json.loads(line)
    return found


@contextlib.asynccontextmanager
async def room() -> AsyncIterator[Room]:
    """A fresh host."""
    key = secrets.token_hex(32)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools.bench.room_host"),
        env={**os.environ, KEY: key},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        if process.stdout is None:
            raise RuntimeError("the host has no output")
        yield Room(process, (await process.stdout.readline()).decode().strip(), key)
    finally:
        process.kill()
        await process.wait()


async def measure(listeners: int, talkers: int, seconds: float, *, red: bool = False) -> Measured:
    """So many listen to so many."""
    async with room() as home, home.load(seconds, listeners, talkers, int(red)) as load:
        await said(load)
        return await home.talk(load, listeners, seconds)


@dataclass(frozen=True)
class Storm:
    """What joining costs, and what it does to those who listen."""

    join_ms: float
    rss_kib: float
    p99: float
    joins: float
    """Members that came a second, while others listened."""
    troubles: str


async def storm(seconds: float) -> Storm:
    """Talk to the listeners while others join, and what the host's CPU and memory say of it."""
    async with room() as home:
        memory = rss_mib(home.pid)
        before = cpu_seconds(home.pid)
        async with home.load(seconds, LISTENERS, 1, 0) as load:
            joined = (await said(load))["joined"]
            cpu = cpu_seconds(home.pid) - before
            rss = 1024 * (rss_mib(home.pid) - memory) / joined
            async with home.load(seconds + 1, JOINS) as joining:
                await asyncio.sleep(1)
                talk = await home.talk(load, LISTENERS, seconds)
                joins = (await said(joining))["joins"] / (seconds + 1)
    return Storm(1000 * cpu / joined, rss, talk.p99, joins, talk.troubles)


async def watched(listeners: int, pages: int, seconds: float) -> float:
    """Part of a core that the host takes while ``pages`` are open, and one talks to ``listeners``."""
    async with room() as home, home.load(seconds + 5, "watch", pages) as watching:
        await said(watching)
        async with home.load(seconds, listeners, 1, 0) as load:
            await said(load)
            return (await home.talk(load, listeners, seconds)).cpu / seconds


def _ours(sizes: dict[tuple[int, int], Measured], red: Measured, storming: Storm, pages: float) -> list[Figure]:
    main = sizes[LISTENERS, 1]
    note = _both(f"{LISTENERS} listeners, one talker, no redundancy asked for, {SECONDS:.0f} s", main.troubles)
    joining = _both(f"while {storming.joins:.0f} a second join", storming.troubles)
    figures = [
        Figure("room.us_per_packet", round(main.us_per_packet, 2), "µs", note=note),
        Figure("room.listeners_per_core", round(main.per_core), "listeners"),
        Figure("room.forward_p99_ms", round(main.p99, 2), "ms", "<= 10", note="to the last of every 20th listener"),
        Figure("room.forward_joins_p99_ms", round(storming.p99, 2), "ms", "<= 10", note=joining),
        Figure("room.join_cpu_ms", round(storming.join_ms, 2), "ms", "<= 2", note="HTTP, ICE and DTLS of one member"),
        Figure("room.rss_per_member_kib", round(storming.rss_kib), "KiB"),
        Figure("room.core_100_pages", round(100 * pages, 1), "% of a core", note=_PAGES),
        Figure("room.us_per_packet_red", round(red.us_per_packet, 2), "µs", note=_both(_RED, red.troubles)),
    ]
    for (listeners, talkers), found in sizes.items():
        if (listeners, talkers) != (LISTENERS, 1):
            name = f"{listeners}_{talkers}"
            figures.append(
                Figure(f"room.us_per_packet_{name}", round(found.us_per_packet, 2), "µs", note=found.troubles)
            )
            figures.append(Figure(f"room.listeners_per_core_{name}", round(found.per_core), "listeners"))
            figures.append(Figure(f"room.forward_p99_ms_{name}", round(found.p99, 2), "ms"))
    return figures


def _both(note: str, troubles: str) -> str:
    return f"{note}; {troubles}" if troubles else note


def _ratios(ours: Measured, theirs: dict[str, Cost]) -> list[Figure]:
    goals = {"livekit": ">= 3", "audiobridge": ">= 20"}
    figures = []
    for name, cost in theirs.items():
        note = f"{cost.listeners} listeners, one talker; {100 * cost.complete:.0f} % of their packets arrived"
        ratio = ours.per_core / cost.per_core
        if name == "livekit":
            note = f"{note}. {_SHORT}"
        peer = {"livekit": f"livekit-server {livekit.VERSION}", "audiobridge": "Janus AudioBridge, plain RTP"}[name]
        figures.append(
            Figure(
                f"room.{name}_ratio",
                round(ratio, 1),
                "",
                goals[name],
                peer,
                round(cost.per_core),
                f"{note}; listeners a core",
            )
        )
    return figures


async def bench(seconds: float, sizes: Sequence[tuple[int, int]]) -> list[Figure]:
    """All of it."""
    found = {size: await measure(*size, seconds) for size in sizes}
    red = await measure(LISTENERS, 1, seconds, red=True)
    storming = await storm(seconds)
    pages = await watched(100, 100, seconds)
    packets = list(speech_packets(1)[0])
    theirs = {}
    if system.find("janus"):
        theirs["audiobridge"] = await audiobridge_cost(BRIDGED, seconds, packets)
    wrong = livekit.build()
    if wrong:
        print(f"kontor: {wrong}", flush=True)
    else:
        theirs["livekit"] = await livekit_cost(LISTENERS, seconds, packets)
    return _ours(found, red, storming, pages) + _ratios(found[LISTENERS, 1], theirs)


def main() -> int:
    """Measure and write; ``quick`` only prints a short run."""
    if sys.argv[1:] == ["quick"]:
        for figure in asyncio.run(bench(4.0, ((LISTENERS, 1),))):
            print(figure.name, figure.value, figure.unit, figure.peer_value or "", figure.note)
        return 0
    write("room", asyncio.run(bench(SECONDS, SIZES)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
