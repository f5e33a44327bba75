"""What each engine costs a device, and how soon it joins, mutes, is heard and is back: ``make bench-engines``.

Each engine runs in a process of its own in a network of its own (engine_member.py), fed every 10 ms as link feeds it. Its server,
those who talk and the friend who listens are other processes beyond a router (engine_places.py). The servers are those of the
contract suite: our host, a real livekit-server, Debian's Janus, and stand-ins for Telegram, which is never asked itself.
"""

import argparse
import contextlib
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from tests.contract.apart import apart
from tools.bench.engine_lines import Failed, Process
from tools.bench.engine_places import TALKERS, Cable, LiveKitRoom, Place, Room, serving
from tools.bench.engine_sound import LOUD, back_after, bursts, last_sound, lateness
from tools.bench.priority import prefer
from tools.bench.processes import family, pss_mib, ran_seconds
from tools.measurements import DIRECTORY, Figure, read, table, write

NAMES = ("hosted", "livekit", "janus", "telegram")
GOALS: Mapping[tuple[str, str], str] = {
    ("hosted", "back_after_cut15_s"): "<= 2",
    ("hosted", "back_after_server_restart_s"): "<= 2",
    **{(name, f"back_after_{what}_s"): "<= 5" for name in ("livekit", "janus") for what in ("cut15", "server_restart")},
    **{(name, "mute_to_silence_ms"): "<= 60" for name in NAMES},
}
UNITS = {"percent": "%", "mib": "MiB", "ms": "ms", "s": "s"}
_SDK = "the plain SDK, subscribed to all"
_AS_SDK = {1: 1.3, 10: 1.0}
"""How many times the plain SDK's CPU our engine for LiveKit may use, by those who talk."""
_BACK = 45.0
"""Seconds after which nobody waits any longer."""
_BEFORE = "measured before: "
_STRAY = 0.05
"""How much of a cut may be loud: noise that a library makes of nothing."""
_DOWN = 1.0
"""Seconds that a server is away."""


@dataclass(frozen=True)
class Effort:
    """How long everything takes, seconds, and how often it is done."""

    settle: float = 5.0
    cpu: float = 15.0
    joins: int = 5
    said: float = 31.0
    presses: int = 20
    cuts: int = 3
    cut: float = 15.0


QUICK = Effort(2.0, 4.0, 2, 9.0, 4, 1, 4.0)


@dataclass(frozen=True)
class Found:
    """One figure, of which more is told in words. ``peer`` is what it is compared with."""

    value: float
    note: str = ""
    peer: float | None = None


class Bench:
    """One engine's server, and what is tried with it."""

    def __init__(self, name: str, place: Place, cable: Cable, folder: Path, effort: Effort) -> None:
        self._name, self._place, self._cable, self._folder, self._effort = name, place, cable, folder, effort
        self.failed: list[str] = []

    def all(self) -> dict[str, Found]:
        """Every figure that could be measured; why another could not stands in :attr:`failed`."""
        found: dict[str, Found] = {}
        parts: list[tuple[str, Callable[[], dict[str, Found]]]] = [
            *((f"cpu_percent_{count}", lambda count=count: self._cpu(count)) for count in TALKERS),
            ("join_s", self._join),
            ("source_to_ear_ms", self._ear),
            ("mute_to_silence_ms", self._mute),
            ("back_after_cut15_s", self._cut),
            ("back_after_server_restart_s", self._restart),
        ]
        for name, part in parts:
            try:
                measured = part()
            except (Failed, ValueError) as error:
                self.failed.append(f"engine.{self._name}.{name}: {error}")
                print(self.failed[-1], file=sys.stderr, flush=True)
            else:
                found |= measured
                print(*(f"{figure} {one.value:.2f}" for figure, one in measured.items()), file=sys.stderr, flush=True)
        return found

    # ---- who is there

    def _member(self, room: Room, who: str) -> Process:
        given = {"members": [room.member(who)], "ears": True}
        inside = self._cable.inside if who == "device" else ()
        return Process("tools.bench.engine_member", given, self._folder / f"{who}.log", inside)

    @contextlib.contextmanager
    def _talking(self, room: Room, count: int) -> Iterator[None]:
        members = room.talkers(count)
        if not members:
            yield
            return
        plain = isinstance(room, LiveKitRoom)
        module = "tools.bench.engine_sdk" if plain else "tools.bench.engine_member"
        with Process(module, {"members": members, "ears": False}, self._folder / "talkers.log") as talkers:
            talkers.ask("join")
            if not plain:
                talkers.ask("say", what="voice", seed=1)
            yield

    @contextlib.contextmanager
    def _two(self, room: Room) -> Iterator[tuple[Process, Process]]:
        """The device and its friend in the room."""
        with self._member(room, "friend") as friend, self._member(room, "device") as device:
            for one in (friend, device):
                one.ask("join")
            yield device, friend

    @contextlib.contextmanager
    def _talking_to_each_other(self) -> Iterator[tuple[Process, Process]]:
        with self._two(self._place.room()) as (device, friend):
            for seed, one in enumerate((device, friend)):
                one.ask("say", what="voice", seed=seed)
            self._back((device, friend), time.monotonic())
            time.sleep(self._effort.settle)
            yield device, friend

    # ---- the figures

    def _cpu(self, count: int) -> dict[str, Found]:
        room = self._place.room(count)
        with self._talking(room, count):
            with self._member(room, "device") as device:
                device.ask("join")
                device.ask("say", what="voice", seed=99)
                time.sleep(self._effort.settle)
                began = time.monotonic()
                busy = busy_percent(device.pid, self._effort.cpu)
                loud = share_of_sound(device.ask("heard", since=began)["looks"])
                memory = sum(pss_mib(pid) for pid in family(device.pid))
                children = len(family(device.pid)) - 1
            if loud < 0.5:
                raise Failed(f"it heard those who talk only {100 * loud:.0f} % of the time")
            peer = self._plain(room, count) if isinstance(room, LiveKitRoom) else None
        note = f"of a core, over {self._effort.cpu:.0f} s; it talks too, and hears something {100 * loud:.0f} % of the time"
        if children:
            note += f"; {children} process of its own counted in"
        found = {f"cpu_percent_{count}": Found(busy, note, peer)}
        if count == TALKERS[1]:
            found["pss_mib"] = Found(memory, f"{count} talk; the engine and its exchange, without link's other parts")
        return found

    def _plain(self, room: LiveKitRoom, count: int) -> float:
        """The plain SDK in the place of the device."""
        given = {"members": [room.plain("plain", 99)], "ears": True}
        log = self._folder / "plain.log"
        with Process("tools.bench.engine_sdk", given, log, self._cable.inside) as plain:
            plain.ask("join")
            time.sleep(self._effort.settle)
            busy = busy_percent(plain.pid, self._effort.cpu)
            heard = plain.ask("heard")["heard"]
        if sum(blocks > 0 for blocks in heard.values()) < count:
            raise Failed(f"the plain SDK heard {len(heard)} of {count} who talk")
        return busy

    def _join(self) -> dict[str, Found]:
        taken = []
        with self._member(self._place.room(), "device") as device:
            for _ in range(self._effort.joins):
                taken += device.ask("join")["seconds"]
                device.ask("leave")
                time.sleep(0.5)
        note = f"median of {len(taken)}; the first, with a library that begins, {taken[0]:.2f}; the longest {max(taken):.2f}"
        return {"join_s": Found(statistics.median(taken), note)}

    def _ear(self) -> dict[str, Found]:
        seconds = self._effort.said
        path = self._folder / "heard.npy"
        with self._two(self._place.room()) as (device, friend):
            friend.ask("say", what="voice", seed=3)
            self._back((device,), time.monotonic())
            time.sleep(self._effort.settle)
            at = round(time.monotonic() + 1.0, 2)
            device.tell("keep", at=at, seconds=seconds, path=str(path))
            friend.ask("say", what="bursts", seed=5, seconds=seconds, at=at)
            device.answer(seconds + 30)
        late = lateness(bursts(5, seconds), np.load(path))
        if not late:
            raise Failed("no burst of sound was found in what was heard")
        worst = 1000 * float(np.percentile(late, 95))
        note = (
            f"from the block that the friend's engine takes to the one that ours gives; median of {len(late)} bursts, "
            f"p95 {worst:.0f}"
        )
        return {"source_to_ear_ms": Found(1000 * statistics.median(late), note)}

    def _mute(self) -> dict[str, Found]:
        times = self._effort.presses
        with self._two(self._place.room()) as (device, friend):
            began = time.monotonic()
            device.tell("press", times=times, path=str(self._folder / "left"))
            said = device.answer(times * 3 + 60)
            looks = friend.ask("heard", since=began)["looks"]
        if said["violations"]:
            raise Failed(f"the proof of mute has counted {said['violations']}")
        after = [1000 * max(0.0, last - pressed) for pressed, last in said["presses"]]
        ears = [1000 * last_sound(looks, pressed, pressed + 0.8) for pressed, _ in said["presses"]]
        note = (
            f"the longest of {times}, median {statistics.median(after):.1f}; the friend hears the last of it after "
            f"{statistics.median(ears):.0f} ms, playout and all"
        )
        return {"mute_to_silence_ms": Found(max(after), note)}

    def _cut(self) -> dict[str, Found]:
        """The longest of some: whether a library was just about to try again is chance."""
        returns = [self._one_cut() for _ in range(self._effort.cuts)]
        longest = max(returns, key=lambda one: one.value)
        each = ", ".join(f"{one.value:.2f}" for one in returns)
        return {"back_after_cut15_s": replace(longest, note=f"the longest of {each}; {longest.note}")}

    def _one_cut(self) -> Found:
        with self._talking_to_each_other() as both:
            self._cable.cut()
            time.sleep(self._effort.cut / 2)
            began = time.monotonic()
            time.sleep(self._effort.cut / 2)
            heard = max(share_of_sound(one.ask("heard", since=began)["looks"]) for one in both)
            if heard > _STRAY:
                raise Failed(f"while nothing could pass, sound was heard {100 * heard:.0f} % of the time")
            self._cable.mend()
            return self._returned(both, "a router forwards nothing and tells nobody")

    def _restart(self) -> dict[str, Found]:
        with self._talking_to_each_other() as both:
            self._place.server.kill()
            time.sleep(_DOWN)
            self._place.server.start()
            note = f"killed, away for {_DOWN:.0f} s, counted from when it takes connections; its friend comes back, too"
            return {"back_after_server_restart_s": self._returned(both, note)}

    def _returned(self, both: Sequence[Process], note: str) -> Found:
        seconds = self._back(both, time.monotonic())
        if seconds is None:
            return Found(_BACK, f"not within {_BACK:.0f} s; {note}")
        return Found(seconds, f"until sound stays in both directions; {note}")

    def _back(self, listeners: Sequence[Process], since: float) -> float | None:
        """Seconds until all of them hear, and go on hearing; None: not within reason."""
        while time.monotonic() < since + _BACK:
            returned = [back_after(one.ask("heard", since=since)["looks"], since) for one in listeners]
            known = [seconds for seconds in returned if seconds is not None]
            if len(known) == len(returned):
                return max(known)
            time.sleep(0.25)
        return None


def busy_percent(pid: int, seconds: float) -> float:
    """Of a core, by a process and its children."""
    before, began = sum(map(ran_seconds, family(pid))), time.monotonic()
    time.sleep(seconds)
    return 100 * (sum(map(ran_seconds, family(pid))) - before) / (time.monotonic() - began)


def share_of_sound(looks: Sequence[Sequence[float]]) -> float:
    """How many of the blocks were loud, 0 to 1."""
    return sum(level > LOUD for _, level in looks) / max(1, len(looks))


def figures(name: str, found: Mapping[str, Found], words: str = "") -> list[Figure]:
    """What is written down of one engine, in the order of the names in issue 10.

    :param words: of the whole run, told with the first figure.
    """
    rows: list[Figure] = []
    for what, one in found.items():
        goal = GOALS.get((name, what), "")
        count = int(what.rsplit("_", 1)[1]) if what.startswith("cpu_percent") else 0
        if one.peer is not None and count in _AS_SDK:
            goal = f"<= {_AS_SDK[count] * one.peer:.1f}"
        unit = "%" if count else UNITS[what.rsplit("_", 1)[1]]
        value, peer = round(one.value, 2), None if one.peer is None else round(one.peer, 2)
        note = "; ".join(part for part in (words if not rows else "", one.note) if part)
        rows.append(Figure(f"engine.{name}.{what}", value, unit, goal, _SDK if peer is not None else "", peer, note))
    return rows


def bench(names: Sequence[str], effort: Effort, words: str) -> tuple[list[Figure], list[str]]:
    """All engines, one after the other, and what could not be measured."""
    rows: list[Figure] = []
    missing: list[str] = []
    with apart(), Cable() as cable:
        for name in names:
            with tempfile.TemporaryDirectory(prefix="k") as folder:
                try:
                    with serving(name, Path(folder)) as place:
                        tried = Bench(name, place, cable, Path(folder), effort)
                        rows += figures(name, tried.all(), words)
                        missing += tried.failed
                except pytest.skip.Exception as skipped:
                    missing.append(f"engine.{name} is left out: {skipped}")
    return rows, missing


def merged(path: Path, rows: Sequence[Figure]) -> list[Figure]:
    """``rows``, and what the file at ``path`` has of other engines: of those is told when they were measured."""
    fresh = {_engine(row) for row in rows}
    by_engine: dict[str, list[Figure]] = {}
    if path.exists():
        document, before = read(path)
        for row in before:
            if (name := _engine(row)) not in fresh:
                first, told = name not in by_engine, f"{_BEFORE}{document['date']}, commit {document['commit']}"
                note = f"{told}; {row.note}" if first and _BEFORE not in row.note else row.note
                by_engine.setdefault(name, []).append(replace(row, note=note))
    for row in rows:
        by_engine.setdefault(_engine(row), []).append(row)
    return [row for name in NAMES for row in by_engine.get(name, ())]


def _engine(row: Figure) -> str:
    return row.name.split(".")[1]


def main(arguments: Sequence[str]) -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", default=",".join(NAMES), help="engines, with commas; those of others stay as they are"
    )
    parser.add_argument("--quick", action="store_true", help="short and rough; the figures are printed, not written")
    given = parser.parse_args(arguments)
    names = given.only.split(",")
    if unknown := set(names) - set(NAMES):
        parser.error(f"no engine is called {', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")
    if os.geteuid() != 0 or shutil.which("ip") is None:
        print("bench-engines makes network namespaces: it needs root, and Debian's iproute2.", file=sys.stderr)
        return 75
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(70))  # the namespaces go too
    words = "" if given.quick else f"{prefer()}, load of the machine {os.getloadavg()[0]:.0f} at the beginning"
    rows, missing = bench(names, QUICK if given.quick else Effort(), words)
    for sentence in missing:
        print(sentence, file=sys.stderr)
    if not rows:
        return 75
    if given.quick:
        print(table(rows))
    else:
        write("engines", merged(DIRECTORY / "engines.json", rows))
    return 1 if any("left out" not in sentence for sentence in missing) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
