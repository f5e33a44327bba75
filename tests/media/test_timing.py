"""What delay is needed and what there is, from arrivals alone."""

import random

import pytest

from appliance.media.timing import CAP, MOST, NORMAL, Timing


def feed(timing: Timing, latenesses: list[float], *, start: int = 0, offset: float = 1234.5, has: float = 40.0) -> None:
    """Packets of 20 ms, each so many ms late; the playout has ``has`` ms of delay."""
    for n, lateness in enumerate(latenesses, start):
        timing.arrived(n * 20 + offset + lateness, n * 20, has - lateness)


def test_nothing_known_is_40_ms() -> None:
    timing = Timing()
    assert (timing.target, timing.delay, timing.excess) == (40, None, 0)


@pytest.mark.parametrize(
    ("spread", "target"),
    [(0, NORMAL.least), (5, NORMAL.least), (30, 30 + NORMAL.margin), (60, 60 + NORMAL.margin), (150, MOST)],
)
def test_the_target_is_what_nearly_all_packets_need(spread: float, target: float) -> None:
    timing, rng = Timing(), random.Random(1)
    feed(timing, [rng.random() * spread for _ in range(400)])
    assert timing.target == pytest.approx(target, abs=1.5)
    assert timing.jitter == pytest.approx(spread, rel=0.05)


def test_few_late_packets_do_not_count_and_many_do() -> None:
    few, many = Timing(), Timing()
    feed(few, [50.0 if n % 100 == 99 else 0.0 for n in range(512)])
    feed(many, [50.0 if n % 20 == 19 else 0.0 for n in range(512)])
    assert (few.target, many.target) == (NORMAL.least, 50 + NORMAL.margin)


def test_the_target_grows_at_once_and_shrinks_when_enough_is_known() -> None:
    timing = Timing()
    feed(timing, [60.0 if n % 2 else 0.0 for n in range(8)])
    assert timing.target == 60 + NORMAL.margin
    feed(timing, [0.0] * 16, start=8)
    assert timing.target == 60 + NORMAL.margin
    feed(timing, [0.0] * 300, start=24)
    assert NORMAL.least + 5 < timing.target < NORMAL.least + 30
    feed(timing, [0.0] * 1200, start=324)
    assert timing.target == NORMAL.least


def test_the_delay_there_is_is_told_whatever_the_lateness() -> None:
    timing, rng = Timing(), random.Random(2)
    feed(timing, [rng.random() * 30 for _ in range(100)], has=55)
    assert timing.delay == pytest.approx(55, abs=1)
    assert timing.excess == pytest.approx(55 - timing.target, abs=1)
    timing.moved(-10)
    assert timing.delay == pytest.approx(45, abs=1)
    timing.restarted()
    assert timing.delay is None


def test_packets_that_are_not_played_tell_of_the_network_only() -> None:
    timing = Timing()
    for n in range(100):
        timing.arrived(n * 20 + (30 if n % 3 == 0 else 0), n * 20, None)
    assert timing.delay is None
    assert timing.jitter == 30


def test_an_outage_is_no_jitter() -> None:
    timing = Timing()
    feed(timing, [0.0] * 300)
    feed(timing, [20.0 * (50 - n) for n in range(50)], start=300)  # a second, then all at once
    feed(timing, [0.0] * 50, start=350)
    assert timing.target == NORMAL.least


def test_a_longer_way_is_learnt_after_two_seconds() -> None:
    timing = Timing()
    feed(timing, [0.0] * 300)
    feed(timing, [CAP + 300] * 90, start=300, has=540)
    assert timing.delay == pytest.approx(540, abs=1)
    feed(timing, [CAP + 300] * 60, start=390, has=540)
    assert timing.target == NORMAL.least
    assert timing.delay == pytest.approx(40, abs=1)


def test_a_jump_of_the_timeline_is_a_new_one() -> None:
    timing = Timing()
    feed(timing, [0.0] * 300)
    feed(timing, [0.0] * 100, start=300, offset=-10_000)
    assert (timing.target, timing.jitter) == (NORMAL.least, 0)
