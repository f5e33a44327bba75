"""How much delay a playout needs, from when packets came, and how much it has.

Times are in ms. The *transit* of a packet is its arrival less its place in the talker's timeline; only differences of
transits mean anything, so the clocks need not agree. The smallest transit of the last seconds is the network at its best;
what a packet is slower than that is its lateness, and the delay has to cover nearly all latenesses. The *headroom* of a
packet is how long after its arrival it is played; headroom and lateness together are the delay that the playout has.
"""

from collections import deque

import numpy as np

LEAST = 20.0
"""The smallest delay aimed at, ms."""
LEAST_LOW = 10.0
"""The same in the low-delay profile."""
MOST = 80.0
"""The largest delay aimed at, ms."""
CAP = 200.0
"""A packet that would wait longer than this makes older ones be dropped, ms."""
_FIRST = 40.0  # before anything is known
_MARGIN = 10.0  # a block is taken as a whole: its last sample is needed when its first is due
_COVERED = 0.98  # share of the packets that should come in time
_WINDOW = 256  # transits kept: five seconds of 20 ms packets
_EVERY = 8  # packets between two looks at them
_TRUSTED = 32  # transits before the aim may become smaller
_CAUGHT_UP = 20.0
_LONGEST_CATCH = 2000.0
_AVERAGED = 16
_ENOUGH = 8


class Timing:
    """Measures one stream. Cost per packet: a few µs; memory: fixed."""

    def __init__(self, low_delay: bool = False) -> None:
        self._least = LEAST_LOW if low_delay else LEAST
        self._margin = _MARGIN / 2 if low_delay else _MARGIN
        self._transits = np.zeros(_WINDOW)
        self._count = 0
        self._best = 0.0
        self._catching_up: float | None = None  # since when
        self._places: deque[float] = deque(maxlen=_AVERAGED)
        self.target = _FIRST
        """The delay aimed at, ms."""
        self.jitter = 0.0
        """What 98 % of the packets are not later than, ms."""

    def forget(self) -> None:
        """A new timeline begins; the target stays until the new one is known."""
        self._count = 0
        self._catching_up = None
        self._places.clear()

    def restarted(self) -> None:
        """The playout begins anew somewhere on the timeline: what headroom was measured before does not count."""
        self._places.clear()

    def moved(self, by: float) -> None:
        """The playout put ``by`` ms in (or took them out: negative): every packet is played that much later."""
        for _ in range(len(self._places)):
            self._places.append(self._places.popleft() + by)

    def arrived(self, now: float, place: float, headroom: float | None) -> None:
        """A packet came at ``now`` that begins at ``place`` in the talker's timeline.

        ``headroom`` is None when it is not known or the packet will not be played.
        """
        transit = now - place
        if headroom is not None:
            self._places.append(transit + headroom)
        if self._after_outage(now, transit):
            return
        self._transits[self._count % _WINDOW] = transit
        self._count += 1
        if self._count % _EVERY == 0 or self._count == 1:
            self._measure()

    def _after_outage(self, now: float, transit: float) -> bool:
        """Whether this packet was held up by an outage: no delay that we would allow covers it, and none should try.

        An outage begins with a packet that is later than CAP and ends when they come in time again; when that takes
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
        kept = self._transits[: min(self._count, _WINDOW)]
        self._best = float(kept.min())
        late = kept - self._best
        nearly_all = int(np.ceil(_COVERED * late.size)) - 1
        self.jitter = float(np.partition(late, nearly_all)[nearly_all])
        target = min(MOST, max(self._least, self.jitter + self._margin))
        self.target = target if self._count >= _TRUSTED else max(target, self.target)

    @property
    def delay(self) -> float | None:
        """The delay that the playout has, ms; None while too little is known."""
        if len(self._places) < _ENOUGH:
            return None
        return sum(self._places) / len(self._places) - self._best

    @property
    def excess(self) -> float:
        """How much the delay is above the target, ms; negative when below; 0 while too little is known."""
        delay = self.delay
        return 0.0 if delay is None else delay - self.target
