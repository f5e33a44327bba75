"""The way up: what leaves, what is in it, and that nothing leaves after the gate has closed; with its mutants."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core import sdp
from appliance.core.counters import Counters
from appliance.core.units import BLOCK, RATE, Pcm
from appliance.media import rtp
from appliance.media.opus import Decoder, Encoder, OpusError
from appliance.rooms.proof import MuteProof
from appliance.rooms.uplink import CodecSettings, Uplink
from tests.rooms.mutants import ForgetsToReset, KeepsHalfAFrame, LetsOneBlockThrough, QueuesOnePacket

OFFER = sdp.build_offer(sdp.LocalTransport("ufrag", "p" * 22, ":".join(["AB"] * 32)), (), ssrc=42)
ANSWER = sdp.parse_answer(
    sdp.build_answer(
        sdp.parse_offer(OFFER),
        sdp.HostTransport("host", "h" * 22, ":".join(["CD"] * 32), "192.0.2.1", 4000, 1),
        [1, 2, 3],
    )
)
LEVEL = sdp.parse_offer(OFFER).media[0].extensions[sdp.LEVEL_URI]
SECOND = np.arange(RATE) / RATE
TONE = (np.sin(2 * np.pi * 440 * SECOND) * 16000).astype(np.int16).reshape(-1, BLOCK)
SILENCE = np.zeros(BLOCK, np.int16)


class Wire:
    """Takes packets as a transport does, and keeps them."""

    def __init__(self, ssrc: int = 42) -> None:
        self.ssrc = ssrc
        self.buffer = bytearray(1600)
        self.packets: list[rtp.Rtp] = []
        self.works = True
        self.stopped = False

    def send_rtp(self, length: int) -> bool:
        packet = rtp.parse(self.buffer[:length])
        assert packet is not None
        if self.works and not self.stopped:
            self.packets.append(packet)
        return self.works and not self.stopped

    def stop_sending(self) -> None:
        self.stopped = True


class Bench:
    def __init__(self, frame_ms: int = 20, kind: type[Uplink] = Uplink) -> None:
        codec = CodecSettings(frame_ms)
        self.counters = Counters()
        self.proof = MuteProof(codec.encoder, frame_ms)
        self.uplink = kind(codec, self.proof, self.counters)
        self.wire = Wire()
        self.uplink.attach(self.wire, ANSWER)

    def take(self, *blocks: Pcm | None) -> list[rtp.Rtp]:
        """Take blocks, and give what left by them."""
        before = len(self.wire.packets)
        for block in blocks:
            self.uplink.take(block)
        return self.wire.packets[before:]


@pytest.mark.parametrize("frame_ms", [10, 20])
def test_each_frame_is_one_packet_with_its_level(frame_ms: int) -> None:
    bench = Bench(frame_ms)
    packets = bench.take(*TONE[:10])
    assert len(packets) == 100 // frame_ms == bench.counters.get("packets_sent")
    assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)
    assert {(p.timestamp - packets[0].timestamp) & 0xFFFFFFFF for p in packets} == {
        n * frame_ms * 48 for n in range(len(packets))
    }
    assert {(p.sequence - packets[0].sequence) & 0xFFFF for p in packets} == set(range(len(packets)))
    assert {p.ssrc for p in packets} == {42}
    assert {p.payload_type for p in packets} == {sdp.DEVICE_OPUS}
    assert all(abs((p.level(LEVEL) or 0) + 9.2) < 1 and p.voice(LEVEL) for p in packets)


def test_what_leaves_is_what_came() -> None:
    decoder, out, heard = Decoder(), np.zeros(960, np.int16), []
    for packet in Bench().take(*TONE):
        decoder.decode(packet.payload, out)
        heard.append(out.copy())
    sound = np.concatenate(heard)[RATE // 2 :].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size)))
    assert abs(np.argmax(spectrum) * RATE / sound.size - 440) < 4


def test_silence_is_sent_as_such_while_the_gate_is_open() -> None:
    packet = Bench().take(SILENCE, SILENCE)[0]
    assert packet.level(LEVEL) == -127
    assert not packet.voice(LEVEL)


def test_nothing_leaves_while_the_gate_is_closed_and_the_clock_goes_on() -> None:
    bench = Bench()
    first = bench.take(*TONE[:2])[0]
    assert bench.take(*[None] * 100) == []
    again = bench.take(*TONE[:2])[0]
    assert again.sequence == (first.sequence + 1) & 0xFFFF
    assert (again.timestamp - first.timestamp) & 0xFFFFFFFF == 102 * BLOCK
    assert again.marker


def test_a_half_frame_is_dropped_at_closing_and_left_nowhere() -> None:
    bench = Bench()
    assert bench.take(*TONE[:3], None) != []
    assert not bench.uplink._frame.any()
    (packet,) = bench.take(SILENCE, SILENCE)
    assert packet.payload == Encoder(20).encode(np.zeros(960, np.int16))
    assert bench.counters.get("encoder_resets") == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.sampled_from([10, 20]))
def test_after_any_pattern_of_the_gate_the_proof_has_nothing_to_say(pattern: list[int], frame_ms: int) -> None:
    """A number is that many blocks of sound, then the gate closes for one block."""
    bench = Bench(frame_ms)
    for blocks in pattern:
        bench.take(*TONE[:blocks])
        assert bench.take(None) == []
    assert bench.proof.violations == 0


def test_without_a_connection_nothing_is_encoded_and_a_new_one_begins_with_nothing() -> None:
    bench = Bench()
    bench.take(*TONE[:3])
    bench.uplink.detach()
    assert bench.wire.stopped
    assert bench.take(*TONE[:6]) == []
    old, bench.wire = bench.wire, Wire(7)
    bench.uplink.attach(bench.wire, ANSWER)
    packets = bench.take(*TONE[:2])
    assert len(packets) == 1
    assert packets[0].marker
    assert packets[0].ssrc == 7
    assert packets[0].payload == Encoder(20).encode(TONE[:2].reshape(-1))
    assert len(old.packets) == 1
    assert bench.proof.violations == 0


def test_a_number_is_used_once_even_when_the_packet_did_not_leave() -> None:
    """Two packets under one number would be encrypted with one key stream (RFC 3711, 9.1)."""
    bench = Bench()
    first = bench.take(*TONE[:2])[0]
    bench.wire.works = False
    bench.take(*TONE[:2])
    bench.wire.works = True
    assert bench.take(*TONE[:2])[0].sequence == (first.sequence + 2) & 0xFFFF
    assert bench.counters.get("packets_sent") == 2


def test_a_frame_that_cannot_be_encoded_is_counted_and_the_next_one_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()

    def fail(pcm: Pcm) -> bytes:
        raise OpusError("encoding", -3, "internal error")

    with monkeypatch.context() as patch:
        patch.setattr(bench.uplink._encoder, "encode", fail)
        assert bench.take(*TONE[:2]) == []
    assert bench.counters.get("encode_failures") == 1
    assert len(bench.take(*TONE[:2])) == 1


def test_an_answer_without_the_level_extension_is_obeyed() -> None:
    text = sdp.build_answer(
        sdp.parse_offer("\r\n".join(line for line in OFFER.split("\r\n") if "audio-level" not in line)),
        sdp.HostTransport("host", "h" * 22, ":".join(["CD"] * 32), "192.0.2.1", 4000, 1),
        [1, 2, 3],
    )
    bench = Bench()
    bench.uplink.attach(bench.wire, sdp.parse_answer(text))
    (packet,) = bench.take(*TONE[:2])
    assert packet.extensions == b""


# ---- mutants: each is caught by the proof, or the proof proves nothing


@pytest.mark.parametrize("after", [TONE[:6], [SILENCE] * 6], ids=["sound", "silence"])
@pytest.mark.parametrize(
    ("mutant", "blocks"),
    [(LetsOneBlockThrough, 7), (ForgetsToReset, 8), (KeepsHalfAFrame, 7), (QueuesOnePacket, 8)],
)
def test_a_mutant_is_caught(mutant: type[Uplink], blocks: int, after: list[Pcm]) -> None:
    mutated, sound = Bench(kind=mutant), Bench()
    for bench in (mutated, sound):
        bench.take(*TONE[:blocks], None, None, *after)
    assert mutated.proof.violations > 0
    assert sound.proof.violations == 0
