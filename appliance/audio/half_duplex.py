"""Half duplex: while the far end talks, the microphone is turned down. For rooms where echo still wins.

AEC3 cancels; behind it the whole block is ducked from the first loud block of the reference until the room has rung out. Who
talks near for a while at a level that AEC3 does not take for echo gets through, less loud.
"""

from collections.abc import Callable, Mapping

import numpy as np

from appliance.audio.aec3 import Aec3
from appliance.audio.echo import EchoCanceller
from appliance.core.units import BLOCK, Block, Blocks

_AUDIBLE = 3e-6 * BLOCK
"""Energy of a block of the reference from which the microphone is turned down: -55 dBFS."""
_RINGS = 35
"""Blocks that it stays down after the last of them: the delay of the room and of AEC3, and 300 ms to ring out."""
_DOWN = np.float32(10 ** (-40 / 20))
_BREAKING_IN = np.float32(10 ** (-12 / 20))
_INSISTS = 25
"""Blocks in a row that somebody near has to talk for."""
_FALLS, _RISES = np.float32(0.5), np.float32(0.15)


class HalfDuplex:
    """One microphone of the array, the first."""

    name = "half duplex"
    denoises = False
    direction: float | None = None

    def __init__(self, safe: Callable[[], EchoCanceller] = Aec3) -> None:
        """:param safe: makes what cancels."""
        self._safe = safe()
        self._far = 0
        self._insists = 0
        self._gain = np.float32(1)
        self._ramp = np.linspace(0, 1, BLOCK, dtype=np.float32)
        self._gains = np.ones(BLOCK, np.float32)
        self._ducked = 0

    @property
    def near_talks(self) -> bool:
        return not self._far or self._insists >= _INSISTS

    @property
    def counts(self) -> Mapping[str, int]:
        return {"echo_ducked": self._ducked}

    def process(self, microphones: Blocks, reference: Block, out: Block) -> None:
        self._safe.process(microphones, reference, out)
        self._far = _RINGS if float(np.dot(reference, reference)) > _AUDIBLE else max(0, self._far - 1)
        self._insists = min(2 * _INSISTS, self._insists + 1) if self._safe.near_talks else max(0, self._insists - 2)
        if not self._far:
            target = np.float32(1)
        else:
            target = _BREAKING_IN if self._insists >= _INSISTS else _DOWN
            self._ducked += 1  # in either case: what is counted tells of the far end alone, also of a closed gate
        before = self._gain
        self._gain += (_FALLS if target < before else _RISES) * (target - before)
        np.multiply(self._ramp, self._gain - before, out=self._gains)
        self._gains += before
        out *= self._gains

    def jumped(self, shift: int | None) -> None:
        self._safe.jumped(shift)
