"""A chirp that measures a room, and what came back of it turned into the room's impulse response.

An exponential sweep and its inverse (A. Farina, "Simultaneous measurement of impulse response and distortion with a swept-sine
technique", 108th AES Convention, 2000): the product of both spectra is an impulse, so what a microphone heard times the
inverse is the path from loudspeaker to microphone. What the loudspeaker adds by bending the wave (its harmonics) is
compressed too, but to places before the impulse, one for each order: so it does not disturb, and can be measured.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.core.units import RATE, Block

_FADE_IN, _FADE_OUT = RATE // 20, RATE // 100
"""Samples. The slow start loses the lowest third of an octave; without it the loudspeaker clicks."""

Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Chirp:
    """An exponential sweep.

    :param first: Hz at which it begins.
    :param last: Hz at which it ends; above what most loudspeakers and microphones still do.
    :param seconds: how long it takes.
    :param peak: its level; 1 is full scale. 0.2 is about as loud as somebody who talks loudly.
    """

    first: float = 100.0
    last: float = 16_000.0
    seconds: float = 2.0
    peak: float = 0.2

    @property
    def samples(self) -> int:
        """How many it has."""
        return int(self.seconds * RATE)

    @property
    def _octaves(self) -> float:
        return float(np.log(self.last / self.first))

    def make(self) -> Block:
        """The sound, shape (samples,)."""
        rate = self.seconds / self._octaves
        time = np.arange(self.samples) / RATE
        sweep = self.peak * np.sin(2 * np.pi * self.first * rate * np.expm1(time / rate))
        sweep[:_FADE_IN] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(_FADE_IN) / _FADE_IN)
        sweep[-_FADE_OUT:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(_FADE_OUT) / _FADE_OUT)
        return sweep.astype(np.float32)

    def harmonic_before(self, order: int) -> int:
        """How many samples before the impulse the harmonic of this order (2, 3, …) is compressed to."""
        return round(self.seconds * RATE * float(np.log(order)) / self._octaves)

    def response(self, heard: Block, before: int = 0) -> Samples:
        """The impulse response from what was played to what was heard.

        :param heard: shape (n,), beginning with the sample that was captured when the chirp's first was played.
        :param before: samples before that moment which are given too: harmonics lie there, and a clock that is off.
        :returns: shape (before + n,); sample ``before`` is the moment itself. A path that changes nothing is an impulse
            of about 1 between the two frequencies.
        """
        size = 1 << int(np.ceil(np.log2(self.samples + len(heard))))
        sweep = np.fft.rfft(self.make().astype(np.float64), size)
        power = np.abs(sweep) ** 2
        # Where the sweep has nothing there is nothing to divide by: the bound keeps noise there out of the result.
        bound = 1e-3 * float(np.max(power))
        spectrum = np.fft.rfft(heard.astype(np.float64), size) * np.conj(sweep) / np.maximum(power, bound)
        result = np.fft.irfft(spectrum, size)
        return np.concatenate([result[size - before :], result[: len(heard)]])


def delay_between(one: Samples, other: Samples) -> float:
    """How many samples ``other`` comes after ``one``, in fractions of a sample: both are responses of the same path.

    The place of the largest correlation, on a curve through its neighbours.
    """
    size = 1 << int(np.ceil(np.log2(2 * len(one))))
    correlation = np.fft.irfft(np.conj(np.fft.rfft(one, size)) * np.fft.rfft(other, size), size)
    at = int(np.argmax(correlation))
    left, middle, right = (float(correlation[(at + step) % size]) for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    fraction = 0.5 * (left - right) / bend if bend else 0.0
    return (at if at < size // 2 else at - size) + fraction
