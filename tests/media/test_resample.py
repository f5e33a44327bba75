"""Resampling: the sound is the same a little faster, and nothing is lost between blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.units import BLOCK, RATE
from appliance.media.pcm_queue import PcmQueue
from appliance.media.resample import NEEDED, Resampler, between


def test_on_a_whole_sample_it_is_the_sample() -> None:
    np.testing.assert_allclose(between(0.0), [0] * 7 + [1] + [0] * 8, atol=1e-7)


@pytest.mark.parametrize("fraction", [-0.1, 0.0, 0.3, 0.5, 0.99, 1.1])
def test_what_stands_still_stays_what_it_is(fraction: float) -> None:
    assert between(fraction).sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("ppm", [300.0, -300.0, 41.0])
@pytest.mark.parametrize("frequency", [440.0, 7000.0, 15_000.0])
def test_a_tone_is_played_that_much_faster(ppm: float, frequency: float) -> None:
    turn = 2 * np.pi * frequency / RATE
    queue, resampler, blocks = PcmQueue(4000), Resampler(), 2000
    out, used, made = np.zeros(BLOCK, np.float32), 0, 0
    worst = 0.0
    for block in range(blocks):
        while len(queue) < NEEDED:
            queue.append((np.sin(turn * np.arange(made, made + 960)) * 16_384).astype(np.int16))
            made += 960
        used += BLOCK + resampler.take(queue, out, ppm) - BLOCK
        places = (np.arange(BLOCK) + block * BLOCK) * (1 + ppm * 1e-6)
        if block:  # the first has no past
            worst = max(worst, float(np.abs(out - np.sin(turn * places) / 2).max()))
    assert used == pytest.approx(blocks * BLOCK * (1 + ppm * 1e-6), abs=1)
    assert worst < 0.002 if frequency < 10_000 else worst < 0.02


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-300, 300), min_size=1, max_size=60))
def test_the_rate_may_change_at_any_block(rates: list[float]) -> None:
    queue, resampler, out, made = PcmQueue(4000), Resampler(), np.zeros(BLOCK, np.int16), 0
    heard, used = [], 0
    for ppm in rates:
        while len(queue) < NEEDED:
            queue.append((np.sin(2 * np.pi * 300 / RATE * np.arange(made, made + 960)) * 16_384).astype(np.int16))
            made += 960
        used += resampler.take(queue, out, ppm)
        heard.append(out.copy())
    exact = BLOCK * sum(1 + ppm * 1e-6 for ppm in rates)
    assert exact - 1.001 <= used <= exact + 0.001
    steps = np.abs(np.diff(np.concatenate(heard)[BLOCK:].astype(int)))
    assert steps.max(initial=0) <= 16_384 * 2 * np.pi * 300 / RATE * 1.02


def test_loud_sound_does_not_wrap() -> None:
    queue, resampler, out = PcmQueue(4000), Resampler(), np.zeros(BLOCK, np.int16)
    square = np.where(np.arange(2000) // 50 % 2, 32_767, -32_768).astype(np.int16)
    queue.append(square)
    resampler.take(queue, out, 300)
    resampler.take(queue, out, 300)
    flips = np.count_nonzero(np.diff(np.sign(out.astype(int))))
    assert flips in range(9, 12)


def test_after_a_reset_it_stands_on_a_whole_sample() -> None:
    queue, resampler, out = PcmQueue(4000), Resampler(), np.zeros(BLOCK, np.int16)
    queue.append(np.arange(2000, dtype=np.int16))
    resampler.take(queue, out, 100)
    assert not resampler.idle
    resampler.reset()
    assert resampler.idle
