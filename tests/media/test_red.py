"""Redundant audio data (RFC 2198): what is built is split again, and junk is nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.media import red

FRAMES = st.lists(st.tuples(st.integers(1, red.MOST_OFFSET), st.binary(max_size=red.MOST_LENGTH)), max_size=8)


@given(st.integers(0, 127), st.binary(max_size=1300), FRAMES)
def test_what_is_built_is_split(payload_type: int, newest: bytes, earlier: list[tuple[int, bytes]]) -> None:
    data = red.build(payload_type, newest, earlier)
    assert len(data) == red.size(newest, earlier)
    assert [tuple(frame) for frame in red.split(data)] == [
        *((payload_type, offset, frame) for offset, frame in earlier),
        (payload_type, 0, newest),
    ]
    assert red.primary(data) == newest


@given(st.integers(0, 127), st.binary(max_size=200), FRAMES, st.integers(0, 40))
def test_it_is_built_in_place_too(payload_type: int, newest: bytes, earlier: list[tuple[int, bytes]], at: int) -> None:
    size = red.size(newest, earlier)
    buffer = bytearray(b"\xaa" * (at + size + 3))
    assert red.build_into(buffer, at, payload_type, newest, earlier) == at + size
    assert buffer == b"\xaa" * at + red.build(payload_type, newest, earlier) + b"\xaa" * 3
    with pytest.raises(ValueError, match="buffer"):
        red.build_into(bytearray(at + size - 1), at, payload_type, newest, earlier)


def test_bytes_as_the_rfc_draws_them() -> None:
    data = red.build(111, b"new", [(960, b"ab")])
    assert data == bytes((0x80 | 111, 960 >> 6, (960 & 63) << 2, 2, 111)) + b"ab" + b"new"


@given(st.binary(max_size=120) | st.builds(lambda heads, rest: heads + rest, st.binary(max_size=60), st.binary()))
def test_any_bytes_are_frames_or_nothing_and_both_readers_agree(data: bytes) -> None:
    frames = red.split(data)
    assert red.primary(data) == (frames[-1].payload if frames else None)
    assert red.split(memoryview(data)) == frames
    if frames:
        assert sum(len(frame.payload) for frame in frames) + 4 * len(frames) - 3 == len(data)
        assert all(frame.offset == 0 for frame in frames[-1:])


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\x80",  # the header ends in the middle
        b"\xef\x0f\x00\x05",  # no newest frame
        b"\xef\x0f\x00\x05\x6f1234",  # a frame that is longer than the packet
        b"\xef\x0f\x00\x00" * 9 + b"\x6f",  # more frames than anybody sends
        b"\xff" * 1200,
    ],
)
def test_junk_is_nothing(junk: bytes) -> None:
    assert red.split(junk) == ()
    assert red.primary(junk) is None


def test_what_cannot_be_said_is_left_out_or_refused() -> None:
    wrong = [(0, b"now"), (red.MOST_OFFSET + 1, b"old"), (5, bytes(red.MOST_LENGTH + 1))]
    assert red.build(1, b"x", [*wrong, (7, b"good")]) == red.build(1, b"x", [(7, b"good")])
    for frame in wrong:
        with pytest.raises(ValueError, match="cannot be sent again"):
            red.build_into(bytearray(2000), 0, 1, b"x", [frame])


def test_nothing_is_copied() -> None:
    data = memoryview(red.build(1, b"new", [(5, b"old")]))
    old, new = red.split(data)
    assert isinstance(old.payload, memoryview)
    assert isinstance(new.payload, memoryview)
    assert old.payload.obj is new.payload.obj is data.obj
