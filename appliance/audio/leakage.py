"""How much of the echo an adaptive filter leaves, told from its error and its estimate alone.

Two ways, whichever says more. **Magnitudes**: that of the error is regressed on that of the estimated echo, over two seconds
(Valin, "On adjusting the learning rate in frequency domain echo cancellation with double-talk", IEEE TASLP 15, 2007). What a near
talker says does not go along with the echo and so does not count. It tells late that somebody has moved the device. **Phase**:
then the error holds what the filter made up, and goes along with the estimate in phase; that shows within half a second, and a
near talker does so by chance only for moments.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Reals: TypeAlias = NDArray[np.float32]
Complexes: TypeAlias = NDArray[np.complex64]

_MEAN_MOVES = np.float32(0.06)
_LEAK_MOVES = 0.01
_IN_PHASE_MOVES = np.float32(0.03)
"""All of them for an update every other block."""
_BY_CHANCE = _IN_PHASE_MOVES / (2 - _IN_PHASE_MOVES)
"""What an average of so few blocks leaves of two sounds that have nothing to do with each other."""
_MUCH = 0.03
"""Leakage in phase that has to last for :data:`_LASTS` updates before it counts: the path has changed."""
_LASTS = 10
_ENERGY_MOVES = 0.5
LEAST = 1e-3


class Leakage:
    """A ratio of powers, of what is left to what is estimated; update it every other block."""

    def __init__(self, bins: int) -> None:
        """:param bins: of the spectra."""
        self._bins = bins
        self._means = np.zeros((2, bins), np.float32)
        self._magnitudes = np.zeros((2, bins), np.float32)
        self._kept = np.zeros(4 * bins, np.float32)
        self._now = np.zeros(4 * bins, np.float32)  # real and imaginary parts of the common, echo, error times echo
        self._common = self._now[: 2 * bins].view(np.complex64)
        self._scratch = np.zeros(2 * bins, np.float32)
        self._coherent = np.zeros(bins, np.float32)
        self.reset()

    def reset(self) -> None:
        """Nothing is known: all of it."""
        self._means.fill(0)
        self._kept.fill(0)
        self._together = self._alone = 1e-6
        self._error, self._echo = 1e-9, 0.0
        self._much = 0
        self.ratio = 1.0
        self.explains = 1.0
        """How much of the error is that leakage, 0 to 1."""

    def settle(self, magnitudes: tuple[float, float]) -> None:
        """Take back what was heard since :attr:`magnitudes` was this."""
        self._together, self._alone = magnitudes
        self._kept.fill(0)
        self._much = 0

    @property
    def magnitudes(self) -> tuple[float, float]:
        """What the slower of the two estimates goes by."""
        return self._together, self._alone

    def update(self, powers: Reals, common: Complexes) -> None:
        """Take one block.

        :param powers: of the error and of the estimated echo, mean of the microphones, shape (2, bins).
        :param common: error times conjugate echo, mean of the microphones, shape (bins,).
        """
        magnitudes = self._magnitudes
        np.sqrt(powers, out=magnitudes)
        magnitudes -= self._means
        self._means += _MEAN_MOVES * magnitudes
        together, alone = np.dot(magnitudes, magnitudes[1])
        self._together += _LEAK_MOVES * (float(together) - self._together)
        self._alone += _LEAK_MOVES * (float(alone) - self._alone)
        slope = min(1.0, max(0.0, self._together / (self._alone + 1e-12)))
        in_phase = self._in_phase(powers, common)
        self._much = self._much + 1 if in_phase > _MUCH else 0
        self.ratio = max(slope * slope, in_phase if self._much > _LASTS else 0, LEAST)
        error, echo = np.add.reduce(powers, axis=1)
        self._error += _ENERGY_MOVES * (float(error) - self._error)
        self._echo += _ENERGY_MOVES * (float(echo) - self._echo)
        self.explains = min(1.0, self.ratio * self._echo / (self._error + 1e-9))

    def _in_phase(self, powers: Reals, common: Complexes) -> float:
        """The part of the error that goes along with the echo in phase; what chance makes is taken off."""
        bins, kept = self._bins, self._kept
        np.copyto(self._common, common)
        np.copyto(self._now[2 * bins : 3 * bins], powers[1])
        np.multiply(powers[0], powers[1], out=self._now[3 * bins :])
        self._now -= kept
        self._now *= _IN_PHASE_MOVES
        kept += self._now
        echoes = kept[2 * bins : 3 * bins]
        np.square(kept[: 2 * bins], out=self._scratch)
        coherent = np.add(self._scratch[0::2], self._scratch[1::2], out=self._coherent)
        coherent -= (2 * _BY_CHANCE) * kept[3 * bins :]
        coherent /= echoes + np.float32(1e-6)
        return min(1.0, max(0.0, float(np.add.reduce(coherent)) / (float(np.add.reduce(echoes)) + 1e-9)))
