"""How the samples of a stream lie in time, from times that are mostly right.

A card says of each block when it was captured or will be heard. Such a time is some tenths of a millisecond off, and now and
then whoever took it was late by milliseconds. So ten of them make one point, the mean of the middle six; a straight
line goes through the points of the last minute; and what is far off it does not count.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCKS = 10
"""Times that make a point."""
_POINTS = 600
"""Points that are kept: a minute."""
_FAR = 4.0
"""Deviations from the line above which a point does not count."""
_SURE = 0.25
"""Samples that a point may always be off: 5 µs, below which no clock can be read."""
_TOLD = 1.5
"""Samples that a point of told times may be off, whatever a few of them look like: 30 µs."""
_FEWEST = 5
"""Points that a slope is told from."""
_GROUPS = 8
_STEPPED = 3
"""Points that tell a step: three tenths of a second."""
_STEP = 96.0
"""Samples that are one: 2 ms."""
_NOWHERE = 1e-2
"""The error of a slope that nobody has measured: no clock is a hundredth off."""

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """``y = value + slope · (x - middle)``."""

    middle: float = 0.0
    value: float = 0.0
    slope: float = 0.0
    error: float = _NOWHERE
    """Standard deviation of the slope."""
    points: int = 0

    def at(self, x: float) -> float:
        """The line's value there."""
        return self.value + self.slope * (x - self.middle)


def _median(values: Points) -> float:
    """The upper one of an even number. numpy's own costs ten times as much."""
    return float(np.partition(values, len(values) // 2)[len(values) // 2])


def fitted(x: Points, y: Points, slope: float = 0.0, noise: float = 0.0) -> Line:
    """The line through the points, shapes (n,), without those that lie far off it.

    The error of its slope takes into account that neighbours may be off in the same direction, as where a card counts in
    steps and its steps beat with ours: then the mean of many is not as good as their number promises.

    :param slope: what is taken while there are too few points to tell.
    :param noise: the least that a point is off, whatever the points say of themselves; samples.
    """
    n = len(x)
    if n < _FEWEST:
        middle = float(x.mean()) if n else 0.0
        value = _median(y - slope * (x - middle)) if n else 0.0
        return Line(middle, value, slope, points=n)
    third = n // 3
    first, last = _median(y[:third]), _median(y[-third:])
    slope = float((last - first) / (x[-third:].mean() - x[:third].mean()))
    middle = float(x.mean())
    value = _median(y - slope * (x - middle))
    kept = np.ones(n, bool)
    for _ in range(2):
        off = np.abs(y - value - slope * (x - middle))
        kept = off <= max(_SURE, _FAR * 1.4826 * _median(off))
        middle, value = float(x[kept].mean()), float(y[kept].mean())
        away = x[kept] - middle
        slope = float(away @ (y[kept] - value) / (away @ away))
    return Line(middle, value, slope, _slope_error(x[kept] - middle, y[kept] - value, slope, noise), n)


def _slope_error(away: Points, y: Points, slope: float, noise: float) -> float:
    off = y - slope * away
    variance = float(off @ off) / max(1, len(off) - 2) + max(_SURE / 4, noise) ** 2
    size = max(1, len(off) // _GROUPS)
    means = off[: len(off) // size * size].reshape(-1, size).mean(axis=1)
    together = float(means @ means) / len(means) * size / variance
    few = 1 + 6 / len(off)  # what few points say of themselves is not to be trusted either
    return few * float(np.sqrt(variance * max(1.0, together) / (away @ away)))


class Clock:
    """The times of one stream. Not safe for two threads: its owner locks."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._x = np.zeros(_POINTS)
        self._y = np.zeros(_POINTS)
        self._raw = np.zeros(_BLOCKS)
        self._raw_x = np.zeros(_BLOCKS)
        self._count = 0
        self.noted = 0
        """Times since the stream began."""

    def restart(self) -> None:
        """The stream begins anew: forget all points."""
        self._count = self.noted = 0

    def note(self, sample: int, time: float) -> None:
        """Sample number ``sample`` is at ``time``, seconds."""
        place = self.noted % _BLOCKS
        self._raw_x[place] = sample
        self._raw[place] = time * self._rate - sample
        self.noted += 1
        if place == _BLOCKS - 1:
            at = self._count % _POINTS
            inner = np.sort(self._raw)[2:-2]
            self._x[at], self._y[at] = self._raw_x.mean(), inner.mean()
            self._count += 1

    def points(self) -> tuple[Points, Points]:
        """Copies of the points, in no order of time beyond the oldest first: sample numbers, and time · rate less these."""
        if not self._count:
            n = min(self.noted, _FEWEST - 1)  # too few to tell a slope from
            return self._raw_x[:n].copy(), self._raw[:n].copy()
        if self._count <= _POINTS:
            return self._x[: self._count].copy(), self._y[: self._count].copy()
        at = self._count % _POINTS
        return np.roll(self._x, -at), np.roll(self._y, -at)

    def stepped(self, line: Line) -> bool:
        """Whether the last points lie together, but milliseconds off the line: then the ones before are forgotten."""
        if line.points < _GROUPS or self._count < _GROUPS:
            return False
        last = (self._count - 1 - np.arange(_STEPPED)) % _POINTS
        x, y = self._x[last], self._y[last]
        off = y - line.value - line.slope * (x - line.middle)
        if abs(_median(off)) < _STEP or float(np.ptp(off)) > _STEP / 2:
            return False
        self._x[:_STEPPED], self._y[:_STEPPED] = x[::-1], y[::-1]
        self._count = _STEPPED
        return True


def fit_clock(points: tuple[Points, Points], before: Line) -> Line:
    """The line through a clock's points; while there are few, with the slope that was known before."""
    x, y = points
    return fitted(x, y, before.slope, _TOLD)
