"""The gain behind a linear canceller by rule: what is left of the echo, and the noise, are taken out of a voice.

How much of the estimated echo is left is regressed from the fluctuations of the powers, bin by bin (Valin, "On adjusting the
learning rate in frequency domain echo cancellation with double-talk", IEEE TASLP 15, 2007). The noise is what a bin does not fall
below for a while (Martin, "Noise power spectral density estimation based on optimal smoothing and minimum statistics", IEEE TSAP
9, 2001). Both together are what a Wiener filter keeps back, by the ratio of the last two blocks (decision-directed: Ephraim and
Malah, IEEE TASSP 32, 1984), noise to -18 dB and echo to -30.

Where nothing but echo is there, nobody near talks, and all of it is taken down.
"""

import math

import numpy as np
from numpy.typing import NDArray

from appliance.audio.spectra import BINS, LOW, Gains, Spectrum

_LEAST_ECHO, _LEAST_NOISE = np.float32(0.03**2), np.float32(0.12**2)
"""What is left of either, squared."""
_LEAST_LEAK, _FIRST_LEAK = np.float32(0.002), np.float32(0.1)
_MEAN_MOVES, _LEAK_MOVES = np.float32(0.06), np.float32(0.03)
"""Every other block."""
_ECHO_KEPT = np.float32(0.7)
"""Of the echo's power from block to block: a room rings on."""
_POWER_KEPT = np.float32(0.8)
_LOOKED_BACK = 80
"""Blocks, once to twice, in which a noise shows by itself."""
_NOISE_OVER = np.float32(2.0)
"""How much louder than its quietest moment a noise is."""
_BEFORE = np.float32(0.95)
"""Of the ratio of voice to the rest, what the block before says."""
_VOICE = slice(6, 80)
"""300 Hz to 4 kHz, where it is decided whether somebody near talks."""
_NO_ECHO = 7e-4
"""Power of the echo's bins below which there is none."""
_KEPT = 0.6
_SURELY = np.float32(4.0)
"""How much more than expected counts as explained by the echo."""
_NEAR, _NOT_NEAR = 0.45, 0.15
"""What is not explained by the echo, as a part of the error, above which somebody near talks, and below which nobody does."""
_HOLD = 12
"""Blocks that somebody near is taken to go on talking."""
_SILENT = 0.03
"""What is left of a block while nobody near talks and there is echo."""
_TINY = np.float32(1e-9)


class RuleGain:
    """Its interface is that of :class:`~appliance.audio.residual.ResidualGain`."""

    def __init__(self) -> None:
        self._squares = np.zeros(2 * BINS, np.float32)
        self._error = np.zeros(BINS, np.float32)
        self._powers = np.zeros(BINS, np.float32)
        self._lowest = np.zeros((2, BINS), np.float32)
        self._noise = np.zeros(BINS, np.float32)
        self._rest = np.zeros(BINS, np.float32)
        self._voice = np.zeros(BINS, np.float32)
        self._floor = np.zeros(BINS, np.float32)
        self._scratch = np.zeros(BINS, np.float32)
        self._echo = np.zeros(LOW, np.float32)
        self._means = np.zeros((2, LOW), np.float32)
        self._differences = np.zeros((2, LOW), np.float32)
        self._together = np.zeros(LOW, np.float32)
        self._alone = np.zeros(LOW, np.float32)
        self._held = np.zeros(LOW, np.float32)
        self._leak = np.zeros(LOW, np.float32)
        self._left = np.zeros(LOW, np.float32)
        self._odd = False
        self._forgets = 0  # blocks of which the leak does not know yet
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        for array in (self._means, self._held, self._powers, self._voice, self._noise):
            array.fill(0)
        self._lowest.fill(np.inf)
        self._looked, self._knows_noise, self._forgets = 0, False, 0
        self._together.fill(_FIRST_LEAK * 1e-6)
        self._alone.fill(1e-6)
        self._leak.fill(_FIRST_LEAK)
        self._near, self._all, self._hold = 1.0, 1.0, 0

    def gain(self, error: Spectrum, echo: Spectrum, _reference: Spectrum, out: Gains) -> float:
        """What to multiply the error with.

        :param error: shape (481,), after canceller and beam.
        :param echo: shape (481,), the echo estimate through the same beam.
        :param out: shape (481,), filled with gains, 0 to 1.
        :returns: how sure it is that somebody near talks, 0 to 1. What is no number is silenced, and the state forgotten.
        """
        self._power(error, self._error)
        self._power(echo[:LOW], self._echo)
        if not math.isfinite(float(np.add.reduce(self._error) + np.add.reduce(self._echo))):
            return self._silence(out)
        self._odd = not self._odd
        if self._odd:
            self._measure_leak()
        self._measure_noise()
        self._held *= _ECHO_KEPT
        np.maximum(self._held, self._echo, out=self._held)
        np.multiply(self._held, self._leak, out=self._left)
        self._wiener(out, alone=False)
        out *= np.float32(self._whole(self._unexplained()))
        return self._near

    def gain_alone(self, error: Spectrum, out: Gains) -> float:
        """The same where echo and reference are zeros, and have been for seconds: nothing is played.

        It says what :meth:`gain` would say, and forgets what it would forget.
        """
        self._power(error, self._error)
        if not math.isfinite(float(np.add.reduce(self._error))):
            return self._silence(out)
        self._odd = not self._odd
        if self._odd:
            difference = np.subtract(self._error[:LOW], self._means[0], out=self._differences[0])
            difference *= _MEAN_MOVES
            self._means[0] += difference
            self._forgets += 1
        self._measure_noise()
        self._wiener(out, alone=True)
        whole = self._whole(1.0)
        if whole < 1:
            out *= np.float32(whole)
        return self._near

    def _silence(self, out: Gains) -> float:
        """What is no number is silenced, and the state forgotten."""
        self.reset()
        out.fill(0)
        return 0.0

    def _power(self, spectrum: Spectrum, out: NDArray[np.float32]) -> None:
        squares = np.square(spectrum.view(np.float32), out=self._squares[: 2 * len(spectrum)])
        np.add(squares[0::2], squares[1::2], out=out)

    def _measure_leak(self) -> None:
        """How much is left of the echo, in each bin."""
        differences = self._differences
        if self._forgets:
            kept = np.float32(float(1 - _LEAK_MOVES) ** self._forgets)
            self._together *= kept
            self._alone *= kept
            self._forgets = 0
        np.subtract(self._error[:LOW], self._means[0], out=differences[0])
        np.subtract(self._echo, self._means[1], out=differences[1])
        self._means += _MEAN_MOVES * differences
        differences[0] *= differences[1]
        np.square(differences[1], out=differences[1])
        self._together += _LEAK_MOVES * (differences[0] - self._together)
        self._alone += _LEAK_MOVES * (differences[1] - self._alone)
        np.divide(self._together, self._alone + np.float32(1e-12), out=self._leak)
        np.maximum(self._leak, _LEAST_LEAK, out=self._leak)
        np.minimum(self._leak, 1, out=self._leak)

    def _measure_noise(self) -> None:
        """The power of the noise in each bin: none until it has been looked for long enough."""
        self._powers *= _POWER_KEPT
        self._powers += (1 - _POWER_KEPT) * self._error
        before, now = self._lowest
        np.minimum(now, self._powers, out=now)
        self._looked += 1
        if self._looked == _LOOKED_BACK:
            self._looked, self._knows_noise = 0, True
            np.copyto(before, now)
            np.copyto(now, self._powers)
        if self._knows_noise:
            np.minimum(before, now, out=self._noise)
            self._noise *= _NOISE_OVER

    def _wiener(self, out: Gains, *, alone: bool) -> None:
        """The part of the voice in each bin."""
        rest, floor = self._rest, self._floor
        np.multiply(self._noise, _LEAST_NOISE, out=floor)
        np.add(self._noise, _TINY, out=rest)
        if not alone:
            np.multiply(self._left, _LEAST_ECHO, out=self._scratch[:LOW])
            floor[:LOW] += self._scratch[:LOW]
            rest[:LOW] += self._left
        floor /= rest
        np.sqrt(floor, out=floor)
        voice = np.subtract(self._error, rest, out=self._scratch)
        np.maximum(voice, 0, out=voice)
        voice *= 1 - _BEFORE
        self._voice *= _BEFORE
        voice += self._voice
        rest += voice
        np.divide(voice, rest, out=out)
        np.maximum(out, floor, out=out)
        np.square(out, out=self._voice)
        self._voice *= self._error

    def _unexplained(self) -> float:
        """The part of the error that is not the echo."""
        if float(np.add.reduce(self._held[_VOICE])) < _NO_ECHO:
            return 1.0
        error, left = self._error[_VOICE], self._left[_VOICE]
        over = np.maximum(error - _SURELY * left, 0)
        return float(np.add.reduce(over)) / (float(np.add.reduce(error)) + 1e-12)

    def _whole(self, unexplained: float) -> float:
        """What all of the block is multiplied with: little, while nobody near talks."""
        self._near = _KEPT * self._near + (1 - _KEPT) * unexplained
        open_by = min(1.0, max(0.0, (self._near - _NOT_NEAR) / (_NEAR - _NOT_NEAR)))
        if open_by >= 1:
            self._hold = _HOLD
        elif self._hold:
            self._hold -= 1
            open_by = 1.0
        target = _SILENT + (1 - _SILENT) * open_by
        self._all += (0.5 if target > self._all else 0.25) * (target - self._all)
        return self._all


assert LOW <= BINS  # noqa: S101 - the canceller sees no more than there is
