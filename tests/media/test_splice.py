"""Splices: what is joined continues, and as many samples go or come as are told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.units import RATE, Pcm
from appliance.media import splice
from appliance.media.pcm_queue import PcmQueue


def sine(frequency: float, size: int = 2000, phase: float = 0.3) -> Pcm:
    return (np.sin(2 * np.pi * frequency * np.arange(size) / RATE + phase) * 10_000).astype(np.int16)


@pytest.mark.parametrize("frequency", [100, 140, 220, 440, 1000])
def test_a_whole_number_of_periods_is_found(frequency: float) -> None:
    periods = splice.period(sine(frequency)) * frequency / RATE
    assert abs(periods - round(periods)) < 0.04


def test_of_equally_good_ones_the_longest_is_taken() -> None:
    assert splice.period(sine(1000)) == 576  # twelve periods of 48 samples
    assert splice.period(np.zeros(840, np.int16)) == splice.LONGEST


@pytest.mark.parametrize("frequency", [100, 440, 1000])
def test_shortened_sound_goes_on_without_a_jump(frequency: float) -> None:
    whole = sine(frequency, 3000)
    pcm = whole[1000:].copy()
    taken = splice.shorten(pcm)
    joined = np.concatenate((whole[:1000], pcm[taken:])).astype(int)
    assert 120 <= taken <= 600
    assert np.abs(np.diff(joined)).max() <= np.abs(np.diff(whole.astype(int))).max() * 1.1
    np.testing.assert_array_equal(joined[1240:], whole[1240 + taken :])


@pytest.mark.parametrize("frequency", [100, 440, 1000])
def test_lengthened_sound_goes_on_without_a_jump(frequency: float) -> None:
    whole = sine(frequency, 3000)
    pcm, out = whole[1000:].copy(), np.zeros(splice.LONGEST, np.int16)
    added = splice.lengthen(pcm, out)
    joined = np.concatenate((whole[:1000], out[:added], pcm)).astype(int)
    assert joined.size == 3000 + added
    assert np.abs(np.diff(joined)).max() <= np.abs(np.diff(whole.astype(int))).max() * 1.1
    np.testing.assert_array_equal(joined[-1700:], whole[-1700:])


@given(st.integers(1, 1000))
def test_fades_begin_and_end_in_silence(size: int) -> None:
    pcm = np.full(size, 24_000, np.int16)
    splice.fade_in(pcm)
    assert pcm[0] <= 12_000
    assert (np.diff(pcm.astype(int)) >= 0).all()
    assert (pcm[240:] == 24_000).all()
    short = np.full(min(size, splice.OVERLAP), 24_000, np.int16)
    splice.fade_out(short)
    assert short[-1] <= 50
    assert (np.diff(short.astype(int)) <= 0).all()


def test_a_falling_tail_is_added_and_does_not_wrap() -> None:
    pcm = np.full(480, 30_000, np.int16)
    splice.add_falling(np.full(splice.OVERLAP, 30_000, np.int16), pcm)
    assert pcm[0] == 32_767
    assert pcm[239] == pytest.approx(30_062, abs=2)
    assert (pcm[240:] == 30_000).all()


@given(
    st.lists(
        st.tuples(st.sampled_from(["append", "prepend", "take", "skip", "clear"]), st.integers(0, 700)), max_size=60
    )
)
def test_a_queue_is_a_queue(steps: list[tuple[str, int]]) -> None:
    queue, model, number = PcmQueue(3000), list[int](), 0
    for step, size in steps:
        if step in {"append", "prepend"} and len(model) + size <= 3000:
            fresh = list(range(number, number + size))
            number = (number + size) % 20_000
            getattr(queue, step)(np.array(fresh, np.int16))
            model = model + fresh if step == "append" else fresh + model
        elif step == "take":
            out = np.full(size, -1, np.int16)
            assert queue.take(out) == min(size, len(model))
            assert list(out) == (model[:size] + [0] * size)[:size]
            model = model[size:]
        elif step == "skip":
            queue.skip(size)
            model = model[size:]
        elif step == "clear":
            queue.clear()
            model = []
        assert len(queue) == len(model)
        assert list(queue.view) == model


def test_a_full_queue_says_so() -> None:
    queue = PcmQueue(100)
    with pytest.raises(ValueError, match="broadcast"):
        queue.append(np.zeros(101, np.int16))
