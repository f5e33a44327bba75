"""Fades without a click, and the queue of samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.media import splice
from appliance.media.pcm_queue import PAST, PcmQueue


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
    past = [0] * PAST  # what was played last
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
            past = (past + model[:size])[-PAST:]
            model = model[size:]
        elif step == "skip":
            queue.skip(size)
            model = model[size:]
        elif step == "clear":
            queue.clear()
            model = []
        assert len(queue) == len(model)
        assert list(queue.view) == model
        assert list(queue.around(PAST, len(model))) == past + model


def test_a_full_queue_says_so() -> None:
    queue = PcmQueue(100)
    with pytest.raises(ValueError, match="broadcast"):
        queue.append(np.zeros(101, np.int16))
