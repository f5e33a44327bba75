"""Where somebody talks: NormMUSIC over short-time spectra.

Schmidt, "Multiple emitter location and signal parameter estimation", 1986, with the spectra of all frequencies brought to the
same height before they are added (Salvati, Drioli and Foresti, "Incoherent frequency fusion for broadband steered response
power algorithms in noisy environments", 2014). One source: so the noise's subspace is what the strongest eigenvector leaves,
and that vector is followed by power iteration instead of decomposing anything. Frames count by their energy: the loud ones
have the best ratio of direct sound to room and noise.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.audio.spectra import Spectra
from appliance.audio.steering import frequencies, steering
from appliance.core.arrays import Position

_BINS = np.arange(10, 121, 2)
"""500 to 6,000 Hz: below, a small array hears no difference, above, its microphones are too far apart."""
_GRID = 5.0
"""Degrees; between them a parabola tells."""
_EVERY = 5
"""Blocks from one estimate to the next."""
_KEPT = 0.95
"""Of the covariance, a block: what was said in the last 200 ms."""
_ITERATIONS = 2
_FLOOR = 1e-3
_HELD = 200
"""Blocks without a voice after which nobody talks."""
_LOUD = 4.0
"""Power over the noise's from which a frame is a voice."""


class DirectionFinder:
    """One per canceller; capture thread. Knows no direction with less than two microphones."""

    def __init__(self, positions: Sequence[Position]) -> None:
        """:param positions: of the microphones, metres from their centre."""
        n = self._n = len(positions)
        self._azimuths = np.arange(0, 360, _GRID)
        towards = steering(positions, self._azimuths, frequencies(_BINS))
        self._towards: NDArray[np.complex64] = (towards.conj() / np.sqrt(n)).astype(np.complex64)  # (bins, azimuths, n)
        self._covariance = np.zeros((len(_BINS), n, n), np.complex64)
        self._vector = np.full((len(_BINS), n, 1), n**-0.5, np.complex64)
        self._picked = np.zeros((len(_BINS), n), np.complex64)
        self._count = 0
        self._silent = _HELD
        self._noise = np.inf
        self.spectrum = np.zeros(len(self._azimuths), np.float32)
        self.direction: float | None = None

    def update(self, spectra: Spectra, weight: float) -> None:
        """Take in the next frame, shape (n, 481).

        :param weight: how much of it is a near voice and not the loudspeaker's echo: 0 to 1.
        """
        if self._n < 2:
            return
        self._picked[:] = spectra[:, _BINS].T
        power = float(np.vdot(self._picked, self._picked).real)
        self._noise = min(power, self._noise * 1.01) if self._noise < np.inf else power
        if power < _LOUD * self._noise:
            weight = 0.0
        self._silent += 1
        if weight > 0:
            self._silent = 0
            self._covariance *= np.float32(_KEPT)
            self._covariance += np.float32(weight * (1 - _KEPT)) * (
                self._picked[:, :, np.newaxis] * self._picked[:, np.newaxis].conj()
            )
            self._count += 1
            if self._count % _EVERY == 0:
                self._estimate()
        if self._silent >= _HELD:
            self.direction = None

    def _estimate(self) -> None:
        for _ in range(_ITERATIONS):
            np.matmul(self._covariance, self._vector, out=self._vector)
            self._vector /= np.linalg.norm(self._vector, axis=1, keepdims=True) + 1e-30
        along = np.abs(np.matmul(self._towards, self._vector)[..., 0]) ** 2
        heights = 1 / (1 + _FLOOR - along)
        heights /= heights.max(axis=1, keepdims=True)
        self.spectrum = heights.sum(axis=0)
        top = int(self.spectrum.argmax())
        left, middle, right = self.spectrum[top - 1], self.spectrum[top], self.spectrum[(top + 1) % len(self.spectrum)]
        self.direction = (
            float(self._azimuths[top] + _GRID * (left - right) / (left - 2 * middle + right + 1e-9) / 2) % 360
        )
