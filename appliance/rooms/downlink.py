"""The way down of an engine that receives RTP itself: three slots, each with its playout, mixed one block for each asked.

Packets come in on the loop, blocks are asked for on the exchange thread; a lock for each slot lies between. It is held for
as long as a packet is put into its place, or a block is decoded.
"""

import threading
from collections.abc import Mapping, Sequence

import numpy as np

from appliance.core import sdp
from appliance.core.counters import Counters, total
from appliance.core.mixer import Mixer
from appliance.core.units import BLOCK, SLOTS, Block
from appliance.media import red, rtp
from appliance.media.opus import Decoder
from appliance.media.playout import Playout
from appliance.media.reception import Reception
from appliance.media.rtp import Data, ReportBlock, Rtp, SenderReport

_IDLE_AFTER = 100
"""Blocks without anything after which a slot is not looked at until the next packet; longer than any playout holds back."""


class _Slot:
    """One fixed place for a talker's stream."""

    def __init__(self, low_delay: bool) -> None:
        self.lock = threading.Lock()
        self.silent = _IDLE_AFTER
        """Blocks in a row that had nothing."""
        self.playout = Playout(Decoder(), low_delay)
        self.block = np.zeros(BLOCK, np.float32)
        self.reception: Reception | None = None


class Downlink:
    """:meth:`mix` belongs to the exchange thread, the rest to the loop.

    :param low_delay: for packets of 10 ms on a good network.
    """

    def __init__(self, low_delay: bool = False) -> None:
        self._slots = tuple(_Slot(low_delay) for _ in range(SLOTS))
        self._by_source: Mapping[int, _Slot] = {}
        self._opus: int | None = None
        self._red: int | None = None
        self._holders: tuple[str | None, ...] = (None,) * SLOTS
        self._volumes: dict[str, float] = {}
        self._gains: tuple[float, ...] = (1.0,) * SLOTS
        self._mixer = Mixer()
        self._alone = -1
        """The one slot that was heard last, as sent; -1 when the mixer had more to do."""
        self._blocks: list[Block | None] = [None] * SLOTS
        self._counters = Counters()

    def attach(self, answer: sdp.Answer) -> None:
        """Another connection: its slots are the sections in which the host sends, in their order."""
        sending = [section for section in answer.audio if section.sends and section.ssrcs]
        # All sections of an answer number their codecs alike.
        self._opus = next((section.opus for section in sending), None)
        self._red = next((section.red for section in sending if section.red is not None), None)
        self._by_source = {section.ssrcs[0]: slot for section, slot in zip(sending, self._slots, strict=False)}
        for source, slot in self._by_source.items():
            slot.reception = Reception(source)

    def detach(self) -> None:
        """The connection is gone: nothing of it is heard any more."""
        self._by_source = {}
        self.hold((None,) * SLOTS)
        for slot in self._slots:
            slot.reception = None
            with slot.lock:
                slot.playout.reset()

    def hold(self, holders: Sequence[str | None]) -> None:
        """Who is heard in which slot, as the host says."""
        self._holders = tuple(holders)
        self._apply()

    def forget(self, member: str) -> None:
        """A member left: what is still to be heard of it is not heard."""
        for slot, holder in zip(self._slots, self._holders, strict=True):
            if holder == member:
                with slot.lock:
                    slot.playout.reset()

    def set_volume(self, member: str, gain: float) -> None:
        """How loud a member is here, 0 to 2; kept while the process runs, also when the member is away."""
        self._volumes[member] = gain
        self._apply()

    def _apply(self) -> None:
        self._gains = tuple(self._volumes.get(holder, 1.0) if holder else 1.0 for holder in self._holders)

    def push(self, packet: memoryview, now: float) -> None:
        """Take one RTP packet: Opus, or frames of it with earlier ones (RFC 2198)."""
        parsed = rtp.parse(packet)
        slot = self._by_source.get(parsed.ssrc) if parsed is not None else None
        if parsed is None or slot is None or parsed.payload_type not in (self._opus, self._red):
            self._counters.add("packets_junk")
            return
        reception = slot.reception  # once: the loop may take it away meanwhile
        if reception is not None:
            reception.received(parsed.sequence, parsed.timestamp, now)
        if parsed.payload_type == self._opus:
            with slot.lock:
                slot.silent = 0
                slot.playout.push(parsed, now)
        else:
            self._push_redundant(slot, parsed, now)

    def _push_redundant(self, slot: _Slot, packet: Rtp, now: float) -> None:
        frames = red.split(packet.payload)
        if not frames or any(frame.payload_type != self._opus for frame in frames):
            self._counters.add("redundancy_junk")
            return
        *earlier, newest = (_unwrapped(packet, frame, len(frames) - at) for at, frame in enumerate(frames, 1))
        with slot.lock:
            slot.silent = 0
            slot.playout.push(newest, now)
            for frame in earlier:
                slot.playout.push_redundant(frame, now)

    def heard_report(self, packet: Data, now: float) -> None:
        """Take an RTCP packet of the other end."""
        reports = rtp.parse_rtcp(packet)
        if not reports:
            self._counters.add("reports_junk")
        for report in reports:
            slot = self._by_source.get(report.ssrc) if isinstance(report, SenderReport) else None
            reception = slot.reception if slot is not None else None
            if isinstance(report, SenderReport) and reception is not None:
                reception.sender_reported(report.ntp, now)

    def reception(self, now: float) -> list[ReportBlock]:
        """What the next receiver report says of the slots."""
        return [slot.reception.report(now) for slot in self._slots if slot.reception is not None]

    def mix(self, out: Block, now: float | None = None) -> bool:
        """Write the next block, shape (480,), into ``out``; False and zeros when no slot has anything."""
        heard, only = 0, -1
        for index, slot in enumerate(self._slots):
            block = self._blocks[index] = self._pull(slot, now) if slot.silent < _IDLE_AFTER else None
            if block is not None:
                heard, only = heard + 1, index
        if heard == 0:
            out.fill(0.0)
        elif heard == 1 and self._gains[only] == 1.0 and self._alone == only:
            np.copyto(out, self._slots[only].block)  # what the mixer would do with one block as sent, for a tenth
        else:
            self._mixer.mix(self._blocks, self._gains, out)
            # The mixer has now seen it as sent: from that gain it ramps when it is asked again.
            self._alone = only if heard == 1 and self._gains[only] == 1.0 else -1
        return heard > 0

    @staticmethod
    def _pull(slot: _Slot, now: float | None) -> Block | None:
        with slot.lock:
            if slot.playout.pull(slot.block, now):
                slot.silent = 0
                return slot.block
            slot.silent += 1
            return None

    @property
    def delay_ms(self) -> float | None:
        """The longest delay that a playout adds just now; None while nothing plays."""
        delays = [slot.playout.delay_ms for slot in self._slots]
        return max((delay for delay in delays if delay is not None), default=None)

    @property
    def jitter_ms(self) -> float | None:
        """The largest interarrival jitter of what is received; None without a connection."""
        receptions = [slot.reception for slot in self._slots]
        return max((reception.jitter_ms for reception in receptions if reception is not None), default=None)

    def counters(self) -> dict[str, int]:
        """See core/counters.py."""
        return total(self._counters.snapshot(), *(slot.playout.counts for slot in self._slots))


def _unwrapped(packet: Rtp, frame: red.Frame, before: int) -> Rtp:
    """A frame of a redundant packet as a packet of its own: the one sent ``before`` packets earlier."""
    return packet._replace(
        payload_type=frame.payload_type,
        marker=packet.marker and before == 0,
        sequence=packet.sequence - before & 0xFFFF,
        timestamp=packet.timestamp - frame.offset & 0xFFFF_FFFF,
        payload=bytes(frame.payload),
    )
