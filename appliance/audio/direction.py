"""Where somebody talks: NormMUSIC over short-time spectra.

Schmidt, "Multiple emitter location and signal parameter estimation", 1986, with the spectra of all frequencies brought to the
same height before they are added (Salvati, Drioli and Foresti, "Incoherent frequency fusion for broadband steered response
power algorithms in noisy environments", 2014). One source is looked for: so the noise's subspace is what the strongest
eigenvector leaves, and that vector is followed by power iteration instead of decomposing anything.

Loud frames count more than faint ones, and a frequency only while it rises: at the onset of a sound the direct path is alone,
afterwards the walls answer (the precedence effect). Three metres away that halves the error. And while the far end talks, a
frequency counts by how differently from the estimated echo it arrives: what a canceller leaves after a jump is as loud as the
talker, and comes from the loudspeaker.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.audio.spectra import Spectra
from appliance.audio.steering import frequencies, on_a_line, steering
from appliance.core.arrays import Position

_PICKED = slice(10, 121, 2)
"""500 to 6,000 Hz: below, a small array hears no difference, above, its microphones are too far apart."""
_GRID = 5.0
"""Degrees; between them a parabola tells."""
_EVERY = 5
"""Blocks of voice from one estimate to the next."""
_KEPT = 0.95
"""Of the covariance, a block: what was said in the last 200 ms."""
_SMOOTHED = 0.93
"""Of the spectrum over directions, an estimate: 0.7 s of voice."""
_DECAY = np.float32(0.7)
"""Of a frequency's height in a block; what is above it rises."""
_ITERATIONS = 2
_FLOOR = np.float32(1e-3)
_NEAR = 0.3
"""Weight from which a frame is looked at: many that are hardly likely would outweigh the few that are sure."""
_LEFT = 0.15
"""Of the echo's power, in a frame where somebody talks whom it does not drown: cancelling leaves a hundredth."""
_AUDIBLE = 0.03
"""Of the frame's power, an echo that could have left something in it."""
_LOUD = 4.0
"""Power over the noise's from which a frame is a voice."""
_NOISE_RISE = 1.003
"""How fast the noise is believed to grow, a block: by a third in a second."""
_HELD = 200
"""Blocks without a voice after which nobody talks."""
_FIRST = 2
"""Estimates before a direction is told."""
_FAR = 25.0
"""Degrees beyond which another direction must be found ``_AGAIN`` times in a row."""
_AGAIN = 4


def _azimuths(positions: Sequence[Position]) -> NDArray[np.float64]:
    """The directions that are looked at. In front of a line, where left and right of it sound the same: where y grows."""
    every = np.arange(0.0, 360.0, _GRID)
    if not on_a_line(positions):
        return every
    at = np.asarray(positions, np.float64)
    along = at[np.linalg.norm(at - at[0], axis=1).argmax()] - at[0]
    axis = (np.rad2deg(np.arctan2(along[1], along[0])) + 90.0) % 180.0 - 90.0
    front: NDArray[np.float64] = axis + np.arange(0.0, 180.0 + _GRID / 2, _GRID)
    return front


class DirectionFinder:
    """One per canceller; capture thread. With one microphone nobody knows where anybody is."""

    def __init__(self, positions: Sequence[Position]) -> None:
        """:param positions: of the microphones, metres from their centre."""
        n = self._n = len(positions)
        if n < 2:
            positions = [(0.0, 0.0, 0.0)]
        hertz = frequencies()[_PICKED]
        bins = len(hertz)
        self._azimuths = _azimuths(positions) if n > 1 else np.zeros(1)
        towards = steering(positions, list(self._azimuths), hertz).conj() / np.sqrt(n)
        self._towards: NDArray[np.complex64] = towards.astype(np.complex64)  # (bins, azimuths, n)
        self._frame, self._other, self._echo = np.zeros((3, n, bins), np.complex64)
        self._squares = np.zeros((n, bins), np.float32)
        self._powers, self._before, self._rising = np.zeros((3, bins), np.float32)
        self._covariance, self._products = np.zeros((2, n, n, bins), np.complex64)
        self._vector = np.full((n, bins), n**-0.5, np.complex64)
        self._spectrum = np.zeros(len(self._azimuths), np.float32)
        self._noise = np.inf
        self._voiced = 0
        self._estimates = 0
        self._silent = _HELD
        self._elsewhere = 0
        self.direction: float | None = None
        """Degrees, 0 to 360, counter-clockwise from the x axis; None: nobody talks."""

    def update(self, spectra: Spectra, weight: float, echo: Spectra | None = None) -> None:
        """Take in the next frame, shape (n, 481).

        :param weight: how much of it is a near voice, and not the loudspeaker's echo: 0 to 1.
        :param echo: what was taken out of it; where that was much more, what is left may be echo whatever ``weight`` says.
        """
        if self._n < 2:
            return
        np.copyto(self._frame, spectra[:, _PICKED])
        np.conjugate(self._frame, out=self._other)
        np.multiply(self._frame.real, self._frame.real, out=self._squares)
        self._squares += self._frame.imag * self._frame.imag
        np.add.reduce(self._squares, axis=0, out=self._powers)
        np.greater(self._powers, self._before, out=self._rising)
        self._before *= _DECAY
        np.maximum(self._before, self._powers, out=self._before)
        power = float(self._powers.sum())
        self._noise = min(power, self._noise * _NOISE_RISE + 1e-12)
        if weight < _NEAR or power < _LOUD * self._noise:
            self._silent += 1
            if self._silent == _HELD:
                self._forget()
        elif echo is None or not self._drowned(power, echo):
            self._silent = 0
            self._take(np.float32(weight * (1 - _KEPT)))

    def _drowned(self, power: float, echo: Spectra) -> bool:
        """Whether the echo may be all there is. If not, frequencies that arrive as it does count for less."""
        np.copyto(self._echo, echo[:, _PICKED])
        np.multiply(self._echo.real, self._echo.real, out=self._squares)
        self._squares += self._echo.imag * self._echo.imag
        heard = self._squares.sum(axis=0)
        total = float(heard.sum())
        if power < _LEFT * total:
            return True
        if total > _AUDIBLE * power:
            self._echo *= self._other
            cross = self._echo.sum(axis=0)
            heard *= self._powers
            heard += np.float32(1e-20)
            alike = (cross.real**2 + cross.imag**2) / heard  # 1: from the same place
            self._rising *= (1 - alike) ** 2
        return False

    def _take(self, weight: np.float32) -> None:
        self._rising *= weight
        self._frame *= self._rising
        np.multiply(self._frame[:, np.newaxis], self._other, out=self._products)
        self._covariance *= np.float32(_KEPT)
        self._covariance += self._products
        self._voiced += 1
        if self._voiced % _EVERY == 0:
            self._estimate()

    def _forget(self) -> None:
        """Whoever talks next may sit elsewhere."""
        self.direction = None
        self._covariance.fill(0)
        self._spectrum.fill(0)
        self._estimates = self._elsewhere = 0

    def _estimate(self) -> None:
        for _ in range(_ITERATIONS):
            np.multiply(self._covariance, self._vector, out=self._products)
            np.add.reduce(self._products, axis=1, out=self._vector)
            square = self._vector.real**2 + self._vector.imag**2
            self._vector /= np.sqrt(square.sum(axis=0)) + np.float32(1e-20)
        along = np.matmul(self._towards, self._vector.T[..., np.newaxis])[..., 0]
        heights = 1 / (1 + _FLOOR - along.real**2 - along.imag**2)
        heights /= heights.max(axis=1, keepdims=True)
        self._spectrum *= np.float32(_SMOOTHED)
        self._spectrum += heights.sum(axis=0)
        # A frequency in which nothing has risen since the last silence has no vector left, and would never get one again.
        self._vector[:, ~self._vector.any(axis=0)] = self._n**-0.5
        self._estimates += 1
        if self._estimates >= _FIRST:
            self._tell(self._highest())

    def _highest(self) -> float:
        top, count = int(self._spectrum.argmax()), len(self._spectrum)
        around = count == round(360 / _GRID)
        if not around and top in {0, count - 1}:
            return float(self._azimuths[top]) % 360
        left, middle, right = (float(self._spectrum[(top + side) % count]) for side in (-1, 0, 1))
        curve = left - 2 * middle + right
        between = (left - right) / (2 * curve) if curve < 0 else 0.0
        return float(self._azimuths[top] + _GRID * between) % 360

    def _tell(self, found: float) -> None:
        """Take a new direction; one that is far from the last only when it stays."""
        if self.direction is not None and abs((found - self.direction + 180) % 360 - 180) > _FAR:
            self._elsewhere += 1
            if self._elsewhere < _AGAIN:
                return
        self._elsewhere = 0
        self.direction = found
