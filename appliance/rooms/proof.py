"""The proof of mute (UX.md, mute rule 6): what leaves is decoded at the last point that is ours.

It stands at both ends of an engine's way up. At the entrance it hears each block, or that the gate is closed; just before a
packet is protected and sent it gets the packet's payload. Between the two it trusts nothing. Two things are proven:

- After the gate has closed, no sound leaves: every payload that leaves is decoded, and blocks over -80 dBov are counted.
- After it has opened again, nothing of before leaves: the first packet must be what an encoder without a past makes of what
  came in since. If it is not, both are decoded, and blocks in which they differ by more than -80 dBov are counted; so are
  blocks that the packet's redundancy (Opus FEC) brings back. An encoder that was not reset, a frame that was half full, a
  queue that was not emptied show here.
- Whatever a packet brings again (RFC 2198) is looked at too. While the gate is closed it is decoded like the rest. While it is
  open each earlier frame must be one that left since it opened, byte for byte; if not, it is decoded and counted.

In an ordinary call it decodes nothing: it costs one more encoding each time the gate opens, and a comparison of bytes for each
frame that is sent again.
"""

from collections import deque
from collections.abc import Callable

import numpy as np

from appliance.core.levels import dbov
from appliance.core.units import BLOCK, Block, Pcm
from appliance.media import red
from appliance.media.opus import Decoder, Encoder, OpusError

AUDIBLE = -80.0
"""dBov. What is louder than this counts as heard."""

_OVERLOAD = np.float32(32_768)
_REMEMBERED = 3
"""Payloads with which a decoder is brought to where a listener's is."""
_AGAIN = red.MOST_BLOCKS
"""Frames that left, among which one that comes again is looked for."""


class MuteProof:
    """Counts blocks that leave and must not. All methods belong to the thread that sends.

    :param make_encoder: makes an encoder just like the one whose packets leave.
    :param frame_ms: length of a packet's audio, 10 or 20.
    :param on_violation: told the level of each block that was counted, dBov.
    :param grace: packets that may still leave after closing: 1 where an engine has a queue of its own, else 0.
    """

    def __init__(
        self,
        make_encoder: Callable[[], Encoder],
        frame_ms: int,
        on_violation: Callable[[float], None] = lambda _: None,
        grace: int = 0,
    ) -> None:
        self.violations = 0
        self._reference = make_encoder()
        self._on_violation = on_violation
        self._grace = grace
        samples = frame_ms * BLOCK // 10
        self._first = np.zeros(samples, np.int16)
        self._filled = 0
        self._left = np.zeros(samples, np.int16)
        self._wanted = np.zeros(samples, np.int16)
        self._since: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._left_open: deque[bytes] = deque(maxlen=_AGAIN)
        """The newest frames that left since the gate opened."""
        self._closed = True
        self._opening = False
        self._forbidden = False
        self._packets = 0

    def entered(self, pcm: Pcm | None) -> None:
        """A block came in, shape (480,), or None: the gate is closed. Call it first of all."""
        if pcm is None:
            self._close()
            return
        if self._closed:
            self._closed, self._opening, self._filled = False, True, 0
            self._first.fill(0)
            self._left_open.clear()
            self._since.clear()
        if self._opening and self._filled < self._first.size:
            self._first[self._filled : self._filled + BLOCK] = pcm
            self._filled += BLOCK

    def forbid(self, forbidden: bool) -> None:
        """What else is known of the gate: a reason to close it holds, whatever comes in.

        From its second call on, blocks that come in although it is closed count as leaked when they leave; the first one
        may be of a moment before.
        """
        if forbidden and not self._forbidden:
            self._begin()
        self._forbidden = forbidden

    def tune(self, expected_loss: int, fec: bool) -> None:
        """The encoder whose packets leave is set so from its next frame on. Call it between frames."""
        self._reference.tune(expected_loss=expected_loss, fec=fec)

    def leaving(self, payload: red.Data, *, redundant: bool = False) -> None:
        """A payload is about to be protected and sent: an Opus packet, or as ``redundant`` as RFC 2198 has it."""
        if not redundant:
            self._leaves(bytes(payload))
            return
        frames = red.split(payload)
        if not frames:  # nobody can tell what is in it
            self._violation(0.0)
            return
        for frame in frames[:-1]:
            self._leaves_again(frame.payload)
        self._leaves(bytes(frames[-1].payload))

    def _leaves(self, payload: bytes) -> None:
        if self._closed or self._forbidden:
            self._packets += 1
            if self._is_too_late(self._packets):
                self._examine(self._heard, payload)
            self._since.append(payload)
        elif self._opening:
            self._opening = False
            self._examine(self._compare, payload)
        if not self._closed:
            self._left_open.append(payload)

    def _leaves_again(self, payload: red.Data) -> None:
        if self._closed or self._forbidden:
            if self._is_too_late(self._packets + 1):
                self._examine(self._heard, bytes(payload))
        elif payload not in self._left_open:
            self._examine(self._heard, bytes(payload))

    def _is_too_late(self, packets: int) -> bool:
        return packets > (self._grace if self._closed else max(1, self._grace))

    def _close(self) -> None:
        if not self._closed:
            self._closed, self._opening = True, False
            self._begin()

    def _begin(self) -> None:
        self._packets = 0
        self._since.clear()

    def _examine(self, check: Callable[[bytes], None], payload: bytes) -> None:
        try:
            check(payload)
        except OpusError:  # nobody can tell what is in it
            self._violation(0.0)

    def _heard(self, payload: bytes) -> None:
        """Count what a listener hears of this frame who has heard nothing but what left since the gate closed."""
        decoder = Decoder()
        for earlier in self._since:
            decoder.decode(earlier, self._left)
        self._count(self._left[: decoder.decode(payload, self._left)])

    def _compare(self, payload: bytes) -> None:
        """Count what is in a first packet besides what came in since the gate opened."""
        self._reference.reset()
        wanted = self._reference.encode(self._first)
        if payload == wanted:
            return
        left = self._left[: Decoder().decode(payload, self._left)].astype(np.float32)
        right = self._wanted[: Decoder().decode(wanted, self._wanted)].astype(np.float32)
        self._count((left - right) / _OVERLOAD if left.size == right.size else left / _OVERLOAD)
        brought_back = Decoder().decode_fec(payload, self._left, self._left.size)
        self._count(self._left[:brought_back].astype(np.float32) / _OVERLOAD)

    def _count(self, samples: Pcm | Block) -> None:
        for start in range(0, samples.size, BLOCK):
            level = dbov(samples[start : start + BLOCK])
            if level > AUDIBLE:
                self._violation(level)

    def _violation(self, level: float) -> None:
        self.violations += 1
        self._on_violation(level)
