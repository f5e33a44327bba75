"""The proof of mute, with real Opus: it is silent about what is right, and counts what leaks."""

import numpy as np
import pytest

from appliance.core.units import BLOCK, RATE, Pcm
from appliance.media.opus import Encoder
from appliance.rooms.proof import MuteProof

SILENCE = np.zeros(BLOCK, np.int16)


def tone(hertz: float, blocks: int, level: float = 0.5) -> list[Pcm]:
    samples = np.sin(2 * np.pi * hertz * np.arange(blocks * BLOCK) / RATE) * 32767 * level
    return list(samples.astype(np.int16).reshape(blocks, BLOCK))


class Way:
    """A way up as an engine would build it, with the mistakes that a test asks for."""

    def __init__(self, frame_ms: int = 20, *, reset: bool = True, empty: bool = True, grace: int = 0) -> None:
        self.levels: list[float] = []
        self.proof = MuteProof(lambda: Encoder(frame_ms), frame_ms, self.levels.append, grace)
        self.encoder = Encoder(frame_ms)
        self.blocks = frame_ms // 10
        self.half: list[Pcm] = []
        self.reset, self.empty = reset, empty
        self.was_open = False

    def take(self, pcm: Pcm | None) -> None:
        self.proof.entered(pcm)
        if pcm is None:
            if self.was_open and self.reset:
                self.encoder.reset()
            if self.empty:
                self.half.clear()
            self.was_open = False
            return
        self.was_open = True
        self.leak(pcm)

    def leak(self, pcm: Pcm) -> None:
        """Send without asking."""
        self.half.append(pcm)
        if len(self.half) == self.blocks:
            packet = self.encoder.encode(np.concatenate(self.half))
            self.half.clear()
            self.proof.leaving(packet)

    def takes(self, blocks: list[Pcm] | list[None]) -> None:
        for block in blocks:
            self.take(block)


@pytest.fixture(params=[10, 20])
def frame_ms(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_a_gate_that_opens_and_closes_at_any_block_leaves_no_trace(frame_ms: int) -> None:
    way = Way(frame_ms)
    random = np.random.default_rng(5)
    for _ in range(60):
        sound = [*tone(440, 40, 0.9), *random.integers(-9000, 9000, (40, BLOCK)).astype(np.int16)]
        start = int(random.integers(0, 60))
        way.takes(sound[start : start + int(random.integers(1, 20))])
        way.takes([None] * int(random.integers(1, 4)))
    assert way.proof.violations == 0


def test_silence_may_leave_a_closed_gate(frame_ms: int) -> None:
    """Where an engine must send, it sends digital silence, from a reset encoder."""
    way = Way(frame_ms)
    way.takes(tone(440, 20))
    way.take(None)
    for _ in range(10):
        way.leak(SILENCE)
    assert way.proof.violations == 0


def test_silence_from_an_encoder_that_was_not_reset_is_counted(frame_ms: int) -> None:
    way = Way(frame_ms, reset=False)
    way.takes(tone(440, 20))
    way.take(None)
    for _ in range(4):
        way.leak(SILENCE)
    assert way.proof.violations >= 1


def test_one_block_after_closing_is_counted(frame_ms: int) -> None:
    way = Way(frame_ms)
    way.takes(tone(440, 20))
    way.take(None)
    for block in tone(440, frame_ms // 10):
        way.leak(block)
    assert way.proof.violations >= 1
    assert max(way.levels) > -20


def test_a_quiet_block_after_closing_is_counted_down_to_minus_eighty() -> None:
    audible, inaudible = Way(), Way()
    for way, amplitude in ((audible, 8.0), (inaudible, 1.0)):
        way.takes(tone(440, 20))
        way.take(None)
        noise = np.random.default_rng(1).normal(0, amplitude, 20 * BLOCK).astype(np.int16).reshape(20, BLOCK)
        for block in noise:
            way.leak(block)
    assert audible.proof.violations > 0
    assert inaudible.proof.violations == 0


def test_a_way_with_a_queue_has_one_packet_of_grace() -> None:
    way = Way(grace=1)
    way.takes(tone(440, 20))
    way.take(None)
    for block in tone(440, 2):
        way.leak(block)
    assert way.proof.violations == 0
    for block in tone(440, 2):
        way.leak(block)
    assert way.proof.violations == 2


@pytest.mark.parametrize("hertz", [200, 440, 1000, 4000])
def test_an_encoder_that_is_not_reset_is_counted(frame_ms: int, hertz: float) -> None:
    """Whatever comes after opening: silence, the same tone, another."""
    for after in ([SILENCE] * 4, tone(hertz, 4), tone(hertz * 1.3, 4, 0.1)):
        way = Way(frame_ms, reset=False)
        way.takes(tone(hertz, 20))
        way.take(None)
        assert way.proof.violations == 0
        way.takes(after)
        assert way.proof.violations >= 1, hertz


def test_a_half_frame_that_is_kept_is_counted() -> None:
    way = Way(20, empty=False)
    way.takes(tone(440, 21))
    way.take(None)
    way.takes([SILENCE] * 4)
    assert way.proof.violations >= 1


def test_a_packet_that_waited_while_the_gate_was_closed_is_counted() -> None:
    way = Way()
    way.takes(tone(440, 20))
    waited = Encoder(20).encode(np.concatenate(tone(440, 2)))
    way.take(None)
    way.take(SILENCE)
    way.proof.leaving(waited)
    assert way.proof.violations >= 1


def test_blocks_that_come_in_although_a_reason_holds_are_counted_from_the_second_packet() -> None:
    way = Way()
    way.takes(tone(440, 20))
    way.proof.forbid(True)
    way.takes(tone(440, 2))
    assert way.proof.violations == 0, "the first may be of a moment before"
    way.takes(tone(440, 2))
    assert way.proof.violations == 2
    way.proof.forbid(False)
    way.takes(tone(440, 20))
    assert way.proof.violations == 2


def test_what_cannot_be_decoded_is_counted() -> None:
    way = Way()
    way.proof.leaving(b"\xff\xff\xff")
    assert way.proof.violations == 1


def test_at_the_beginning_the_gate_counts_as_closed() -> None:
    way = Way()
    for block in tone(440, 4):
        way.leak(block)
    assert way.proof.violations >= 1
