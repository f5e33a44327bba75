"""A learned gain that takes out what a linear canceller leaves of the echo, and the noise, and lets the near talker through.

What leaves the canceller still holds the loudspeaker's distortion, the room's long tail and what a filter that is still
learning misses. A small recurrent network sees, ten milliseconds at a time, the energies of 59 bands of the error, of the
echo estimate and of the reference, and how coherent error and echo still are, and says for each band how much of it is the
near talker. (Valin, "A hybrid DSP/deep learning approach to real-time full-band speech enhancement", MMSP 2018; Valin et al.,
"Low-complexity, real-time joint neural echo control and speech enhancement based on PercepNet", ICASSP 2021.)

A Wiener gain is multiplied in (:class:`_Fine`): it sees single bins where the network sees bands, and takes out echo between
the harmonics of a near voice.

The network is a dense layer, a gated recurrent unit (Cho et al., EMNLP 2014) and a dense layer with one more output, the
probability that somebody near talks. It was trained by ``tools/training`` on simulated rooms; the weights lie beside this
file. The voices it learned from end at 8 kHz, where the canceller ends too: above, the gain is what it is below on average,
and echo there is the business of :mod:`appliance.audio.high_band`.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from appliance.audio.spectra import LOW, Gains, Spectrum

Array: TypeAlias = NDArray[np.float32]

WEIGHTS = Path(__file__).with_name("residual.npz")
_WIDENING = 0.055
"""Bands are this part of their centre wide, and at least one bin."""
LEAST_POWER = np.float32(1e-7)
"""Added to powers of bins: about -97 dBFS."""
MIDDLE, SPREAD = np.float32(3.0), np.float32(1 / 3)
"""log10 of a power, so that speech lies about 0 with a spread of about 1."""
_OF_TEN = np.float32(1 / np.log(10))
KEPT = 0.8
"""How much of the last blocks' cross spectrum is kept in the next: 50 ms."""
_OLD, _NEW, _HALF = np.float32(KEPT), np.float32(1 - KEPT), np.float32(0.5)
LEAST_COHERENT = np.float32(1e-12)
_FLOOR = np.float32(10 ** (-50 / 20))
_MEANS_MOVE, _MOMENTS_MOVE = np.float32(0.03), np.float32(0.015)
_LEAST_LEAK, _MOST_LEAK = np.float32(2 * 0.002), np.float32(2 * 1.0)
"""Least and most of the estimated echo that may be left; twice, for rather a little voice is lost than echo heard."""
_RINGS_ON, _LEAST_FINE = np.float32(0.7), np.float32(0.003)
_CLOSES, _OPENS = np.float32(0.7), np.float32(0.3)
_TINY, _TWICE = np.float32(1e-12), np.float32(2)
_LOUDEST = 1e12
"""Power of a spectrum that is no sound any more: a million times full scale."""
_HIGH_FROM = 120
"""6 kHz: the mean gain from here to 8 kHz is that of all above."""


def _bands() -> Array:
    """Triangles over the bins 0 to 160 that add up to one in each bin, shape (bands, 161)."""
    centres, at = [1.0], 1.0
    while at < LOW - 1:
        at += max(1.0, _WIDENING * at)
        centres.append(at)
    centres = [centre * (LOW - 1) / centres[-1] if centre > 20 else centre for centre in centres]
    bins = np.arange(LOW)
    return np.stack(
        [np.interp(bins, centres, np.eye(len(centres))[band]) for band in range(len(centres))],
    ).astype(np.float32)


def _paired(bands: Array) -> Array:
    """Every two neighbours as one, shape (half of the bands, 161)."""
    pairs: Array = np.add.reduceat(bands, np.arange(0, len(bands), 2), axis=0)
    return pairs


def _mean(bands: Array) -> Array:
    means: Array = bands / bands.sum(axis=1, keepdims=True)
    return means


SPREADING = _bands()
"""What a band's gain does to the bins, shape (BANDS, 161)."""
BANDS = len(SPREADING)
NARROW = _mean(SPREADING)
"""Mean over each band's bins."""
WIDE = _mean(_paired(SPREADING))
"""The same over pairs of bands, shape (PAIRS, 161)."""
PAIRS = len(WIDE)
_ALL = np.ascontiguousarray(np.concatenate([NARROW, WIDE]).T)
_OF_ERROR = np.ascontiguousarray(NARROW.T)
_SPREADING_AND_ABOVE = np.hstack([SPREADING, SPREADING[:, _HIGH_FROM:].mean(axis=1, keepdims=True)])
INPUTS = 2 * BANDS + 2 * PAIRS


def logarithm(power: Array, out: Array | None = None) -> Array:
    """Powers as the network takes them."""
    taken: Array = np.add(power, LEAST_POWER, out=out, dtype=np.float32)
    np.log(taken, out=taken)  # which numpy does eight at a time, and not log10
    taken *= _OF_TEN
    taken += MIDDLE
    taken *= SPREAD
    return taken


class ResidualWeightsError(ValueError):
    """The file of weights is missing or is not of this network."""


class Weights(NamedTuple):
    """The network, float32; h is the width of the recurrent layer, d that of the first."""

    into: Array  # (d, INPUTS)
    into_bias: Array  # (d,)
    gates: Array  # (3h, d): reset, update, candidate
    gates_bias: Array  # (3h,)
    back: Array  # (3h, h)
    back_bias: Array  # (3h,)
    out: Array  # (BANDS + 1, h + d): gains, and somebody near talks
    out_bias: Array  # (BANDS + 1,)

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> Self:
        """Read the file that training wrote.

        :raises ResidualWeightsError: with one sentence, when it is missing or does not fit.
        """
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
                return cls.of(stored)
        except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
            if isinstance(error, ResidualWeightsError):
                raise
            raise ResidualWeightsError(
                f"the weights of the residual gain cannot be read from {path.name}: {error}"
            ) from error

    @classmethod
    def of(cls, stored: Mapping[str, NDArray[np.floating]]) -> Self:
        """Take arrays of any float type, checked against each other."""
        found = {name: np.ascontiguousarray(stored[name], np.float32) for name in cls._fields}
        d, h = len(found["into_bias"]), len(found["back_bias"]) // 3
        expected = {
            "into": (d, INPUTS),
            "into_bias": (d,),
            "gates": (3 * h, d),
            "gates_bias": (3 * h,),
            "back": (3 * h, h),
            "back_bias": (3 * h,),
            "out": (BANDS + 1, h + d),
            "out_bias": (BANDS + 1,),
        }
        for name, shape in expected.items():
            if found[name].shape != shape:
                raise ResidualWeightsError(
                    f"the weights of the residual gain do not fit: {name} is {found[name].shape}, not {shape}; train anew",
                )
            if not np.isfinite(found[name]).all():
                raise ResidualWeightsError(f"the weights of the residual gain do not fit: {name} is not finite")
        return cls(**found)


class Features:
    """What the network sees of a block; remembers 50 ms. ``values`` has shape (INPUTS + 1,), the last always 1."""

    def __init__(self) -> None:
        self.values = np.ones(INPUTS + 1, np.float32)
        self._logarithms = self.values[: 2 * BANDS + PAIRS]
        self._coherence = self.values[2 * BANDS + PAIRS : INPUTS]
        self._logarithms[:], self._coherence[:] = logarithm(np.zeros_like(self._logarithms)), 0
        self._of_error = self.values[:BANDS]
        self._spectra = np.zeros((3, LOW), np.complex64)
        self._real, self._imaginary = self._spectra.real, self._spectra.imag
        self._rows = np.zeros((5, LOW), np.float32)
        """Powers of error, echo and reference; of the cross spectrum of the first two, smoothed, and their product."""
        self.powers, self._both = self._rows[:3], self._rows[:2]
        self._scratch = np.zeros((3, LOW), np.float32)
        self._new = self._scratch[:2]
        self._cross, self._cross_new = np.zeros(LOW, np.complex64), np.zeros(LOW, np.complex64)
        self._cross_real, self._cross_imaginary = self._cross.real, self._cross.imag
        self._kept = np.zeros((2, LOW), np.float32)
        self._bands = np.zeros((5, BANDS + PAIRS), np.float32)
        self._copied = (
            (self.values[:BANDS], self._bands[0, :BANDS]),
            (self.values[BANDS : 2 * BANDS], self._bands[1, :BANDS]),
            (self.values[2 * BANDS : 2 * BANDS + PAIRS], self._bands[2, BANDS:]),
        )
        self._common, self._product = self._bands[3, BANDS:], self._bands[4, BANDS:]

    def update(self, error: Spectrum, echo: Spectrum, reference: Spectrum) -> bool:
        """Take the block's spectra, each of shape (481,); False if one of them is no sound, and nothing is taken."""
        spectra, powers, scratch = self._spectra, self.powers, self._scratch
        spectra[0], spectra[1], spectra[2] = error[:LOW], echo[:LOW], reference[:LOW]
        if not np.vdot(spectra, spectra).real < _LOUDEST:
            return False
        np.square(self._real, out=powers)
        np.square(self._imaginary, out=scratch)
        powers += scratch
        np.conjugate(spectra[1], out=self._cross_new)
        self._cross_new *= spectra[0]
        self._cross_new *= _NEW
        self._cross *= _OLD
        self._cross += self._cross_new
        self._kept *= _OLD
        np.multiply(self._both, _NEW, out=self._new)
        self._kept += self._new
        common, product = self._rows[3], self._rows[4]
        np.square(self._cross_real, out=common)
        np.square(self._cross_imaginary, out=product)
        common += product
        np.multiply(self._kept[0], self._kept[1], out=product)
        self._read()
        return True

    def update_alone(self, error: Spectrum) -> bool:
        """The same where echo and reference are zeros, and have been for seconds: only what tells of the error changes."""
        spectrum, power, scratch = self._spectra[0], self.powers[0], self._scratch[0]
        spectrum[:] = error[:LOW]
        if not np.vdot(spectrum, spectrum).real < _LOUDEST:
            return False
        np.square(self._real[0], out=power)
        np.square(self._imaginary[0], out=scratch)
        power += scratch
        kept = self._kept[0]
        kept *= _OLD
        np.multiply(power, _NEW, out=scratch)
        kept += scratch
        np.dot(power, _OF_ERROR, out=self._of_error)
        logarithm(self._of_error, out=self._of_error)
        return True

    def _read(self) -> None:
        """From bins to bands."""
        np.dot(self._rows, _ALL, out=self._bands)
        for taken, band in self._copied:
            taken[:] = band
        logarithm(self._logarithms, out=self._logarithms)
        self._product += LEAST_COHERENT
        np.divide(self._common, self._product, out=self._coherence)

    def reset(self) -> None:
        """Forget the last blocks."""
        self._cross.fill(0)
        self._kept.fill(0)


class _Fine:
    """The square root of a Wiener gain, bin by bin.

    How much of the estimated echo is left is regressed from the fluctuations of the powers (Valin, IEEE TASLP 15, 2007), as
    in :mod:`appliance.audio.rule_gain`; what the room rings on with is held.
    """

    def __init__(self) -> None:
        self._means, self._apart = np.zeros((2, LOW), np.float32), np.zeros((2, LOW), np.float32)
        self._moments, self._products = np.zeros((2, LOW), np.float32), np.zeros((2, LOW), np.float32)
        self._held, self._left, self._smooth = (np.zeros(LOW, np.float32) for _ in range(3))
        self._scratch = np.zeros(LOW, np.float32)
        self._alone = 0  # blocks of which the moments do not know yet
        self.reset()

    def gain(self, powers: Array) -> Array:
        """Take powers of error and echo, shape (2 or more, 161); gives shape (161,), valid until the next call."""
        apart, products, left = self._apart, self._products, self._left
        if self._alone:
            self._moments *= np.float32(float(1 - _MOMENTS_MOVE) ** self._alone)
            self._alone = 0
        np.subtract(powers[:2], self._means, out=apart)
        np.multiply(apart, apart[1], out=products)
        apart *= _MEANS_MOVE
        self._means += apart
        products -= self._moments
        products *= _MOMENTS_MOVE
        self._moments += products
        np.add(self._moments[1], _TINY, out=left)
        np.divide(self._moments[0], left, out=left)
        left *= _TWICE
        np.maximum(left, _LEAST_LEAK, out=left)
        np.minimum(left, _MOST_LEAK, out=left)
        self._held *= _RINGS_ON
        np.maximum(self._held, powers[1], out=self._held)
        left *= self._held
        np.add(powers[0], _TINY, out=self._scratch)
        left /= self._scratch
        np.subtract(1, left, out=left)
        np.maximum(left, _LEAST_FINE, out=left)
        left -= self._smooth
        np.multiply(left, _OPENS, out=self._scratch)
        left *= _CLOSES
        np.minimum(left, self._scratch, out=left)
        self._smooth += left
        np.sqrt(self._smooth, out=self._scratch)
        return self._scratch

    def follow(self, power: Array) -> None:
        """Take the power of the error, shape (161,), where there has been no echo for seconds: the gain is 1."""
        mean, apart = self._means[0], self._apart[0]
        np.subtract(power, mean, out=apart)
        apart *= _MEANS_MOVE
        mean += apart
        self._alone += 1

    def reset(self) -> None:
        """Forget the loudspeaker."""
        self._means.fill(0)
        self._held.fill(0)
        self._moments[0], self._moments[1] = 1e-7, 1e-6
        self._alone = 0
        self._smooth.fill(1)


class ResidualGain:
    """The network at work on one stream; keeps its state from block to block.

    A call of numpy costs more than what it computes here: biases are columns of the matrices, against a constant 1, and what is
    halved in a logistic function (which is 0.5 + 0.5 tanh(x / 2)) is halved in the weights.
    """

    def __init__(self, weights: Weights | None = None) -> None:
        """:param weights: those beside this file if none are given (raises ResidualWeightsError)."""
        w = weights or Weights.load()
        width, n = len(w.into_bias), len(w.back_bias) // 3
        halved = np.repeat(np.array([0.5, 1], np.float32), [2 * n, n])[:, np.newaxis]
        self._into = np.hstack([w.into, w.into_bias[:, np.newaxis]])
        self._gates = halved * np.hstack([w.gates, w.gates_bias[:, np.newaxis]])
        self._back = halved * np.hstack([w.back_bias[:, np.newaxis], w.back])
        self._last = np.float32(0.5) * np.hstack([w.out[:, n:], w.out_bias[:, np.newaxis], w.out[:, :n]])
        self._features = Features()
        self._seen = np.zeros(width + 1 + n, np.float32)  # the first layer, 1, the state
        self._first, self._first_and_one = self._seen[:width], self._seen[: width + 1]
        self._one_and_state, self._state = self._seen[width:], self._seen[width + 1 :]
        self._seen[width] = 1
        self._forward, self._backward = np.zeros(3 * n, np.float32), np.zeros(3 * n, np.float32)
        self._open, self._candidate = self._forward[: 2 * n], self._forward[2 * n :]
        self._open_back, self._candidate_back = self._backward[: 2 * n], self._backward[2 * n :]
        self._reset, self._update = self._open[:n], self._open[n:]
        self._out = np.zeros(BANDS + 1, np.float32)
        self._bands = self._out[:BANDS]
        self._fine = _Fine()

    def gain(self, error: Spectrum, echo: Spectrum, reference: Spectrum, out: Gains) -> float:
        """What to multiply the error with.

        :param error: shape (481,), after canceller and beam.
        :param echo: shape (481,), the echo estimate through the same beam.
        :param reference: shape (481,), what was played.
        :param out: shape (481,), filled with gains, 0 to 1.
        :returns: probability that somebody near talks, 0 to 1. What is no number is silenced, and the state forgotten.
        """
        if not self._features.update(error, echo, reference):
            return self._silence(out)
        near = self._judge(out)
        out[:LOW] *= self._fine.gain(self._features.powers)
        return near

    def gain_alone(self, error: Spectrum, out: Gains) -> float:
        """The same where echo and reference are zeros, and have been for seconds: nothing is played.

        It says what :meth:`gain` would say, and forgets what it would forget.
        """
        if not self._features.update_alone(error):
            return self._silence(out)
        near = self._judge(out)
        self._fine.follow(self._features.powers[0])
        return near

    def _silence(self, out: Gains) -> float:
        """What is no number is silenced, and the state forgotten."""
        self.reset()
        out.fill(0)
        return 0.0

    def _judge(self, out: Gains) -> float:
        """What the network makes of the features: gains, and the probability that somebody near talks."""
        np.dot(self._into, self._features.values, out=self._first)
        np.maximum(self._first, 0, out=self._first)
        np.dot(self._gates, self._first_and_one, out=self._forward)
        np.dot(self._back, self._one_and_state, out=self._backward)
        self._open += self._open_back
        _logistic(self._open)
        self._candidate_back *= self._reset
        self._candidate += self._candidate_back
        np.tanh(self._candidate, out=self._candidate)
        self._state -= self._candidate
        self._state *= self._update
        self._state += self._candidate
        np.dot(self._last, self._seen, out=self._out)
        _logistic(self._out)
        np.maximum(self._bands, _FLOOR, out=self._bands)
        np.dot(self._bands, _SPREADING_AND_ABOVE, out=out[: LOW + 1])
        out[LOW:] = out[LOW]
        return float(self._out[BANDS])

    def reset(self) -> None:
        """Forget everything heard."""
        self._features.reset()
        self._fine.reset()
        self._first.fill(0)
        self._state.fill(0)


def _logistic(halves: Array) -> None:
    """In place, of twice what is given, without overflow."""
    np.tanh(halves, out=halves)
    halves *= _HALF
    halves += _HALF
