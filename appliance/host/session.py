"""One member's media session: its transport, what of its media passes, and how loud it is."""

import secrets
from collections.abc import Iterable, Sequence
from typing import Protocol

from appliance.core.counters import Counters
from appliance.core.levels import Speaking
from appliance.core.protocol import Claims
from appliance.core.sdp import LEVEL_URI, MID_URI, HostTransport, MediaSection, Offer, build_answer, fingerprint_text
from appliance.core.units import SILENCE, SLOTS
from appliance.host.config import Rate
from appliance.host.fan_out import MOST_PAYLOAD, Address, Stream
from appliance.host.lane import Speech
from appliance.host.limits import Bucket
from appliance.host.packet import Header, payload_of, read_frames, read_header
from appliance.host.port import Ended, Peer
from appliance.host.reports import Reports
from appliance.host.srtp import Datagram
from appliance.host.stage import Stage

_SILENT = round(SILENCE)

_SHOWN_ANYWAY = 64
"""Of the packets that are skipped libsrtp sees one in so many: it refuses a stream whose numbers it lost track of."""

_LEVEL_KEPT = 0.5
"""Seconds without a packet after which a member is silent; in pauses Opus sends one every 400 ms."""

_SOURCE_KEPT = 0.5
"""Seconds after which another source of the same member takes the place of one that stopped."""

_MOST_PACKETS = Rate(per_second=200.0, burst=200.0)
"""RTP packets of one member: frames of 10 ms make 100, and what a network held back comes at once."""


class Meter:
    """The level of one member: the loudest packet since it was last read."""

    def __init__(self) -> None:
        self._peak: float | None = None
        self._last = SILENCE
        self._at = 0.0

    def note(self, level: int, now: float) -> None:
        """A packet of ``level`` (-dBov) came."""
        self._last = -float(level)
        self._peak = self._last if self._peak is None else max(self._peak, self._last)
        self._at = now

    @property
    def rests(self) -> bool:
        """Whether no packet came since it was last read."""
        return self._peak is None

    def read(self, now: float) -> int:
        """The level since the last reading, whole dBov; -127 when no packets come any more."""
        level, self._peak = self._peak, None
        if level is None:
            level = self._last if now - self._at <= _LEVEL_KEPT else SILENCE
        return round(level)


class Watching(Protocol):
    """Who is told what becomes of a session: its conference."""

    def session_up(self, session: "Session") -> None:
        """Media can flow."""

    def session_moved(self, session: "Session") -> None:
        """It has another address."""

    def session_ended(self, session: "Session", why: str) -> None:
        """The member closed it, or the handshake failed for good."""

    def source_ended(self, session: "Session") -> None:
        """The member's stream ended; the session goes on."""


class Session:
    """A member's media from the accepted offer to the end. It owns its :class:`Peer` on the port."""

    def __init__(
        self, claims: Claims, offer: Offer, stage: Stage, watching: Watching, counters: Counters, now: float
    ) -> None:
        self.id = secrets.token_urlsafe(16)
        self.claims = claims
        self.began = now
        self.peer = Peer(offer.fingerprint, self, now, begins=offer.answered_setup == "active")
        self.had_presence = False
        """Somebody watched on this member's behalf: from then on its silence there counts."""
        self.passes = False
        """Its media may be forwarded: it is neither muted nor a listener."""
        self.meter = Meter()
        self.speaking = Speaking()
        self.level = _SILENT
        """As it was last published, dBov."""
        self.attend_due = self.report_due = now
        self._offer = offer
        self._stage = stage
        self._watching = watching
        self._counters = counters
        self._ssrcs = [secrets.randbelow(2**32 - 1) + 1 for _ in range(SLOTS)]
        talking = offer.talking
        self._payload_type = talking.opus if talking is not None else None
        self._red = talking.red if talking is not None else None
        self._level_id = talking.extensions.get(LEVEL_URI) if talking is not None else None
        self._source: int | None = None
        self._source_heard = 0.0
        self._reports = Reports(self._ssrcs, self.is_site)
        self._allowance = Bucket(_MOST_PACKETS, now)

    @property
    def who(self) -> str:
        """The member's identity."""
        return self.claims.identity

    @property
    def offer(self) -> Offer:
        """What the member offered."""
        return self._offer

    @property
    def rests(self) -> bool:
        """Whether it was silent when levels were last published, and no packet came since."""
        return self.level == _SILENT and self.meter.rests

    @property
    def is_site(self) -> bool:
        """Whether the member is a device, or what behaves like one: a bridge."""
        return self.claims.kind != "person"

    @property
    def connected(self) -> bool:
        """Whether media can flow."""
        return self.peer.outbound is not None

    def answer(self, fingerprint: bytes, address: Address) -> str:
        """The SDP answer that sends the member's media to ``address``.

        :raises SdpError: the offer has nothing that this member may do.
        """
        transport = HostTransport(
            ufrag=self.peer.ufrag,
            pwd=self.peer.password,
            fingerprint_hex=fingerprint_text(fingerprint),
            address=address[0],
            port=address[1],
            session_id=secrets.randbits(62),
        )
        return build_answer(self._offer, transport, self._ssrcs, talk=self.claims.role != "listener")

    def streams(self) -> Sequence[Stream]:
        """The slots that the member receives, in order."""
        return [_stream(section, ssrc) for section, ssrc in zip(self._offer.listening, self._ssrcs, strict=False)]

    def silence(self) -> None:
        """Nothing passes from now on, and nothing of before is shown any more."""
        self.passes = False
        self.meter = Meter()
        self.speaking = Speaking()

    # ---- what the port tells (Owner)

    def up(self) -> None:
        peer = self.peer
        if peer.outbound is not None and peer.address is not None:
            streams = self.streams()
            if self._offer.single:
                self._stage.listen_to_mix(self.who, peer.outbound, streams[0], peer.address)
            else:
                self._stage.listen(self.who, peer.outbound, streams, peer.address)
        self._watching.session_up(self)

    def moved(self) -> None:
        if self.peer.address is not None:
            self._stage.move(self.who, self.peer.address)
        self._watching.session_moved(self)

    def down(self, why: Ended) -> None:
        self._watching.session_ended(self, why)

    def rtcp(self, packet: Datagram, now: float) -> None:
        """What it tells of loss is heeded. A device that says BYE leaves; a browser says it when it merely stops its track."""
        if not self._allowance.take(now):
            self._counters.add("host_packets_flood")
            return
        word = self._reports.read(packet.view[: packet.size], now)
        if word is None:
            self._counters.add("host_reports_junk")
            return
        self._counters.add("host_reports")
        if word.complaints:
            copies = self._reports.copies(word.complaints, now)
            self._stage.complain(self.who, word.complaints, copies, now)
        if word.bye and self.is_site:
            self._watching.session_ended(self, Ended.CLOSED)
        elif word.bye:
            self._watching.source_ended(self)

    def reports(self, now: float, unix_now: float) -> Iterable[bytes]:
        """The RTCP that is due to the member; asked for twice a second or so.

        :param unix_now: seconds since 1970 at the time of ``now``.
        """
        if not self._reports.due(hears=self._stage.hears(self.who, now)):
            return ()
        sending = self._stage.sending(self.who, self._ssrcs, now)
        return (self._reports.build(sending, self._stage.listeners_lose(self.who, now), now, unix_now),)

    def rtp(self, packet: Datagram, now: float) -> None:
        header = read_header(packet, self._level_id)
        if header is None:
            self._counters.add("host_datagrams_junk")
            return
        if not self._allowance.take(now):
            self._counters.add("host_packets_flood")
            if header.seq % _SHOWN_ANYWAY == 0 and self.peer.inbound is not None:
                self.peer.inbound.open(packet)
            return
        wanted = self.passes and (header.level is None or self._stage.wants(self.who, header.level))
        if not wanted:
            self._skip(header, now)
            if header.seq % _SHOWN_ANYWAY:
                self._reports.skipped(header.source, header.seq, header.timestamp, now)
                return
        if self.peer.inbound is None or not self.peer.inbound.open(packet):
            self._counters.add("host_srtp_refused")
            return
        self.peer.heard = now
        self._reports.received(header.source, header.seq, header.timestamp, now)
        if wanted:
            self._forward(packet, header, now)

    def _skip(self, header: Header, now: float) -> None:
        """A packet that cannot matter, by what its header claims; a false claim gains nothing."""
        self.peer.heard = now
        if not self.passes:
            self._counters.add("host_packets_muted")
            return
        self._counters.add("host_packets_skipped")
        if header.level is not None:
            self.meter.note(header.level, now)

    def _forward(self, packet: Datagram, header: Header, now: float) -> None:
        read = read_frames(payload_of(packet, header), header, self._payload_type, self._red)
        if read is None or not 0 < len(read[0]) <= MOST_PAYLOAD:
            is_redundant = header.payload_type == self._red
            self._counters.add("host_redundancy_junk" if is_redundant else "host_payloads_refused")
            return
        payload, copies = read
        began = header.source != self._source
        if began and self._source is not None and now - self._source_heard < _SOURCE_KEPT:
            self._counters.add("host_packets_skipped")
            return
        self._source, self._source_heard = header.source, now
        level = self._stage.level(self.who, header.level, payload, now)
        self.meter.note(level, now)
        self._counters.add("host_packets_in")
        speech = Speech(header.seq, header.timestamp, level, payload, began, copies)
        if not self._stage.talk(self.who, speech, now):
            self._counters.add("host_packets_skipped")


def _stream(section: MediaSection, ssrc: int) -> Stream:
    return Stream(
        ssrc=ssrc,
        payload_type=section.opus or 0,  # parse_offer lets no audio section without Opus through
        first=secrets.randbits(14),
        level_id=section.extensions.get(LEVEL_URI),
        mid_id=section.extensions.get(MID_URI),
        mid=section.mid,
        red=section.red,
    )
