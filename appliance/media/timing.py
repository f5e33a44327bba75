"""How much delay a playout needs, from when frames could first be had, and how much it has.

Times are in ms. The *transit* of a frame is when it came less its place in the talker's timeline; only differences of
transits mean anything, so the clocks need not agree. The smallest transit of the last seconds is the network at its best;
what a frame is slower than that is its lateness. A frame that was lost and came once more with a later packet, as a
redundant copy or as FEC, is simply that late: so the delay becomes long enough for redundancy where there are losses, and
only there.

The delay aimed at is the one that costs least: a millisecond more for everybody, or a share of the frames that come too late.
The *headroom* of a packet is how long after its arrival it is played; headroom and lateness together are the delay that the
playout has.
"""

from collections import deque
from typing import NamedTuple

import numpy as np

MOST = 140.0
"""The largest delay aimed at, ms."""
CAP = 200.0
"""A packet that would wait longer than this makes older ones be dropped, ms."""
_WINDOW = 512  # transits kept: ten seconds of 20 ms packets
_EVERY, _EVERY_EARLY = 16, 8  # packets between two looks at them
_TRUSTED = 32  # transits before the aim may become smaller
_FALL, _FALL_SHARE = 0.3, 0.1
"""ms, or part of the way, that the aim comes down at a look: it does not follow what comes and goes."""
_CAUGHT_UP = 20.0
_LONGEST_CATCH = 2000.0
_AVERAGED = 16
_ENOUGH = 8


class Profile(NamedTuple):
    """What a playout is for."""

    first: float
    """The delay aimed at before anything is known, ms."""
    least: float
    """The smallest delay aimed at, ms."""
    margin: float
    """ms above the lateness: a block is taken as a whole, its last sample is needed when its first is due."""
    late: float
    """ms of delay that are worth it to have all frames in time instead of none."""


NORMAL = Profile(first=40.0, least=30.0, margin=20.0, late=2500.0)
LOW_DELAY = Profile(first=20.0, least=12.0, margin=6.0, late=1500.0)
"""For packets of 10 ms on a good network: what is rarely late may be late."""


class Timing:
    """Measures one stream. Cost per packet: a few µs; memory: fixed."""

    def __init__(self, profile: Profile = NORMAL) -> None:
        self._profile = profile
        self._transits = np.zeros(_WINDOW)
        self._weights = np.zeros(_WINDOW)
        self._count = 0
        self._best = 0.0
        self._catching_up: float | None = None  # since when
        self._places: deque[float] = deque()  # transit and headroom, less what had been moved by then
        self._sum = 0.0
        self._moved = 0.0
        self.target = profile.first
        """The delay aimed at, ms."""
        self.jitter = 0.0
        """The lateness that the target covers, ms."""

    def forget(self) -> None:
        """A new timeline begins; the target stays until the new one is known."""
        self._count = 0
        self._catching_up = None
        self.restarted()

    def restarted(self) -> None:
        """The playout begins anew somewhere on the timeline: what headroom was measured before does not count."""
        self._places.clear()
        self._sum = self._moved = 0.0

    def moved(self, by: float) -> None:
        """The playout put ``by`` ms in (or took them out: negative): every packet is played that much later."""
        self._moved += by

    def arrived(self, now: float, place: float, headroom: float | None) -> None:
        """A packet came at ``now`` that begins at ``place`` in the talker's timeline.

        ``headroom`` is None when it is not known or the packet will not be played.
        """
        if headroom is not None:
            self.has(now, place, headroom)
        self.available(now, place)

    def has(self, now: float, place: float, headroom: float) -> None:
        """A packet that came at ``now`` is played ``headroom`` later."""
        place = now - place + headroom - self._moved
        self._places.append(place)
        self._sum += place
        if len(self._places) > _AVERAGED:
            self._sum -= self._places.popleft()

    def available(self, now: float, place: float, weight: float = 1.0) -> None:
        """The frame at ``place`` could be had from ``now`` on, in whatever way; it counts as ``weight`` frames."""
        transit = now - place
        if self._after_outage(now, transit):
            return
        self._transits[self._count % _WINDOW] = transit
        self._weights[self._count % _WINDOW] = weight
        self._count += 1
        if self._count % (_EVERY if self._count > _WINDOW else _EVERY_EARLY) == 0 or self._count == 1:
            self._measure()

    def _after_outage(self, now: float, transit: float) -> bool:
        """Whether this frame was held up by an outage: no delay that we would allow covers it, and none should try.

        An outage begins with a frame that is later than CAP and ends when they come in time again; when that takes
        seconds, it is no outage but another way through the network.
        """
        late = transit - self._best
        if late < -CAP:  # the talker's timeline jumped
            self.forget()
        if self._count == 0 or late <= (CAP if self._catching_up is None else _CAUGHT_UP):
            self._catching_up = None
            return False
        if self._catching_up is None:
            self._catching_up = now
        if now - self._catching_up > _LONGEST_CATCH:
            self.forget()
            return False
        return True

    def _measure(self) -> None:
        size = min(self._count, _WINDOW)
        order = np.argsort(self._transits[:size])
        late = self._transits[order]
        self._best = float(late[0])
        late -= self._best
        covered = np.cumsum(self._weights[order])
        cost = late + (covered[-1] - covered) * (self._profile.late / size)
        self.jitter = float(late[np.argmin(cost)])
        target = min(MOST, max(self._profile.least, self.jitter + self._profile.margin))
        self.target = max(target, self.target - self._may_fall(self.target - target))

    def _may_fall(self, distance: float) -> float:
        """By how much the target may become smaller at this look: the first guess at once, what was measured slowly."""
        if self._count < _TRUSTED:
            return 0.0
        return distance if self._count < 2 * _TRUSTED else max(_FALL, distance * _FALL_SHARE)

    @property
    def delay(self) -> float | None:
        """The delay that the playout has, ms; None while too little is known."""
        if len(self._places) < _ENOUGH:
            return None
        return self._sum / len(self._places) + self._moved - self._best

    @property
    def excess(self) -> float:
        """How much the delay is above the target, ms; negative when below; 0 while too little is known."""
        delay = self.delay
        return 0.0 if delay is None else delay - self.target
