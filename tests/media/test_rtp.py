"""RTP and RTCP: round trips, another implementation's reading, and any bytes."""

import struct

import pytest
from aiortc import rtp as theirs
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from hypothesis import given
from hypothesis import strategies as st

from appliance.media import rtp
from appliance.media.reception import Reception
from appliance.media.rtp import Bye, ReceiverReport, ReportBlock, Rtp, SenderReport

U16, U32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
IDENT = st.integers(1, 14)


def build(payload: bytes = b"sound", sequence: int = 1, **other: object) -> bytes:
    fields = {"payload_type": 111, "marker": False, "timestamp": 960, "ssrc": 7} | other
    buffer = bytearray(b"\xff" * 1500)
    return bytes(buffer[: rtp.build_into(buffer, sequence=sequence, payload=payload, **fields)])  # type: ignore[arg-type]


def read(data: bytes) -> Rtp:
    packet = rtp.parse(data)
    assert packet is not None
    return packet


@given(
    payload_type=st.integers(0, 63) | st.integers(96, 127),
    marker=st.booleans(),
    sequence=U16,
    timestamp=U32,
    ssrc=U32,
    payload=st.binary(max_size=200),
    level_id=st.none() | IDENT,
    level=st.integers(-127, 0),
    voice=st.booleans(),
    mid=st.none() | st.text("abc019", min_size=1, max_size=16),
)
def test_a_packet_comes_back_as_it_was_here_and_in_another_implementation(
    payload_type: int,
    marker: bool,
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload: bytes,
    level_id: int | None,
    level: int,
    voice: bool,
    mid: str | None,
) -> None:
    mid_id = None if mid is None else (level_id or 0) % 14 + 1
    data = build(
        payload,
        sequence,
        payload_type=payload_type,
        marker=marker,
        timestamp=timestamp,
        ssrc=ssrc,
        level_id=level_id,
        level=float(level),
        voice=voice,
        mid_id=mid_id,
        mid=mid or "",
    )
    ours = read(data)
    assert ours[:6] == (payload_type, marker, sequence, timestamp, ssrc, payload)
    assert ours.level(level_id) == (None if level_id is None else float(level))
    assert ours.voice(level_id) == (level_id is not None and voice)
    assert ours.mid(mid_id) == mid
    extensions = theirs.HeaderExtensionsMap()
    extensions.configure(_parameters(level_id, mid_id))
    packet = theirs.RtpPacket.parse(data, extensions)
    assert (packet.payload_type, bool(packet.marker), packet.sequence_number) == (payload_type, marker, sequence)
    assert (packet.timestamp, packet.ssrc, packet.payload) == (timestamp, ssrc, payload)
    assert packet.extensions.mid == mid
    assert packet.extensions.audio_level == (None if level_id is None else (voice, -level))


def _parameters(level_id: int | None, mid_id: int | None) -> RTCRtpParameters:
    wanted = {"urn:ietf:params:rtp-hdrext:ssrc-audio-level": level_id, "urn:ietf:params:rtp-hdrext:sdes:mid": mid_id}
    return RTCRtpParameters(
        headerExtensions=[RTCRtpHeaderExtensionParameters(id=i, uri=uri) for uri, i in wanted.items() if i is not None]
    )


@given(st.binary(max_size=100), IDENT)
def test_any_bytes_are_read_or_are_nothing(data: bytes, ident: int) -> None:
    for view in (data, memoryview(bytearray(data))):
        packet = rtp.parse(view)
        if packet is not None:
            assert packet.level(ident) is None or -127 <= (packet.level(ident) or 0) <= 0
            assert packet.mid(ident) is None or packet.voice(ident) in {True, False}
        assert isinstance(rtp.parse_rtcp(view), tuple)


@given(st.binary(min_size=1, max_size=90), st.integers(0, 400), st.integers(0, 255))
def test_a_changed_packet_is_read_or_is_nothing(payload: bytes, at: int, value: int) -> None:
    data = bytearray(build(payload, level_id=1, level=-30.0, mid_id=3, mid="0"))
    data[at % len(data)] = value
    packet = rtp.parse(data)
    assert packet is None or len(packet.payload) <= len(data)
    assert rtp.parse(data[: at % len(data)]) is None or at % len(data) >= 12


def test_padding_and_contributing_sources_are_left_out() -> None:
    plain = build(b"payload")
    padded = bytes([plain[0] | 0x20]) + plain[1:] + b"\0\0\3"
    assert read(padded).payload == b"payload"
    all_padding = bytes([0xA0]) + plain[1:12] + b"\0\0\0\4"
    assert read(all_padding).payload == b""
    sources = bytes([plain[0] | 2]) + plain[1:12] + bytes(8) + plain[12:]
    assert read(sources).payload == b"payload"
    for wrong in (padded[:-1] + b"\0", padded[:-1] + b"\xff"):
        assert rtp.parse(wrong) is None


def test_what_is_no_rtp_is_nothing() -> None:
    plain = build()
    assert rtp.parse(plain[:11]) is None
    assert rtp.parse(b"\x40" + plain[1:]) is None  # version 1
    assert rtp.parse(rtp.receiver_report(1)) is None
    assert rtp.parse(bytes([plain[0] | 0x0F]) + plain[1:]) is None  # fifteen sources in a short packet
    assert rtp.parse(bytes([plain[0] | 0x10]) + plain[1:14]) is None  # an extension that is cut


def test_extensions_of_another_kind_or_cut_are_not_there() -> None:
    data = bytearray(build(level_id=1, level=-30.0))
    data[12:14] = b"\x10\x00"
    assert read(bytes(data)).level(1) is None
    data[12:14] = b"\xbe\xde"
    data[16] = 0x1F  # says 16 bytes where 3 are left
    assert read(bytes(data)).level(1) is None
    data[16:20] = bytes([0x00, 0xF0, 0x10, 0x80 | 30])  # padding, then ident 15: stop
    assert read(bytes(data)).level(1) is None
    data[16:20] = bytes([0x00, 0x00, 0x10, 0x80 | 30])
    assert (read(bytes(data)).level(1), read(bytes(data)).voice(1)) == (-30.0, True)


def test_what_cannot_be_built_is_refused() -> None:
    for wrong, what in (
        ({"level_id": 15}, "1 to 14"),
        ({"mid_id": 0, "mid": "0"}, "1 to 14"),
        ({"mid_id": 2, "mid": ""}, "1 to 16 bytes"),
        ({"payload": bytes(1500)}, "1512 bytes, the buffer 1500"),
    ):
        with pytest.raises(ValueError, match=what):
            build(**wrong)


@pytest.mark.parametrize(("level", "byte"), [(0.0, 0), (3.0, 0), (-0.4, 0), (-20.6, 21), (-127.0, 127), (-300.0, 127)])
def test_levels_are_rounded_and_bounded(level: float, byte: int) -> None:
    assert build(level_id=1, level=level)[17] == byte


BLOCKS = st.lists(
    st.builds(ReportBlock, U32, st.integers(0, 255), st.integers(-(2**23), 2**23 - 1), U32, U32, U32, U32), max_size=31
).map(tuple)


@given(U32, BLOCKS, st.text(max_size=300))
def test_receiver_reports_come_back_here_and_elsewhere(ssrc: int, blocks: tuple[ReportBlock, ...], cname: str) -> None:
    data = rtp.receiver_report(ssrc, blocks, cname)
    assert rtp.parse_rtcp(data) == (ReceiverReport(ssrc, blocks),)
    report, description = theirs.RtcpPacket.parse(data)
    assert isinstance(report, theirs.RtcpRrPacket)
    assert [(r.ssrc, r.fraction_lost, r.packets_lost, r.highest_sequence, r.jitter) for r in report.reports] == [
        block[:5] for block in blocks
    ]
    assert isinstance(description, theirs.RtcpSdesPacket)
    assert description.chunks[0].items == [(1, cname.encode()[:255])]


@given(U32, st.integers(0, 2**31), U32, U32, U32, BLOCKS)
def test_sender_reports_come_back(
    ssrc: int, second: int, timestamp: int, packets: int, octets: int, blocks: tuple[ReportBlock, ...]
) -> None:
    data = rtp.sender_report(ssrc, second + 0.5, timestamp, packets, octets, blocks=blocks)
    ntp = (second + 2_208_988_800) % 2**32 << 32 | 1 << 31
    assert rtp.parse_rtcp(data) == (SenderReport(ssrc, ntp, timestamp, packets, octets, blocks),)
    report = theirs.RtcpPacket.parse(data)[0]
    assert isinstance(report, theirs.RtcpSrPacket)
    assert (report.sender_info.ntp_timestamp, report.sender_info.rtp_timestamp) == (ntp, timestamp)


def test_a_goodbye_comes_back_and_junk_behind_it_is_left() -> None:
    data = rtp.bye(5)
    assert rtp.parse_rtcp(data) == (ReceiverReport(5, ()), Bye((5,)))
    assert rtp.parse_rtcp(data + b"\x80\xc9\xff\xff")[-1] == Bye((5,))
    assert rtp.parse_rtcp(struct.pack("!BBH", 0x81, 203, 0)) == ()  # says one source, has none


def test_more_than_31_blocks_are_cut() -> None:
    blocks = [ReportBlock(i, 0, 0, 0, 0) for i in range(40)]
    (report,) = rtp.parse_rtcp(rtp.receiver_report(1, blocks))
    assert isinstance(report, ReceiverReport)
    assert [block.ssrc for block in report.blocks] == list(range(31))


# What a receiver reports


def arrive(reception: Reception, numbers: list[int], late: float = 0.0) -> None:
    for n in numbers:
        reception.received(n & 0xFFFF, n * 960 & 0xFFFFFFFF, n * 0.02 + (late if n % 2 else 0.0))


def test_losses_are_counted_over_the_wrap_and_since_the_last_report() -> None:
    reception = Reception(9)
    assert reception.report(0.0) == ReportBlock(9, 0, 0, 0, 0)
    arrive(reception, [n for n in range(65_500, 65_600) if n % 4])
    block = reception.report(0.0)
    assert (block.ssrc, block.lost, block.highest) == (9, 24, 65_599)
    assert block.fraction_lost == 256 * 24 // 99
    arrive(reception, list(range(65_600, 65_700)))
    assert (reception.report(0.0).fraction_lost, reception.lost) == (0, 24)
    arrive(reception, [65_699] * 30)
    assert (reception.report(0.0).fraction_lost, reception.lost) == (0, -6)


def test_jitter_is_that_of_the_arrivals() -> None:
    steady, jittery = Reception(1), Reception(1)
    arrive(steady, list(range(500)))
    arrive(jittery, list(range(500)), late=0.01)
    assert steady.jitter_ms == pytest.approx(0, abs=1e-6)
    assert jittery.jitter_ms == pytest.approx(10, abs=0.1)
    assert jittery.report(0.0).jitter == pytest.approx(480, abs=5)


def test_a_pause_is_no_jitter_and_a_jump_is_a_new_beginning() -> None:
    reception = Reception(1)
    arrive(reception, list(range(10)))
    reception.received(10, 9600, 60.0)
    assert reception.jitter_ms < 0.001
    arrive(reception, list(range(20_000, 20_010)))
    assert (reception.lost, reception.report(0.0).highest) == (0, 20_009)


def test_reordered_packets_are_not_lost() -> None:
    reception = Reception(1)
    arrive(reception, [0, 2, 1, 3, 5, 4])
    assert (reception.lost, reception.report(0.0).highest) == (0, 5)
