"""Two gains behind the canceller: the learned one, and while both ends talk the one by rule.

The learned gain tells best whether somebody near talks, takes all of the echo while nobody does, and the noise. While both talk
it takes more of the voice than it has to: the filter has left 30 dB less of the echo by then, and what the rule takes of that is
enough. On nine scenes of tuning rooms that is 0.3 better in degradation for 0.06 in echo (AECMOS).
"""

import numpy as np

from appliance.audio.residual import LOW, ResidualGain
from appliance.audio.rule_gain import RuleGain
from appliance.audio.spectra import BINS, WINDOW, Gains, Spectrum

_AUDIBLE = 1e-6 * WINDOW * WINDOW / 4
"""Energy of the reference's bins from which it can be heard: about -60 dBFS."""
_RINGS = 30
"""Blocks that the room rings on after it."""
_KEPT = 0.9
"""Of the probability that somebody near talks, from block to block: words have gaps."""
_MOVES = 0.3


class DoubleTalkGain:
    """Its interface is that of :class:`~appliance.audio.residual.ResidualGain`."""

    def __init__(self, learned: ResidualGain) -> None:
        """:param learned: the gain while not both ends talk."""
        self._learned, self._rule = learned, RuleGain()
        self._gains = np.ones(BINS, np.float32)
        self._far, self._near, self._both = 0, 0.0, 0.0

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
        played = reference[:LOW]
        self._far = _RINGS if float(np.vdot(played, played).real) > _AUDIBLE else max(0, self._far - 1)
        self._near = max(near, _KEPT * self._near)
        self._both += _MOVES * ((self._near if self._far else 0.0) - self._both)
        self._gains -= out
        self._gains *= np.float32(self._both)
        out += self._gains
        return near
