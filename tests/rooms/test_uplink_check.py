"""What is looked at on the way up while the gate is closed: nothing is found that is in order, and nothing else passes."""

import pytest

from appliance.core import sdp
from appliance.core.counters import Counters
from appliance.core.state import ProofState
from appliance.core.units import Pcm
from appliance.media.opus import Decoder, OpusError
from appliance.rooms.proof import DEAF, KEPT, LEFT_CLOSED, LEFT_UNSEEN, MuteProof
from appliance.rooms.uplink import CodecSettings, Uplink
from tests.rooms.mutants import ForgetsToReset, KeepsHalfAFrame, LetsOneBlockThrough, RemembersFrames
from tests.rooms.test_uplink import PLAIN, REDUNDANT, TONE, Bench, Wire, losing, speech_like


@pytest.mark.parametrize("frame_ms", [10, 20])
@pytest.mark.parametrize("dtx", [False, True])
@pytest.mark.parametrize("answer", [PLAIN, REDUNDANT], ids=["plain", "redundant"])
def test_a_check_finds_nothing_and_leaves_nothing(frame_ms: int, dtx: bool, answer: sdp.Answer) -> None:
    """Whatever was said and reported before; what is said after it is as if it had never been."""
    checked, other = (Bench(frame_ms, answer=answer, dtx=dtx) for _ in range(2))
    for blocks, lost in ((7, 0), (8, 40), (31, 90), (1, 0), (0, 0)):
        for bench in (checked, other):
            bench.uplink.heard_report(losing(lost), float(lost))
            bench.take(*TONE[:blocks], None)
        checked.uplink.check()
        same = [[packet.payload for packet in bench.take(*TONE[20:30])] for bench in (checked, other)]
        assert same[0] == same[1]
        checked.take(None)
        other.take(None)
    assert checked.proof.state.checks == 5
    assert checked.proof.violations == 0
    assert checked.proof.state.checked_ago == 0.0
    assert checked.proof.state.looked > 0
    assert checked.proof.state.left_closed == 0


@pytest.mark.parametrize("frame_ms", [10, 20])
@pytest.mark.parametrize("bitrate", [6_000, 32_000, 128_000])
@pytest.mark.parametrize("complexity", [0, 10])
def test_a_check_finds_nothing_however_the_codec_is_set(frame_ms: int, bitrate: int, complexity: int) -> None:
    """An alarm for nothing would close a room until somebody comes."""
    for dtx in (False, True):
        codec = CodecSettings(frame_ms, bitrate=bitrate, complexity=complexity, dtx=dtx)
        proof = MuteProof(codec.encoder, frame_ms, clock=lambda: 5.0)
        uplink = Uplink(codec, proof, Counters())
        uplink.attach(Wire(), PLAIN)
        for lost in (0, 120):
            uplink.heard_report(losing(lost), float(lost))
            for block in (*speech_like(0.1), None):
                uplink.take(block)
            uplink.check()
        assert proof.state == ProofState(looked=2, checks=2, checked_ago=0.0)


@pytest.mark.parametrize(("mutant", "blocks"), [(ForgetsToReset, 8), (KeepsHalfAFrame, 7), (RemembersFrames, 8)])
def test_a_check_catches_a_mutant_before_anything_leaves(mutant: type[Uplink], blocks: int) -> None:
    bench = Bench(kind=mutant, answer=REDUNDANT)
    bench.take(*TONE[:blocks], None)
    assert bench.proof.violations == 0
    bench.uplink.check()
    assert bench.proof.violations > 0
    assert bench.proof.state.why == KEPT
    assert bench.take(*TONE[:20]) == [], "nothing leaves after a violation"
    assert bench.counters.get("packets_withheld") == 10


def test_a_check_while_the_gate_is_open_is_a_mistake_that_is_told() -> None:
    bench = Bench()
    bench.take(*TONE[:2])
    bench.uplink.check()
    assert bench.proof.violations > 0


def test_a_packet_that_leaves_past_the_proof_is_noticed() -> None:
    bench = Bench()
    bench.take(*TONE[:4], None)
    bench.uplink.check()
    assert bench.proof.violations == 0
    bench.wire.send_rtp(40)
    bench.uplink.check()
    assert bench.proof.state.why == LEFT_UNSEEN


def test_a_proof_that_does_not_hear_any_more_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def deaf(_decoder: Decoder, _packet: bytes, out: Pcm) -> int:
        out.fill(0)
        return out.size

    def hears_voices(_decoder: Decoder, _packet: bytes, out: Pcm) -> int:
        out.fill(9000)
        return out.size

    def broken(_decoder: Decoder, _packet: bytes, _out: Pcm) -> int:
        raise OpusError("decoding", -3, "internal error")

    for decode in (deaf, hears_voices, broken):
        bench = Bench()
        with monkeypatch.context() as patch:
            patch.setattr(Decoder, "decode", decode)
            bench.uplink.check()
        assert bench.proof.state.why == DEAF
        bench.uplink.check()
        assert bench.proof.violations == 1


def test_what_is_counted_does_not_leave() -> None:
    bench = Bench(kind=LetsOneBlockThrough)
    assert len(bench.take(*TONE[:7])) == 3
    assert bench.take(None, None, *TONE[:20]) == []
    assert bench.proof.state.why == LEFT_CLOSED
    assert bench.proof.state.left_closed == 1
