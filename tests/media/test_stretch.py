"""Stretching: what is joined continues, the pitch stays, and as many samples go or come as are told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.units import RATE, Pcm
from appliance.media import stretch
from appliance.media.pcm_queue import PcmQueue


def sine(frequency: float, size: int = 2000, phase: float = 0.3) -> Pcm:
    return (np.sin(2 * np.pi * frequency * np.arange(size) / RATE + phase) * 10_000).astype(np.int16)


@pytest.mark.parametrize("frequency", [100, 140, 220, 440, 1000])
def test_a_whole_number_of_periods_is_found(frequency: float) -> None:
    found = stretch.match(sine(frequency))
    periods = found.lag * frequency / RATE
    assert abs(periods - round(periods)) < 0.04
    assert found.likeness == pytest.approx(1, abs=0.01)


def test_of_equally_good_ones_the_longest_is_taken() -> None:
    assert stretch.match(sine(1000)).lag == 576  # twelve periods of 48 samples
    assert stretch.match(np.zeros(840, np.int16)) == (stretch.LONGEST, pytest.approx(0, abs=1e-6))


def test_noise_is_like_nothing() -> None:
    noise = (np.random.default_rng(1).standard_normal(840) * 5000).astype(np.int16)
    assert stretch.match(noise).likeness < 0.4


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.sampled_from([90.0, 150.0, 333.0, 900.0]))
def test_the_lag_is_the_best_there_is(seed: int, noise: float, frequency: float) -> None:
    """Against the definition, one lag after the other."""
    pcm = sine(frequency, 840) * (1 - noise) + np.random.default_rng(seed).standard_normal(840) * 8000 * noise
    wave = pcm.astype(np.int16)
    found = stretch.match(wave)
    head = wave[:240].astype(float)
    likeness = []
    for lag in range(stretch.SHORTEST, stretch.LONGEST + 1):
        there = wave[lag : lag + 240].astype(float)
        likeness.append(head @ there / np.sqrt((head @ head + 1) * (there @ there + 1)))
    assert found.likeness == pytest.approx(likeness[found.lag - stretch.SHORTEST], abs=1e-3)
    assert found.likeness >= max(likeness) - abs(max(likeness)) * 0.0011 - 1e-4


@pytest.mark.parametrize("frequency", [100, 440, 1000])
def test_shortened_sound_goes_on_without_a_jump(frequency: float) -> None:
    whole = sine(frequency, 3000)
    pcm = whole[1000:].copy()
    lag = stretch.match(pcm).lag
    stretch.shorten(pcm, lag)
    joined = np.concatenate((whole[:1000], pcm[lag:])).astype(int)
    assert np.abs(np.diff(joined)).max() <= np.abs(np.diff(whole.astype(int))).max() * 1.1
    np.testing.assert_array_equal(joined[1240:], whole[1240 + lag :])


@pytest.mark.parametrize("frequency", [100, 440, 1000])
def test_lengthened_sound_goes_on_without_a_jump(frequency: float) -> None:
    whole = sine(frequency, 3000)
    pcm, out = whole[1000:].copy(), np.zeros(stretch.LONGEST, np.int16)
    lag = stretch.match(pcm).lag
    stretch.lengthen(pcm, lag, out)
    joined = np.concatenate((whole[:1000], out[:lag], pcm)).astype(int)
    assert np.abs(np.diff(joined)).max() <= np.abs(np.diff(whole.astype(int))).max() * 1.1
    np.testing.assert_array_equal(joined[-1700:], whole[-1700:])


def stretched(whole: Pcm, factor: float) -> Pcm:
    """``whole`` played in ``factor`` of its time, a splice at a time, as a playout does it."""
    queue, scratch, heard = PcmQueue(6000), np.zeros(stretch.LONGEST, np.int16), []
    wanted = 0.0
    for at in range(0, whole.size - 959, 960):
        queue.append(whole[at : at + 960])
        wanted += 960 * (factor - 1)
        lag = stretch.match(queue.view).lag if len(queue) >= stretch.NEEDED else 0
        if lag and wanted <= -lag:
            stretch.shorten(queue.view, lag)
            queue.skip(lag)
            wanted += lag
        elif lag and wanted >= lag:
            stretch.lengthen(queue.view, lag, scratch)
            queue.prepend(scratch[:lag])
            wanted -= lag
        out = np.zeros(min(len(queue), 1200) if len(queue) > 2000 else min(len(queue), 960), np.int16)
        queue.take(out)
        heard.append(out)
    return np.concatenate(heard)


@pytest.mark.parametrize("factor", [0.85, 1.15])
def test_a_tone_of_440_hz_stays_one_and_clicks_not(factor: float) -> None:
    whole = sine(440, 10 * RATE)
    heard = stretched(whole, factor)
    assert heard.size == pytest.approx(whole.size * factor, rel=0.02)
    spectrum = np.abs(np.fft.rfft(heard[: RATE * 8] * np.hanning(RATE * 8)))
    assert np.argmax(spectrum) / 8 == pytest.approx(440, abs=1.0)
    assert np.abs(np.diff(heard.astype(int))).max() <= np.abs(np.diff(whole.astype(int))).max() * 1.1
    assert heard.std() == pytest.approx(whole.std(), rel=0.02)
