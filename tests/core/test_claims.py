"""When claims of loudness are looked at, and for how long they are doubted."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.claims import BETWEEN, DOUBT, JUDGED, MOST_DOUBT, SETTLE, TOLERANCE, ClaimCheck
from appliance.core.slots import CLAIM_LEVEL

LOOK = SETTLE + JUDGED


def talk(check: ClaimCheck, begin: float, seconds: float, claimed: float, measured: float) -> tuple[int, int]:
    """Packets that were looked at, and how often the claim was belied."""
    looked = belied = 0
    for i in range(round(seconds / 0.02)):
        now = begin + i * 0.02
        if check.looks(now):
            looked += 1
            belied += check.note(claimed, measured, now)
    return looked, belied


def test_a_true_claim_is_looked_at_now_and_then_and_believed() -> None:
    check = ClaimCheck()
    looked, belied = talk(check, 0.0, 12.0, -20, -24)
    assert belied == 0
    assert 9 * LOOK <= looked <= 11 * LOOK
    assert not check.doubts(12.0)


def test_a_false_claim_is_found_within_one_look_and_doubted_longer_each_time() -> None:
    check, now = ClaimCheck(), 0.0
    for n in range(7):
        assert talk(check, now, LOOK * 0.02, 0, -127) == (LOOK, 1)
        end = now + LOOK * 0.02 - 0.02
        doubt = min(MOST_DOUBT, DOUBT * 2**n)
        assert check.doubts(end + doubt - 0.01)
        assert not check.doubts(end + doubt)
        now = end + doubt + BETWEEN


@pytest.mark.parametrize(
    ("claimed", "measured", "belied"),
    [
        (-20, -20 - TOLERANCE, 0),
        (-20, -21 - TOLERANCE, 1),
        (-40, -20, 0),
        (CLAIM_LEVEL, -127, 1),
        (CLAIM_LEVEL - 1, -127, 0),
    ],
)
def test_how_far_a_claim_may_be_off(claimed: float, measured: float, belied: int) -> None:
    assert talk(ClaimCheck(), 0.0, LOOK * 0.02, claimed, measured)[1] == belied


def test_what_a_decoder_says_at_first_does_not_count() -> None:
    check = ClaimCheck()
    for i in range(LOOK):
        assert check.begins == (i == 0)
        assert not check.note(-20, -127 if i < SETTLE else -22, i * 0.02)
    check = ClaimCheck()
    verdicts = [check.note(-20, -22 if i < SETTLE else -127, i * 0.02) for i in range(LOOK)]
    assert verdicts == [False] * (LOOK - 1) + [True]


def test_the_loudest_packets_are_compared_not_pairs_of_them() -> None:
    check = ClaimCheck()
    claims = [-60, -20] * (LOOK // 2)
    assert not any(check.note(claimed, -80 - claimed, i * 0.02) for i, claimed in enumerate(claims))


def test_a_look_that_breaks_off_begins_anew() -> None:
    check = ClaimCheck()
    talk(check, 0.0, 0.1, 0, -127)
    assert not check.begins
    assert not check.looks(5.0), "the next one is due a while later"
    assert check.begins
    assert check.looks(5.0 + BETWEEN)


@given(st.lists(st.tuples(st.floats(-127, 0), st.floats(0, 0.3)), max_size=200))
def test_who_is_as_loud_as_claimed_is_never_doubted(packets: list[tuple[float, float]]) -> None:
    check, now = ClaimCheck(), 0.0
    for level, passed in packets:
        now += passed
        if check.looks(now):
            assert not check.note(level, level, now)
    assert not check.doubts(now)
    assert not check.doubts(-math.inf)
