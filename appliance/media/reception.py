"""What a receiver reports of one source (RFC 3550, 6.4.1 and appendix A)."""

from appliance.core.serial import sequence_distance, timestamp_distance
from appliance.core.units import RATE
from appliance.media.rtp import ReportBlock

_WILD = 3000
"""Packets; a larger jump of the sequence number is a new beginning, not a loss."""

_LONGEST_DELAY = 65_535.0
"""Seconds that a report can say since the sender's."""


class Reception:
    """Losses and jitter of one source."""

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self._sender_report = (0, 0.0)  # middle of its NTP time, and when it came; as one, for it is read elsewhere
        self._begin()

    def _begin(self) -> None:
        self._first: int | None = None
        self._highest = 0
        self._received = 0
        self._expected_before = 0
        self._received_before = 0
        self._jitter = 0.0
        self._last = (0, 0.0)

    def received(self, sequence: int, timestamp: int, now: float) -> None:
        """A packet came at ``now`` (seconds)."""
        if self._first is not None and abs(sequence_distance(sequence, self._highest & 0xFFFF)) > _WILD:
            self._begin()
        if self._first is None:
            self._first = self._highest = sequence
        else:
            self._highest += max(0, sequence_distance(sequence, self._highest & 0xFFFF))
            before, then = self._last
            late = (now - then) * RATE - timestamp_distance(timestamp, before)
            # A pause or another talker's clock is no jitter.
            if abs(late) < RATE:
                self._jitter += (abs(late) - self._jitter) / 16
        self._received += 1
        self._last = (timestamp, now)

    def sender_reported(self, ntp: int, now: float) -> None:
        """A report of the source itself came at ``now``; ``ntp`` is its time, 32.32 bits."""
        self._sender_report = (ntp >> 16 & 0xFFFF_FFFF, now)

    @property
    def lost(self) -> int:
        """Packets that are missing so far; negative when duplicates outnumber them."""
        return 0 if self._first is None else self._highest - self._first + 1 - self._received

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter in ms."""
        return self._jitter * 1000 / RATE

    def report(self, now: float) -> ReportBlock:
        """The block for the next receiver report; ``fraction_lost`` counts from the one before."""
        expected = 0 if self._first is None else self._highest - self._first + 1
        expected_now = expected - self._expected_before
        lost_now = expected_now - (self._received - self._received_before)
        self._expected_before, self._received_before = expected, self._received
        fraction = min(255, 256 * lost_now // expected_now) if lost_now > 0 and expected_now > 0 else 0
        ntp, then = self._sender_report
        delay = int(65_536 * min(max(0.0, now - then), _LONGEST_DELAY)) if ntp else 0
        return ReportBlock(self.ssrc, fraction, self.lost, self._highest, int(self._jitter), ntp, delay)
