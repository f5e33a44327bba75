"""How much faster the talker's clock runs than that of whoever asks for blocks.

Three clocks are in it: the talker's, by its timestamps; ours, by which arrivals and pulls are noted; and the loudspeaker's,
by how many blocks were asked for. Packets and pulls come late, never early: the earliest packet and the earliest pull of some
seconds tell how the clocks stand, whatever the jitter. How that moves from one few seconds to the next is the drift; what
moves more than clocks can is another way through the network and says nothing.
"""

from collections import deque

from appliance.media.resample import MOST_PPM

_WINDOW = 4000.0
"""ms. The earliest packet is looked for in so long."""
_KEPT = 32
"""Windows that the drift is told from: two minutes."""
_FEWEST = 2
_STEP = 3.0
"""ms from one window to the next that are no drift."""
_BLOCK = 10.0
_PAUSED = 50.0
"""ms without a pull after which nobody knows how many would have been."""
_UNSURE = 0.4
"""ms that the movement over all windows may be wrong."""


class Drift:
    """Measures one stream. Cost: under a µs a packet or block; memory: fixed."""

    def __init__(self) -> None:
        self.ppm = 0.0
        """How much faster the talker's clock is, parts per million, -300 to 300; 0 while nothing is sure."""
        self._pulls = 0
        self._pulled = 0.0
        self._moves: deque[tuple[float, float]] = deque(maxlen=_KEPT)  # ms moved, in how many ms
        self._before: tuple[float, float] | None = None  # how the clocks stood, and when
        self._begin(0.0)

    def _begin(self, now: float) -> None:
        self._begun = now
        self._earliest_packet = self._earliest_pull = float("inf")

    def forget(self) -> None:
        """Another timeline, or another talker."""
        self.ppm = 0.0
        self._moves.clear()
        self._broken()

    def _broken(self) -> None:
        self._before = None
        self._begin(0.0)

    def pulled(self, now: float) -> None:
        """A block was asked for at ``now``, ms."""
        if now - self._pulled > _PAUSED:
            self._broken()
        self._pulled = now
        self._pulls += 1
        offset = now - self._pulls * _BLOCK
        self._earliest_pull = min(self._earliest_pull, offset)

    def arrived(self, now: float, place: float) -> None:
        """A packet that begins at ``place`` in the talker's timeline came at ``now``; both ms."""
        if self._earliest_pull == float("inf"):
            return  # nobody asks for blocks
        transit = now - place
        if self._earliest_packet == float("inf"):
            self._begun = now
        self._earliest_packet = min(self._earliest_packet, transit)
        if now - self._begun >= _WINDOW:
            self._close(now)

    def _close(self, now: float) -> None:
        stand = self._earliest_packet - self._earliest_pull
        if self._before is not None:
            moved, took = stand - self._before[0], now - self._before[1]
            if abs(moved) <= _STEP:  # else another way
                self._moves.append((moved, took))
                self._tell()
        self._before = (stand, now)
        self._begin(now)

    def _tell(self) -> None:
        if len(self._moves) < _FEWEST:
            return
        moved, took = (sum(values) for values in zip(*self._moves, strict=True))
        if abs(moved) < _UNSURE:
            self.ppm = 0.0
        else:
            self.ppm = max(-MOST_PPM, min(MOST_PPM, -moved / took * 1e6))
