"""Echo above the canceller's highest frequency: taken out by how loud it must be.

Nothing above 8 kHz is cancelled. What a loudspeaker plays there comes back by a factor that changes little: the ratio of error to
reference, band by band, learned while the far end is loud there. Where the error is not much more than that factor lets expect,
it is echo and goes.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.audio.spectra import BINS, LOW, Gains, Spectrum

FIRST = LOW
"""The first bin that no canceller estimates: 8.05 kHz."""
_EDGES = np.array([161, 181, 201, 231, 271, 321, 391]) - FIRST
_WIDTHS = np.diff(np.append(_EDGES, BINS - FIRST))
_PER_BIN = (1 / _WIDTHS).astype(np.float32)
_KEPT = np.float32(0.85)
"""Of the reference's power from block to block: a room rings on."""
_FIRST_COUPLING = np.float32(0.1)
_QUIETER, _LOUDER = np.float32(0.05), np.float32(0.005)
"""How fast the coupling follows a lower ratio, and a higher one, which a near talker makes too."""
_AUDIBLE = np.float32(1e-4)
_OVER = np.float32(4.0)
_FLOOR = np.float32(0.003)


class HighBand:
    """Lowers gains from :data:`FIRST` on."""

    def __init__(self) -> None:
        bands = len(_EDGES)
        self._squares = np.zeros(2 * (BINS - FIRST), np.float32)
        self._coupling = np.full(bands, _FIRST_COUPLING, np.float32)
        self._reference = np.zeros(bands, np.float32)
        self._error = np.zeros(bands, np.float32)
        self._smooth = np.ones(bands, np.float32)

    def lower(self, error: Spectrum, reference: Spectrum, near: float, gains: Gains) -> None:
        """Take the echo out of the gains.

        :param error: shape (481,), what the gains are for.
        :param reference: shape (481,).
        :param near: probability that somebody near talks; while it is high the coupling is not learned.
        :param gains: shape (481,), changed from :data:`FIRST` on.
        """
        self._reference *= _KEPT
        np.maximum(self._reference, self._bands(reference), out=self._reference)
        if float(self._reference.max()) < _AUDIBLE:
            return
        now = self._bands(error)
        self._error += np.float32(0.3) * (now - self._error)
        ratio = self._error / (self._reference + np.float32(1e-9))
        follow = np.where(ratio < self._coupling, _QUIETER, _LOUDER * np.float32(max(0.0, 1 - near)))
        follow[self._reference < _AUDIBLE] = 0
        self._coupling += follow * (np.minimum(ratio, 1) - self._coupling)
        left = self._coupling * self._reference
        left /= self._error + np.float32(1e-12)
        left *= -_OVER
        left += 1
        np.maximum(left, _FLOOR, out=left)
        self._smooth += np.where(left < self._smooth, np.float32(0.8), np.float32(0.3)) * (left - self._smooth)
        np.minimum(gains[FIRST:], np.repeat(self._smooth, _WIDTHS), out=gains[FIRST:])

    def _bands(self, spectrum: Spectrum) -> NDArray[np.float32]:
        """Mean powers of the bands."""
        np.square(spectrum[FIRST:].view(np.float32), out=self._squares)
        means: NDArray[np.float32] = np.add.reduceat(self._squares, 2 * _EDGES)
        means *= _PER_BIN
        return means
