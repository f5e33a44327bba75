"""What the listeners of one stream lose, as its talker should know it. Pure decisions.

A talker protects its packets on the way to us; on the way from us to a listener only what is inside the packets helps: the copy
of a frame that we send beside the next one, or the encoder's own FEC. A listener with ``n`` copies of each frame misses one
only when all are lost, and counts as losing so much. All times are seconds of one monotonic clock.
"""

import math

FRESH = 12.0
"""Seconds that a report counts: browsers send one every five."""

SHARE = 0.75
"""Of the listeners, so many lose no more than what is told: one bad line among many is no reason to spend everybody's bits."""


class ListenerLosses:
    """The reports of all listeners of one stream."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[float, float]] = {}

    def note(self, who: str, fraction: float, copies: int, now: float) -> None:
        """``who`` lost ``fraction`` (0 to 1) of the packets, each of which carries ``copies`` frames of before."""
        self._told[who] = (min(1.0, max(0.0, fraction)) ** (1 + copies), now)

    def forget(self, who: str) -> None:
        """``who`` listens no more."""
        self._told.pop(who, None)

    def clear(self) -> None:
        """Another talker begins."""
        self._told.clear()

    def typical(self, now: float) -> float:
        """What three of four listeners stay below, 0 to 1; 0 when none has told."""
        losses = sorted(loss for loss, told in self._told.values() if now - told <= FRESH)
        return losses[math.ceil(SHARE * len(losses)) - 1] if losses else 0.0
