"""Distances of numbers that wrap."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.serial import sequence_distance, timestamp_distance


@given(st.integers(0, 0xFFFF), st.integers(-0x8000, 0x7FFF))
def test_distances_wrap(start: int, by: int) -> None:
    assert sequence_distance((start + by) & 0xFFFF, start) == by
    assert timestamp_distance((start * 65536 + by * 65536) & 0xFFFFFFFF, start * 65536) == by * 65536
