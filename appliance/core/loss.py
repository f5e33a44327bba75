"""How a stream is protected against loss, from what its receiver reports (RFC 3550, 6.4.1). Pure decisions.

Two means are steered: how often a frame is sent (redundancy, RFC 2198), and how much loss the encoder reckons with (Opus
FEC). Loss comes suddenly and goes slowly: more is done at once, less only when it has been better for a while.
"""

import math
from typing import NamedTuple


class Protection(NamedTuple):
    """What to do against loss."""

    blocks: int
    """Earlier frames that each packet repeats, 1 or 2, where the other end takes them."""
    expected_loss: int
    """Percent that the encoder reckons with where frames are not repeated."""


USUAL = Protection(1, 7)
"""Before anything is known, and while little is lost: each frame is there twice before the first loss is reported."""

_HEAVY = 0.04
"""Smoothed loss from which on each frame is sent three times."""
_LIGHT = 0.015
"""Smoothed loss below which it is enough to send it twice."""
_BURST = 0.1
"""Loss within one report that tells of bursts: a frame and its copy are lost together."""
_CALM_SECONDS = 10.0
"""So long it has to have been light before less is done."""
_RISE = 0.5
"""Part of the way to a higher loss that one report goes."""
_FALL_SECONDS = 8.0
"""Time constant with which a loss is forgotten."""
_LONGEST_STEP = 10.0
"""Seconds between two reports that count; more is a pause."""
_STEPS = ((0.12, 10), (0.0, 7))
"""From which smoothed loss on the encoder reckons with how many percent. Less than 7 and libopus 1.3 makes no FEC at 32
kbit/s; more than 10 and it takes more from the sound than it gives back, whatever is lost (docs/adr/0060)."""
_SLACK = 0.7
"""A step is left only below this part of where it began."""


class LossControl:
    """Steers one stream. One owner at a time."""

    def __init__(self) -> None:
        self.loss = 0.0
        """Smoothed, 0 to 1."""
        self._then: float | None = None
        self._heavy = False
        self._calm_since = 0.0
        self._protection = USUAL

    def update(self, fraction: float, now: float) -> Protection:
        """A report says that ``fraction`` of the packets since the one before was lost; ``now`` in seconds.

        Gives the same object as before as long as nothing changes.
        """
        fraction = min(1.0, max(0.0, fraction))
        seconds = min(_LONGEST_STEP, max(0.0, now - self._then)) if self._then is not None else 1.0
        self._then = now
        part = _RISE if fraction > self.loss else 1 - math.exp(-seconds / _FALL_SECONDS)
        self.loss += part * (fraction - self.loss)
        decided = Protection(2 if self._is_heavy(fraction, now) else 1, self._reckoned())
        if decided != self._protection:
            self._protection = decided
        return self._protection

    def _is_heavy(self, fraction: float, now: float) -> bool:
        if self.loss >= _HEAVY or fraction >= _BURST:
            self._heavy = True
        if self.loss >= _LIGHT or fraction >= _LIGHT:
            self._calm_since = now
        elif now - self._calm_since >= _CALM_SECONDS:
            self._heavy = False
        return self._heavy

    def _reckoned(self) -> int:
        current = self._protection.expected_loss
        # Up at once, down with slack.
        return next(
            percent for threshold, percent in _STEPS if self.loss >= threshold * (_SLACK if percent <= current else 1.0)
        )
