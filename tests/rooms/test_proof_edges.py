"""The proof of mute, change by change: each thing that it must count, and each that it must not, as one call."""

from collections.abc import Sequence

import numpy as np
import pytest

from appliance.core import sdp
from appliance.core.units import BLOCK, Pcm
from appliance.media import red
from appliance.media.opus import Decoder, Encoder, has_fec
from appliance.rooms.proof import KEPT, LEFT_CLOSED, LEFT_OPEN, UNREADABLE, MuteProof, _audible
from tests.rooms.mutants import ForgetsToReset
from tests.rooms.test_proof import Way, tone
from tests.rooms.test_uplink import PLAIN, TONE, Bench

ZEROS = np.zeros(2 * BLOCK, np.int16)
LOUD = Encoder(20).encode(np.concatenate(tone(440, 2)))
QUIET = Encoder(20).encode(ZEROS)
HYBRID = Encoder(20).encode(np.concatenate(tone(880, 2)))
HISS = np.random.default_rng(1).integers(-1, 2, 2 * BLOCK).astype(np.int16)
"""So quiet that it does not count."""


def proof(grace: int = 0) -> MuteProof:
    return MuteProof(lambda: Encoder(20), 20, grace=grace, clock=lambda: 5.0)


def opened(blocks: Sequence[Pcm]) -> MuteProof:
    """A proof whose gate has just opened, and these have come in."""
    found = proof()
    for block in blocks:
        found.entered(block)
    return found


def redundant(newest: bytes, earlier: bytes) -> bytes:
    """A payload that brings ``earlier`` again."""
    buffer = bytearray(1500)
    return bytes(buffer[: red.build_into(buffer, 0, sdp.DEVICE_OPUS, newest, [(960, earlier)])])


def heard(packet: bytes) -> bytes:
    out = np.zeros(2 * BLOCK, np.int16)
    Decoder().decode(packet, out)
    return out.tobytes()


def other_bytes(packet: bytes) -> bytes:
    """The same sound in other bytes: a bit changed that no decoder looks at."""
    for bit in range(8 * len(packet) - 1, 8, -1):
        changed = bytearray(packet)
        changed[bit // 8] ^= 1 << bit % 8
        if heard(bytes(changed)) == heard(packet):
            return bytes(changed)
    raise AssertionError("every bit of it counts")


# ---- what is loud


@pytest.mark.parametrize(("level", "counts"), [(-80.5, 0), (-79.5, 2), (-20.0, 2)])
def test_blocks_over_minus_eighty_are_audible(level: float, counts: int) -> None:
    assert len(_audible(np.full(2 * BLOCK, 10 ** (level / 20), np.float32))) == counts


def test_each_block_is_looked_at_from_its_first_sample_on() -> None:
    click = np.zeros(2 * BLOCK, np.float32)
    click[0] = 1.0
    assert len(_audible(click)) == 1


# ---- a gate that is closed


def test_a_queue_may_bring_one_packet_after_every_closing_and_no_second() -> None:
    found = proof(grace=1)
    for _ in range(3):
        assert found.leaving(LOUD)
        found.entered(TONE[0])
        found.entered(None)
    found.forbid(False)
    assert found.leaving(LOUD)
    found.forbid(False)
    assert not found.leaving(LOUD)
    assert found.state.why == LEFT_CLOSED


def test_a_frame_that_comes_again_counts_while_the_gate_is_closed_though_it_left_before() -> None:
    found = opened(tone(440, 2))
    assert found.leaving(LOUD)
    assert found.leaving(redundant(QUIET, LOUD), redundant=True)
    found.entered(None)
    assert not found.leaving(redundant(QUIET, LOUD), redundant=True)
    assert (found.violations, found.state.why) == (2, LEFT_CLOSED)


def test_what_cannot_be_taken_apart_counts_and_has_no_level() -> None:
    levels: list[float] = []
    found = MuteProof(lambda: Encoder(20), 20, levels.append)
    assert not found.leaving(b"", redundant=True)
    assert (found.state.why, levels) == (UNREADABLE, [0.0])


# ---- a gate that is said to be closed


def test_a_reason_that_holds_is_told_with_every_block_and_counts_from_the_second_packet_on() -> None:
    found = opened(tone(440, 2))
    assert found.leaving(LOUD)
    for _ in range(2):  # a reason may come and go: each time one packet may be of a moment before
        found.forbid(True)
        assert found.leaving(redundant(LOUD, LOUD), redundant=True)
        found.forbid(True)
        found.forbid(False)
        assert found.leaving(LOUD)
    found.forbid(True)
    assert found.leaving(LOUD)
    found.forbid(True)
    assert not found.leaving(LOUD)
    assert (found.violations, found.state.why) == (2, LEFT_CLOSED)


def test_so_do_frames_that_come_again() -> None:
    found = opened(tone(440, 2))
    assert found.leaving(LOUD)
    found.forbid(True)
    assert found.leaving(redundant(QUIET, LOUD), redundant=True)
    assert not found.leaving(redundant(QUIET, LOUD), redundant=True)
    assert found.violations == 2


# ---- the first packet after opening


def test_a_first_packet_of_half_a_frame_is_compared_with_half_a_frame() -> None:
    found = opened(tone(440, 2))
    found.leaving(LOUD)
    found.entered(None)
    found.entered(ZEROS[:BLOCK])
    assert found.leaving(QUIET)


def test_other_bytes_with_the_same_sound_are_no_leak() -> None:
    changed = other_bytes(LOUD)
    assert changed != LOUD
    assert opened(tone(440, 2)).leaving(changed)


def test_a_difference_that_nobody_hears_is_no_leak() -> None:
    silence = list(ZEROS.reshape(2, BLOCK))
    assert opened(silence).leaving(Encoder(20).encode(HISS))
    assert opened(silence).leaving(Encoder(10).encode(HISS[:BLOCK])), "nor in a packet of another length"


@pytest.mark.parametrize("packet", [LOUD, Encoder(10).encode(tone(440, 1)[0])], ids=["20 ms", "10 ms"])
def test_a_difference_that_one_hears_is_one(packet: bytes) -> None:
    found = opened(list(ZEROS.reshape(2, BLOCK)))
    assert not found.leaving(packet)
    assert found.state.why == LEFT_OPEN


def test_what_only_fec_would_bring_back_is_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    """To a decoder that hears nothing of the frame itself."""
    encoder = Encoder(20, bitrate=24_000, expected_loss=30)
    for frame in np.array(TONE[:16]).reshape(-1, 2 * BLOCK):
        encoder.encode(frame)
    packet = encoder.encode(ZEROS)
    assert has_fec(packet)
    monkeypatch.setattr(Decoder, "decode", lambda _decoder, _packet, out: out.fill(0) or out.size)
    for leaks, is_leak in ((packet, True), (HYBRID, False), (bytes([HYBRID[0] | 3, 1]) + HYBRID[1:], True)):
        found = opened(list(ZEROS.reshape(2, BLOCK)))
        assert found.leaving(leaks) is not is_leak, "what cannot be told counts"


# ---- the check


def test_an_encoder_that_was_not_reset_is_found_where_nothing_else_is() -> None:
    bench = Bench(kind=ForgetsToReset, answer=PLAIN)
    bench.take(*TONE[:8], None)
    assert bench.proof.violations == 0
    bench.uplink.check()
    assert bench.proof.violations == 2, "both blocks of the frame"
    assert bench.proof.state.why == KEPT


def test_when_was_looked_is_told_in_tenths_of_seconds() -> None:
    now = [5.0]
    found = MuteProof(lambda: Encoder(20), 20, clock=lambda: now[0])
    found.check(Encoder(20))
    now[0] = 7.26
    assert found.state.checked_ago == 2.3


def test_a_way_that_keeps_half_a_frame_counts_once_for_each_block_of_before() -> None:
    way = Way(20, empty=False)
    way.takes(tone(440, 21))
    way.take(None)
    way.takes([ZEROS[:BLOCK]] * 2)
    assert way.proof.state.why == LEFT_OPEN
