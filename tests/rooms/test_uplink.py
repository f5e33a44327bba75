"""The way up: what leaves, what is in it, and that nothing leaves after the gate has closed; with its mutants."""

from itertools import pairwise
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.app.speech import synthetic
from appliance.core import sdp
from appliance.core.counters import Counters
from appliance.core.units import BLOCK, RATE, Pcm
from appliance.media import red, rtp
from appliance.media.opus import Decoder, Encoder, OpusError, has_fec
from appliance.media.rtp import ReportBlock
from appliance.rooms.proof import MuteProof
from appliance.rooms.uplink import CodecSettings, Uplink
from tests.rooms.mutants import ForgetsToReset, KeepsHalfAFrame, LetsOneBlockThrough, QueuesOnePacket, RemembersFrames

OFFER = sdp.build_offer(sdp.LocalTransport("ufrag", "p" * 22, ":".join(["AB"] * 32)), (), ssrc=42)


def answered(offer: str) -> sdp.Answer:
    host = sdp.HostTransport("host", "h" * 22, ":".join(["CD"] * 32), "192.0.2.1", 4000, 1)
    return sdp.parse_answer(sdp.build_answer(sdp.parse_offer(offer), host, [1, 2, 3]))


REDUNDANT = answered(OFFER)
PLAIN = answered(OFFER.replace(" red/48000/2", " old/48000/2"))
"""The answer of a host that takes no redundancy."""
LEVEL = sdp.parse_offer(OFFER).media[0].extensions[sdp.LEVEL_URI]
SECOND = np.arange(RATE) / RATE
TONE = (np.sin(2 * np.pi * 440 * SECOND) * 16000).astype(np.int16).reshape(-1, BLOCK)
SILENCE = np.zeros(BLOCK, np.int16)


def speech_like(seconds: float) -> list[Pcm]:
    samples = (synthetic(seconds) * 32_767).astype(np.int16)
    return list(samples[: samples.size // BLOCK * BLOCK].reshape(-1, BLOCK))


class Wire:
    """Takes packets as a transport does, and keeps them."""

    def __init__(self, ssrc: int = 42) -> None:
        self.ssrc = ssrc
        self.buffer = bytearray(1600)
        self.packets: list[rtp.Rtp] = []
        self.reports: list[bytes] = []
        self.works = True
        self.stopped = False
        self.rtp_packets = 0

    def send_rtp(self, length: int) -> bool:
        self.rtp_packets += 1
        packet = rtp.parse(self.buffer[:length])
        assert packet is not None
        if self.works and not self.stopped:
            self.packets.append(packet)
        return self.works and not self.stopped

    def send_rtcp(self, packet: bytes) -> bool:
        self.reports.append(packet)
        return not self.stopped

    def stop_sending(self) -> None:
        self.stopped = True


class Bench:
    def __init__(
        self,
        frame_ms: int = 20,
        kind: type[Uplink] = Uplink,
        answer: sdp.Answer = PLAIN,
        *,
        bitrate: int = 32_000,
        dtx: bool = False,
    ) -> None:
        codec = CodecSettings(frame_ms, bitrate=bitrate, dtx=dtx)
        self.counters = Counters()
        self.proof = MuteProof(codec.encoder, frame_ms, clock=lambda: 5.0)
        self.uplink = kind(codec, self.proof, self.counters)
        self.wire = Wire()
        self.uplink.attach(self.wire, answer)

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
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 120)), min_size=1, max_size=60),
    st.sampled_from([10, 20]),
    st.sampled_from([PLAIN, REDUNDANT]),
)
def test_after_any_pattern_of_the_gate_the_proof_has_nothing_to_say(
    pattern: list[tuple[int, int]], frame_ms: int, answer: sdp.Answer
) -> None:
    """So many blocks of sound, then the gate closes for one block and so much loss (of 256) is reported."""
    bench = Bench(frame_ms, answer=answer)
    for second, (blocks, lost) in enumerate(pattern):
        bench.uplink.heard_report(losing(lost), float(second))
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
    bench.uplink.attach(bench.wire, PLAIN)
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
    offer = "\r\n".join(line for line in OFFER.split("\r\n") if "audio-level" not in line)
    bench = Bench(answer=answered(offer.replace(" red/48000/2", " old/48000/2")))
    (packet,) = bench.take(*TONE[:2])
    assert packet.extensions == b""


# ---- redundancy (RFC 2198)


def losing(of_256: int, ssrc: int = 42) -> bytes:
    """A report of the other end that so much was lost."""
    return rtp.receiver_report(99, [ReportBlock(ssrc, of_256, 0, 0, 0)])


def frames(packet: rtp.Rtp) -> list[tuple[int, bytes]]:
    """Age in samples and bytes of the frames in a redundant packet, oldest first."""
    found = red.split(packet.payload)
    assert found
    assert {frame.payload_type for frame in found} == {sdp.DEVICE_OPUS}
    return [(frame.offset, bytes(frame.payload)) for frame in found]


@pytest.mark.parametrize("frame_ms", [10, 20])
def test_each_frame_is_sent_again_with_the_next(frame_ms: int) -> None:
    bench = Bench(frame_ms, answer=REDUNDANT)
    packets = bench.take(*TONE[:20])
    assert {packet.payload_type for packet in packets} == {sdp.DEVICE_RED}
    assert all(packet.level(LEVEL) is not None for packet in packets)
    sent = [frames(packet) for packet in packets]
    assert [len(found) for found in sent] == [1] + [2] * (len(sent) - 1)
    for before, (again, newest) in pairwise(sent[1:]):
        assert again == (frame_ms * 48, before[-1][1])
        assert newest[0] == 0
    assert bench.proof.violations == 0


def test_beside_whole_frames_the_encoder_makes_no_fec_and_without_them_it_does() -> None:
    voice = speech_like(2.0)
    redundant = [frames(packet)[-1][1] for packet in Bench(answer=REDUNDANT).take(*voice)]
    plain = [packet.payload for packet in Bench().take(*voice)]
    assert not any(has_fec(frame) for frame in redundant)
    assert sum(has_fec(frame) for frame in plain) > 20


def test_heavy_loss_has_frames_sent_three_times_until_it_is_over() -> None:
    bench = Bench(answer=REDUNDANT)
    assert [len(frames(packet)) for packet in bench.take(*TONE[:4])] == [1, 2]
    bench.uplink.heard_report(losing(60), 1.0)
    assert [len(frames(packet)) for packet in bench.take(*TONE[:6])] == [3, 3, 3]
    assert [offset for offset, _ in frames(bench.take(*TONE[:2])[0])] == [1920, 960, 0]
    for second in range(2, 60):
        bench.uplink.heard_report(losing(0), float(second))
    assert [len(frames(packet)) for packet in bench.take(*TONE[:4])] == [2, 2]
    assert bench.counters.get("protection_changes") == 2


@pytest.mark.parametrize(
    "packet", [b"", b"\x81\xc9\xff\xff", losing(255, ssrc=43), rtp.bye(42), rtp.sender_report(42, 1.0, 2, 3, 4)]
)
def test_reports_of_other_streams_and_junk_change_nothing(packet: bytes) -> None:
    bench = Bench(answer=REDUNDANT)
    bench.uplink.heard_report(packet, 1.0)
    assert [len(frames(sent)) for sent in bench.take(*TONE[:6])] == [1, 2, 2]
    assert bench.counters.get("protection_changes") == 0
    bench.uplink.detach()
    bench.uplink.heard_report(losing(255), 2.0)  # late: nobody is interested


def test_what_would_not_pass_every_network_is_not_repeated() -> None:
    bench = Bench(answer=REDUNDANT, bitrate=300_000)
    bench.uplink.heard_report(losing(100), 1.0)
    noise = np.random.default_rng(3).integers(-20_000, 20_000, (40, BLOCK)).astype(np.int16)
    packets = bench.take(*noise)
    assert max(len(packet.payload) for packet in packets) <= 1150
    assert max(len(frames(packet)) for packet in packets) < 3


def test_a_packet_that_did_not_leave_is_brought_by_the_next() -> None:
    bench = Bench(answer=REDUNDANT)
    first = bench.take(*TONE[:2])[0]
    bench.wire.works = False
    bench.take(*TONE[:2])
    bench.wire.works = True
    again = bench.take(*TONE[:2])[0]
    assert again.sequence == (first.sequence + 2) & 0xFFFF
    assert [offset for offset, _ in frames(again)] == [960, 0]
    assert bench.proof.violations == 0


def test_nothing_of_before_a_close_or_of_another_connection_is_sent_again() -> None:
    bench = Bench(answer=REDUNDANT)
    bench.take(*TONE[:8], None)
    assert [len(frames(packet)) for packet in bench.take(*TONE[:4])] == [1, 2]
    bench.uplink.attach(bench.wire, REDUNDANT)
    assert [len(frames(packet)) for packet in bench.take(*TONE[:4])] == [1, 2]
    assert bench.proof.violations == 0


def test_a_frame_that_could_not_be_encoded_is_no_hole_in_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gets frames again numbers them by their order."""
    bench = Bench(answer=REDUNDANT)
    bench.uplink.heard_report(losing(100), 1.0)
    first = bench.take(*TONE[:2])[0]
    with monkeypatch.context() as patch:
        patch.setattr(bench.uplink._encoder, "encode", Mock(side_effect=OpusError("encoding", -3, "internal error")))
        bench.take(*TONE[:2])
    (second,) = bench.take(*TONE[:2])
    assert second.sequence == (first.sequence + 1) & 0xFFFF
    assert [offset for offset, _ in frames(second)] == [1920, 0]


# ---- silence that is not sent (DTX)


def test_with_dtx_silence_is_sent_as_how_it_sounds_and_the_clock_goes_on() -> None:
    bench = Bench(answer=REDUNDANT, dtx=True)
    bench.take(*TONE[:50])
    packets = bench.take(*[SILENCE] * 300)
    resting = packets[30:]
    assert len(packets) < 60
    assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(packets))
    gaps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(packets)]
    assert max(gaps) > 10 * 960
    assert not any(packet.marker for packet in packets)
    for packet, gap in zip(packets[1:], gaps, strict=True):
        if gap > 960:
            assert len(frames(packet)) == 1, "nothing of before a pause is sent again"
    assert all(len(packet.payload) < 40 for packet in resting)
    again = bench.take(*TONE[:10])
    assert len(again) == 5
    assert bench.proof.violations == 0


# ---- reports


def test_a_report_says_what_was_sent_and_when_and_who_it_is_from() -> None:
    bench = Bench()
    first = rtp.parse_rtcp(bench.uplink.report(1_000.0) or b"")
    assert first == (rtp.ReceiverReport(42, ()),)
    packets = bench.take(*TONE[:10])
    blocks = (ReportBlock(1, 3, 4, 5, 6, 7, 8),)
    data = bench.uplink.report(1_000.5, blocks) or b""
    (report,) = rtp.parse_rtcp(data)
    assert isinstance(report, rtp.SenderReport)
    assert report.blocks == blocks
    assert report.ntp == int((1_000.5 + 2_208_988_800) * 2**32)
    assert (report.packets, report.octets) == (5, sum(len(packet.payload) for packet in packets))
    assert (report.timestamp - packets[-1].timestamp) & 0xFFFFFFFF == 960, "the moment after the last frame"
    assert isinstance(rtp.parse_rtcp(bench.uplink.report(1_001.5) or b"")[0], rtp.ReceiverReport)
    other = Bench()
    assert cname(data) == cname(bench.uplink.report(1_002.0) or b"") != cname(other.uplink.report(1.0) or b"")


def cname(packet: bytes) -> bytes:
    """The name in the SDES packet at the end of a report."""
    at = packet.index(b"\x81\xca") + 8
    assert packet[at] == 1
    return packet[at + 2 : at + 2 + packet[at + 1]]


def test_who_leaves_says_goodbye_before_nothing_leaves_any_more() -> None:
    bench = Bench()
    bench.take(*TONE[:4])
    bench.uplink.detach()
    assert rtp.parse_rtcp(bench.wire.reports[-1])[-1] == rtp.Bye((42,))
    assert bench.wire.stopped
    assert bench.uplink.report(1.0) is None
    bench.uplink.detach()
    assert len(bench.wire.reports) == 1


# ---- mutants: each is caught by the proof, or the proof proves nothing


@pytest.mark.parametrize("after", [TONE[:6], [SILENCE] * 6], ids=["sound", "silence"])
@pytest.mark.parametrize(
    ("mutant", "blocks"),
    [(LetsOneBlockThrough, 7), (ForgetsToReset, 8), (KeepsHalfAFrame, 7), (QueuesOnePacket, 8), (RemembersFrames, 8)],
)
@pytest.mark.parametrize("answer", [PLAIN, REDUNDANT], ids=["plain", "redundant"])
def test_a_mutant_is_caught(mutant: type[Uplink], blocks: int, after: list[Pcm], answer: sdp.Answer) -> None:
    if mutant is RemembersFrames and answer is PLAIN:
        answer = REDUNDANT  # the other has nothing to remember them for
    mutated, sound = Bench(kind=mutant, answer=answer), Bench(answer=answer)
    for bench in (mutated, sound):
        bench.take(*TONE[:blocks], None, None, *after)
    assert mutated.proof.violations > 0
    assert sound.proof.violations == 0
