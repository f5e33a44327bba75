"""The way up of an engine that sends RTP itself: gated blocks in, protected packets out, all on the exchange thread.

There is no queue: a packet is encoded, protected and handed to the socket within the call that brought its last block. So
nothing can leave after the gate has closed but what the socket had already. Closing empties the half-filled frame and resets
the encoder, so that nothing of before is in what follows, be it in the encoder's look-ahead or in its redundancy.
"""

import secrets
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
    """The RTP state of one connection: who sends, and what the next packet is called."""

    def __init__(self, way: Way, payload_type: int, level_id: int | None) -> None:
        self.way = way
        self.payload_type = payload_type
        self.level_id = level_id
        self.sequence = secrets.randbits(15)  # the lower half, so that it does not wrap at once (RFC 3711, 3.3.1)
        self.offset = secrets.randbits(32)


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
        level = dbov(self._frame)
        length = rtp.build_into(
            stream.way.buffer,
            payload_type=stream.payload_type,
            marker=self._talkspurt,
            sequence=stream.sequence,
            timestamp=(stream.offset + self._time - self._frame.size) & 0xFFFFFFFF,
            ssrc=stream.way.ssrc,
            payload=payload,
            level_id=stream.level_id,
            level=level,
            voice=level > _VOICE,
        )
        self._talkspurt = False
        self._proof.leaving(payload)
        # The number is used up even when the packet did not leave: no two packets may be protected under one number.
        stream.sequence = (stream.sequence + 1) & 0xFFFF
        if stream.way.send_rtp(length):
            self._counters.add("packets_sent")
