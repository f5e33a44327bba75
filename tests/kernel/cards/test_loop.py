"""The card over the kernel's loopback card: samples, positions and times, and what an xrun is told as."""

import pytest

from tests.kernel.inside import loop
from tools.kernel.machine import Machine
from tools.measurements import Figure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_the_library_says_what_the_card_is_built_on(machine: Machine) -> None:
    told = machine.call(loop.library)
    print(told)
    assert told["over-run: avail, read, read"][:2] == [-32, -32]
    assert told["then it goes on"]
    assert told["under-run: avail, write, write"] == [-32, -32, 240]
    assert told["asked 6 channels at 16000, got"] == [1, 48_000]


def test_what_is_played_comes_back_sample_by_sample(machine: Machine, figures: list[Figure]) -> None:
    told = machine.call(loop.round_trip, 10.0)
    print(told)
    assert told["untold"] == []
    assert told["whole"] > 0.9
    assert told["blocks"] > 800
    assert told["changes"] == [True]
    delay, spread = told["delay_ms"]
    note = "snd-aloop: from the time at which a sample is said to be heard to that at which it is said to be captured"
    figures.append(Figure("alsa.stamps_offset_ms", round(delay, 2), "ms", note=note))
    figures.append(Figure("alsa.stamps_spread_ms", round(spread, 2), "ms", note="the same, 5th to 95th percentile"))


def test_xruns_are_jumps_of_their_side_and_nothing_else_breaks(machine: Machine) -> None:
    told = machine.call(loop.stalls)
    print(told)
    before, after_capture, after_playback = told["counts"]
    assert after_capture["capture_overruns"] > before["capture_overruns"]
    assert after_playback["playback_underruns"] > after_capture["playback_underruns"]
    assert "capture" in told["jumps"][0]
    assert "playback" in told["jumps"][1]
    assert told["untold"] == []
    assert told["sounded"], "sound goes on after both"
