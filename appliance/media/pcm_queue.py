"""Samples that are decoded and not yet played: a queue in one array that is made once."""

import numpy as np

from appliance.core.units import Block, Pcm

_FULL_SCALE = np.float32(1 / 32768)


class PcmQueue:
    """A queue of int16 samples.

    :param capacity: samples that fit at most.
    """

    def __init__(self, capacity: int) -> None:
        self._pcm = np.zeros(capacity, np.int16)
        self._head = self._tail = 0

    def __len__(self) -> int:
        return self._tail - self._head

    @property
    def view(self) -> Pcm:
        """What waits, to be read or changed in place; valid until the next change."""
        return self._pcm[self._head : self._tail]

    def append(self, pcm: Pcm) -> None:
        """Put samples behind the others.

        :raises ValueError: they do not fit.
        """
        if self._tail + pcm.size > self._pcm.size:
            waiting = len(self)
            self._pcm[:waiting] = self.view
            self._head, self._tail = 0, waiting
        self._pcm[self._tail : self._tail + pcm.size] = pcm
        self._tail += pcm.size

    def prepend(self, pcm: Pcm) -> None:
        """Put samples before the others.

        :raises ValueError: they do not fit.
        """
        rest = self.view.copy()
        self.clear()
        self.append(pcm)
        self.append(rest)

    def skip(self, samples: int) -> None:
        """Take samples out at the front."""
        self._head += min(samples, len(self))

    def clear(self) -> None:
        """Take everything out."""
        self._head = self._tail = 0

    def take(self, out: Block | Pcm) -> int:
        """Write the first samples into ``out`` (int16, or float32 in [-1, 1]) and zeros after them; how many there were."""
        size = min(len(self), out.size)
        block = self._pcm[self._head : self._head + size]
        if out.dtype == np.int16:
            out[:size] = block
        else:
            np.multiply(block, _FULL_SCALE, out=out[:size])
        out[size:] = 0
        self._head += size
        return size
