"""Playing a little faster or slower than it was said, so that two clocks that differ stay together.

At most 300 ppm: half a hundredth of a semitone, which nobody hears. The sound between two samples is that of a windowed sinc;
within a block its shape changes so little that the filters of the block's two ends are computed and all between are mixed of
them: two convolutions a block, no loop.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.core.units import BLOCK, Block, Pcm
from appliance.media.pcm_queue import PcmQueue

MOST_PPM = 300.0
_TAPS = 16
BEFORE = _TAPS // 2 - 1
"""Samples before a place that its value depends on."""
AFTER = _TAPS // 2
"""Samples after it."""
NEEDED = BLOCK + AFTER + 1
"""Samples that must wait for a block to be made."""

Filter = NDArray[np.float32]

_AT = np.arange(-BEFORE, AFTER + 1)
_RAMP: NDArray[np.float32] = (np.arange(BLOCK) / BLOCK).astype(np.float32)


def between(fraction: float) -> Filter:
    """The weights, shape (16,), that give the sound ``fraction`` of a sample after the one at BEFORE."""
    distance = _AT - fraction
    weights = np.sinc(distance) * np.cos(np.pi * distance / (_TAPS + 2)) ** 2
    found: Filter = (weights / weights.sum()).astype(np.float32)
    return found


class Resampler:
    """Takes blocks out of a queue at a rate that is a little off. Its place between two samples is kept from block to block."""

    def __init__(self) -> None:
        self._fraction = 0.0
        self._known: tuple[float, Filter] = (0.0, between(0.0))

    def reset(self) -> None:
        """Begin on a whole sample: another sound begins."""
        self._fraction = 0.0

    @property
    def idle(self) -> bool:
        """Whether it stands on a whole sample, so that a queue may be read as it is."""
        return self._fraction == 0.0

    def take(self, queue: PcmQueue, out: Block | Pcm, ppm: float) -> int:
        """Write the next block, shape (480,), int16 or float32, into ``out``; how many samples of the queue it used.

        :param queue: has at least NEEDED samples.
        :param ppm: how much faster to play, -300 to 300.
        """
        begin = self._fraction
        end = begin + BLOCK * ppm * 1e-6
        sound = queue.around(BEFORE, BLOCK + AFTER).astype(np.float32)
        first = np.correlate(sound, self._filter(begin), "valid")
        if end == begin:
            made = first
        else:
            made = np.correlate(sound, self._filter(end), "valid")
            made -= first
            made *= _RAMP
            made += first
        if out.dtype == np.int16:
            out[:] = np.clip(np.rint(made), -32768, 32767)
        else:
            np.multiply(made, np.float32(1 / 32768), out=out)
        used = BLOCK + int(np.floor(end))
        self._fraction = end - np.floor(end)
        queue.advance(used)
        return used

    def _filter(self, fraction: float) -> Filter:
        """The end of one block is the beginning of the next: each filter is computed once."""
        if self._known[0] != fraction:
            self._known = (fraction, between(fraction))
        return self._known[1]
