"""A canceller of echo: a partitioned-block frequency-domain Kalman filter for n microphones.

The room from the loudspeaker to each microphone is a filter of ``tail`` seconds, cut into partitions of one block. Each
partition is a row of complex bins, and each bin is the state of a Kalman filter: how sure it is of itself decides how far
one block moves it, and a near talker, who is noise to it, slows it down by himself. (Enzner and Vary, "Frequency-domain
adaptive Kalman filter for acoustic echo control in hands-free telephones", Signal Processing 86, 2006; Kuech, Mabande and
Enzner, "State-space architecture of the partitioned-block-based acoustic echo controller", ICASSP 2014.)

Overlap and save: two blocks of the reference give one block of echo, without delay. Above :data:`HIGHEST` nothing is
cancelled: there is little of a voice there, and the gain that follows takes it out.

All microphones share their certainty, and with it the gain: they stand a few centimetres apart, hear the same loudspeaker
and learn from the same reference.
"""

import numpy as np

from appliance.core.units import BLOCK, RATE, Block, Blocks

HIGHEST = 8000
"""Hz up to which echo is estimated."""
_WINDOW = 2 * BLOCK
_BINS = HIGHEST * _WINDOW // RATE + 1
_SHORT = 2 * (_BINS - 1)
"""Length of a transform that holds these bins alone: the filter at 16 kHz."""
_FORGETTING = np.float32(0.9999**2)
"""How much of the room is the same a block later (the state transition, squared)."""
_DOUBT = 0.02
"""Variance of a filter that knows nothing yet."""
_ERROR_KEPT = np.float32(0.9)
_LEAST_NOISE = np.float32(1e-7)
_AUDIBLE = 1e-6
"""Mean power of the reference's bins below which there is nothing to learn from."""
_CONSTRAINED = 5
"""Partitions a block whose filter is cut to its own length: those in turn, since it costs most."""
_DIVERGED = 2.0
"""Error over microphone, in power, above which the filter adds echo instead of taking it away."""
_DIVERGED_BLOCKS = 10


class KalmanCanceller:
    """The echo of one reference in n microphones."""

    def __init__(self, microphones: int, *, tail: float = 0.2) -> None:
        """:param tail: seconds of the room that are estimated."""
        n, partitions = microphones, max(1, round(tail * RATE / BLOCK))
        self._partitions = partitions
        self._reference = np.zeros(_WINDOW, np.float32)
        self._bins = np.zeros(BLOCK + 1, np.complex64)
        self._history = np.zeros((partitions, _BINS), np.complex64)
        self._filters = np.zeros((partitions, n, _BINS), np.complex64)
        self._doubt = np.full((partitions, _BINS), _DOUBT, np.float32)
        self._noise = np.full(_BINS, 1e-4, np.float32)
        self._products = np.zeros((partitions, n, _BINS), np.complex64)
        self._echo_bins = np.zeros((n, BLOCK + 1), np.complex64)
        self._echo_samples = np.zeros((n, _WINDOW), np.float32)
        self._padded = np.zeros((n, _WINDOW), np.float32)
        self._error_bins = np.zeros((n, BLOCK + 1), np.complex64)
        self._power = np.zeros((partitions, _BINS), np.float32)
        self._gain = np.zeros((partitions, _BINS), np.float32)
        self._next = 0
        self._worse = 0
        self._heard, self._left = 1e-9, 1e-9
        self.divergences = 0

    @property
    def converged(self) -> float:
        """Decibels of echo taken away lately, near talkers and noise included: what is sure to be reached."""
        return float(10 * np.log10(self._heard / self._left))

    def process(self, microphones: Blocks, reference: Block, errors: Blocks, echoes: Blocks) -> None:
        """Cancel one block.

        :param microphones: shape (n, 480).
        :param reference: shape (480,), what the loudspeaker played when they heard this.
        :param errors: shape (n, 480), filled with the microphones without the echo.
        :param echoes: shape (n, 480), filled with the echo.
        """
        self._push(reference)
        np.multiply(self._filters, self._history[:, np.newaxis], out=self._products)
        np.add.reduce(self._products, axis=0, out=self._echo_bins[:, :_BINS])
        np.fft.irfft(self._echo_bins, _WINDOW, axis=-1, out=self._echo_samples)
        echoes[:] = self._echo_samples[:, BLOCK:]
        np.subtract(microphones, echoes, out=errors)
        self._watch(microphones, errors)
        power = self._power[0]
        np.square(self._history[0].real, out=power)
        power += self._history[0].imag ** 2
        if power.mean() > _AUDIBLE:
            self._learn(errors)
            self._constrain()

    def _push(self, reference: Block) -> None:
        self._reference[:BLOCK] = self._reference[BLOCK:]
        self._reference[BLOCK:] = reference
        np.fft.rfft(self._reference, out=self._bins)
        self._history[1:] = self._history[:-1]
        self._history[0] = self._bins[:_BINS]
        self._power[1:] = self._power[:-1]

    def _learn(self, errors: Blocks) -> None:
        """The Kalman update of all filters. The half in it is what the window of one block in two leaves of a bin."""
        self._padded[:, BLOCK:] = errors
        np.fft.rfft(self._padded, axis=-1, out=self._error_bins)
        error = self._error_bins[:, :_BINS]
        square = np.square(error.real)
        square += np.square(error.imag)
        self._noise *= _ERROR_KEPT
        self._noise += (1 - _ERROR_KEPT) * square.mean(axis=0)
        np.multiply(self._doubt, self._power, out=self._gain)
        total = np.float32(0.5) * self._gain.sum(axis=0) + self._noise + _LEAST_NOISE
        np.divide(self._doubt, total, out=self._gain)
        step = self._gain * self._history.conj()
        np.multiply(step[:, np.newaxis], error, out=self._products)
        self._filters += self._products
        self._gain *= self._power
        self._gain *= np.float32(-0.5) * _FORGETTING
        self._gain += _FORGETTING
        self._doubt *= self._gain
        size = np.square(self._filters.real)
        size += np.square(self._filters.imag)
        self._doubt += (1 - _FORGETTING) * size.mean(axis=1)

    def _constrain(self) -> None:
        """Cut some partitions to one block each, at the rate that their bins stand for."""
        chosen = (self._next + np.arange(min(_CONSTRAINED, self._partitions))) % self._partitions
        self._next = (self._next + len(chosen)) % self._partitions
        taps = np.fft.irfft(self._filters[chosen], _SHORT, axis=-1)
        taps[..., _SHORT // 2 :] = 0
        self._filters[chosen] = np.fft.rfft(taps, axis=-1)

    def _watch(self, microphones: Blocks, errors: Blocks) -> None:
        """Begin anew when the filter does harm, or when a number in it is none."""
        heard, left = float(np.vdot(microphones, microphones)), float(np.vdot(errors, errors))
        if not np.isfinite(left) or left > _DIVERGED * heard + 1e-3:
            self._worse += 1
        else:
            self._worse = 0
            self._heard += 0.02 * (heard - self._heard) + 1e-12
            self._left += 0.02 * (left - self._left) + 1e-12
        if self._worse >= _DIVERGED_BLOCKS or not np.isfinite(left):
            self.divergences += 1
            self.reset()
            errors[:] = 0 if not np.isfinite(heard) else microphones
            self._heard = self._left = 1e-9

    def reset(self) -> None:
        """Forget the room, and what was played."""
        for array in (self._reference, self._history, self._filters, self._power):
            array.fill(0)
        self._doubt.fill(_DOUBT)
        self._noise.fill(1e-4)
        self._worse = 0
