"""One engine under test, with the exchange thread that link would have, and ears."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from appliance.core.controls import Door
from appliance.core.lamps import LinkPhase
from appliance.core.roster import Member
from appliance.core.units import BLOCK, BLOCK_SECONDS, RATE, Block, Pcm
from appliance.rooms.contract import (
    Engine,
    Levels,
    MemberChanged,
    MemberLeft,
    PhaseChanged,
    RoomEvent,
    RoomRefused,
    SiteReport,
)

E = TypeVar("E")


class Rig:
    """Plays a tone into an engine, or nothing (the gate is closed), and keeps all that comes out."""

    def __init__(self, engine: Engine, identity: str) -> None:
        self.engine = engine
        self.identity = identity
        self.events: list[RoomEvent] = []
        self.refusal: RoomRefused | None = None
        self._changed = asyncio.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._exchange, name=f"exchange of {identity}")
        self._task: asyncio.Task[None] | None = None
        self._source: Callable[[int], Pcm] | None = None
        self._check = threading.Event()
        self._heard: list[Block] = []
        self.longest_turn = 0.0
        self._failure: BaseException | None = None

    # ---- life

    async def start(self, *, wait: bool = True) -> None:
        self._task = asyncio.create_task(self._run(), name=f"engine of {self.identity}")
        self._thread.start()
        if wait:
            await self.in_room()

    async def in_room(self, seconds: float = 10.0) -> None:
        await self.until(lambda: self.phase is LinkPhase.IN_ROOM, seconds)

    async def refused(self, seconds: float = 5.0) -> None:
        await self.until(lambda: self.refusal, seconds)

    async def stop(self) -> None:
        """As ``kontor link`` ends: the exchange first, then the room."""
        self._ending.set()
        await asyncio.to_thread(self._thread.join)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.engine.leave()
        if self._failure is not None:
            raise self._failure

    async def _run(self) -> None:
        try:
            await self.engine.run(self._report)
        except RoomRefused as refusal:
            self.refusal = refusal
            self._changed.set()

    def _report(self, event: RoomEvent) -> None:
        self.events.append(event)
        self._changed.set()

    # ---- the exchange thread

    def _exchange(self) -> None:
        try:
            out = np.zeros(BLOCK, np.float32)
            due, turn = time.monotonic(), 0
            while not self._ending.is_set():
                due += BLOCK_SECONDS
                time.sleep(max(0.0, due - time.monotonic()))
                began = time.monotonic()
                self.engine.receive(out)
                self._heard.append(out.copy())
                source = self._source
                self.engine.send(None if source is None else source(turn))
                if source is None and self._check.is_set():
                    self.engine.check()
                    self._check.clear()
                self.longest_turn = max(self.longest_turn, time.monotonic() - began)
                turn += 1
            self.engine.send(None)
        except BaseException as error:  # noqa: BLE001  # told by stop()
            self._failure = error

    # ---- the microphone's side of the gate

    def open(self, source: Callable[[int], Pcm]) -> None:
        """Open the gate, with ``source`` in front of it, and tell the room."""
        self._source = source
        self.report(gate_open=True)

    def close(self) -> None:
        """Close the gate: the gate first, the room last."""
        self._source = None
        self.report(gate_open=False)

    async def check(self) -> None:
        """Let the exchange thread look behind the closed gate, and wait for that."""
        self._check.set()
        async with asyncio.timeout(5):
            while self._check.is_set():
                await asyncio.sleep(0.01)

    def report(
        self,
        *,
        gate_open: bool,
        loudspeaker: float = -127.0,
        door: Door = Door.OPEN,
        direction: int | None = None,
        recording: bool = False,
    ) -> None:
        self.engine.report_site(
            SiteReport(
                gate_open=gate_open,
                reasons=() if gate_open else ("button",),
                door=door,
                lamps={"mic": "off" if gate_open else "steady", "room": "steady", "speak": "off", "fault": "off"},
                loudspeaker=loudspeaker,
                direction=direction,
                recording=recording,
            )
        )

    # ---- the loudspeaker

    async def listen(self, seconds: float) -> NDArray[np.float32]:
        """What is heard from now on, for so long."""
        start, blocks = len(self._heard), round(seconds / BLOCK_SECONDS)
        while len(self._heard) < start + blocks:
            if self._failure is not None:
                raise self._failure
            await asyncio.sleep(0.01)
        return np.concatenate(self._heard[start : start + blocks])

    async def hear(self, hertz: float, seconds: float = 5.0) -> None:
        """Wait until a tone is heard."""
        async with asyncio.timeout(seconds):
            while power(await self.listen(0.1), hertz) < -40:
                pass

    # ---- what the room tells

    @property
    def phase(self) -> LinkPhase:
        return next((e.phase for e in reversed(self.events) if isinstance(e, PhaseChanged)), LinkPhase.STARTING)

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, condition: Callable[[], object], seconds: float = 5.0) -> None:
        """Wait for an event after which ``condition`` holds."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s; {self.identity} was told:\n{self.told_text()}") from None

    def told_text(self) -> str:
        return "\n".join(f"  {event}" for event in self.events[-40:])


def tone(hertz: float, level: float = 0.5) -> Callable[[int], Pcm]:
    """A sine of peak ``level``, block by block; a whole number of periods in a second."""
    second = (np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE) * 32767 * level).astype(np.int16).reshape(-1, BLOCK)

    def block(turn: int) -> Pcm:
        found: Pcm = second[turn % len(second)]
        return found

    return block


def silence(_turn: int) -> Pcm:
    """An open gate in a room where nobody talks."""
    return np.zeros(BLOCK, np.int16)


def power(sound: NDArray[np.float32], hertz: float) -> float:
    """The power of one frequency in ``sound``: dB of a sine of full scale, by a Hann window."""
    window = np.hanning(sound.size)
    turning = np.exp(-2j * np.pi * hertz * np.arange(sound.size) / RATE)
    amplitude = 2 * abs(np.dot(sound * window, turning)) / window.sum()
    return float(20 * np.log10(max(amplitude, 1e-9)))


def steady(sound: NDArray[np.float32], hertz: float) -> float:
    """The same part by part of 50 ms, and of these the middle one: a playout may slip now and then, which nobody hears."""
    return float(np.median([power(part, hertz) for part in sound.reshape(-1, 5 * BLOCK)]))


def loudness(sound: NDArray[np.float32]) -> float:
    """RMS of the loudest 10 ms, dBov."""
    blocks = sound.reshape(-1, BLOCK)
    return float(10 * np.log10(max(1e-12, float((blocks * blocks).mean(axis=1).max()))))


def member_of(rig: Rig, identity: str) -> Member | None:
    """How ``rig`` sees a member now; None when it is not there."""
    for event in reversed(rig.events):
        if isinstance(event, MemberChanged) and event.member.id == identity:
            return event.member
        if isinstance(event, MemberLeft) and event.id == identity:
            return None
    return None


def speaks(rig: Rig, identity: str) -> bool:
    levels = rig.told(Levels)
    return bool(levels) and identity in levels[-1].speaking


def level_of(rig: Rig, identity: str) -> float:
    return next((e.levels[identity] for e in reversed(rig.told(Levels)) if identity in e.levels), -127.0)
