"""By how little the echo comes later than its estimate: the last step of alignment, told from the filter itself.

Clocks drift, and a jump is known to some samples only. A filter that knows the room knows the echo's time to a part of a sample:
a delay turns the phase of what is left in the error against the estimate, the more the higher the frequency. Who talks near
turns it at random.
"""

import math

import numpy as np
from numpy.typing import NDArray

from appliance.audio.spectra import WINDOW

_LOW, _HIGH = 4, 60
"""Bins that are looked at: 200 Hz to 3 kHz, where eight samples are half a period."""
_MOVES = np.float32(0.1)
_LOOKS = 10
"""Updates, of every other block, between two turns."""
_BY_CHANCE = float(_MOVES / (2 - _MOVES))
"""What an average of so few blocks leaves of two sounds that have nothing to do with each other."""
_SURE = 3.0
"""Times what chance makes of it that a lag has to be."""
_LEAST = 0.2
_PART = 0.7
"""What of a lag, in samples, is worth a turn, and how much of it is made up at once."""
_MOST = 3.0


class Lag:
    """Collects what says how late the echo is; update it every other block."""

    def __init__(self) -> None:
        self._turning = np.arange(_LOW, _HIGH, dtype=np.float32) * np.float32(2 * np.pi / WINDOW)
        self._squared = self._turning**2
        self._imaginary = np.zeros(_HIGH - _LOW, np.float32)
        self._power = np.zeros(_HIGH - _LOW, np.float32)
        self._products = np.zeros(_HIGH - _LOW, np.float32)
        self._count = 0

    def reset(self) -> None:
        """Something else is heard from now on."""
        self._imaginary.fill(0)
        self._power.fill(0)
        self._products.fill(0)
        self._count = 0

    def update(self, common: NDArray[np.complex64], powers: NDArray[np.float32]) -> float:
        """Take error times conjugate echo, shape (bins,), and the powers of both, shape (2, bins).

        :returns: samples, at 48 kHz, by which the filter should be later from now on; mostly 0.
        """
        self._imaginary += _MOVES * (common.imag[_LOW:_HIGH] - self._imaginary)
        error, echo = powers[:, _LOW:_HIGH]
        self._power += _MOVES * (echo - self._power)
        self._products += _MOVES * (error * echo - self._products)
        self._count += 1
        if self._count < _LOOKS:
            return 0.0
        self._count = 0
        weight = float(np.dot(self._squared, self._power)) + 1e-6
        late = -float(np.dot(self._turning, self._imaginary)) / weight
        chance = math.sqrt(_BY_CHANCE * float(np.dot(self._squared, self._products))) / weight
        if abs(late) < max(_LEAST, _SURE * chance):
            return 0.0
        late = _PART * min(_MOST, max(-_MOST, late))
        self._imaginary += np.float32(late) * self._turning * self._power
        return late
