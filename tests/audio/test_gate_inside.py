"""What the gate keeps in memory, and what its mutants showed to be untested."""

import numpy as np

from appliance.audio.gate import DEPTH, Gate
from appliance.core.units import BLOCK

LOUD = np.full(BLOCK, 0.5, np.float32)


def test_at_most_30_ms_wait_behind_the_gate() -> None:
    assert DEPTH * BLOCK == 1440


def test_nothing_of_the_microphone_stays_in_memory_after_closing() -> None:
    gate = Gate()
    gate.open()
    for _ in range(DEPTH + 1):
        gate.put(LOUD)
    gate.close()
    assert not gate._ring.any()
    assert not gate._scratch.any()


def test_opening_an_open_gate_does_not_fade_in_again() -> None:
    gate = Gate()
    gate.open()
    gate.put(LOUD)
    assert gate.open()
    gate.put(LOUD)
    first, second = np.zeros(BLOCK, np.int16), np.zeros(BLOCK, np.int16)
    assert gate.take(first)
    assert gate.take(second)
    assert first[0] == 0
    assert set(second) == {16383}


def test_at_most_one_closing_by_hand_is_undecided() -> None:
    gate = Gate()
    gate.open()
    gate.close_by_hand()
    gate.close_by_hand()
    gate.open()
    gate.close_by_hand()
    gate.decided()
    assert gate.open()


def test_a_closing_between_the_two_looks_of_put_wins() -> None:
    """The capture thread has seen an open gate; before it has the lock, the panel's thread closes."""
    gate = Gate()
    gate.open()
    lock = gate._lock

    class ClosedMeanwhile:
        def __enter__(self) -> None:
            gate._lock = lock
            gate.close()
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()

    gate._lock = ClosedMeanwhile()  # type: ignore[assignment]
    gate.put(LOUD)
    assert not gate.take(np.zeros(BLOCK, np.int16))
    assert not gate._ring.any()
