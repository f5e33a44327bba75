"""Two gains behind the canceller: the learned one, and while somebody near talks the one by rule.

The learned gain tells best whether somebody near talks, and takes all of the echo while nobody does. What the filter leaves of
the echo under a voice is 30 dB less already: there the rule takes the rest and the noise, and costs the voice less. In tuning
rooms, SER 0, that is 0.6 better in degradation and 0.1 in echo (AECMOS), and 0.15 in noise (DNSMOS).
"""

import numpy as np

from appliance.audio.residual import ResidualGain
from appliance.audio.rule_gain import RuleGain
from appliance.audio.spectra import BINS, Gains, Spectrum

_KEPT = 0.9
"""Of the probability that somebody near talks, from block to block: words have gaps."""
_MOVES = 0.3


class TwoGains:
    """Its interface is that of :class:`~appliance.audio.residual.ResidualGain`."""

    def __init__(self, learned: ResidualGain) -> None:
        """:param learned: the gain while nobody near talks."""
        self._learned, self._rule = learned, RuleGain()
        self._gains = np.ones(BINS, np.float32)
        self._near, self._voice = 0.0, 0.0

    def gain(self, error: Spectrum, echo: Spectrum, reference: Spectrum, out: Gains) -> float:
        """What to multiply the error with.

        :param error: shape (481,), after canceller and beam.
        :param echo: shape (481,), the echo estimate through the same beam.
        :param reference: shape (481,), what was played.
        :param out: shape (481,), filled with gains, 0 to 1.
        :returns: probability that somebody near talks, 0 to 1.
        """
        near = self._learned.gain(error, echo, reference, out)
        self._rule.gain(error, echo, reference, self._gains)
        return self._mixed(near, out)

    def gain_alone(self, error: Spectrum, out: Gains) -> float:
        """The same where echo and reference are zeros, and have been for seconds."""
        near = self._learned.gain_alone(error, out)
        self._rule.gain_alone(error, self._gains)
        return self._mixed(near, out)

    def _mixed(self, near: float, out: Gains) -> float:
        self._near = max(near, _KEPT * self._near)
        self._voice += _MOVES * (self._near - self._voice)
        self._gains -= out
        self._gains *= np.float32(self._voice)
        out += self._gains
        return near
