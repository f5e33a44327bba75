"""Figures that take time to be known: sound that was lost in the last day, and the processor's time.

The processor's time follows what is said in a room, since more is computed while somebody talks. So it is measured while the gate
is open, and held still while it is closed (UX.md, mute rule 9).
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

from appliance.app.neighbours import Said

DAY = 86_400.0
_MINUTE = 60.0
_LOST = ("downlink_missing", "blocks_dropped", "capture_overruns", "playback_underruns")
"""Counters of sound that grow when this device itself lost some."""


class Dropouts:
    """In how many of the looks of the last day sound had been lost since the look before.

    A link that begins anew loses hundreds of blocks in a row: that is one dropout to whoever listens.
    """

    def __init__(self) -> None:
        self._before: dict[str, int] | None = None
        self._at: deque[float] = deque()

    def look(self, sound: Said, now: float) -> None:
        """Take in what sound has counted at ``now``, in seconds that only grow; a sound that does not answer is no news."""
        counters = sound.get("counters")
        if not isinstance(counters, Mapping):
            return
        counts = {name: _count(counters, name) for name in _LOST}
        before, self._before = self._before, counts
        # A count that has shrunk is that of a sound which was started anew.
        if before is not None and any(n > (before[name] if n >= before[name] else 0) for name, n in counts.items()):
            self._at.append(now)
        while self._at and now - self._at[0] > DAY:
            self._at.popleft()

    @property
    def in_a_day(self) -> int:
        """How many there were, by the last look."""
        return len(self._at)


def _count(counters: Mapping[str, Any], name: str) -> int:
    count = counters.get(name, 0)
    return count if isinstance(count, int) else 0


class Processor:
    """How much of one core all processes of the device took, over up to a minute of an open gate."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Mapping[str, float]]] = deque()
        self._opening = 0
        self.percent: int | None = None
        """None: the gate was not yet open for long enough."""

    def look(self, took: Mapping[str, float], now: float, opening: int | None) -> None:
        """Take in what each process had taken of the processor, in seconds, at ``now``.

        :param opening: which opening of the gate this is; None: it is closed.
        """
        if opening is None or opening != self._opening or not self._goes_on(took):
            self._seen.clear()  # what was taken while it was closed is nobody's business; a process may have begun anew
        self._opening = opening or 0
        if opening is None:
            return
        self._seen.append((now, took))
        while now - self._seen[0][0] > _MINUTE:
            self._seen.popleft()
        began, before = self._seen[0]
        if now > began:
            self.percent = round(100 * (sum(took.values()) - sum(before.values())) / (now - began))

    def _goes_on(self, took: Mapping[str, float]) -> bool:
        before = self._seen[-1][1] if self._seen else took
        return took.keys() == before.keys() and all(took[part] >= before[part] for part in took)


def processor_seconds(**parts: Said) -> dict[str, float]:
    """What each process that answered took of the processor so far."""
    took = {part: said.get("cpu_s") for part, said in parts.items()}
    return {part: float(each) for part, each in took.items() if isinstance(each, int | float)}
