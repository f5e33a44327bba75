"""Several cancellers, of which one works: when it raises or takes too long, the next simpler one takes over.

The room never goes deaf: what comes last is the microphone as it is. It never echoes in silence either: whoever falls says so,
and the FAULT lamp pulses as long as it lasts.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from appliance.audio.echo import EchoCanceller
from appliance.audio.hardware import Hardware
from appliance.core.units import BLOCK, Block, Blocks

Make: TypeAlias = Callable[[], EchoCanceller]
"""Makes a canceller; what it raises counts as a failure of the canceller."""

BUDGET = 0.006
"""Seconds of its thread's time that the front end may take for a block of ten milliseconds, on average."""
_AVERAGED = 100
"""Blocks that are averaged."""
_TOO_OFTEN = 3
"""Averages over the budget in a row after which the machine is too slow for it."""
_FADE_IN = np.linspace(0.0, 1.0, BLOCK, dtype=np.float32)


def together(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """The sums of two sets of counts."""
    return {**one, **{name: one.get(name, 0) + count for name, count in other.items()}}


class Through:
    """The microphone as it is, the last of all."""

    name = "the microphone as it is"
    near_talks = True
    denoises = False
    direction: float | None = None
    counts: Mapping[str, int] = {}

    def process(self, microphones: Blocks, _reference: Block, out: Block) -> None:
        """The first microphone."""
        np.copyto(out, microphones[0])

    def jumped(self, shift: int | None) -> None:
        """Nothing was learnt."""


class Ladder:
    """A canceller (:class:`~appliance.audio.echo.EchoCanceller`) that never raises.

    It belongs to one thread; numbers and texts may be read from any.

    :param makes: the best first. They are made when they are needed.
    """

    def __init__(self, makes: Sequence[Make]) -> None:
        self._makes = makes
        self._rung = -1
        self._fresh = False
        self._spent, self._blocks, self._over = 0.0, 0, 0
        self.mean = 0.0
        """Seconds that a block took lately."""
        self.failures = 0
        self.slow = 0
        self.why = ""
        """What took over from what, and why; empty: nothing has failed."""
        self._works: EchoCanceller = Through()
        self._counted: Mapping[str, int] = {}
        """By those that worked before."""
        self._climb_down("")

    @property
    def name(self) -> str:
        """Of the one that works."""
        return self._works.name

    @property
    def cancels(self) -> bool:
        """Whether the one that works has to know what is played."""
        return not isinstance(self._works, Through | Hardware)

    @property
    def near_talks(self) -> bool:
        """Whether the one that works hears somebody near in what the loudspeaker plays."""
        return self._works.near_talks

    @property
    def denoises(self) -> bool:
        """Whether the one that works takes noise out as well."""
        return self._works.denoises

    @property
    def direction(self) -> float | None:
        """Where somebody talks, degrees."""
        return self._works.direction

    @property
    def counts(self) -> Mapping[str, int]:
        """Of the one that works and of those before it."""
        return together(self._counted, self._works.counts)

    def process(self, microphones: Blocks, reference: Block, out: Block) -> None:
        """Cancel one block, or fall and be silent for it."""
        try:
            self._works.process(microphones, reference, out)
        except Exception as error:  # noqa: BLE001 - whatever it is, the room goes on
            self._fall(f"{type(error).__name__}: {error}")
            out.fill(0)
            return
        if not math.isfinite(float(np.dot(out, out))):  # what comes behind it would never get rid of that
            self._fall("what came out was no sound")
            out.fill(0)
        elif self._fresh:
            np.multiply(out, _FADE_IN, out=out)
            self._fresh = False

    def jumped(self, shift: int | None) -> None:
        """The echo comes later by ``shift`` samples from now on; None: nobody knows by how many."""
        try:
            self._works.jumped(shift)
        except Exception as error:  # noqa: BLE001 - as above
            self._fall(f"{type(error).__name__}: {error}")

    def blind(self, why: str) -> None:
        """There is no reference any more but what is played at the moment: only the last one can do with that."""
        if self._rung < len(self._makes) - 1:
            self._rung = len(self._makes) - 2
            self._climb_down(why)

    def took(self, seconds: float) -> None:
        """How long the front end took for a block. When that is too long for long, the next one takes over."""
        self._spent += seconds
        self._blocks += 1
        if self._blocks < _AVERAGED:
            return
        self.mean = self._spent / self._blocks
        self._spent, self._blocks = 0.0, 0
        self._over = self._over + 1 if self.mean > BUDGET else 0
        if self._over == _TOO_OFTEN and self._rung + 1 < len(self._makes):
            self.slow += 1
            self._over = 0
            self._climb_down(f"{1000 * self.mean:.1f} ms for 10 ms of sound is too slow")

    def _fall(self, why: str) -> None:
        self.failures += 1
        self._climb_down(why)

    def _climb_down(self, why: str) -> None:
        before = self._works.name if self._rung >= 0 else ""
        whys = [why] if why else []
        self._counted = self.counts
        while True:
            self._rung += 1
            try:
                self._works = self._makes[self._rung]() if self._rung < len(self._makes) else Through()
                break
            except Exception as error:  # noqa: BLE001 - one that cannot even be made: the next
                self.failures += 1
                whys.append(f"{type(error).__name__}: {error}")
        self._fresh = bool(before)
        if whys:
            self.why = f"{self._works.name} instead of {before or 'the canceller'} ({'; '.join(whys)})"
