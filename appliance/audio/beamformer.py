"""One voice out of n microphones: a superdirective beam that turns smoothly.

The weights let the talker's direction through unchanged and take out as much as they can of sound from everywhere else: of
the room. (Cox, Zeskind and Owen, "Robust adaptive beamforming", 1987; Bitzer and Simmer, "Superdirective microphone arrays",
2001.) At low frequencies that would amplify the microphones' own noise and their differences without limit: the loading of the
diagonal is as large, frequency by frequency, as the white-noise gain demands.

Where the loudspeaker's echo comes from can be learnt: then that is taken out too, by the same constraint (MVDR).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.audio.spectra import BINS, Spectra, Spectrum
from appliance.audio.steering import Complex, diffuse, frequencies, steering
from appliance.core.arrays import Position

_APART = 10.0
"""Degrees from one beam of the table to the next; a beam is some 60 wide."""
_LOADINGS = 10.0 ** np.arange(-5, 1.01, 0.25)
"""Of the diagonal, the smallest that is robust enough is taken."""
_FADED = 12
"""Blocks that a turn takes."""


def superdirective(
    noise: Complex | NDArray[np.float64], wanted: Complex, white_noise_gain: float
) -> NDArray[np.complex64]:
    """Weights, conjugate, that pass ``wanted`` and least of ``noise``; shape (bins, n).

    :param noise: covariances with a mean diagonal of 1, shape (bins, n, n).
    :param wanted: phases of the wanted direction, shape (bins, n).
    :param white_noise_gain: the least; n is that of a plain sum, 1 that of a single microphone.
    """
    n = wanted.shape[-1]
    found = np.zeros(wanted.shape, np.complex128)
    open_ = np.ones(len(wanted), bool)
    for loading in _LOADINGS:
        matrix = noise[open_] + loading * np.eye(n)
        weights = np.linalg.solve(matrix, wanted[open_][..., np.newaxis])[..., 0]
        weights /= np.sum(wanted[open_].conj() * weights, axis=-1, keepdims=True)
        found[open_] = weights
        robust = 1 / np.sum(np.abs(weights) ** 2, axis=-1) >= white_noise_gain
        open_[open_] = ~robust
        if not open_.any():
            break
    made: NDArray[np.complex64] = found.conj().astype(np.complex64)
    return made


class Beamformer:
    """One per canceller; capture thread. With one microphone it passes through."""

    def __init__(self, positions: Sequence[Position], *, white_noise_gain_db: float = -8.0) -> None:
        """:param positions: of the microphones, metres from their centre."""
        n = len(positions)
        self._n = n
        hertz = frequencies()
        count = round(360 / _APART)
        towards = steering(positions, [beam * _APART for beam in range(count)], hertz)
        coherence = diffuse(positions, hertz)
        gain = 10 ** (white_noise_gain_db / 10)
        self._table = np.zeros((count if n > 1 else 0, n, BINS), np.complex64)
        for beam in range(len(self._table)):
            self._table[beam] = superdirective(coherence, towards[:, beam], gain).T
        self._weights = np.zeros((n, BINS), np.complex64)
        self._weights[0] = 1  # until somebody has talked: the first microphone
        self._from = self._weights.copy()
        self._products = np.zeros((n, BINS), np.complex64)
        self._beam = -1
        self._left = 0

    @property
    def azimuth(self) -> float | None:
        """Where it looks, degrees; None: nowhere in particular."""
        return None if self._beam < 0 else self._beam * _APART

    def steer(self, azimuth: float | None) -> None:
        """Go on turning towards ``azimuth``, degrees; once a block, before :meth:`apply`. None: look where it looked."""
        if self._n == 1:
            return
        if azimuth is not None:
            beam = round(azimuth / _APART) % len(self._table)
            apart = abs(
                (azimuth / _APART - self._beam + len(self._table) / 2) % len(self._table) - len(self._table) / 2
            )
            if beam != self._beam and (self._beam < 0 or apart > 0.7):
                self._from[:] = self._weights
                self._beam, self._left = beam, _FADED
        if self._left:
            self._left -= 1
            wanted = self._table[self._beam]
            np.subtract(self._from, wanted, out=self._weights)
            self._weights *= np.float32(self._left / _FADED)
            self._weights += wanted

    def apply(self, spectra: Spectra, out: Spectrum) -> None:
        """Write the beam of ``spectra``, shape (n, 481), into ``out``, shape (481,)."""
        if self._n == 1:
            out[:] = spectra[0]
            return
        np.multiply(self._weights, spectra, out=self._products)
        np.add.reduce(self._products, axis=0, out=out)
