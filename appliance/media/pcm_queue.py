"""Samples that are decoded and not yet played: a queue in one array that is made once, with what was played last."""

import numpy as np

from appliance.core.units import Block, Pcm

PAST = 1920
"""Samples that are kept after they were taken: 40 ms."""
_FULL_SCALE = np.float32(1 / 32768)


class PcmQueue:
    """A queue of int16 samples.

    :param capacity: samples that fit at most.
    """

    def __init__(self, capacity: int) -> None:
        self._pcm = np.zeros(PAST + capacity, np.int16)
        self._head = self._tail = PAST

    def __len__(self) -> int:
        return self._tail - self._head

    @property
    def view(self) -> Pcm:
        """What waits, to be read or changed in place; valid until the next change."""
        return self._pcm[self._head : self._tail]

    def around(self, before: int, after: int) -> Pcm:
        """The last ``before`` samples that were taken (at most PAST) and the first ``after`` that wait, as :attr:`view`."""
        return self._pcm[self._head - before : self._head + after]

    def append(self, pcm: Pcm) -> None:
        """Put samples behind the others.

        :raises ValueError: they do not fit.
        """
        self._make_room(pcm.size)
        self._pcm[self._tail : self._tail + pcm.size] = pcm
        self._tail += pcm.size

    def _make_room(self, samples: int) -> None:
        if self._tail + samples > self._pcm.size:
            begin, waiting = self._head - PAST, len(self)
            self._pcm[: PAST + waiting] = self._pcm[begin : self._tail]
            self._head, self._tail = PAST, PAST + waiting

    def prepend(self, pcm: Pcm) -> None:
        """Put samples before the others.

        :raises ValueError: they do not fit.
        """
        self._make_room(pcm.size)
        self._pcm[self._head + pcm.size : self._tail + pcm.size] = self.view
        self._pcm[self._head : self._head + pcm.size] = pcm
        self._tail += pcm.size

    def skip(self, samples: int) -> None:
        """Throw samples away at the front; what was played last stays what it was."""
        samples = min(samples, len(self))
        past = self.around(PAST, 0).copy()
        self._head += samples
        self._pcm[self._head - PAST : self._head] = past

    def advance(self, samples: int) -> None:
        """The first ``samples`` of those that wait were played."""
        self._head += samples

    def clear(self) -> None:
        """Throw everything away that waits."""
        self._tail = self._head

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
