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

from appliance.audio.spectra import BINS, LOW, Spectra, Spectrum
from appliance.audio.steering import Complex, diffuse, frequencies, steering
from appliance.core.arrays import Position

_APART = 10.0
"""Degrees from one beam of the table to the next; a beam is some 60 wide."""
_LOADINGS = 10.0 ** np.arange(-5, 1.01, 0.25)
"""Of the diagonal, the smallest that is robust enough is taken."""
_REST = 0.7
"""Beams that a direction may be off before another is taken: one that trembles between two moves nothing."""
_TURNED = np.float32(0.25)
"""Of what is left of a turn, a block."""
_LEARNT = LOW
"""Bins whose echo is learnt: up to 8 kHz, as far as it is cancelled."""
_SOME = 3
"""Every so many blocks is learnt from one, and some weights are computed anew."""
_NEW = np.float32(0.02)
"""Of the learnt echo, each time: one and a half seconds."""
_QUIET = 1e-2
"""Energy of a spectrum, of echo at -70 dBFS, below which there is nothing to learn."""
_ENOUGH = 30
"""Times after which it is known where the echo comes from."""
_REFRESHED = 12
"""Bins whose weights are computed anew at a time."""
_ROOM = 0.6
"""How much of what is taken out is taken to come from everywhere."""


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
        n = self._n = len(positions)
        hertz = frequencies()
        beams = round(360 / _APART) if n > 1 else 0
        towards = steering(positions, [beam * _APART for beam in range(beams)], hertz)
        coherence = diffuse(positions, hertz)
        self._least = 10 ** (white_noise_gain_db / 10)
        self._table = np.zeros((beams, n, BINS), np.complex64)
        for beam in range(beams):
            self._table[beam] = superdirective(coherence, towards[:, beam], self._least).T
        self._towards: NDArray[np.complex64] = towards[:_LEARNT].astype(np.complex64)
        self._room: NDArray[np.float32] = (_ROOM * coherence[:_LEARNT]).astype(np.float32)
        self._identity = np.eye(n, dtype=np.float32)
        self._loading = np.full(_LEARNT, 0.1, np.float32)
        self._other = np.zeros((n, _LEARNT), np.complex64)
        self._outer, self._echo = np.zeros((2, n, n, _LEARNT), np.complex64)
        self._turns = self._offered = self._learnt = self._next = 0
        self._wanted = np.zeros((n, BINS), np.complex64)
        self._wanted[0] = 1  # until somebody has talked: the first microphone
        self._weights = self._wanted.copy()
        self._products = np.zeros((n, BINS), np.complex64)
        self._beam = -1

    @property
    def azimuth(self) -> float | None:
        """Where it looks, degrees; None: nowhere in particular."""
        return None if self._beam < 0 else self._beam * _APART

    def steer(self, azimuth: float | None) -> None:
        """Go on turning towards ``azimuth``, degrees; once a block, before :meth:`apply`. None: look where it looked."""
        if self._n == 1:
            return
        if azimuth is not None:
            self._turn(azimuth / _APART)
        self._turns += 1
        if self._beam >= 0 and self._learnt > _ENOUGH and self._turns % _SOME == 0:
            self._refresh()
        np.subtract(self._wanted, self._weights, out=self._products)
        self._products *= _TURNED
        self._weights += self._products

    def apply(self, spectra: Spectra, out: Spectrum) -> None:
        """Write the beam of ``spectra``, shape (n, 481), into ``out``, shape (481,)."""
        if self._n == 1:
            out[:] = spectra[0]
            return
        np.multiply(self._weights, spectra, out=self._products)
        np.add.reduce(self._products, axis=0, out=out)

    def learn(self, echo: Spectra) -> None:
        """Take out more of what comes from where this comes from: the echo as the canceller estimates it, shape (n, 481).

        There is no near voice in that, whoever talks. What the canceller leaves comes from the same place, as far as it does
        not come from everywhere: the loudspeaker's distortion and what the filter has not learnt yet.
        """
        self._offered += 1
        if self._n == 1 or self._offered % _SOME:
            return
        heard = echo[:, :_LEARNT]
        if float(np.vdot(heard[0], heard[0]).real) < _QUIET:
            return
        np.conjugate(heard, out=self._other)
        np.multiply(heard[:, np.newaxis], self._other, out=self._outer)
        self._outer -= self._echo
        self._outer *= _NEW
        self._echo += self._outer
        self._learnt += 1

    def _turn(self, place: float) -> None:
        beams = len(self._table)
        beam = round(place) % beams
        apart = abs((place - self._beam + beams / 2) % beams - beams / 2)
        if beam != self._beam and (self._beam < 0 or apart > _REST):
            self._beam = beam
            np.copyto(self._wanted, self._table[beam])
            self._loading.fill(0.1)

    def _refresh(self) -> None:
        """Compute some bins' weights anew, those in turn. The loading follows what the white-noise gain demands."""
        some = slice(self._next, min(self._next + _REFRESHED, _LEARNT))
        self._next = 0 if some.stop == _LEARNT else some.stop
        echo, loading = self._echo[..., some].transpose(2, 0, 1), self._loading[some]
        power = np.trace(echo, axis1=1, axis2=2).real
        power += np.float32(1e-20)
        matrix = echo * (np.float32((1 - _ROOM) * self._n) / power)[:, np.newaxis, np.newaxis]
        matrix += self._room[some]
        matrix += loading[:, np.newaxis, np.newaxis] * self._identity
        towards = self._towards[some, self._beam]
        weights = np.linalg.solve(matrix, towards[..., np.newaxis])[..., 0]
        weights /= np.sum(towards.conj() * weights, axis=-1, keepdims=True)
        gain = 1 / np.sum(weights.real**2 + weights.imag**2, axis=-1)
        robust = gain >= self._least
        self._wanted[:, some] = np.where(robust, weights.conj().T, self._wanted[:, some])
        loading *= np.where(robust, np.where(gain > 1.2 * self._least, np.float32(0.7), np.float32(1)), np.float32(2))
        np.clip(loading, 1e-4, 100.0, out=loading)
