"""In what steps a device's count of samples grows, and so when enough of them will be there.

Hardware counts on once a transfer, a sound server once a turn: every 1 to 20 ms, many samples at a time. Who looks in between
sees nothing new. Looking right after a step that completes a block is as early as looking all the time, for a fraction of the
cost.
"""

import math
import time

from appliance.core.units import BLOCK_SECONDS, RATE

_SHORTEST, _LONGEST = 0.001, BLOCK_SECONDS
"""Seconds between two looks at the device."""
_EARLY = 0.0002
"""Seconds before the next step that it is looked for: else a look that was late makes all that follow late."""
_REMEMBERED = 8
"""Steps of which the smallest counts: whoever looks late sees two as one."""
_DRIFT = 0.01
"""Seconds in a second by which it is taken to come later again: once it may have come early."""


class Steps:
    """Learns from each look. ``count`` is what the device has captured since it began."""

    def __init__(self) -> None:
        self._count = 0
        self._seen = [1] * _REMEMBERED
        self._turn = 0
        self._zero = math.inf
        """When it began: a sample is there at its number and this, and never before."""
        self._looked = 0.0

    def look(self, count: int) -> None:
        """The device has captured so many samples by now."""
        if count < self._count:  # it began anew
            self._zero = math.inf
        elif count > self._count:
            self._seen[self._turn] = count - self._count
            self._turn = (self._turn + 1) % _REMEMBERED
            now = time.monotonic()
            self._zero = min(self._zero + _DRIFT * (now - self._looked), now - count / RATE)
            self._looked = now
        self._count = count

    def wait(self, missing: int) -> float:
        """Seconds until ``missing`` more samples will be there."""
        step = min(self._seen)
        due = self._zero + (self._count + math.ceil(missing / step) * step) / RATE
        return min(max(due - _EARLY - time.monotonic(), _SHORTEST), _LONGEST)
