"""What was played, read between its samples and at a rate that is a little off."""

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from appliance.core.units import BLOCK, Block

TAPS = 16
"""Right to -75 dB up to 14 kHz; nothing above 8 is cancelled."""
_BEFORE = TAPS // 2 - 1
_NEEDED = BLOCK + TAPS - 1
_TOGETHER = 16
_WIDE = _TOGETHER + TAPS - 1
_PHASES = 512
"""Filters a sample; between two of them is mixed, which is right to -110 dB."""
_ROOM = 0.25
"""How far a place may leave its sample within a block: as much as 500 ppm make."""
_STILL = 1e-3
"""Samples in a block, of 2 ppm, that one filter for all of it is good enough for: -66 dB at 8 kHz."""
_LENGTH = 1 << 17
"""Samples that are kept: 2.7 s, more than any loudspeaker is late."""


def _table() -> NDArray[np.float32]:
    """Windowed sincs for places from -0.25 to 1.25 samples after the tap ``_BEFORE``, shape (770, 16)."""
    places = np.arange(-_ROOM * _PHASES, (1 + _ROOM) * _PHASES + 2) / _PHASES
    away = np.arange(-_BEFORE, TAPS - _BEFORE) - places[:, np.newaxis]
    window = np.i0(8.0 * np.sqrt(np.maximum(0.0, 1 - (away / (TAPS / 2)) ** 2))) / np.i0(8.0)
    weights = np.sinc(away) * window
    weights /= weights.sum(axis=1, keepdims=True)
    made: NDArray[np.float32] = weights.astype(np.float32)
    return made


_TABLE = _table()
_RAMP: NDArray[np.float32] = (np.arange(BLOCK) / BLOCK).astype(np.float32)


class Played:
    """The last seconds of a sound. Not safe for two threads: its owner locks."""

    def __init__(self) -> None:
        self._ring = np.zeros(_LENGTH + _NEEDED, np.float32)  # its beginning is repeated behind its end
        self.written = 0
        """Samples written so far; the first of all has number 0."""
        self._sounded = 0
        """The same when something was written last that was no silence."""

    def write(self, block: Block) -> None:
        """Append a block, shape (480,)."""
        at = self.written % _LENGTH
        end = min(at + BLOCK, _LENGTH)
        self._ring[at:end] = block[: end - at]
        if end - at < BLOCK:
            self._ring[: BLOCK - (end - at)] = block[end - at :]
        if at < _NEEDED or at + BLOCK > _LENGTH:
            self._ring[_LENGTH:] = self._ring[:_NEEDED]
        self.written += BLOCK
        if np.count_nonzero(block):
            self._sounded = self.written

    def silent_from(self, first: int) -> bool:
        """Whether all of what was written from sample ``first`` on is zeros."""
        return first >= self._sounded

    def read(self, first: int, out: NDArray[np.float32]) -> bool:
        """Copy what begins at sample ``first``, as much as ``out`` holds: at most 495. False: there is none of it.

        What is not written yet, or not kept any more, is silence.
        """
        count = len(out)
        oldest, end = max(0, self.written - _LENGTH), first + count
        if min(end, self.written) <= max(first, oldest):
            out[:] = 0
            return False
        at = first % _LENGTH
        out[:] = self._ring[at : at + count]
        if first < oldest:
            out[: oldest - first] = 0
        if end > self.written:
            out[self.written - first :] = 0
        return True


class FractionalReader:
    """Reads blocks of a :class:`Played` at any place and rate. Owns its scratch: one thread.

    A filter is applied as a product of matrices: sixteen samples follow from the 31 around them by a band of its weights.
    """

    def __init__(self) -> None:
        self.sound = np.zeros(_NEEDED, np.float32)
        """Samples that :meth:`make` makes a block of; they begin at ``first_of(place)``."""
        rows = BLOCK // _TOGETHER
        self._windows = as_strided(self.sound, (rows, _WIDE), (4 * _TOGETHER, 4), writeable=False)
        self._matrix = np.zeros((_WIDE, _TOGETHER), np.float32)
        down, across = self._matrix.strides
        self._bands = as_strided(self._matrix, (TAPS, _TOGETHER), (down, down + across))
        self._weights, self._scratch = np.zeros((2, TAPS), np.float32)
        self._begin = np.zeros(BLOCK, np.float32)

    @staticmethod
    def first_of(place: float) -> int:
        """Number of the first sample that a block needs which begins at ``place``."""
        return int(np.floor(place)) - _BEFORE

    def make(self, place: float, ppm: float, out: Block) -> None:
        """Write the 480 samples at ``place``, ``place + 1 + ppm / 10⁶`` … into ``out``, made of :attr:`sound`.

        :param ppm: -500 to 500.
        """
        fraction = place - float(np.floor(place))
        moved = BLOCK * ppm * 1e-6
        if fraction == 0.0 and moved == 0.0:
            out[:] = self.sound[_BEFORE : _BEFORE + BLOCK]
            return
        if abs(moved) < _STILL:
            self._at(fraction + moved / 2, out)
            return
        self._at(fraction, self._begin)
        self._at(fraction + moved, out)
        out -= self._begin
        out *= _RAMP
        out += self._begin

    def _at(self, fraction: float, out: Block) -> None:
        """The block as one filter makes it."""
        self._filter(fraction, self._weights)
        self._bands[:] = self._weights[:, np.newaxis]
        np.dot(self._windows, self._matrix, out=out.reshape(-1, _TOGETHER))

    def _filter(self, fraction: float, out: NDArray[np.float32]) -> None:
        at = (fraction + _ROOM) * _PHASES
        row = int(at)
        between = np.float32(at - row)
        np.subtract(_TABLE[row + 1], _TABLE[row], out=self._scratch)
        np.multiply(self._scratch, between, out=self._scratch)
        np.add(self._scratch, _TABLE[row], out=out)
