"""A learned gain that takes out what a linear canceller leaves of the echo, and the noise, and lets the near talker through.

What leaves the canceller still holds the loudspeaker's distortion, the room's long tail and what a filter that is still
learning misses. A small recurrent network sees, ten milliseconds at a time, the energies of 59 bands of the error, of the
echo estimate and of the reference, and how coherent error and echo still are, and says for each band how much of it is the
near talker. (Valin, "A hybrid DSP/deep learning approach to real-time full-band speech enhancement", MMSP 2018; Valin et al.,
"Low-complexity, real-time joint neural echo control and speech enhancement based on PercepNet", ICASSP 2021.)

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

from appliance.audio.spectra import BINS, Gains, Spectrum

Array: TypeAlias = NDArray[np.float32]

WEIGHTS = Path(__file__).with_name("residual.npz")
LOW = 161
"""Bins that the network sees: 0 to 8 kHz, 50 Hz apart."""
_WIDENING = 0.055
"""Bands are this part of their centre wide, and at least one bin."""
LEAST_POWER = np.float32(1e-7)
"""Added to powers of bins: about -97 dBFS."""
MIDDLE, SPREAD = np.float32(3.0), np.float32(1 / 3)
"""log10 of a power, so that speech lies about 0 with a spread of about 1."""
KEPT = 0.8
"""How much of the last blocks' cross spectrum is kept in the next: 50 ms."""
LEAST_COHERENT = np.float32(1e-12)
_FLOOR = 10 ** (-50 / 20)
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
INPUTS = 2 * BANDS + 2 * PAIRS


def logarithm(power: Array, out: Array | None = None) -> Array:
    """Powers as the network takes them."""
    taken: Array = np.add(power, LEAST_POWER, out=out, dtype=np.float32)
    np.log10(taken, out=taken)
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
    """What the network sees of a block; remembers 50 ms. ``values`` has shape (INPUTS,)."""

    def __init__(self) -> None:
        self.values = np.zeros(INPUTS, np.float32)
        self._error = np.zeros(LOW, np.float32)
        self._echo = np.zeros(LOW, np.float32)
        self._reference = np.zeros(LOW, np.float32)
        self._scratch = np.zeros(LOW, np.float32)
        self._conjugate = np.zeros(LOW, np.complex64)
        self._cross = np.zeros(LOW, np.complex64)
        self._error_kept = np.zeros(LOW, np.float32)
        self._echo_kept = np.zeros(LOW, np.float32)
        self._both = np.zeros(PAIRS, np.float32)
        self._error_bands = self.values[:BANDS]
        self._echo_bands = self.values[BANDS : 2 * BANDS]
        self._reference_bands = self.values[2 * BANDS : 2 * BANDS + PAIRS]
        self._coherence = self.values[2 * BANDS + PAIRS :]

    def update(self, error: Spectrum, echo: Spectrum, reference: Spectrum) -> None:
        """Take the block's spectra, each of shape (481,)."""
        error, echo, reference = error[:LOW], echo[:LOW], reference[:LOW]
        self._power(error, self._error)
        self._power(echo, self._echo)
        self._power(reference, self._reference)
        for bands, matrix, power in (
            (self._error_bands, NARROW, self._error),
            (self._echo_bands, NARROW, self._echo),
            (self._reference_bands, WIDE, self._reference),
        ):
            np.dot(matrix, power, out=bands)
            logarithm(bands, out=bands)
        np.conjugate(echo, out=self._conjugate)
        np.multiply(self._conjugate, error, out=self._conjugate)
        for kept, new in (
            (self._cross, self._conjugate),
            (self._error_kept, self._error),
            (self._echo_kept, self._echo),
        ):
            np.multiply(kept, np.float32(KEPT), out=kept)
            np.multiply(new, np.float32(1 - KEPT), out=new)
            np.add(kept, new, out=kept)
        self._power(self._cross, self._echo)
        np.dot(WIDE, self._echo, out=self._coherence)
        np.multiply(self._error_kept, self._echo_kept, out=self._echo)
        np.dot(WIDE, self._echo, out=self._both)
        self._both += LEAST_COHERENT
        self._coherence /= self._both

    def _power(self, spectrum: Spectrum, out: Array) -> None:
        np.square(spectrum.real, out=out)
        np.square(spectrum.imag, out=self._scratch)
        out += self._scratch

    def reset(self) -> None:
        """Forget the last blocks."""
        for kept in (self._cross, self._error_kept, self._echo_kept):
            kept.fill(0)


class ResidualGain:
    """The network at work on one stream; keeps its state from block to block."""

    def __init__(self, weights: Weights | None = None) -> None:
        """:param weights: those beside this file if none are given (raises ResidualWeightsError)."""
        self._weights = w = weights or Weights.load()
        width, hidden = len(w.into_bias), len(w.back_bias) // 3
        self._features = Features()
        self._seen = np.zeros(hidden + width, np.float32)  # what the last layer sees: state, then first layer
        self._state, self._first = self._seen[:hidden], self._seen[hidden:]
        self._forward = np.zeros(3 * hidden, np.float32)
        self._backward = np.zeros(3 * hidden, np.float32)
        self._out = np.zeros(BANDS + 1, np.float32)
        self._hidden = hidden

    def gain(self, error: Spectrum, echo: Spectrum, reference: Spectrum, out: Gains) -> float:
        """What to multiply the error with.

        :param error: shape (481,), after canceller and beam.
        :param echo: shape (481,), the echo estimate through the same beam.
        :param reference: shape (481,), what was played.
        :param out: shape (481,), filled with gains, 0 to 1.
        :returns: probability that somebody near talks, 0 to 1. What is no number is silenced, and the state forgotten.
        """
        if not all(np.vdot(spectrum, spectrum).real < _LOUDEST for spectrum in (error, echo, reference)):
            self.reset()
            out.fill(0)
            return 0.0
        self._features.update(error, echo, reference)
        w, n = self._weights, self._hidden
        np.dot(w.into, self._features.values, out=self._first)
        self._first += w.into_bias
        np.maximum(self._first, 0, out=self._first)
        np.dot(w.gates, self._first, out=self._forward)
        self._forward += w.gates_bias
        np.dot(w.back, self._state, out=self._backward)
        self._backward += w.back_bias
        gates, candidate = self._forward[: 2 * n], self._forward[2 * n :]
        gates += self._backward[: 2 * n]
        _sigmoid(gates)
        self._backward[2 * n :] *= gates[:n]
        candidate += self._backward[2 * n :]
        np.tanh(candidate, out=candidate)
        self._state -= candidate
        self._state *= gates[n:]
        self._state += candidate
        np.dot(w.out, self._seen, out=self._out)
        self._out += w.out_bias
        _sigmoid(self._out)
        bands = self._out[:BANDS]
        np.maximum(bands, _FLOOR, out=bands)
        np.dot(bands, SPREADING, out=out[:LOW])
        out[LOW:] = out[_HIGH_FROM:LOW].mean()
        return float(self._out[BANDS])

    def reset(self) -> None:
        """Forget everything heard."""
        self._features.reset()
        self._seen.fill(0)


def _sigmoid(values: Array) -> None:
    """In place, without overflow: by the hyperbolic tangent."""
    values *= np.float32(0.5)
    np.tanh(values, out=values)
    values *= np.float32(0.5)
    values += np.float32(0.5)


assert SPREADING.shape[1] == LOW <= BINS  # noqa: S101 -- the tables above are made here
