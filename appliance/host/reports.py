"""RTCP with one member (RFC 3550, section 6): what we received from it, what it hears and when, and what it says of that.

What we report of its stream is the loss that its listeners suffer: what was lost on the way to us, and of the rest what its
listeners lose in spite of our redundancy. That is what its encoder can do something about (docs/adr).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.core.loss import LossControl
from appliance.media.reception import Reception
from appliance.media.rtp import Bye, ReportBlock, Rtcp, SenderReport, parse_rtcp, receiver_report, sender_report

CNAME = "room"

_FOR_PEOPLE, _FOR_LISTENERS = 2, 10
"""One report in so many is made for people, who take a room for lost that says nothing for 3 s, and for those who only listen
and have sound to tell them that it is there (RFC 3550, 6.2: one in 5 s will do). A device gets each."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One stream to the member as it stands now."""

    ssrc: int
    timestamp: int
    """That stands for this moment."""
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Complaint:
    """The member lost ``fraction`` (0 to 1) of the packets of its stream number ``index``."""

    index: int
    fraction: float


@dataclass(frozen=True, slots=True)
class Word:
    """What a packet of the member said."""

    bye: bool
    complaints: Sequence[Complaint]


class Reports:
    """The reports of one member, both ways.

    :param ssrcs: of our streams to it, in their order; the first is the one that reports.
    """

    def __init__(self, ssrcs: Sequence[int], is_site: bool) -> None:
        self._ssrcs = ssrcs
        self._is_site = is_site
        self._reception: Reception | None = None
        self._added = 0.0
        """Packets that listeners lost of what we had received."""
        self._arrived: int | None = None  # but for a constant the packets that we had at the last report
        self._turn = 0
        self._control = LossControl()

    # ---- what it sends

    def received(self, source: int, seq: int, timestamp: int, now: float) -> None:
        """A packet of the member came, and is known to be its own."""
        if self._reception is None or self._reception.ssrc != source:
            self._reception = Reception(source)
            self._added, self._arrived = 0.0, None
        self._reception.received(seq, timestamp, now)

    def skipped(self, source: int, seq: int, timestamp: int, now: float) -> None:
        """A packet came that was not deciphered: it counts for a source that is known."""
        if self._reception is not None and self._reception.ssrc == source:
            self._reception.received(seq, timestamp, now)

    def read(self, data: memoryview, now: float) -> Word | None:
        """What a packet of the member says, deciphered; None when it is no RTCP at all. Never raises."""
        if not _well_formed(data):
            return None
        found = parse_rtcp(data)
        for report in found:
            reception = self._reception
            if isinstance(report, SenderReport) and reception is not None and report.ssrc == reception.ssrc:
                reception.sender_reported(report.ntp, now)
        return Word(any(isinstance(report, Bye) for report in found), tuple(self._complaints(found)))

    def _complaints(self, found: Sequence[Rtcp]) -> list[Complaint]:
        blocks = [block for report in found if not isinstance(report, Bye) for block in report.blocks]
        return [
            Complaint(self._ssrcs.index(block.ssrc), block.fraction_lost / 256)
            for block in blocks
            if block.ssrc in self._ssrcs
        ]

    def copies(self, complaints: Sequence[Complaint], now: float) -> int:
        """How many earlier frames each packet to the member is to carry from now on, 1 or 2."""
        return self._control.update(max(complaint.fraction for complaint in complaints), now).blocks

    # ---- what it is told

    def due(self, *, hears: bool) -> bool:
        """Whether this turn is one for a report; asked once a turn.

        :param hears: whether it is sent sound now.
        """
        self._turn += 1
        every = _FOR_LISTENERS if hears and self._reception is None else _FOR_PEOPLE
        return self._is_site or self._turn % every == 0

    def build(self, sending: Sequence[Sending], listeners_lose: float, now: float, unix_now: float) -> bytes:
        """One compound packet: reports of what we send and receive, with our name.

        :param listeners_lose: of what we forward of the member, 0 to 1.
        :param unix_now: seconds since 1970 at the time of ``now``.
        """
        blocks = () if self._reception is None else (self._block(self._reception, listeners_lose, now),)
        parts = []
        if not sending or sending[0].ssrc != self._ssrcs[0]:
            parts.append(receiver_report(self._ssrcs[0], blocks, CNAME))
            blocks = ()
        for stream in sending:
            parts.append(
                sender_report(
                    stream.ssrc,
                    unix_now,
                    stream.timestamp,
                    stream.packets,
                    stream.octets,
                    blocks=blocks,
                    cname=CNAME,
                )
            )
            blocks = ()
        return b"".join(parts)

    def _block(self, reception: Reception, listeners_lose: float, now: float) -> ReportBlock:
        block = reception.report(now)
        arrived = block.highest - block.lost
        self._added += max(0, arrived - (self._arrived or arrived)) * listeners_lose
        self._arrived = arrived
        kept = (1 - block.fraction_lost / 256) * (1 - listeners_lose)
        fraction = min(255, round(256 * (1 - kept)))
        return block._replace(fraction_lost=fraction, lost=block.lost + int(self._added))


def _well_formed(data: memoryview) -> bool:
    """Whether ``data`` is one or more whole RTCP packets and no more (RFC 3550, A.2)."""
    at = 0
    while at + 4 <= len(data):
        first, _, words = struct.unpack_from("!BBH", data, at)
        if first >> 6 != 2:
            return False
        at += 4 + 4 * words
    return at == len(data) > 0
