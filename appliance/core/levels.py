"""How loud it is, who speaks, and where they stand on the bar.

Levels are dBov (RFC 6464): the RMS of a block against the overload point, 0 loudest, -127 silence. A full-scale square
wave has 0, a full-scale sine -3.01.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from appliance.core.units import SILENCE, Block, Pcm

_PCM_OVERLOAD = 32_768.0


def dbov(block: Block | Pcm) -> float:
    """The RMS level of ``block``, dBov in [-127, 0].

    :param block: float32 in [-1, 1] or int16, any length; an empty block is silence.
    """
    if block.size == 0:
        return SILENCE
    samples = block.astype(np.float32, copy=False)
    overload = _PCM_OVERLOAD if block.dtype == np.int16 else 1.0
    mean = float(np.dot(samples, samples)) / (block.size * overload**2)
    if not mean > 0.0:  # 0, or not a number
        return SILENCE
    return min(0.0, max(SILENCE, 10.0 * math.log10(mean)))


class Smoother:
    """A level that rises and falls with time constants, so that a meter can be read.

    :param attack_s: time constant in seconds when it gets louder; 0 follows at once.
    :param release_s: time constant in seconds when it gets quieter; 0 follows at once.
    """

    def __init__(self, attack_s: float, release_s: float) -> None:
        self._attack = attack_s
        self._release = release_s
        self._level: float | None = None
        self._at = 0.0

    def update(self, level: float, now: float) -> float:
        """Take a level (dBov) measured at ``now``, give the smoothed one. The first is taken as it is."""
        if self._level is None:
            self._level = level
        else:
            constant = self._attack if level > self._level else self._release
            passed = max(0.0, now - self._at)
            kept = math.exp(-passed / constant) if constant > 0.0 else 0.0
            self._level = level + (self._level - level) * kept
        self._at = now
        return self._level


class Speaking:
    """Whether somebody speaks: begins at ``on``, goes on down to ``off``, kept ``hold`` seconds after the last sound.

    :param on: dBov at which speaking begins.
    :param off: dBov, not above ``on``: quieter than this is no sound of a speaker.
    :param hold: seconds; bridges the pauses between words (UX.md, "The bar").
    """

    def __init__(self, on: float = -50.0, off: float = -56.0, hold: float = 1.5) -> None:
        if off > on:
            raise ValueError("off must not be above on")
        self._on = on
        self._off = off
        self._hold = hold
        self._last = -math.inf
        self._since: float | None = None

    @property
    def since(self) -> float | None:
        """When the present speaking began, or None while there is none."""
        return self._since

    @property
    def last(self) -> float:
        """When the last sound of speaking was heard; minus infinity: never."""
        return self._last

    def update(self, level: float, now: float) -> bool:
        """Take a level (dBov) measured at ``now``; whether speaking goes on."""
        if level >= (self._on if self._since is None else self._off):
            self._last = now
            if self._since is None:
                self._since = now
        elif now - self._last >= self._hold:
            self._since = None
        return self._since is not None


@dataclass(frozen=True, slots=True)
class BarPlace:
    """One of the fixed places of the bar."""

    id: str
    level: float
    """dBov; -127 while not speaking."""
    speaking: bool
    last_spoke: float
    """When the last sound was heard, on the clock of ``now``."""


@dataclass(slots=True)
class _Seat:
    id: str | None = None
    last_spoke: float = -math.inf


class Bar:
    """Who speaks now, in fixed places: whoever begins takes the place quiet longest and keeps it; places never swap.

    When all places speak, a further speaker waits until one is quiet. A place is empty again ``keep`` seconds after its
    last sound: beyond the last minute nothing of who spoke is kept (UX.md, "The bar").
    """

    def __init__(self, size: int = 3, keep: float = 60.0) -> None:
        self._seats = [_Seat() for _ in range(size)]
        self._keep = keep
        self._speaking: dict[str, Speaking] = {}

    def update(self, levels: Mapping[str, float], now: float) -> tuple[BarPlace | None, ...]:
        """Take the levels (dBov) of all who are heard at ``now``; whoever is missing is silent."""
        talking = self._listen(levels, now)
        seated = {seat.id for seat in self._seats}
        # The loudest first, so that who gets the last free place does not depend on the order of a dictionary.
        for who in sorted(talking - seated, key=lambda who: (-levels.get(who, SILENCE), who)):
            self._seat(who, talking)
        return tuple(self._place(seat, levels, talking) for seat in self._seats)

    def forget(self, who: str) -> None:
        """``who`` left: its place is empty from the next update on."""
        self._speaking.pop(who, None)
        for seat in self._seats:
            if seat.id == who:
                seat.id = None

    def _listen(self, levels: Mapping[str, float], now: float) -> set[str]:
        for who in levels.keys() - self._speaking.keys():
            self._speaking[who] = Speaking()
        talking = {who for who, speaking in self._speaking.items() if speaking.update(levels.get(who, SILENCE), now)}
        for who in [who for who in self._speaking if who not in talking and self._is_stale(who, now)]:
            self.forget(who)
        return talking

    def _is_stale(self, who: str, now: float) -> bool:
        return now - self._speaking[who].last >= self._keep

    def _seat(self, who: str, talking: set[str]) -> None:
        free = [seat for seat in self._seats if seat.id not in talking]
        if free:
            # An empty place before one that still tells who spoke last.
            min(free, key=lambda seat: (seat.id is not None, seat.last_spoke)).id = who

    def _place(self, seat: _Seat, levels: Mapping[str, float], talking: set[str]) -> BarPlace | None:
        if seat.id is None:
            return None
        speaking = seat.id in talking
        seat.last_spoke = self._speaking[seat.id].last
        return BarPlace(seat.id, levels.get(seat.id, SILENCE) if speaking else SILENCE, speaking, seat.last_spoke)
