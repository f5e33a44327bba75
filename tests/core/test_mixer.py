"""The downlink mix."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.mixer import KNEE, Mixer
from appliance.core.units import BLOCK, RATE, Block


def block(value: float) -> Block:
    return np.full(BLOCK, value, np.float32)


def empty() -> Block:
    return np.full(BLOCK, 9.0, np.float32)


def test_nothing_in_is_silence_out() -> None:
    out = empty()
    assert Mixer().mix([None, None, None], [1.0, 1.0, 1.0], out) is out
    assert not out.any()


def test_one_talker_below_the_knee_passes_bit_for_bit() -> None:
    talker = (0.7 * np.sin(np.arange(BLOCK))).astype(np.float32)
    assert np.array_equal(Mixer().mix([None, talker, None], [1.0, 1.0, 1.0], empty()), talker)


def test_talkers_add_up_with_their_volumes() -> None:
    out = Mixer().mix([block(0.2), block(0.1), block(-0.1)], [1.0, 2.0, 0.5], empty())
    assert out == pytest.approx(0.2 + 0.2 - 0.05)


def test_volume_is_held_between_0_and_2() -> None:
    out = Mixer().mix([block(0.1), block(0.5), None], [7.0, -3.0, 1.0], empty())
    assert out == pytest.approx(0.2)


def test_inputs_are_left_as_they_are() -> None:
    talkers = [block(0.9), block(0.9), block(0.9)]
    Mixer().mix(talkers, [1.0, 0.5, 2.0], empty())
    assert all(np.array_equal(talker, block(0.9)) for talker in talkers)


def test_a_changed_volume_glides_within_one_block() -> None:
    mixer = Mixer(1)
    mixer.mix([block(0.3)], [0.0], empty())
    out = mixer.mix([block(0.3)], [1.0], empty())
    assert np.abs(np.diff(out)).max() < 0.001
    assert out[0] == pytest.approx(0.3 / BLOCK)
    assert out[-1] == pytest.approx(0.3)
    assert mixer.mix([block(0.3)], [1.0], empty()) == pytest.approx(0.3)


def test_a_talker_who_comes_back_has_its_volume_at_once() -> None:
    mixer = Mixer(1)
    mixer.mix([block(0.3)], [0.0], empty())
    mixer.mix([None], [0.0], empty())
    assert mixer.mix([block(0.3)], [1.0], empty()) == pytest.approx(0.3)


def test_three_shouting_talkers_never_clip() -> None:
    out = Mixer().mix([block(1.0), block(1.0), block(1.0)], [2.0, 2.0, 2.0], empty())
    assert out.max() <= 1.0
    out = Mixer().mix([block(-1.0), block(-1.0), block(-1.0)], [2.0, 2.0, 2.0], empty())
    assert out.min() >= -1.0


def test_the_limiter_begins_at_minus_3_db() -> None:
    assert 20 * np.log10(KNEE) == pytest.approx(-3.0, abs=0.01)
    just_below, just_above = KNEE - 2**-24, KNEE + 0.05
    assert np.array_equal(Mixer(1).mix([block(just_below)], [1.0], empty()), block(just_below))
    assert (Mixer(1).mix([block(just_above)], [1.0], empty()) < just_above).all()


@given(st.floats(-6.0, 6.0, width=32), st.floats(-6.0, 6.0, width=32))
def test_the_limiter_is_odd_bounded_and_keeps_the_order(x: float, y: float) -> None:
    samples = block(0.0)
    samples[:4] = [x, -x, y, 0.0]
    out = Mixer(1).mix([samples], [1.0], empty())
    assert out[0] == -out[1]
    assert np.abs(out).max() <= 1.0
    assert out[3] == 0.0, "a loud neighbour does not move what is quiet"
    assert (out[0] <= out[2]) if x <= y else (out[0] >= out[2])


def test_a_limited_tone_keeps_its_loudness_within_reason() -> None:
    tone = (1.4 * np.sin(2 * np.pi * 500 * np.arange(BLOCK) / RATE)).astype(np.float32)
    out = Mixer(1).mix([tone], [1.0], empty())
    assert 0.9 < np.abs(out).max() < 1.0


@pytest.mark.parametrize(("blocks", "gains"), [(2, 3), (3, 2), (4, 4)])
def test_it_wants_one_block_and_one_gain_for_each_input(blocks: int, gains: int) -> None:
    with pytest.raises(ValueError, match="the mixer has 3 inputs"):
        Mixer().mix([None] * blocks, [1.0] * gains, empty())


def test_mixing_allocates_no_blocks() -> None:
    mixer, out = Mixer(), empty()
    talkers = [block(0.9), block(0.9), block(0.9)]
    for gain in (1.0, 0.5):
        mixer.mix(talkers, [1.0, gain, 2.0], out)
    tracemalloc.start()
    try:
        for gain in (1.0, 0.5, 0.5):
            mixer.mix(talkers, [1.0, gain, 2.0], out)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < BLOCK * 4, "less than a single block"
