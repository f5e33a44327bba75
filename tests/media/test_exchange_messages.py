"""The messages between sound and link: round trips, and junk that must not pass."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.controls import Door
from appliance.core.lamps import LinkPhase, Sign
from appliance.media.exchange_messages import (
    BLOCK_BYTES,
    MAX_MESSAGE,
    Downlink,
    DownlinkReader,
    ExchangeJunk,
    Speaker,
    Uplink,
    UplinkReader,
    decode_downlink,
    decode_uplink,
    encode_downlink,
    encode_uplink,
    repeat_downlink,
)

U32 = st.integers(0, 2**32 - 1)
LEVEL = st.integers(-127, 0)
SIGN = st.sampled_from(Sign)
BLOCKS = st.binary(min_size=4, max_size=4).map(lambda four: four * (BLOCK_BYTES // 4))
OPEN_UPLINKS = st.builds(
    Uplink,
    seq=U32,
    block=BLOCKS,
    epoch=U32,
    level=LEVEL,
    direction=st.none() | st.integers(0, 359),
    reasons=st.integers(0, 2**13 - 1),
    door=st.sampled_from(Door),
    hand=st.booleans(),
    recording=st.booleans(),
    knocks=U32,
    lamps=st.tuples(st.sampled_from([Sign.OFF, Sign.STEADY, Sign.FAST]), SIGN, SIGN, SIGN),
    loudspeaker=LEVEL,
    quiet_until=U32,
)
UPLINKS = OPEN_UPLINKS | OPEN_UPLINKS.map(lambda u: u._replace(block=None, level=-127, direction=None))
SPEAKERS = st.builds(Speaker, st.integers(0, 7), st.integers(0, 11), LEVEL, st.booleans())
DOWNLINKS = st.builds(
    Downlink,
    seq=U32,
    block=st.none() | BLOCKS,
    link=st.sampled_from(LinkPhase),
    speakers=st.lists(SPEAKERS, max_size=3).map(tuple),
    members=st.integers(0, 65535),
    hands=st.integers(0, 65535),
    knocks=U32,
    admin_muted=U32,
    admin_lifted=U32,
    asked=U32,
    door_commands=U32,
    door=st.sampled_from(Door),
    recording=st.booleans(),
    trial=st.booleans(),
    violation=st.booleans(),
    answered=st.integers(0, 2**64 - 1),
)


def up(message: Uplink) -> bytes:
    buffer = bytearray(b"\xff" * MAX_MESSAGE)
    return bytes(buffer[: encode_uplink(message, buffer)])


def down(message: Downlink) -> bytes:
    buffer = bytearray(b"\xff" * MAX_MESSAGE)
    return bytes(buffer[: encode_downlink(message, buffer)])


@given(UPLINKS)
def test_an_uplink_comes_back_as_it_was(message: Uplink) -> None:
    assert decode_uplink(up(message)) == message


@given(DOWNLINKS)
def test_a_downlink_comes_back_as_it_was(message: Downlink) -> None:
    assert decode_downlink(down(message)) == message


@given(DOWNLINKS, st.lists(st.tuples(U32, st.none() | BLOCKS, st.integers(0, 2**64 - 1)), min_size=1, max_size=4))
def test_a_repeated_downlink_is_as_one_encoded_anew(
    message: Downlink, answers: list[tuple[int, bytes | None, int]]
) -> None:
    buffer = bytearray(b"\xff" * MAX_MESSAGE)
    encode_downlink(message._replace(block=None), buffer)
    for seq, block, answered in answers:
        size = repeat_downlink(seq, block, buffer, answered)
        assert bytes(buffer[:size]) == down(message._replace(seq=seq, block=block, answered=answered))


@given(st.lists(UPLINKS, min_size=1, max_size=3), st.lists(DOWNLINKS, min_size=1, max_size=3), st.data())
def test_readers_see_what_decoding_sees(ups: list[Uplink], downs: list[Downlink], data: st.DataObject) -> None:
    uplinks, downlinks = UplinkReader(), DownlinkReader()
    for _ in range(8):
        up_ = data.draw(st.sampled_from(ups))._replace(seq=data.draw(U32))
        assert uplinks.read(memoryview(up(up_))) == up_
        down_ = data.draw(st.sampled_from(downs))._replace(seq=data.draw(U32), answered=data.draw(U32))
        assert downlinks.read(memoryview(down(down_))) == down_


@given(UPLINKS, DOWNLINKS, st.integers(0, 2000), st.integers(0, 255))
def test_readers_refuse_what_decoding_refuses(message: Uplink, answer: Downlink, at: int, value: int) -> None:
    for reader, decode, good in (
        (UplinkReader(), decode_uplink, up(message)),
        (DownlinkReader(), decode_downlink, down(answer)),
    ):
        reader.read(memoryview(good))
        for bad in (good[: at % len(good)], good + b"x", bytearray(good)):
            if isinstance(bad, bytearray):
                bad[at % len(bad)] = value
            assert outcome(reader.read, bad) == outcome(decode, bad)


def outcome(read: Callable[[memoryview], object], data: bytes | bytearray) -> object:
    try:
        return read(memoryview(data))
    except ExchangeJunk:
        return ExchangeJunk


@given(OPEN_UPLINKS, SIGN)
def test_a_closed_gate_tells_nothing_of_the_room(message: Uplink, mic: Sign) -> None:
    closed = message._replace(block=None, lamps=(mic, *message.lamps[1:]))
    seen = decode_uplink(up(closed))
    assert (seen.block, seen.level, seen.direction) == (None, -127, None)
    assert seen.lamps[0] is (Sign.STEADY if mic is Sign.SLOW else mic)


@given(st.binary(max_size=1200))
def test_random_bytes_are_junk_or_a_message(data: bytes) -> None:
    for decode in (decode_uplink, decode_downlink):
        with pytest.raises(ExchangeJunk):
            decode(data)


@given(UPLINKS, st.integers(0, 2000), st.integers(0, 255))
def test_a_changed_uplink_is_junk_or_a_valid_message(message: Uplink, at: int, value: int) -> None:
    data = bytearray(up(message))
    data[at % len(data)] = value
    try:
        seen = decode_uplink(data)
    except ExchangeJunk:
        return
    assert up(seen) == bytes(data)


@given(DOWNLINKS, st.integers(0, 2000), st.integers(0, 255))
def test_a_changed_downlink_is_junk_or_a_valid_message(message: Downlink, at: int, value: int) -> None:
    data = bytearray(down(message))
    data[at % len(data)] = value
    try:
        seen = decode_downlink(data)
    except ExchangeJunk:
        return
    assert down(seen) == bytes(data)


@given(UPLINKS, DOWNLINKS, st.integers(1, 1100))
def test_a_cut_message_is_junk(uplink: Uplink, downlink: Downlink, cut: int) -> None:
    for data, decode in ((up(uplink), decode_uplink), (down(downlink), decode_downlink)):
        with pytest.raises(ExchangeJunk):
            decode(data[: max(0, len(data) - cut)])
        with pytest.raises(ExchangeJunk):
            decode(data + bytes(cut))


def test_each_kind_is_junk_to_the_other() -> None:
    with pytest.raises(ExchangeJunk, match=r"(size|kind)"):
        decode_uplink(down(Downlink(1)))
    with pytest.raises(ExchangeJunk, match=r"(size|kind)"):
        decode_downlink(up(Uplink(1)))


def test_a_block_has_the_right_size_and_speakers_are_three() -> None:
    with pytest.raises(ValueError, match="960 bytes, not 958"):
        up(Uplink(1, block=bytes(958)))
    with pytest.raises(ValueError, match="at most 3 speakers, not 4"):
        down(Downlink(1, speakers=(Speaker(0, 0, 0, False),) * 4))


def test_numbers_out_of_range_are_brought_into_it_not_raised() -> None:
    seen = decode_downlink(down(Downlink(2**32 + 5, members=100_000, hands=70_000, knocks=2**32 + 7)))
    assert (seen.seq, seen.members, seen.hands, seen.knocks) == (5, 65535, 65535, 7)
    wild = Uplink(-1, block=bytes(960), level=3, direction=725, reasons=1 << 20, loudspeaker=-300)
    seen_up = decode_uplink(up(wild))
    assert (seen_up.seq, seen_up.level, seen_up.direction, seen_up.reasons) == (2**32 - 1, 0, 5, 0)
    assert seen_up.loudspeaker == -127
