"""Every parser of remote input takes whatever comes: what it does not understand it refuses as it says it does, and forgets.

5,000 inputs a parser here, 50,000 in the slow suite (.ci/slow), without end by ``make fuzz`` (endless.py). Hypothesis chooses,
mutate.py makes inputs of its choice, and a finding tells the shortest one that still breaks something.
"""

import gc
import random
import resource
import tracemalloc
from itertools import islice

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.fuzz.target import Found, Run, Target, check
from tests.fuzz.targets import all_targets

TARGETS = all_targets()
_BY_NAME = pytest.mark.parametrize("target", TARGETS, ids=[target.name for target in TARGETS])
_FEW, _MANY = 5_000, 50_000
_ROW = 25
_MOST_PYTHON = 3 * 1024 * 1024
"""Bytes that may be kept after many inputs, and be in use at any time beside what was there before; hypothesis aside."""
_MOST_RESIDENT = 64 * 1024
"""KiB that the process may grow by: libraries keep memory too, and Python cannot see it."""


def fuzz(target: Target, run: Run, inputs: int, *, repeatable: bool) -> None:
    """So many inputs; hypothesis gives the beginning of each 25 of them."""

    @settings(
        max_examples=inputs // _ROW,
        derandomize=repeatable,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),  # what is found is made shorter by check()
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**64 - 1))
    @example(0)
    def take(choice: int) -> None:
        rng = random.Random(choice)
        for _ in range(_ROW):
            check(target, run, target.input(rng))

    take()


@_BY_NAME
def test_its_examples_are_what_it_reads(target: Target) -> None:
    with target.opened() as run:
        taken = [check(target, run, data) for data in target.examples]
    assert any(taken)


@_BY_NAME
@pytest.mark.timeout(300)
def test_five_thousand_wrong_inputs(target: Target) -> None:
    with target.opened() as run:
        fuzz(target, run, _FEW, repeatable=True)


@pytest.mark.slow
@_BY_NAME
@pytest.mark.timeout(1800)
def test_fifty_thousand_wrong_inputs(target: Target) -> None:
    with target.opened() as run:
        fuzz(target, run, _MANY, repeatable=False)


@_BY_NAME
@pytest.mark.timeout(300)
def test_memory_is_bounded(target: Target) -> None:
    with target.opened() as run:
        inputs = target.inputs(1)
        for data in islice(inputs, 200):  # what is made once is there
            check(target, run, data)
        gc.collect()
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        tracemalloc.start()
        try:
            for data in islice(inputs, 300):
                check(target, run, data)
            gc.collect()
            kept, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert kept < _MOST_PYTHON
        assert peak < 2 * _MOST_PYTHON
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident < _MOST_RESIDENT


# ---- the fuzzer itself


def _broken(data: bytes) -> None:
    if b"\xff" in data:
        raise KeyError("gone")
    if len(data) > 40:
        raise ValueError("too long")


def test_what_is_not_declared_is_found_and_told_as_short_as_can_be() -> None:
    target = next(target for target in TARGETS if target.name == "red")
    broken = Target("broken", target.mutation, target.examples, target.opened, (ValueError,))
    assert check(broken, _broken, b"good")
    assert not check(broken, _broken, bytes(100))
    with pytest.raises(Found, match=r"broken: KeyError: 'gone'\nfrom tests.fuzz input b'\\xff'$"):
        check(broken, _broken, b"abc" * 100 + b"\xff" + b"def" * 100)


def test_inputs_come_again_from_their_seed_and_are_mostly_new() -> None:
    for target in TARGETS:
        first, again = (list(islice(target.inputs(7), 300)) for _ in range(2))
        assert first == again
        assert len(set(first)) > 150, target.name
