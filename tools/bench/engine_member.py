"""Members of a room in a process of their own, for bench-engines: one as in link, or several that only talk.

The engine runs on the loop, and one thread feeds it every 10 ms and takes what is heard, as link does. Whoever only talks takes
nothing: so nothing is decoded for it. Commands: engine_lines.py.
"""

import asyncio
import contextlib
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from appliance.core.controls import Door
from appliance.core.lamps import LinkPhase
from appliance.core.levels import dbov
from appliance.core.units import BLOCK, BLOCK_SECONDS, SILENCE, Pcm
from appliance.rooms.contract import Engine, PhaseChanged, RoomEvent, SiteReport
from tools.bench.engine_lines import serve
from tools.bench.engine_makers import engine_of
from tools.bench.engine_sound import blocks, bursts, voice
from tools.bench.engine_watch import Watch, watch

_JOINS = 30.0
_LAMPS = {"mic": "off", "room": "steady", "speak": "off", "fault": "off"}
_REMEMBERED = 12_000
"""Blocks of which it is known how loud they were: two minutes."""
_SPOKEN, _MUTED = 1.0, 0.8
"""Seconds of an open gate and of a closed one."""


class Exchange(threading.Thread):
    """The thread. ``says`` is what the gate lets through and when its first block was due; None is a closed gate."""

    def __init__(self, *, ears: bool) -> None:
        super().__init__(daemon=True)
        self._ears = ears
        self._ending = threading.Event()
        self.engines: Sequence[Engine] = ()
        self.says: tuple[Sequence[Pcm], float] | None = None
        self.heard: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)
        self.kept: tuple[float, np.ndarray[Any, np.dtype[np.float32]]] | None = None
        """What is heard from some time on, shape (blocks, 480)."""

    def end(self) -> None:
        """Stop, and wait for that."""
        self._ending.set()
        self.join()

    def run(self) -> None:
        """Every 10 ms of the clock, so that threads of several processes share one grid."""
        out = np.zeros(BLOCK, np.float32)
        due = math.ceil(time.monotonic() / BLOCK_SECONDS) * BLOCK_SECONDS
        while not self._ending.is_set():
            due += BLOCK_SECONDS
            time.sleep(max(0.0, due - time.monotonic()))
            says = self.says
            for engine in self.engines:
                block = None if says is None else says[0][round((due - says[1]) / BLOCK_SECONDS) % len(says[0])]
                engine.forbid(block is None)
                engine.send(block)
                if self._ears:
                    engine.receive(out)
                    self._listen(out, due)

    def _listen(self, out: np.ndarray[Any, np.dtype[np.float32]], due: float) -> None:
        self.heard.append((time.monotonic(), dbov(out)))
        if self.kept is not None:
            at, place = self.kept
            turn = round((due - at) / BLOCK_SECONDS)
            if 0 <= turn < len(place):
                place[turn] = out


class Stay:
    """One engine that runs."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.engine = engine_of(given)
        self._there = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def join(self) -> float:
        """Seconds until it is in the room."""
        began = time.monotonic()
        self._task = asyncio.create_task(self.engine.run(self._told))
        there = asyncio.create_task(self._there.wait())
        await asyncio.wait({self._task, there}, timeout=_JOINS, return_when=asyncio.FIRST_COMPLETED)
        there.cancel()
        if not self._there.is_set():
            if self._task.done():
                await self._task
            raise TimeoutError(f"not in the room within {_JOINS:.0f} s")
        return time.monotonic() - began

    def _told(self, event: RoomEvent) -> None:
        if isinstance(event, PhaseChanged):
            sys.stderr.write(f"{time.monotonic():.2f} {event.phase} {event.why}\n")
            if event.phase is LinkPhase.IN_ROOM:
                self._there.set()

    async def leave(self) -> None:
        """As link does."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.engine.leave()

    def report(self, *, gate_open: bool) -> None:
        """Tell the room how the gate is."""
        reasons = () if gate_open else ("button",)
        self.engine.report_site(SiteReport(gate_open, reasons, Door.OPEN, _LAMPS, SILENCE))


class Members:
    """All of this process, and what they are asked."""

    def __init__(self) -> None:
        self._exchange = Exchange(ears=False)
        self._given: Sequence[Mapping[str, Any]] = ()
        self._stays: list[Stay] = []

    async def begin(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Who they are: ``given`` holds ``members`` and whether the first one has ``ears``."""
        self._given = asked["given"]["members"]
        self._exchange = Exchange(ears=asked["given"]["ears"])
        self._exchange.start()
        return {}

    async def join(self, _asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Enter the room; ``seconds`` until each was in it."""
        seconds = []
        for given in self._given:
            self._stays.append(stay := Stay(given))
            seconds.append(await stay.join())
        self._exchange.engines = [stay.engine for stay in self._stays]
        return {"seconds": seconds}

    async def leave(self, _asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Leave it."""
        stays, self._stays, self._exchange.engines = self._stays, [], ()
        await asyncio.sleep(2 * BLOCK_SECONDS)
        await asyncio.gather(*(stay.leave() for stay in stays))
        return {}

    async def say(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """``what``: "voice", or "bursts" that begin ``at`` some time, by ``seed``; or nothing, behind a closed gate."""
        says: tuple[Sequence[Pcm], float] | None = None
        match asked["what"]:
            case "voice":
                says = blocks(voice(asked["seed"])), 0.0
            case "bursts":
                says = blocks(bursts(asked["seed"], asked["seconds"])), asked["at"]
        self._open(says)
        return {}

    def _open(self, says: tuple[Sequence[Pcm], float] | None) -> None:
        self._exchange.says = says
        for stay in self._stays:
            stay.report(gate_open=says is not None)

    async def heard(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Time and level of each block ``since`` some time."""
        looks = [(round(at, 3), round(level)) for at, level in self._exchange.heard.copy() if at >= asked["since"]]
        return {"looks": looks}

    async def keep(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write to ``path`` what is heard from ``at`` on, for so many ``seconds``."""
        place = np.zeros((round(asked["seconds"] / BLOCK_SECONDS), BLOCK), np.float32)
        self._exchange.kept = asked["at"], place
        await asyncio.sleep(max(0.0, asked["at"] + asked["seconds"] - time.monotonic()) + 0.1)
        self._exchange.kept = None
        np.save(asked["path"], place.ravel())
        return {}

    async def press(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Close the gate so many ``times``, and see what leaves after it at the point of UX.md, mute rule 6.

        For each: when it was pressed, and until when sound left, both of the clock. For that it enters the room anew.
        """
        with contextlib.closing(watch(Path(asked["path"]))) as seen:
            await self.leave({})
            await self.join({})
            seen.look_at(self._stays[0].engine)
            says = blocks(voice(7)), 0.0
            await asyncio.sleep(_MUTED)
            found = [await self._press(says, seen, at) for at in range(asked["times"])]
            counters = self._stays[0].engine.violations
        return {"presses": found, "violations": counters}

    async def _press(self, says: tuple[Sequence[Pcm], float], seen: Watch, at: int) -> tuple[float, float]:
        self._open(says)
        await asyncio.sleep(_SPOKEN + 0.007 * (at % 9))  # at any moment of a packet
        pressed = time.monotonic()
        self._open(None)
        await asyncio.sleep(_MUTED)
        last = seen.last_sound()
        if last is None or last < pressed - _SPOKEN:
            raise RuntimeError("no sound was seen to leave while the gate was open")
        return pressed, last

    async def end(self) -> None:
        """All of it."""
        await self.leave({})
        if self._exchange.ident is not None:
            self._exchange.end()


async def main() -> None:
    """Until standard input ends."""
    members = Members()
    names = ("begin", "join", "leave", "say", "heard", "keep", "press")
    try:
        await serve({name: getattr(members, name) for name in names})
    finally:
        await members.end()


if __name__ == "__main__":
    asyncio.run(main())
    sys.exit(0)
