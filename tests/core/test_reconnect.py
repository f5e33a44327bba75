"""When to try again."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.reconnect import FIRST_WAIT, LONGEST_ASKED, Fault, FaultKind, Reconnect, probe_pause, retryable

NETWORK = Fault("network")


def waits(reconnect: Reconnect, n: int, now: float = 0.0) -> list[float]:
    found = [reconnect.lost(now, NETWORK) for _ in range(n)]
    return [wait for wait in found if wait is not None]


@pytest.mark.parametrize("kind", ["network", "server", "full", "untrusted"])
def test_what_passes_by_itself_is_tried_again(kind: FaultKind) -> None:
    assert retryable(Fault(kind))
    assert Reconnect(1.5, lambda: 0.5).lost(0.0, Fault(kind)) is not None


@pytest.mark.parametrize("kind", ["replaced", "refused", "gone"])
def test_what_needs_a_person_is_not(kind: FaultKind) -> None:
    assert not retryable(Fault(kind))
    reconnect = Reconnect(1.5, lambda: 0.5)
    assert reconnect.lost(0.0, Fault(kind, retry_after=1.0)) is None
    assert reconnect.attempts == 0


def test_the_first_wait_is_small_the_next_double_up_to_the_cap() -> None:
    assert waits(Reconnect(1.5, lambda: 1.0), 6) == pytest.approx([0.2, 0.4, 0.8, 1.5, 1.5, 1.5])
    assert waits(Reconnect(1.5, lambda: 0.0), 4) == pytest.approx([0.1, 0.2, 0.4, 0.75])


def test_waits_are_spread_so_that_a_room_does_not_return_at_once() -> None:
    rng = random.Random(7)
    first = [waits(Reconnect(4.0, rng.random), 1)[0] for _ in range(200)]
    assert max(first) - min(first) > 0.09
    assert max(first) <= FIRST_WAIT


def test_a_good_connection_starts_over() -> None:
    reconnect = Reconnect(4.0, lambda: 1.0)
    waits(reconnect, 5)
    reconnect.connected(10.0)
    assert reconnect.attempts == 5
    assert reconnect.lost(15.0, NETWORK) == pytest.approx(0.2)
    assert reconnect.attempts == 1


def test_one_that_breaks_at_once_does_not() -> None:
    reconnect = Reconnect(4.0, lambda: 1.0)
    waits(reconnect, 3)
    reconnect.connected(10.0)
    assert reconnect.lost(14.9, NETWORK) == pytest.approx(1.6)
    assert reconnect.lost(30.0, NETWORK) == pytest.approx(3.2), "a failed attempt is no connection, however late"


def test_how_long_a_connection_must_last_can_be_set() -> None:
    reconnect = Reconnect(4.0, lambda: 1.0, steady=60.0)
    waits(reconnect, 2)
    reconnect.connected(0.0)
    assert reconnect.lost(59.0, NETWORK) == pytest.approx(0.8)


def test_a_route_change_starts_over_and_does_not_wait() -> None:
    reconnect = Reconnect(4.0, lambda: 1.0)
    waits(reconnect, 5)
    assert reconnect.route_changed() == 0.0
    assert reconnect.lost(0.0, NETWORK) == pytest.approx(0.2)


def test_what_the_server_asks_for_is_waited_beyond_the_cap() -> None:
    assert Reconnect(1.5, lambda: 0.0).lost(0.0, Fault("full", retry_after=20.0)) == pytest.approx(20.0)
    assert Reconnect(1.5, lambda: 1.0).lost(0.0, Fault("full", retry_after=20.0)) == pytest.approx(22.0)
    assert Reconnect(1.5, lambda: 1.0).lost(0.0, Fault("full", retry_after=0.01)) == pytest.approx(0.2)


@pytest.mark.parametrize("asked", [None, 0.0, -5.0, math.nan])
def test_nonsense_is_not_waited_for(asked: float | None) -> None:
    assert Reconnect(1.5, lambda: 1.0).lost(0.0, Fault("server", retry_after=asked)) == pytest.approx(0.2)


def test_a_server_cannot_send_us_away_for_ever() -> None:
    wait = Reconnect(1.5, lambda: 1.0).lost(0.0, Fault("server", retry_after=math.inf))
    assert wait == pytest.approx(LONGEST_ASKED * 1.1)


@given(st.floats(0.2, 60.0), st.integers(1, 3000), st.randoms(use_true_random=False))
def test_no_wait_is_longer_than_the_cap_or_shorter_than_half_the_first(cap: float, n: int, rng: random.Random) -> None:
    assert all(FIRST_WAIT / 2 <= wait <= cap for wait in waits(Reconnect(cap, rng.random), n))


@pytest.mark.parametrize(
    ("waited", "longest"), [(0.0, 0.25), (59.9, 0.25), (60.0, 0.5), (599.9, 0.5), (600.0, 0.8), (1e9, 0.8)]
)
def test_a_server_that_does_not_answer_is_tried_often_and_by_all_at_other_times(waited: float, longest: float) -> None:
    assert probe_pause(waited, 1.0) == pytest.approx(longest)
    assert probe_pause(waited, 0.0) == pytest.approx(0.7 * longest)
