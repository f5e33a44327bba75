"""Rooms that pass sound from each member to all others a moment later, and real bridges between them: only the engines are lists.

Time is virtual: a test's loop turns the clocks.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np

from appliance.core.units import BLOCK, BLOCK_SECONDS, Block
from appliance.rooms.bridge import Bridge
from appliance.rooms.bridge_end import EndSettings
from appliance.rooms.contract import MemberChanged
from appliance.rooms.hosted import CAPABILITIES
from tests.rooms.bridge_fakes import FakeEngine, person

WORDLESS = replace(CAPABILITIES, reports=False)
_SILENCE: Block = np.zeros(BLOCK, np.float32)


class Place:
    """A room.

    :param delay: turns after which others hear what one says.
    :param echo: how much of what it hears somebody's open microphone there picks up.
    """

    def __init__(self, name: str, delay: int = 15, echo: float = 0.0) -> None:
        self.name, self.echo = name, echo
        self._delay = delay
        self._seats: list[FakeEngine] = []
        self._said: dict[FakeEngine, deque[Block]] = {}
        self._returns: deque[Block] = deque([_SILENCE] * delay)

    def seat(self, engine: FakeEngine) -> FakeEngine:
        """Somebody comes in."""
        self._seats.append(engine)
        self._said[engine] = deque([_SILENCE] * self._delay)
        return engine

    def turn(self) -> None:
        """Ten milliseconds."""
        now = {engine: said.popleft() for engine, said in self._said.items()}
        whole: Block = np.sum([*now.values(), _SILENCE], axis=0, dtype=np.float32)
        back = self._returns.popleft()
        self._returns.append((self.echo * whole).astype(np.float32))
        for engine in self._seats:
            engine.blocks.append((whole - now[engine] + back).astype(np.float32))
            said = engine.sent[-1] if engine.sent else None
            self._said[engine].append(_SILENCE if said is None else (said / 32768).astype(np.float32))


class Guest:
    """A person: loud, at times, and never to hear that."""

    def __init__(self, place: Place) -> None:
        self.engine = place.seat(FakeEngine(WORDLESS))
        self.loudest = 0.0
        """Of what it heard since this was set to 0."""
        self._turn = 0
        self._heard: Block = np.zeros(BLOCK, np.float32)

    def turn(self) -> None:
        self.engine.receive(self._heard)
        self.loudest = max(self.loudest, float(np.abs(self._heard).max()))
        self._turn += 1
        self.engine.sent[:] = [np.full(BLOCK, 29000, np.int16) if self._turn % 150 < 3 else None]


class Joiner:
    """A bridge that begins in two rooms at a moment."""

    def __init__(self, a: Place, b: Place, seed: int, *, stands_aside: bool = False) -> None:
        self.places = a, b
        self.engines = FakeEngine(WORDLESS), FakeEngine(WORDLESS)
        rng = Random(seed)
        ends = [
            EndSettings(engine, place.name, f"bridge-{seed}", f"{rng.getrandbits(32):08x}")
            for engine, place in zip(self.engines, self.places, strict=True)
        ]
        self.bridge = Bridge(ends[0], ends[1], chance=rng.random, unix=lambda: float(seed), stands_aside=stands_aside)
        self.ended: BaseException | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self.begun = False

    async def begin(self) -> None:
        for place, engine in zip(self.places, self.engines, strict=True):
            place.seat(engine)
        parts = self.bridge.parts()
        del parts["clock"]
        self._tasks = [asyncio.create_task(self._part(part())) for part in parts.values()]
        await asyncio.sleep(0)
        for engine in self.engines:
            engine.enter()
        self.begun = True

    async def _part(self, work: Any) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001  # looked at by the test
            self.ended = self.ended or error
            for lane in self.bridge.into:
                lane.open = False
                lane.say_mark(())

    def turn(self) -> None:
        if self.begun:
            self.bridge.clock._turn()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def carries(self) -> set[tuple[str, str]]:
        """From which room into which."""
        a, b = (place.name for place in self.places)
        return {way for way, lane in zip(((b, a), (a, b)), self.bridge.into, strict=True) if lane.open}

    @property
    def open(self) -> bool:
        return len(self.carries) == 2

    def meets(self, who: str) -> None:
        """Somebody comes into both rooms, as it is told."""
        for engine in self.engines:
            engine.tell(MemberChanged(person(who)))


class Town:
    """All of it."""

    def __init__(self, places: list[Place], guests: list[Guest], bridges: list[Joiner]) -> None:
        self.places, self.guests, self.bridges = places, guests, bridges
        self.round_trips = 0
        """Turns in which what is said in a room would have come back there."""

    async def until(self, condition: Callable[[], object], seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not condition():
            assert loop.time() < end, [(each.carries, each.ended, each.bridge.as_dict()) for each in self.bridges]
            await self.turn()

    async def run(self, seconds: float) -> None:
        for _ in range(round(seconds / BLOCK_SECONDS)):
            await self.turn()

    async def turn(self) -> None:
        for place in self.places:
            place.turn()
        for guest in self.guests:
            guest.turn()
        for bridge in self.bridges:
            bridge.turn()
        self.round_trips += self._comes_back()
        await asyncio.sleep(BLOCK_SECONDS)

    def _comes_back(self) -> bool:
        """Whether two bridges carry opposite ways, between two rooms."""
        return any(
            (there, here) in other.carries
            for bridge in self.bridges
            for here, there in bridge.carries
            for other in self.bridges
            if other is not bridge
        )


@contextlib.asynccontextmanager
async def town(places: list[Place], guests: list[Guest], *bridges: Joiner) -> AsyncIterator[Town]:
    try:
        yield Town(places, guests, list(bridges))
    finally:
        for bridge in bridges:
            await bridge.end()
