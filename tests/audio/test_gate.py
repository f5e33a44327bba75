"""The gate: what it lets through, and that closing wins against everything."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.audio.gate import DEPTH, Gate
from appliance.core.units import BLOCK

LOUD = np.full(BLOCK, 0.5, np.float32)


def take(gate: Gate) -> np.ndarray | None:
    out = np.zeros(BLOCK, np.int16)
    return out if gate.take(out) else None


@pytest.fixture
def gate() -> Gate:
    gate = Gate()
    gate.open()
    gate.put(LOUD)
    gate.take(np.zeros(BLOCK, np.int16))
    return gate


def test_starts_closed() -> None:
    gate = Gate()
    gate.put(LOUD)
    assert not gate.is_open
    assert take(gate) is None
    assert gate.epoch == 0


def test_open_gate_passes_blocks_in_order(gate: Gate) -> None:
    gate.put(np.full(BLOCK, 0.1, np.float32))
    gate.put(np.full(BLOCK, 0.2, np.float32))
    first, second, third = take(gate), take(gate), take(gate)
    assert first is not None and second is not None and third is None
    assert set(first) == {3276}
    assert set(second) == {6553}


def test_full_scale_is_not_wrapped(gate: Gate) -> None:
    gate.put(np.full(BLOCK, 1.7, np.float32))
    gate.put(np.full(BLOCK, -1.7, np.float32))
    first, second = take(gate), take(gate)
    assert first is not None and second is not None
    assert (first.min(), second.max()) == (32767, -32767)


def test_blocks_that_were_captured_before_an_opening_are_not_let_through_after_it() -> None:
    gate = Gate()
    gate.behind = 2
    for _ in range(2):
        gate.open()
        gate.put(LOUD)
        gate.open()  # it is open: that changes nothing
        gate.put(LOUD)
        assert take(gate) is None
        gate.put(LOUD)
        first = take(gate)
        assert first is not None and first[0] == 0 and first[-1] > 16000, "and the first that is fades in"
        gate.close()


def test_first_block_fades_in() -> None:
    gate = Gate()
    assert gate.open()
    gate.put(LOUD)
    gate.put(LOUD)
    first, second = take(gate), take(gate)
    assert first is not None and second is not None
    assert first[0] == 0 and first[-1] == 16383 and np.all(np.diff(first) >= 0)
    assert set(second) == {16383}


def test_closing_empties_what_waits_and_counts(gate: Gate) -> None:
    gate.put(LOUD)
    gate.put(LOUD)
    assert gate.close()
    assert take(gate) is None
    assert gate.epoch == 1
    assert not gate.close()
    assert gate.epoch == 1
    gate.put(LOUD)
    assert take(gate) is None


def test_nothing_of_before_is_heard_after_reopening(gate: Gate) -> None:
    gate.put(LOUD)
    gate.close()
    gate.open()
    gate.put(np.zeros(BLOCK, np.float32))
    block = take(gate)
    assert block is not None and not block.any()
    assert take(gate) is None


def test_the_newest_blocks_stay_when_nobody_fetches(gate: Gate) -> None:
    for number in range(1, DEPTH + 3):
        gate.put(np.full(BLOCK, number / 100, np.float32))
    kept = [block[0] for block in (take(gate) for _ in range(DEPTH)) if block is not None]
    assert take(gate) is None
    assert kept == [int(number / 100 * 32767) for number in range(3, DEPTH + 3)]
    assert gate.dropped == 2


def test_a_press_that_the_loop_has_not_seen_wins(gate: Gate) -> None:
    assert gate.close_by_hand()
    assert not gate.open()
    assert not gate.close_by_hand()
    gate.decided()
    assert gate.open()
    gate.decided()
    assert gate.close_by_hand()
    assert not gate.open()


def test_every_undecided_closing_counts() -> None:
    gate = Gate()
    gate.open()
    gate.close_by_hand()
    gate.decided()
    gate.open()
    gate.close_by_hand()
    assert not gate.open()
    gate.decided()
    assert gate.open()


@given(st.lists(st.sampled_from(["put", "take", "close", "hand", "decided", "open"]), max_size=40))
def test_nothing_is_taken_from_a_closed_gate(steps: list[str]) -> None:
    gate = Gate()
    undecided = 0
    for step in steps:
        if step == "put":
            gate.put(LOUD)
        elif step == "take":
            assert (take(gate) is None) or gate.is_open
        elif step == "close":
            gate.close()
        elif step == "hand":
            undecided += gate.close_by_hand()
        elif step == "decided":
            gate.decided()
            undecided = max(0, undecided - 1)
        else:
            assert gate.open() == (undecided == 0 or gate.is_open)
        if undecided:
            assert not gate.is_open
        if not gate.is_open:
            assert take(gate) is None


def test_closing_from_another_thread_holds_while_audio_runs() -> None:
    gate = Gate()
    leaked: list[int] = []
    stop = threading.Event()

    def capture() -> None:
        while not stop.is_set():
            gate.put(LOUD)

    def clock() -> None:
        out = np.zeros(BLOCK, np.int16)
        while not stop.is_set():
            epoch = gate.epoch
            if gate.take(out) and gate.epoch == epoch and closed.is_set():
                leaked.append(epoch)

    closed = threading.Event()
    threads = [threading.Thread(target=work) for work in (capture, clock)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        gate.open()
        time.sleep(0.0005)
        gate.close()
        closed.set()
        time.sleep(0.0005)
        closed.clear()
    stop.set()
    for thread in threads:
        thread.join()
    assert gate.epoch == 200
    assert leaked == []


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("after", "counts_as_open"), [(0.0, True), (0.4999, True), (0.5, False), (60.0, False)])
def test_a_hand_that_meets_a_close_of_a_moment_ago_wanted_to_mute(after: float, counts_as_open: bool) -> None:
    clock = Clock()
    gate = Gate(clock)
    gate.open()
    clock.now = 100.0
    gate.close()
    clock.now += after
    assert gate.close_by_hand() is counts_as_open
    assert gate.open() is not counts_as_open, "and what it decided has to be heard first"


def test_a_gate_that_was_never_open_was_not_closed_a_moment_ago() -> None:
    clock = Clock()
    gate = Gate(clock)
    gate.close()
    assert not gate.close_by_hand()


def test_the_hands_own_close_is_no_close_of_a_moment_ago() -> None:
    clock = Clock()
    gate = Gate(clock)
    gate.open()
    clock.now = 100.0
    assert gate.close_by_hand()
    assert not gate.close_by_hand(), "the second press is an answer to the lamp"
