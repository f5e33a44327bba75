"""The device's whole path: one's way up, a network that loses packets, another's way down. Time is a number."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from appliance.core import sdp
from appliance.core.counters import Counters
from appliance.core.units import BLOCK, Block, Pcm
from appliance.media import rtp
from appliance.rooms.downlink import Downlink
from appliance.rooms.proof import MuteProof
from appliance.rooms.uplink import CodecSettings, Uplink

_SLOT = 1
"""The SSRC in which the listener hears the talker."""


@dataclass
class Wire:
    """Takes packets as a transport does, and keeps them until they are fetched."""

    ssrc: int = 42
    buffer: bytearray = field(default_factory=lambda: bytearray(1600))
    packets: list[rtp.Rtp] = field(default_factory=list)
    rtp_packets: int = 0

    def send_rtp(self, length: int) -> bool:
        self.rtp_packets += 1
        packet = rtp.parse(self.buffer[:length])
        assert packet is not None
        self.packets.append(packet)
        return True

    def send_rtcp(self, packet: bytes) -> bool:
        return True

    def stop_sending(self) -> None:
        pass

    def fetch(self) -> list[rtp.Rtp]:
        packets, self.packets = self.packets, []
        return packets


class Path:
    """Talker, network and listener.

    :param answer: what the host answered both, with SSRC 1 in the first slot.
    :param loses: whether the network loses the packet with this number, counted from 0.
    """

    def __init__(
        self,
        answer: sdp.Answer,
        loses: Callable[[int], bool] = lambda _: False,
        *,
        dtx: bool = False,
        frame_ms: int = 20,
    ) -> None:
        codec = CodecSettings(frame_ms, dtx=dtx)
        self.counters = Counters()
        self.proof = MuteProof(codec.encoder, frame_ms)
        self.uplink = Uplink(codec, self.proof, self.counters)
        self.wire = Wire()
        self.uplink.attach(self.wire, answer)
        self.downlink = Downlink()
        self.downlink.attach(answer)
        self.loses = loses
        self.sent: list[rtp.Rtp] = []
        self.lost = 0
        self._blocks = 0
        self._buffer = bytearray(1600)

    def play(self, blocks: Iterable[Pcm | None]) -> Block:
        """What is heard while these blocks are said."""
        heard = []
        for block in blocks:
            now = self._blocks * 0.01
            self.uplink.take(block)
            for packet in self.wire.fetch():
                self._carry(packet, now)
            if self._blocks % 100 == 99:
                self._report(now)
            out = np.zeros(BLOCK, np.float32)
            self.downlink.mix(out, now)
            heard.append(out)
            self._blocks += 1
        return np.concatenate(heard)

    def counted(self, name: str) -> int:
        """A counter of the way down."""
        return self.downlink.counters().get(name, 0)

    def _carry(self, packet: rtp.Rtp, now: float) -> None:
        number = len(self.sent)
        self.sent.append(packet)
        if self.loses(number):
            self.lost += 1
            return
        length = rtp.build_into(
            self._buffer,
            payload_type=packet.payload_type,
            marker=packet.marker,
            sequence=packet.sequence,
            timestamp=packet.timestamp,
            ssrc=_SLOT,
            payload=packet.payload,
        )
        self.downlink.push(memoryview(self._buffer)[:length], now)

    def _report(self, now: float) -> None:
        """What the listener reports of its slot is, with the SSRC of the way up, what a host would report of it."""
        block = next(block for block in self.downlink.reception(now) if block.ssrc == _SLOT)
        self.uplink.heard_report(rtp.receiver_report(99, [block._replace(ssrc=self.wire.ssrc)]), now)
