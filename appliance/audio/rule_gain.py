"""The gain behind a linear canceller by rule: what works when the learned one (:mod:`residual`) is not there.

How much of the estimated echo is left is regressed from the fluctuations of the powers, bin by bin (Valin, IEEE TASLP 15, 2007);
what is expected to be left is subtracted (Wiener), and held a while, since a room rings on. Where nothing but the expected
is there, nobody near talks, and all of it is taken down.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.audio.spectra import BINS, Gains, Spectrum

LOW = 161
"""Bins that a canceller estimates: 0 to 8 kHz."""
_OVER = np.float32(2.0)
"""How much more than expected is subtracted: rather a little voice lost than echo heard."""
_LEAST = np.float32(0.03)
_LEAST_LEAK, _FIRST_LEAK = np.float32(0.002), np.float32(0.1)
_MEAN_MOVES, _LEAK_MOVES = np.float32(0.03), np.float32(0.015)
_ECHO_KEPT = np.float32(0.7)
_VOICE = slice(6, 80)
"""300 Hz to 4 kHz, where it is decided whether somebody near talks."""
_NO_ECHO = np.float32(1e-5)
"""Mean power of the echo's bins below which there is none."""
_KEPT = 0.6
_NEAR, _NOT_NEAR = 0.45, 0.15
"""What is not explained by the echo, as a part of the error, above which somebody near talks, and below which nobody does."""
_HOLD = 12
"""Blocks that somebody near is taken to go on talking."""
_SILENT = 0.03
"""What is left of a block while nobody near talks and there is echo."""


def _power(bins: Spectrum, out: NDArray[np.float32], scratch: NDArray[np.float32]) -> None:
    np.square(bins.real, out=out)
    np.square(bins.imag, out=scratch)
    out += scratch


class RuleGain:
    """Its interface is that of :class:`~appliance.audio.residual.ResidualGain`."""

    def __init__(self) -> None:
        self._error = np.zeros(LOW, np.float32)
        self._echo = np.zeros(LOW, np.float32)
        self._scratch = np.zeros(LOW, np.float32)
        self._means = np.zeros((2, LOW), np.float32)
        self._differences = np.zeros((2, LOW), np.float32)
        self._together = np.zeros(LOW, np.float32)
        self._alone = np.zeros(LOW, np.float32)
        self._held = np.zeros(LOW, np.float32)
        self._left = np.zeros(LOW, np.float32)
        self._gains = np.zeros(LOW, np.float32)
        self._smooth = np.zeros(LOW, np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        for array in (self._means, self._held):
            array.fill(0)
        self._together.fill(_FIRST_LEAK * 1e-6)
        self._alone.fill(1e-6)
        self._smooth.fill(1)
        self._near, self._all, self._hold = 1.0, 1.0, 0

    def gain(self, error: Spectrum, echo: Spectrum, _reference: Spectrum, out: Gains) -> float:
        """What to multiply the error with.

        :param error: shape (481,), after canceller and beam.
        :param echo: shape (481,), the echo estimate through the same beam.
        :param out: shape (481,), filled with gains, 0 to 1.
        :returns: how sure it is that somebody near talks, 0 to 1. What is no number is silenced, and the state forgotten.
        """
        _power(error[:LOW], self._error, self._scratch)
        _power(echo[:LOW], self._echo, self._scratch)
        if not np.isfinite(float(self._error.sum() + self._echo.sum())):
            self.reset()
            out.fill(0)
            return 0.0
        self._expect()
        gains = self._gains
        np.divide(self._left, self._error + np.float32(1e-12), out=gains)
        np.subtract(1, gains, out=gains)
        np.maximum(gains, _LEAST, out=gains)
        closing = gains < self._smooth
        gains -= self._smooth
        gains *= np.where(closing, np.float32(0.7), np.float32(0.3))
        self._smooth += gains
        whole = self._whole()
        np.multiply(self._smooth, np.float32(whole), out=out[:LOW])
        out[LOW:] = out[LOW // 2 : LOW].mean()
        return self._near

    def _expect(self) -> None:
        """The power that is expected to be left of the echo, in each bin."""
        differences = self._differences
        np.subtract(self._error, self._means[0], out=differences[0])
        np.subtract(self._echo, self._means[1], out=differences[1])
        self._means += _MEAN_MOVES * differences
        differences[0] *= differences[1]
        np.square(differences[1], out=differences[1])
        self._together += _LEAK_MOVES * (differences[0] - self._together)
        self._alone += _LEAK_MOVES * (differences[1] - self._alone)
        np.divide(self._together, self._alone + np.float32(1e-12), out=self._left)
        np.maximum(self._left, _LEAST_LEAK, out=self._left)
        np.minimum(self._left, 1, out=self._left)
        self._held *= _ECHO_KEPT
        np.maximum(self._held, self._echo, out=self._held)
        self._left *= self._held
        self._left *= _OVER

    def _whole(self) -> float:
        """What all of the block is multiplied with: little, while nobody near talks."""
        error, left = self._error[_VOICE], self._left[_VOICE]
        if float(self._held[_VOICE].mean()) < _NO_ECHO:
            unexplained = 1.0
        else:
            unexplained = float(np.maximum(error - 2 * left, 0).sum()) / (float(error.sum()) + 1e-12)
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


assert LOW <= BINS  # noqa: S101 - the gain above LOW is that of what lies below it
