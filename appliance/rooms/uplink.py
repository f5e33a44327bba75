"""The way up of an engine that sends RTP itself: gated blocks in, protected packets out, all on the exchange thread.

There is no queue: a packet is encoded, protected and handed to the socket within the call that brought its last block. So
nothing can leave after the gate has closed but what the socket had already. Closing empties the half-filled frame, forgets
the frames that would be sent again and resets the encoder, so that nothing of before is in what follows.

Against loss a frame is sent again with the next one or two (RFC 2198) where the other end prefers that, and then the encoder
makes no FEC; else it does. What the other end reports steers both (core/loss.py).
"""

import secrets
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from appliance.core import sdp
from appliance.core.counters import Counters
from appliance.core.levels import dbov
from appliance.core.loss import USUAL, LossControl, Protection
from appliance.core.units import BLOCK, Pcm
from appliance.media import red, rtp
from appliance.media.opus import Encoder, OpusError
from appliance.media.rtp import Data, ReportBlock
from appliance.rooms.proof import KEPT, LEFT_UNSEEN, MuteProof

_VOICE = -50.0
"""dBov. Louder packets carry the voice flag of RFC 6464."""

_CHANGING = struct.Struct("!BHI")
"""What differs from packet to packet in an RTP header, from its second byte on: kind, sequence number, timestamp."""

_LEVEL_AT = 17
"""The level in a header whose one extension is the level: 12 bytes, 4 of the extension's header, 1 of its own."""

_MOST_AGAIN = 2
"""Earlier frames that a packet can repeat."""

_MOST_PAYLOAD = 1150
"""Bytes of a payload with earlier frames in it: with all headers it passes any network and any relay."""

_RESTING = 2
"""Bytes up to which a packet of an encoder with DTX says only that nothing changes (RFC 7587, 3.1.3)."""


@dataclass(frozen=True, slots=True)
class CodecSettings:
    """How the room's microphone is encoded."""

    frame_ms: int = 20
    """Length of a packet's audio, 10 or 20."""
    bitrate: int = 32_000
    """Bits a second."""
    complexity: int = 5
    """0 to 10: CPU for quality."""
    dtx: bool = False
    """Whether silence is not sent, but every 400 ms how it sounds."""

    def encoder(self) -> Encoder:
        """A new encoder like this."""
        return Encoder(self.frame_ms, bitrate=self.bitrate, complexity=self.complexity, dtx=self.dtx)


class Way(Protocol):
    """What packets leave by: the sending half of :class:`appliance.media.webrtc.DeviceTransport`."""

    ssrc: int

    @property
    def rtp_packets(self) -> int:
        """Packets of media that were to leave by it, whoever sent them."""

    @property
    def buffer(self) -> bytearray:
        """Where a packet is built."""

    def send_rtp(self, length: int) -> bool:
        """Protect and send it."""

    def send_rtcp(self, packet: bytes) -> bool:
        """Protect and send a packet of RTCP."""

    def stop_sending(self) -> None:
        """Let nothing leave any more."""


class _Stream:
    """The RTP state of one connection: its packets' header is made once, and then only what changes in it.

    The exchange thread sends; the loop reports. What they share is single numbers.
    """

    def __init__(self, way: Way, section: sdp.MediaSection | None) -> None:
        self.way = way
        self.may_speak = section is not None
        """Where nobody listens, reports are all that leaves."""
        opus, copies = (section.opus, section.red) if section is not None else (None, None)
        self._opus = opus if opus is not None else sdp.DEVICE_OPUS
        self.redundant = copies is not None and section is not None and section.prefers_red
        """Whether the other end wants frames again."""
        kind = copies if copies is not None and self.redundant else self._opus
        level_id = section.extensions.get(sdp.LEVEL_URI) if section is not None else None
        self._marked = kind | 0x80
        self._unmarked = kind
        self._sequence = secrets.randbits(15)  # the lower half, so that it does not wrap at once (RFC 3711, 3.3.1)
        self._offset = secrets.randbits(32)
        self._buffer = way.buffer
        self._view = memoryview(self._buffer)
        self._payload_at = rtp.build_into(
            self._buffer,
            payload_type=kind,
            marker=False,
            sequence=0,
            timestamp=0,
            ssrc=way.ssrc,
            payload=b"",
            level_id=level_id,
        )
        self._has_level = level_id is not None
        self._end = self._payload_at
        self._control = LossControl()
        self.protection = USUAL
        """What the newest report asks for."""
        self._cname = secrets.token_urlsafe(12)  # RFC 7022, 4.2: tells nothing, lasts as long as the connection
        self._packets = self._octets = 0
        self._reported = 0
        self._packets_before = way.rtp_packets

    def build(self, frame: Data, earlier: Sequence[tuple[int, Data]]) -> memoryview:
        """Put a frame, and earlier ones if the other end wants them, into the packet; gives its payload as it will leave."""
        if self.redundant:
            self._end = red.build_into(self._buffer, self._payload_at, self._opus, frame, earlier)
        else:
            self._end = self._payload_at + len(frame)
            self._buffer[self._payload_at : self._end] = frame
        return self._view[self._payload_at : self._end]

    def send(self, time: int, level: float, *, begins: bool) -> bool:
        """Send what was built: ``time`` in samples, ``level`` in dBov. False when it did not leave."""
        kind = self._marked if begins else self._unmarked
        # A number is used up even when the packet does not leave: no two may be protected under one number.
        self._sequence = (self._sequence + 1) & 0xFFFF
        _CHANGING.pack_into(self._buffer, 1, kind, self._sequence, (self._offset + time) & 0xFFFFFFFF)
        if self._has_level:
            self._buffer[_LEVEL_AT] = (level > _VOICE) << 7 | min(127, round(-level))
        self._octets += self._end - self._payload_at
        self._packets += 1
        return self.way.send_rtp(self._end)

    @property
    def unseen(self) -> bool:
        """Whether more left by the way than was sent here."""
        return self.way.rtp_packets - self._packets_before > self._packets

    def heard(self, packet: Data, now: float) -> None:
        """Read what the other end reports of this stream."""
        for report in rtp.parse_rtcp(packet):
            for block in getattr(report, "blocks", ()):
                if block.ssrc == self.way.ssrc:
                    self.protection = self._control.update(block.fraction_lost / 256, now)

    def report(self, unix_now: float, time: int, blocks: Sequence[ReportBlock]) -> bytes:
        """SR when something was sent since the last one, else RR; with SDES."""
        packets, self._reported = self._reported, self._packets
        if packets == self._packets:
            return rtp.receiver_report(self.way.ssrc, blocks, self._cname)
        stamp = (self._offset + time) & 0xFFFFFFFF
        return rtp.sender_report(
            self.way.ssrc, unix_now, stamp, self._packets, self._octets, blocks=blocks, cname=self._cname
        )

    @property
    def loss(self) -> float:
        """The smoothed part of what was sent that the other end reports as lost."""
        return self._control.loss

    def end(self) -> None:
        """Say goodbye; after this nothing leaves."""
        self.way.send_rtcp(rtp.bye(self.way.ssrc, self._cname))
        self.way.stop_sending()


class Uplink:
    """Frames, encodes and sends. :meth:`take` belongs to the exchange thread, the rest to the loop."""

    def __init__(self, codec: CodecSettings, proof: MuteProof, counters: Counters) -> None:
        self._encoder = codec.encoder()
        self._dtx = codec.dtx
        self._proof = proof
        self._counters = counters
        self._frame = np.zeros(codec.frame_ms * BLOCK // 10, np.int16)
        self._filled = 0
        self._time = 0
        self._clean = True
        self._attached: _Stream | None = None
        self._stream: _Stream | None = None
        self._protection: Protection | None = None
        self._talkspurt = True
        self._resting = False
        self._sent: deque[tuple[int, bytes]] = deque(maxlen=_MOST_AGAIN)
        """Times and frames that may be sent again, oldest first."""

    def attach(self, way: Way, answer: sdp.Answer) -> None:
        """Packets may leave by ``way`` from now on."""
        self._attached = _Stream(way, answer.listening[0] if answer.listening else None)

    def detach(self) -> None:
        """Say goodbye. No packet leaves any more once this returns."""
        stream, self._attached = self._attached, None
        if stream is not None:
            stream.end()

    def heard_report(self, packet: Data, now: float) -> None:
        """Take an RTCP packet of the other end; what it says of our stream takes effect with the next frame.

        From one thread at a time, whichever: nothing here waits for the exchange thread.
        """
        stream = self._attached
        if stream is not None:
            stream.heard(packet, now)

    def report(self, unix_now: float, blocks: Sequence[ReportBlock] = ()) -> bytes | None:
        """The next RTCP packet to send, once a second: SR or RR with ``blocks``, and SDES. None without a connection.

        :param unix_now: seconds since 1970.
        """
        stream = self._attached
        return stream.report(unix_now, self._time, blocks) if stream is not None else None

    @property
    def loss(self) -> float | None:
        """The part of what was sent that the other end reports as lost, 0 to 1; None without a connection."""
        stream = self._attached
        return stream.loss if stream is not None else None

    def take(self, pcm: Pcm | None) -> None:
        """Take one gated block, shape (480,), or None: the gate is closed."""
        stream = self._attached
        if stream is not self._stream:  # another connection: a stream of its own, which begins with nothing
            self._stream = stream
            self._protection = None
            self._proof.entered(None)
            self._close()
        block = pcm if stream is not None and stream.may_speak else None
        self._proof.entered(block)
        self._time += BLOCK
        if block is None or stream is None:
            self._close()
        else:
            self._fill(block, stream)

    def check(self) -> None:
        """Look, while the gate is closed, that nothing of before is left here and that the proof still works.

        Exchange thread. It costs two encodings; what is found is the proof's to count.
        """
        if self._filled or self._frame.any() or self._sent or not self._clean:
            self._proof.found(KEPT)
        if self._stream is not None and self._stream.unseen:
            self._proof.found(LEFT_UNSEEN)
        self._proof.check(self._encoder)
        self._encoder.reset()

    def _close(self) -> None:
        if self._clean:
            return
        self._frame.fill(0)
        self._filled = 0
        self._sent.clear()
        self._encoder.reset()
        self._counters.add("encoder_resets")
        self._clean = self._talkspurt = True
        self._resting = False

    def _fill(self, block: Pcm, stream: _Stream) -> None:
        self._clean = False
        if self._filled == 0 and self._protection is not stream.protection:
            self._protect(stream)
        self._frame[self._filled : self._filled + BLOCK] = block
        self._filled += BLOCK
        if self._filled < self._frame.size:
            return
        self._filled = 0
        try:
            payload = self._encoder.encode(self._frame)
        except OpusError:
            self._counters.add("encode_failures")
            return
        if self._is_news(payload):
            self._send(payload, stream)

    def _protect(self, stream: _Stream) -> None:
        """Set the encoder, and the proof's, as reports ask for."""
        if self._protection is not None:
            self._counters.add("protection_changes")
        self._protection = stream.protection
        # Beside whole frames FEC takes more from the sound than it ever gives back (docs/adr/0060).
        fec = not stream.redundant
        expected_loss = self._protection.expected_loss if fec else 0
        for encoder in (self._encoder, self._proof):
            encoder.tune(fec=fec, expected_loss=expected_loss)

    def _is_news(self, payload: bytes) -> bool:
        """Whether a frame has to be sent: with DTX not what only goes on resting."""
        rested, self._resting = self._resting, self._dtx and len(payload) <= _RESTING
        return not (rested and self._resting)

    def _send(self, payload: bytes, stream: _Stream) -> None:
        begins, self._talkspurt = self._talkspurt, False
        level = dbov(self._frame)
        time = self._time - self._frame.size
        leaving = stream.build(payload, self._again(payload, time) if stream.redundant else ())
        self._remember(payload, time)
        if not self._proof.leaving(leaving, redundant=stream.redundant):
            self._counters.add("packets_withheld")
        elif stream.send(time, level, begins=begins):
            self._counters.add("packets_sent")

    def _again(self, payload: bytes, time: int) -> list[tuple[int, bytes]]:
        """The frames to send once more with ``payload``, each with its age in samples; none from before a pause."""
        blocks = (self._protection or USUAL).blocks
        oldest = time - blocks * self._frame.size
        again = [(time - then, frame) for then, frame in self._sent if then >= oldest]
        while again and red.size(payload, again) > _MOST_PAYLOAD:
            del again[0]
        return again

    def _remember(self, payload: bytes, time: int) -> None:
        if len(payload) <= red.MOST_LENGTH:
            self._sent.append((time, payload))
        else:
            self._sent.clear()  # what is sent again is a row without holes: its numbers are told by their order
