"""Whether a member's claims of its own loudness are believed.

Members say in each packet how loud it is (RFC 6464), and the loudest are forwarded. Who is forwarded is looked at now and then:
a few packets in a row are decoded, and what they hold is compared with what they claim. A claim that is belied is not believed
for a while, each time for longer; until then only what is measured counts.

All times are seconds of one monotonic clock, levels are dBov.
"""

import math

from appliance.core.slots import CLAIM_LEVEL
from appliance.core.units import SILENCE

SETTLE = 4
"""Packets that a decoder which begins in the middle of a stream takes to know how loud it is,"""

JUDGED = 6
"""and those after them that are compared."""

BETWEEN = 1.0
"""Seconds from one look to the next."""

TOLERANCE = 12.0
"""dB that a packet may be quieter than it claims: a level is taken before the codec, and of other 20 ms."""

DOUBT = 30.0
MOST_DOUBT = 480.0
"""Seconds of doubt after the first belied claim, and at most; each time it is twice as long."""

_BROKEN_OFF = 0.5


class ClaimCheck:
    """The claims of one member. Ask for each packet of it that is forwarded; a look begins with the first."""

    def __init__(self) -> None:
        self._due = -math.inf
        self._seen = 0
        self._at = -math.inf
        self._claimed = self._measured = SILENCE
        self._doubted_until = -math.inf
        self._doubt = DOUBT

    def doubts(self, now: float) -> bool:
        """Whether only measured levels count."""
        return now < self._doubted_until

    @property
    def is_blank(self) -> bool:
        """Whether no claim was belied so far: nothing is lost when it is forgotten."""
        return self._doubt == DOUBT

    @property
    def begins(self) -> bool:
        """Whether the packet that is to be decoded is the first of a look: the decoder knows nothing of it yet."""
        return self._seen == 0

    def looks(self, now: float) -> bool:
        """Whether the packet that came ``now`` is to be decoded."""
        if self._seen and now - self._at > _BROKEN_OFF:
            self._end(now)
        return self._seen > 0 or now >= self._due

    def note(self, claimed: float, measured: float, now: float) -> bool:
        """A packet was looked at; True: its sender is quieter than it claims, and is doubted from now on."""
        self._seen += 1
        self._at = now
        if self._seen > SETTLE:
            self._claimed = max(self._claimed, claimed)
            self._measured = max(self._measured, measured)
        if self._seen < SETTLE + JUDGED:
            return False
        belied = self._claimed >= CLAIM_LEVEL and self._claimed - self._measured > TOLERANCE
        if belied:
            self._doubted_until = now + self._doubt
            self._doubt = min(2 * self._doubt, MOST_DOUBT)
        self._end(now)
        return belied

    def _end(self, now: float) -> None:
        self._seen = 0
        self._claimed = self._measured = SILENCE
        self._due = now + BETWEEN
