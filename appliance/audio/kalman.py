"""A canceller of echo: a partitioned-block frequency-domain Kalman filter for n microphones.

The room from the loudspeaker to each microphone is a filter of ``tail`` seconds, cut into partitions of one block. Each
partition is a row of complex bins, and each bin is the state of a Kalman filter: how sure it is of itself decides how far
one block moves it, and a near talker, who is noise to it, slows it down by himself. (Enzner and Vary, "Frequency-domain
adaptive Kalman filter for acoustic echo control in hands-free telephones", Signal Processing 86, 2006; Kuech, Mabande and
Enzner, "State-space architecture of the partitioned-block-based acoustic echo controller", ICASSP 2014.)

A loudspeaker that distorts is followed too (:mod:`references`): in a room that was simulated with mild clipping 2 dB more of the
echo go, with strong clipping 10.

Overlap and save: two blocks of the reference give one block of echo, without delay. Above :data:`HIGHEST` nothing is
cancelled: there is little of a voice there, and the gain that follows takes it out.

**One certainty for all microphones.** They stand a few centimetres apart, hear the same loudspeaker and learn from the same
reference: they share their variances, and with them the gain.

**Doubt from the echo that is left.** Such a filter soon believes that it knows the room, and then learns no more. How much
echo is left is measured instead (:mod:`leakage`), and that is the process noise, less while the error is larger than it explains:
so the filter is quick at the start and after somebody has moved the device, and still while two talk at once.
"""

import math

import numpy as np

from appliance.audio.fourier import forward_mean, inverse, inverse_sum
from appliance.audio.lag import Lag
from appliance.audio.leakage import Leakage
from appliance.audio.references import Complexes, Reals, References
from appliance.audio.spectra import LOUDEST, WINDOW
from appliance.core.units import BLOCK, RATE, Block, Blocks

HIGHEST = 8000
"""Hz up to which echo is estimated."""
TAIL = 0.28
"""Seconds of the room that are estimated."""
_ODD, _EVEN = 8, 6
"""Blocks of the room that are estimated for what the loudspeaker adds."""
_ODD_DOUBT, _EVEN_DOUBT = 0.3, 0.1
"""How much of that there may be, of :data:`_FIRST_DOUBT`."""
_WHOLE = np.float32(WINDOW)
_BINS = HIGHEST * WINDOW // RATE + 1
_SHORT = 2 * (_BINS - 1)
"""Length of a transform that holds these bins alone: the filter at twice :data:`HIGHEST`."""
_FIRST_DOUBT = 0.02
"""Variance of the first partition of a filter that knows nothing; a loudspeaker half a metre off is about as loud."""
_DECAY = 0.8
"""Decibels by which each later partition is expected to be quieter: a room of 0.75 s."""
_NOISE_KEPT = np.float32(0.9)
_LEAST_NOISE = np.float32(1e-7)
_WINDOWED = np.float32(0.4)
"""Of the power in a bin, what the window of one block in two leaves in the error."""
_LEARNT = np.float32(0.2)
"""Of the doubt, what a block takes away; half of the above, since neighbouring blocks and bins say the same in part."""
_PROCESS_NOISE = 0.1
_LEAST_PROCESS_NOISE = 5e-6
_CONSTRAINED = 6
"""Partitions a block whose filter is cut to its own length: those in turn, since it costs most."""
_WORSE = 1.5
"""Error over microphones, in power, above which the filter adds echo instead of taking it away."""
_WORSE_BLOCKS = 20
_FOLLOWS = 0.1
"""Leakage below which the filter knows the room well enough to follow how the clocks drift."""
_MUCH_DOUBT, _SOME_DOUBT = 0.3, 0.05
"""Of what is known."""
_KEPT_EVERY = 25
"""Blocks from which a filter is kept to go back to: a jump is told of a little late, and until then something wrong is learnt."""


class KalmanCanceller:
    """The echo of one reference in n microphones."""

    def __init__(self, microphones: int, *, tail: float = TAIL) -> None:
        """:param tail: seconds of the room that are estimated."""
        n, linear = microphones, max(1, round(tail * RATE / BLOCK))
        self._kinds = (linear, min(linear, _ODD), min(linear, _EVEN))
        doubts = zip(self._kinds, (1.0, _ODD_DOUBT, _EVEN_DOUBT), strict=True)
        doubt = np.concatenate([most * 10 ** (-_DECAY / 10 * np.arange(rows)) for rows, most in doubts])
        self._most_doubt = np.repeat(_FIRST_DOUBT * doubt[:, np.newaxis], _BINS, axis=1).astype(np.float32)
        self._doubt = self._most_doubt.copy()
        partitions = len(doubt)
        self._references = References(self._kinds, _BINS)
        self._filters = np.zeros((partitions, n, _BINS), np.complex64)
        self._sizes = np.zeros((partitions, _BINS), np.float32)
        self._products = np.zeros((partitions, n, _BINS), np.complex64)
        self._steps = np.zeros((partitions, _BINS), np.complex64)
        self._doubted = np.zeros((partitions, _BINS), np.float32)
        self._gain = np.zeros((partitions, _BINS), np.float32)
        self._total = np.zeros(_BINS, np.float32)
        self._noise = np.zeros(_BINS, np.float32)
        self._echo_samples = np.zeros((n, WINDOW), np.float32)
        self._padded = np.zeros((n, WINDOW), np.float32)
        both = np.zeros((2, n, BLOCK + 1), np.complex64)
        self._error_bins, self._echo_bins = both
        self._error, self._echo = both[..., :_BINS]
        self._parts = both.view(np.float32)[..., : 2 * _BINS]
        self._squares = np.zeros((2, n, 2 * _BINS), np.float32)
        self._sums = np.zeros((2, 2 * _BINS), np.float32)
        self._both = np.zeros((2, _BINS), np.float32)
        self._per_microphone = np.array([[1 / n], [0.5 / n]], np.float32)  # an echo is of two blocks, the error of one
        self._one_of = np.float32(1 / n)
        self._common = np.zeros((n, _BINS), np.complex64)
        self._taps = np.zeros((_CONSTRAINED, n, _SHORT), np.float32)
        self._leakage = Leakage(_BINS)
        self._lag = Lag()
        self._odd = False
        self._leaked = [self._leakage.magnitudes] * 2
        self._kept = [tuple(np.zeros_like(array) for array in self._known()) for _ in range(2)]
        self.divergences = 0
        self._junk = 0
        self.reset()

    def reset(self) -> None:
        """Forget the room, and what was played."""
        self._references.reset()
        self._forget_room()

    def _forget_room(self) -> None:
        self._filters.fill(0)
        self._sizes.fill(0)
        self._doubt[:] = self._most_doubt
        self._noise.fill(1e-4)
        self._leakage.reset()
        self._lag.reset()
        self._next = 0
        self._learnt = 0
        self._worse = 0
        self._heard = self._left = 1e-6

    @property
    def converged(self) -> float:
        """Decibels, 0 to 30, by which the echo is quieter in the errors than in the microphones. Near talkers do not count."""
        return -10 * math.log10(self._leakage.ratio)

    @property
    def taken(self) -> float:
        """Decibels by which the errors were quieter than the microphones in the last 0.1 s, near talkers and all."""
        return 10 * math.log10(self._heard / self._left)

    @property
    def silent(self) -> bool:
        """Whether nothing at all was played for longer than the room is estimated: then the echo is all zeros."""
        return self._references.empty

    @property
    def junk(self) -> int:
        """Blocks that were no sound."""
        return self._junk + self._references.junk

    def process(self, microphones: Blocks, reference: Block, errors: Blocks, echoes: Blocks) -> None:
        """Cancel one block.

        A block that is no sound (not finite, or far beyond full scale) counts as silence.

        :param microphones: shape (n, 480).
        :param reference: shape (480,), what the loudspeaker played when they heard this, or up to ``tail`` before.
        :param errors: shape (n, 480), filled with the microphones without the echo.
        :param echoes: shape (n, 480), filled with the echo.
        """
        loud = self._references.push(reference)
        if self._references.empty:
            echoes.fill(0)
        else:
            np.multiply(self._filters, self._references.history[:, np.newaxis], out=self._products)
            np.add.reduce(self._products, axis=0, out=self._echo)
            inverse(self._echo_bins, self._echo_samples)
            echoes[:] = self._echo_samples[:, BLOCK:]
        heard = float(np.vdot(microphones, microphones))
        if not heard < LOUDEST * len(microphones):
            self._junk += 1
            errors.fill(0)
            echoes.fill(0)
            return
        if self._references.empty:
            errors[:], left = microphones, heard
        else:
            np.subtract(microphones, echoes, out=errors)
            left = float(np.vdot(errors, errors))
        if self._harms(heard, left):
            self.divergences += 1
            self._forget_room()
            errors[:] = microphones
            echoes.fill(0)
        elif loud:
            self._learn(errors)
            self._constrain()
            self._keep()

    def _learn(self, errors: Blocks) -> None:
        """The Kalman update of all filters, the same gain for each microphone."""
        np.multiply(errors, _WHOLE, out=self._padded[:, BLOCK:])
        forward_mean(self._padded, self._error_bins)
        self._measure()
        np.multiply(self._doubt, self._references.powers, out=self._doubted)
        total = np.add.reduce(self._doubted, axis=0, out=self._total)
        total *= _WINDOWED
        total += self._noise
        total += _LEAST_NOISE
        np.divide(self._doubt, total, out=self._gain)
        np.conjugate(self._references.history, out=self._steps)
        self._steps *= self._gain
        np.multiply(self._steps[:, np.newaxis], self._error, out=self._products)
        self._filters += self._products

        self._doubted *= self._gain
        self._doubted *= _LEARNT
        self._doubt -= self._doubted
        noise = self._leakage.ratio * self._leakage.explains * _PROCESS_NOISE + _LEAST_PROCESS_NOISE
        np.multiply(self._sizes, np.float32(noise), out=self._doubted)
        self._doubt += self._doubted
        np.minimum(self._doubt, self._most_doubt, out=self._doubt)

    def _measure(self) -> None:
        """What is in the error: its power, and how much of it is echo."""
        np.square(self._parts, out=self._squares)
        sums = np.add.reduce(self._squares, axis=1, out=self._sums)
        np.add(sums[:, 0::2], sums[:, 1::2], out=self._both)
        self._both *= self._per_microphone
        self._noise *= _NOISE_KEPT
        self._noise += (1 - _NOISE_KEPT) * self._both[0]
        self._odd = not self._odd
        if self._odd:
            np.conjugate(self._echo, out=self._common)
            self._common *= self._error
            common = np.add.reduce(self._common, axis=0)
            common *= self._one_of
            self._leakage.update(self._both, common)
            late = self._lag.update(common, self._both)
            if late and self._leakage.ratio < _FOLLOWS:
                self._filters *= np.exp(np.arange(_BINS) * (-2j * np.pi * late / WINDOW)).astype(np.complex64)

    def _constrain(self) -> None:
        """Cut some partitions to one block each, at the rate that their bins stand for."""
        filters = self._filters[self._next : self._next + _CONSTRAINED]
        taps = self._taps[: len(filters)]
        inverse_sum(filters, taps)
        taps[..., _SHORT // 2 :] = 0
        forward_mean(taps, filters)
        self._size(self._next)
        self._next += _CONSTRAINED
        if self._next >= len(self._filters):
            self._next = 0

    def _size(self, first: int) -> None:
        """Measure the filters of some partitions."""
        parts = self._filters[first : first + _CONSTRAINED].view(np.float32)
        squares = np.square(parts, out=self._products.view(np.float32)[: len(parts)])
        sums = squares[:, 0] if parts.shape[1] == 1 else np.add.reduce(squares, axis=1)
        sizes = self._sizes[first : first + _CONSTRAINED]
        np.add(sums[:, 0::2], sums[:, 1::2], out=sizes)
        sizes *= self._one_of

    def _harms(self, heard: float, left: float) -> bool:
        """Whether there has been more in the errors than in the microphones for a while, or a number in them is none."""
        if not math.isfinite(left):
            return True
        self._heard += 0.1 * (heard - self._heard) + 1e-12
        self._left += 0.1 * (left - self._left) + 1e-12
        self._worse = self._worse + 1 if self._left > _WORSE * self._heard + 1e-6 else 0
        return self._worse > _WORSE_BLOCKS

    def doubt(self) -> None:
        """Something has changed, unknown what: keep the room, and learn it as quickly as at the start."""
        self._raise_doubt(_MUCH_DOUBT)
        self._leakage.reset()

    def _raise_doubt(self, part: float) -> None:
        np.multiply(self._sizes, np.float32(part), out=self._doubted)
        np.maximum(self._doubt, self._doubted, out=self._doubt)
        np.minimum(self._doubt, self._most_doubt, out=self._doubt)

    def _known(self) -> tuple[Complexes, Reals, Reals]:
        return self._filters, self._doubt, self._sizes

    def _keep(self) -> None:
        self._learnt += 1
        if self._learnt % _KEPT_EVERY == 0:
            self._kept.reverse()
            self._leaked = [self._leakage.magnitudes, self._leaked[0]]
            for kept, array in zip(self._kept[0], self._known(), strict=True):
                np.copyto(kept, array)

    def shift(self, samples: int) -> None:
        """The echo comes so many samples later than before (earlier, when negative): move the room by as much.

        It is the room of 0.3 to 0.5 s ago: what was learnt since was learnt from what did not belong together. What leaves the
        filter at either end is lost. Costs some milliseconds, unless ``samples`` is 0.
        """
        if self._learnt >= 2 * _KEPT_EVERY:
            for kept, array in zip(self._kept[1], self._known(), strict=True):
                np.copyto(array, kept)
            self._leakage.settle(self._leaked[1])
        self._lag.reset()
        if not samples:
            return
        if abs(samples) >= self._kinds[0] * BLOCK:
            self._forget_room()
            return
        first = 0
        for rows in self._kinds:
            self._filters[first : first + rows] = _shifted(self._filters[first : first + rows], samples)
            first += rows
        for first in range(0, len(self._filters), _CONSTRAINED):
            self._size(first)
        self._raise_doubt(_SOME_DOUBT)
        self._leaked = [self._leakage.magnitudes] * 2
        for both in self._kept:  # the next jump may come before anything else is kept
            for copy, array in zip(both, self._known(), strict=True):
                np.copyto(copy, array)


def _shifted(filters: Complexes, samples: int) -> Complexes:
    """A filter, shape (partitions, n, bins), by so many samples later; what leaves it at either end is lost."""
    partitions, n, _ = filters.shape
    length = partitions * BLOCK
    whole = np.zeros((partitions, n, BLOCK + 1), np.complex64)
    whole[..., :_BINS] = filters
    taps = np.fft.irfft(whole, WINDOW, axis=-1)[..., :BLOCK].swapaxes(0, 1).reshape(n, length)
    moved = np.zeros((n, length), np.float32)
    if abs(samples) < length:
        moved[:, max(0, samples) : length + min(0, samples)] = taps[:, max(0, -samples) : length - max(0, samples)]
    blocks = np.zeros((partitions, n, WINDOW), np.float32)
    blocks[..., :BLOCK] = moved.reshape(n, partitions, BLOCK).swapaxes(0, 1)
    return np.fft.rfft(blocks, axis=-1)[..., :_BINS].astype(np.complex64)
