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

What is counted does not leave, and nothing leaves after it: :meth:`MuteProof.leaving` says so. In an ordinary call nothing is
decoded: it costs one more encoding each time the gate opens, and a comparison of bytes for each frame that is sent again.

While the gate is closed :meth:`MuteProof.check` looks, now and then, at what the packets alone would show only later: that the
encoder has no past, and that the proof itself still hears a sound and nothing in silence (docs/proof.md).
"""

import time
from collections import deque
from collections.abc import Callable

import numpy as np

from appliance.core.levels import dbov
from appliance.core.state import ProofState
from appliance.core.units import BLOCK, RATE, Block, Pcm
from appliance.media import red
from appliance.media.opus import Decoder, Encoder, OpusError, has_fec

AUDIBLE = -80.0
"""dBov. What is louder than this counts as heard."""

_OVERLOAD = np.float32(32_768)
_REMEMBERED = 3
"""Payloads with which a decoder is brought to where a listener's is."""
_TONE, _LOUD = 1000.0, 8000.0
"""Hz and amplitude of what a check lets the proof hear: -15 dBov."""
_FRAMES = 3
"""Where a packet says how many frames it has (RFC 6716, 3.1): 0 is one, as our encoders make them. Of others FEC is not told."""
_AGAIN = red.MOST_BLOCKS
"""Frames that left, among which one that comes again is looked for."""

LEFT_CLOSED = "sound was about to leave while the gate was closed"
LEFT_OPEN = "sound of before was about to leave after the gate had opened again"
UNREADABLE = "what was about to leave cannot be decoded"
LEFT_UNSEEN = "packets left that the proof had not seen"
KEPT = "sound of before is still on the way up, though the gate is closed"
DEAF = "the proof of mute does not hear a tone, or hears one in silence"
"""What can be wrong, as status and journal say it."""


class MuteProof:
    """Counts blocks that must not leave, and says whether a packet may. All methods belong to the thread that sends.

    :param make_encoder: makes an encoder just like the one whose packets leave.
    :param frame_ms: length of a packet's audio, 10 or 20.
    :param on_violation: told the level of each block that was counted, dBov, and 0 for what is no sound.
    :param grace: packets that may still leave after closing: 1 where an engine has a queue of its own, else 0.
    :param clock: seconds, of which :attr:`state` tells when was looked last.
    """

    def __init__(
        self,
        make_encoder: Callable[[], Encoder],
        frame_ms: int,
        on_violation: Callable[[float], None] = lambda _: None,
        grace: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.violations = 0
        self._why = ""
        self._looked = self._checks = self._left_closed = 0
        self._checked_at: float | None = None
        self._clock = clock
        self._reference = make_encoder()
        self._on_violation = on_violation
        self._grace = grace
        samples = frame_ms * BLOCK // 10
        self._first = np.zeros(samples, np.int16)
        self._filled = 0
        self._left = np.zeros(samples, np.int16)
        self._wanted = np.zeros(samples, np.int16)
        self._silence = np.zeros(samples, np.int16)
        self._tone = (np.sin(2 * np.pi * _TONE * np.arange(samples) / RATE) * _LOUD).astype(np.int16)
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

    @property
    def state(self) -> ProofState:
        """What was seen so far. Any thread."""
        ago = None if self._checked_at is None else round(self._clock() - self._checked_at, 1)
        return ProofState(self.violations, self._why, self._looked, self._left_closed, self._checks, ago)

    def leaving(self, payload: red.Data, *, redundant: bool = False) -> bool:
        """A payload is about to be protected and sent: an Opus packet, or as ``redundant`` as RFC 2198 has it.

        Returns whether it may leave: not when anything in it was counted, and nothing does after that.
        """
        if not redundant:
            self._leaves(bytes(payload))
        elif not (frames := red.split(payload)):
            self.found(UNREADABLE)
        else:
            for frame in frames[:-1]:
                self._leaves_again(frame.payload)
            self._leaves(bytes(frames[-1].payload))
        return not self.violations

    def check(self, encoder: Encoder) -> None:
        """Look, while the gate is closed, that ``encoder`` has no past and that this proof still hears.

        ``encoder`` is the one whose packets leave; what it makes here leaves nowhere, and it has to be reset afterwards.
        """
        try:
            self._reference.reset()
            wanted = self._reference.encode(self._tone)
            if self._beyond(encoder.encode(self._tone), wanted):
                self.found(KEPT)
            self._reference.reset()
            hears_silence = self._loud(Decoder(), self._reference.encode(self._silence))
            if hears_silence or len(self._loud(Decoder(), wanted)) * BLOCK != self._tone.size:
                self.found(DEAF)
        except OpusError:
            self.found(DEAF)
        self._checks += 1
        self._checked_at = self._clock()

    def found(self, why: str, level: float = 0.0) -> None:
        """Count what is wrong, ``why`` in words, with the level of a block that was about to leave."""
        self.violations += 1
        self._why = why
        self._on_violation(level)

    def _leaves(self, payload: bytes) -> None:
        if self._closed or self._forbidden:
            self._packets += 1
            self._left_closed += 1
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
        self._looked += 1
        try:
            check(payload)
        except OpusError:  # nobody can tell what is in it
            self.found(UNREADABLE)

    def _heard(self, payload: bytes) -> None:
        """Count what a listener hears of this frame who has heard nothing but what left since the gate closed."""
        decoder = Decoder()
        for earlier in self._since:
            decoder.decode(earlier, self._left)
        self._count(self._loud(decoder, payload))

    def _compare(self, payload: bytes) -> None:
        """Count what is in a first packet besides what came in since the gate opened."""
        self._reference.reset()
        self._count(self._beyond(payload, self._reference.encode(self._first)))

    def _beyond(self, payload: bytes, wanted: bytes) -> list[float]:
        """The levels of the blocks that are heard in the first packet ``payload`` and not in ``wanted``."""
        if payload == wanted:
            return []
        left = self._left[: Decoder().decode(payload, self._left)].astype(np.float32)
        right = self._wanted[: Decoder().decode(wanted, self._wanted)].astype(np.float32)
        heard = _audible((left - right) / _OVERLOAD if left.size == right.size else left / _OVERLOAD)
        if not (has_fec(payload) or payload[0] & _FRAMES):
            return heard  # a decoder that is asked to bring back what is not there makes a noise of its own
        brought_back = Decoder().decode_fec(payload, self._left, self._left.size)
        return heard + _audible(self._left[:brought_back].astype(np.float32) / _OVERLOAD)

    def _loud(self, decoder: Decoder, payload: bytes) -> list[float]:
        """The levels of the blocks that are heard in this frame."""
        return _audible(self._left[: decoder.decode(payload, self._left)])

    def _count(self, levels: list[float]) -> None:
        for level in levels:
            self.found(LEFT_CLOSED if self._closed or self._forbidden else LEFT_OPEN, level)


def _audible(samples: Pcm | Block) -> list[float]:
    """The levels of those blocks that are louder than :data:`AUDIBLE`, dBov."""
    levels = (dbov(samples[start : start + BLOCK]) for start in range(0, samples.size, BLOCK))
    return [level for level in levels if level > AUDIBLE]
