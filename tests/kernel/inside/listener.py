"""A user of a card that plays a ramp and looks whether that comes back: every sample is known by its value."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.audio.port import Side
from appliance.core.units import BLOCK, RATE, Block, Blocks

PERIOD = 32 * BLOCK
"""Samples after which the ramp begins again."""
_HALF = PERIOD // 2
SOON = 0.5
"""Seconds between a jump of what is played and the moment at which it is heard, at most."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One captured block: its place, its time and the ramp's values in its first channel; ``when`` it was handed on."""

    position: int
    at: float
    when: float
    values: NDArray[np.int32]
    alike: bool
    """Whether all channels are the same."""

    @property
    def whole(self) -> bool:
        """Whether it is one piece of the ramp."""
        return bool(np.all(np.diff(self.values) % PERIOD == 1))


def ramp(first: int) -> Block:
    """One block of the ramp, from its sample ``first``."""
    values = ((first + np.arange(BLOCK)) % PERIOD - _HALF).astype(np.float32)
    # A quarter more: it is the same integer whether the card rounds or cuts.
    return ((values + np.float32(0.25) * np.sign(values)) / np.float32(32767)).astype(np.float32)


def decoded(block: Block) -> NDArray[np.int32]:
    """The ramp's values in a captured block."""
    values: NDArray[np.int32] = np.rint(block * np.float32(32767)).astype(np.int32)
    return values


class Listener:
    """Satisfies :class:`appliance.audio.port.CardUser`."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.asked: list[float] = []
        self.plays: list[tuple[int, int, float]] = []
        """Of each played block: the ramp's first sample in it, its position, and when it will be heard."""
        self.jumps: list[tuple[Side, float, int]] = []
        """Side, time, and how many blocks had been heard."""
        self.changes: list[tuple[bool, float]] = []
        self.stall: dict[Side, float] = {}
        """Seconds that the next call of that side takes, once."""
        self.threads: set[str] = set()
        self._next = 0

    def captured(self, microphones: Blocks, position: int, time_: float, /) -> None:
        first = decoded(microphones[0])
        alike = bool(np.array_equal(microphones, np.broadcast_to(microphones[0], microphones.shape)))
        self.heard.append(Heard(position, time_, time.monotonic(), first, alike))
        self.threads.add(threading.current_thread().name)
        time.sleep(self.stall.pop(Side.CAPTURE, 0.0))

    def wanted(self, out: Block, /) -> None:
        out[:] = ramp(self._next)
        self._next += BLOCK
        self.asked.append(time.monotonic())
        time.sleep(self.stall.pop(Side.PLAYBACK, 0.0))

    def played(self, position: int, time_: float, /) -> None:
        self.plays.append((self._next - BLOCK, position, time_))

    def jumped(self, side: Side, /) -> None:
        self.jumps.append((side, time.monotonic(), len(self.heard)))

    def changed(self, running: bool, /) -> None:
        self.changes.append((running, time.monotonic()))

    @property
    def running(self) -> bool:
        return bool(self.changes) and self.changes[-1][0]

    def when(self, running: bool, since: float) -> float | None:
        """When it was first told that it runs, or does not, after ``since``."""
        return next((at for is_so, at in list(self.changes) if is_so is running and at >= since), None)

    def sounded(self, since: float) -> float | None:
        """When a whole block of the ramp came back after ``since``: it was played and heard."""
        return next((one.when for one in reversed(self.heard) if one.when >= since and one.whole), None)

    def untold(self) -> list[str]:
        """Breaks in what was captured that no jump had told of; empty is right."""
        wrong = []
        for at in range(1, len(self.heard)):
            before, after = self.heard[at - 1], self.heard[at]
            told = [side for side, _when, count in self.jumps if count == at and side is Side.CAPTURE]
            if (after.position != before.position + BLOCK) and not (told and after.position == 0):
                wrong.append(f"position {before.position}, then {after.position}, jumps {told}")
            # In the first block the sound may begin: then its end counts.
            joined = after.whole and (before.whole or at == 1) and (after.values[0] - before.values[-1]) % PERIOD == 1
            if joined or told:
                continue
            if not self._playback_jumped(after.when):
                wrong.append(f"at {after.when - self.heard[0].when:.3f} s: {_shown(before)} then {_shown(after)}")
        return wrong

    def _playback_jumped(self, about: float) -> bool:
        """Whether what is played jumped about then: an under-run may be heard before the thread that plays sees it."""
        return any(side is Side.PLAYBACK and abs(when - about) < SOON for side, when, _count in self.jumps)

    def delays(self) -> NDArray[np.float64]:
        """Seconds between the time at which a sample is said to be heard, and that at which it is said to be captured."""
        starts: dict[int, list[float]] = {}
        for first, _position, at in self.plays:
            starts.setdefault(first % PERIOD, []).append(at)
        found = []
        for one in self.heard:
            first = int(one.values[0] + _HALF) % PERIOD
            behind = first % BLOCK
            at = one.at - (BLOCK - 1 + behind) / RATE
            nearest = min(starts.get(first - behind, []), key=lambda start: abs(start - at), default=None)
            if nearest is not None and one.whole and not self._playback_jumped(one.when):
                found.append(at - nearest)
        return np.array(found)


def _shown(one: Heard) -> str:
    return f"{one.values[0]}…{one.values[-1]}{'' if one.whole else ' (broken)'}"


def until(met: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until ``met()``. Raises TimeoutError with ``what``."""
    end = time.monotonic() + seconds
    while not met():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.005)
