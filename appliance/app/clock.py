"""Whether the machine's clock can be believed.

A Raspberry Pi has no battery behind its clock: after a power cut it goes on from a time of before. It can be believed once a
time server has set it, which the kernel knows (``adjtimex``), and systemd-timesyncd tells by a file. The second is for units
whose system calls are filtered so strictly (``ProtectClock=yes``) that the kernel may not even be asked.
"""

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TIMESYNC = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd touches it whenever a server was heard (systemd-timesyncd.service(8))."""

JUMP = 5.0
"""Seconds: a clock that moved by less since the last look has run fast or slow, and was not set."""

_TIMEX_BYTES = 512
"""More than a struct timex has on any machine; only zeros are passed in, which ask and set nothing."""
_TIME_ERROR = 5
"""The clock is not synchronised (adjtimex(2))."""


@cache
def _libc() -> ctypes.CDLL:
    """Made once: each is a class of its own, and the clock is looked at four times a second."""
    return ctypes.CDLL(None)


def kernel_is_synchronised() -> bool:
    """Whether the kernel says that its clock follows a time server. False too where it cannot be asked."""
    try:
        state: int = _libc().adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return False
    return 0 <= state < _TIME_ERROR


def since_boot() -> float:
    """Seconds on a clock that nobody can set and that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Time:
    """One look at the clock."""

    now: float
    """Unix time, as the clock says."""
    steady: float
    """Seconds on the clock that nobody can set."""
    trusted: bool
    jump: float
    """Seconds by which the clock was set since the last look; 0: it was not."""


_SLEWED = 2.0
"""Seconds: a clock that is brought nearer to the truth bit by bit moves no moment before it has gone so far."""


class Moments:
    """Moments kept on the clock that nobody can set, and told as Unix time by the clock of now.

    A board without a battery begins in a time of before. What happened then is told rightly from when on its clock is right.

    :param wall: Unix time in seconds.
    :param steady: seconds that only grow.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = since_boot) -> None:
        self._wall, self.steady = wall, steady
        self._offset = wall() - steady()

    def unix(self, moment: float) -> int:
        """Unix time of a moment of ``steady``, in whole seconds; the same one each time while nobody sets the clock."""
        offset = self._wall() - self.steady()
        if abs(offset - self._offset) > _SLEWED:
            self._offset = offset
        return max(0, int(moment + self._offset))


class TimeKeeper:
    """Looks at the clock. Once it was right it stays so, with or without a network, until somebody sets it."""

    def __init__(
        self,
        always: bool = False,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = since_boot,
        synchronised: Callable[[], bool] = kernel_is_synchronised,
        marker: Path = TIMESYNC,
    ) -> None:
        self._always, self._wall, self._steady = always, wall, steady
        self._synchronised, self._marker = synchronised, marker
        self._offset: float | None = None
        self._trusted = False
        self._mark: float | None = None
        """When the marker was touched, as of the last look."""
        self._stale: float | None = None
        """The same, of a marker that tells of the time before the clock was set."""

    def look(self) -> Time:
        """The time, and whether it can be believed."""
        now, steady = self._wall(), self._steady()
        offset = now - steady
        jump = 0.0 if self._offset is None else offset - self._offset
        self._offset = offset
        if abs(jump) < JUMP:
            jump = 0.0
        else:
            self._trusted, self._stale = False, self._mark
        self._mark = self._touched()
        fresh = self._mark is not None and self._mark != self._stale
        self._trusted = self._trusted or fresh or self._synchronised()
        return Time(now, steady, self._trusted or self._always, jump)

    def _touched(self) -> float | None:
        try:
            return self._marker.stat().st_mtime
        except OSError:
            return None
