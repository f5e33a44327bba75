"""The way up of an engine that sends RTP itself: gated blocks in, protected packets out, all on the exchange thread.

There is no queue: a packet is encoded, protected and handed to the socket within the call that brought its last block. So
nothing can leave after the gate has closed but what the socket had already. Closing empties the half-filled frame and resets
the encoder, so that nothing of before is in what follows, be it in the encoder's look-ahead or in its redundancy.
"""

import secrets
import struct
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from appliance.core import sdp
from appliance.core.counters import Counters
from appliance.core.levels import dbov
from appliance.core.units import BLOCK, Pcm
from appliance.media import rtp
from appliance.media.opus import Encoder, OpusError
from appliance.rooms.proof import MuteProof

_VOICE = -50.0
"""dBov. Louder packets carry the voice flag of RFC 6464."""

_CHANGING = struct.Struct("!BHI")
"""What differs from packet to packet in an RTP header, from its second byte on: kind, sequence number, timestamp."""

_LEVEL_AT = 17
"""The level in a header whose one extension is the level: 12 bytes, 4 of the extension's header, 1 of its own."""


@dataclass(frozen=True, slots=True)
class CodecSettings:
    """How the room's microphone is encoded."""

    frame_ms: int = 20
    """Length of a packet's audio, 10 or 20."""
    bitrate: int = 32_000
    """Bits a second."""
    complexity: int = 5
    """0 to 10: CPU for quality."""

    def encoder(self) -> Encoder:
        """A new encoder like this."""
        return Encoder(self.frame_ms, bitrate=self.bitrate, complexity=self.complexity)


class Way(Protocol):
    """What packets leave by: the sending half of :class:`appliance.media.webrtc.DeviceTransport`."""

    ssrc: int

    @property
    def buffer(self) -> bytearray:
        """Where a packet is built."""

    def send_rtp(self, length: int) -> bool:
        """Protect and send it."""

    def stop_sending(self) -> None:
        """Let nothing leave any more."""


class _Stream:
    """The RTP state of one connection: its packets' header is made once, and then only what changes in it."""

    def __init__(self, way: Way, payload_type: int, level_id: int | None) -> None:
        self.way = way
        self._marked = payload_type | 0x80
        self._unmarked = payload_type
        self._sequence = secrets.randbits(15)  # the lower half, so that it does not wrap at once (RFC 3711, 3.3.1)
        self._offset = secrets.randbits(32)
        self._buffer = way.buffer
        self._payload_at = rtp.build_into(
            self._buffer,
            payload_type=payload_type,
            marker=False,
            sequence=0,
            timestamp=0,
            ssrc=way.ssrc,
            payload=b"",
            level_id=level_id,
        )
        self._has_level = level_id is not None

    def send(self, payload: bytes, time: int, level: float, *, begins: bool) -> bool:
        """Send one packet, of the audio that began at ``time`` (samples); whether it left."""
        kind = self._marked if begins else self._unmarked
        # The number is used up even when the packet does not leave: no two may be protected under one number.
        self._sequence = (self._sequence + 1) & 0xFFFF
        _CHANGING.pack_into(self._buffer, 1, kind, self._sequence, (self._offset + time) & 0xFFFFFFFF)
        if self._has_level:
            self._buffer[_LEVEL_AT] = (level > _VOICE) << 7 | min(127, round(-level))
        end = self._payload_at + len(payload)
        self._buffer[self._payload_at : end] = payload
        return self.way.send_rtp(end)


class Uplink:
    """Frames, encodes and sends. :meth:`take` belongs to the exchange thread, the rest to the loop."""

    def __init__(self, codec: CodecSettings, proof: MuteProof, counters: Counters) -> None:
        self._encoder = codec.encoder()
        self._proof = proof
        self._counters = counters
        self._frame = np.zeros(codec.frame_ms * BLOCK // 10, np.int16)
        self._filled = 0
        self._time = 0
        self._clean = True
        self._attached: _Stream | None = None
        self._stream: _Stream | None = None
        self._talkspurt = True

    def attach(self, way: Way, answer: sdp.Answer) -> None:
        """Packets may leave by ``way`` from now on."""
        section = answer.listening[0]
        payload_type = section.opus if section.opus is not None else sdp.DEVICE_OPUS
        self._attached = _Stream(way, payload_type, section.extensions.get(sdp.LEVEL_URI))

    def detach(self) -> None:
        """No packet leaves any more once this returns."""
        stream, self._attached = self._attached, None
        if stream is not None:
            stream.way.stop_sending()

    def take(self, pcm: Pcm | None) -> None:
        """Take one gated block, shape (480,), or None: the gate is closed."""
        stream = self._attached
        if stream is not self._stream:  # another connection: a stream of its own, which begins with nothing
            self._stream = stream
            self._proof.entered(None)
            self._close()
        block = pcm if stream is not None else None
        self._proof.entered(block)
        self._time += BLOCK
        if block is None or stream is None:
            self._close()
        else:
            self._fill(block, stream)

    def _close(self) -> None:
        if self._clean:
            return
        self._frame.fill(0)
        self._filled = 0
        self._encoder.reset()
        self._counters.add("encoder_resets")
        self._clean = self._talkspurt = True

    def _fill(self, block: Pcm, stream: _Stream) -> None:
        self._clean = False
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
        self._send(payload, stream)

    def _send(self, payload: bytes, stream: _Stream) -> None:
        begins, self._talkspurt = self._talkspurt, False
        level = dbov(self._frame)
        self._proof.leaving(payload)
        if stream.send(payload, self._time - self._frame.size, level, begins=begins):
            self._counters.add("packets_sent")
