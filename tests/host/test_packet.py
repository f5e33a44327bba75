"""Reading RTP headers where they lie: against the receiver's own reader, and against junk."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.host.packet import Header, payload_of, read_frames, read_header
from appliance.host.srtp import Datagram
from appliance.media import red, rtp


def lying(data: bytes) -> Datagram:
    packet = Datagram()
    packet.data[: len(data)] = data
    packet.size = len(data)
    return packet


@given(
    st.integers(0, 65_535),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=60),
    st.none() | st.integers(1, 14),
    st.integers(0, 127),
    st.booleans(),
    st.sampled_from(["", "0", "audio0", "x" * 16]),
)
def test_what_is_built_is_read(
    sequence: int, timestamp: int, ssrc: int, payload: bytes, level_id: int | None, level: int, voice: bool, mid: str
) -> None:
    buffer = bytearray(256)
    mid_id = None if not mid else 3 if level_id != 3 else 4
    size = rtp.build_into(
        buffer,
        payload_type=111,
        marker=False,
        sequence=sequence,
        timestamp=timestamp,
        ssrc=ssrc,
        payload=payload,
        level_id=level_id,
        level=-float(level),
        voice=voice,
        mid_id=mid_id,
        mid=mid,
    )
    packet = lying(bytes(buffer[:size]))
    header = read_header(packet, level_id)
    assert header is not None
    assert header[:4] == (111, sequence, timestamp, ssrc)
    assert header.level == (None if level_id is None else level)
    assert payload_of(packet, header) == payload


@given(st.binary(min_size=12, max_size=80), st.none() | st.integers(1, 14))
def test_junk_is_none_or_within_the_packet(junk: bytes, level_id: int | None) -> None:
    for data in (junk, bytes([0x80 | (junk[0] & 0x3F)]) + junk[1:], bytes([0x90, *junk[1:12], 0xBE, 0xDE]) + junk[12:]):
        packet = lying(data)
        header = read_header(packet, level_id)
        read = rtp.parse(data)
        if header is None:
            assert read is None
            continue
        assert header.size <= len(data)
        payload = bytes(payload_of(packet, header))
        assert len(payload) <= len(data) - header.size
        if read is not None:
            assert payload == read.payload
            if read.level(level_id) is not None:
                assert -float(header.level or 0) == read.level(level_id)


def test_two_byte_extensions_and_sources_that_contribute_are_skipped() -> None:
    data = bytes([0x92, 111]) + bytes(10) + bytes(8) + b"\x10\x00\x00\x01\x01\x01\x05\x00" + b"payload"
    packet = lying(data)
    header = read_header(packet, 1)
    assert header is not None
    assert header.level is None
    assert payload_of(packet, header) == b"payload"


def test_padding_that_lies_leaves_nothing() -> None:
    for padding in (0, 8, 200):
        packet = lying(bytes([0xA0, 111]) + bytes(10) + b"abc" + bytes([padding]))
        header = read_header(packet, None)
        assert header is not None
        assert payload_of(packet, header) == (b"abc\x00" if padding == 0 else b"")


def header_of(payload_type: int, seq: int = 5, timestamp: int = 1000) -> Header:
    return Header(payload_type, seq, timestamp, 1, None, 12, False)


frames = st.lists(st.tuples(st.integers(1, red.MOST_OFFSET), st.binary(min_size=1, max_size=40)), max_size=4)


@given(st.integers(0, 65_535), st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=40), frames)
def test_frames_of_redundant_audio_get_the_numbers_that_they_had(
    seq: int, timestamp: int, newest: bytes, earlier: list[tuple[int, bytes]]
) -> None:
    payload = memoryview(red.build(111, newest, earlier))
    read = read_frames(payload, header_of(63, seq, timestamp), 111, 63)
    assert read is not None
    assert bytes(read[0]) == newest
    count = len(earlier)
    assert [copy.seq for copy in read[1]] == [(seq - count + i) & 0xFFFF for i in range(count)]
    assert [(timestamp - copy.timestamp) & 0xFFFFFFFF for copy in read[1]] == [offset for offset, _ in earlier]
    assert [bytes(copy.payload) for copy in read[1]] == [data for _, data in earlier]


def test_only_types_that_were_agreed_on_are_read() -> None:
    payload = memoryview(red.build(111, b"new", [(960, b"old")]))
    assert read_frames(memoryview(b"opus"), header_of(111), 111, None) == (b"opus", [])
    for header, opus, redundant in ((header_of(0), 111, 63), (header_of(63), 111, None), (header_of(63), 96, 63)):
        assert read_frames(payload, header, opus, redundant) is None
    nothing_old = memoryview(red.build(111, b"new", [(960, b"")]))
    assert read_frames(nothing_old, header_of(63), 111, 63) == (b"new", [])


@given(st.binary(max_size=80), st.sampled_from([63, 111, 5]))
def test_junk_is_no_frame_or_part_of_what_came(payload: bytes, kind: int) -> None:
    read = read_frames(memoryview(payload), header_of(kind), 111, 63)
    if read is not None:
        assert all(bytes(part) in payload for part in (read[0], *(copy.payload for copy in read[1])))
