"""The ladder of recovery: which step, when, and never too often."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.recovery import AGAIN, FIRST_REBOOT, LADDER, LONGEST_WAIT, WELL, Ill, Ladder, Step

NONE: frozenset[Ill] = frozenset()
LATE = 10 * LONGEST_WAIT
"""An uptime at which any reboot is allowed."""


def steps(ladder: Ladder, ill: Ill, seconds: Iterable[float], uptime: float = LATE) -> list[tuple[float, Step]]:
    return [
        (now, decision.step) for now in seconds for decision in ladder.look(frozenset({ill}), float(now), uptime + now)
    ]


@pytest.mark.parametrize("ill", list(Ill))
def test_each_illness_has_rungs_that_grow_and_end_in_at_most_one_reboot(ill: Ill) -> None:
    rungs = LADDER[ill]
    assert [after for after, _ in rungs] == sorted({after for after, _ in rungs})
    assert all(step is not Step.REBOOT for _, step in rungs[:-1])
    assert steps(Ladder(), ill, range(int(rungs[-1][0]) + 10)) == [(after, step) for after, step in rungs]


def test_a_lost_card_restarts_sound_and_then_the_machine_again_and_again() -> None:
    last = 600 + 2 * int(AGAIN)
    assert steps(Ladder(), Ill.CARD, range(0, last + 100, 10)) == [
        (120, Step.RESTART_SOUND),
        (600, Step.REBOOT),
        (600 + AGAIN, Step.REBOOT),
        (last, Step.REBOOT),
    ]


def test_a_server_that_is_down_never_reboots_a_device() -> None:
    taken = {step for _, step in steps(Ladder(), Ill.ROOM, range(0, 30 * 24 * 3600, 60))}
    assert taken == {Step.REJOIN, Step.RESTART_LINK}


def test_what_mends_itself_begins_at_the_lowest_rung_when_it_comes_back() -> None:
    ladder = Ladder()
    assert steps(ladder, Ill.CARD, [0, 120]) == [(120, Step.RESTART_SOUND)]
    assert ladder.look(NONE, 130.0, LATE) == []
    assert ladder.ills == {}
    assert steps(ladder, Ill.CARD, [140, 259, 260]) == [(260, Step.RESTART_SOUND)]
    assert ladder.ills == {Ill.CARD: 140.0}


def test_a_machine_that_has_just_started_is_not_rebooted() -> None:
    ladder = Ladder()
    early = range(0, int(FIRST_REBOOT) - 100, 10)
    assert steps(ladder, Ill.NETWORK, early, uptime=100) == []
    assert steps(ladder, Ill.NETWORK, [FIRST_REBOOT - 101, FIRST_REBOOT - 100], uptime=100) == [
        (FIRST_REBOOT - 100, Step.REBOOT)
    ]


@pytest.mark.parametrize(("in_vain", "hours"), [(0, 1), (1, 2), (2, 4), (4, 16), (5, 24), (1000, 24)])
def test_after_reboots_in_vain_it_waits_longer(in_vain: int, hours: int) -> None:
    ladder = Ladder(in_vain)
    assert ladder.reboot_after == hours * 3600
    assert steps(ladder, Ill.LINK, [0, 600], uptime=hours * 3600 - 601) == []
    assert steps(ladder, Ill.LINK, [601], uptime=hours * 3600 - 601) == [(601, Step.REBOOT)]


def test_a_minute_of_health_makes_a_reboot_one_that_helped() -> None:
    ladder = Ladder(3)
    ladder.look(NONE, 0.0, 10.0)
    ladder.look(NONE, WELL - 1, 10.0)
    assert ladder.in_vain == 3
    ladder.look(frozenset({Ill.ROOM}), WELL, 10.0)
    ladder.look(NONE, WELL + 1, 10.0)
    ladder.look(NONE, 2 * WELL, 10.0)
    assert ladder.in_vain == 3, "the minute begins anew after an illness"
    ladder.look(NONE, 2 * WELL + 1, 10.0)
    assert ladder.in_vain == 0


def test_while_settings_are_tried_nothing_counts() -> None:
    ladder = Ladder(1)
    assert steps(ladder, Ill.ROOM, [0, 59]) == []
    ladder.pause()
    assert steps(ladder, Ill.ROOM, [61, 120]) == []
    assert steps(ladder, Ill.ROOM, [121]) == [(121, Step.REJOIN)]
    ladder.look(NONE, 130.0, LATE)
    ladder.pause()
    ladder.look(NONE, 130.0 + WELL, LATE)
    assert ladder.in_vain == 1


def test_several_illnesses_are_treated_each() -> None:
    ladder = Ladder()
    both = frozenset({Ill.EXCHANGE, Ill.ROOM})
    ladder.look(both, 0.0, LATE)
    assert {(found.step, found.ill, found.seconds) for found in ladder.look(both, 60.0, LATE)} == {
        (Step.REJOIN, Ill.ROOM, 60.0),
        (Step.RESTART_LINK, Ill.EXCHANGE, 60.0),
    }


@given(
    st.lists(
        st.tuples(st.floats(1, 3600), st.frozensets(st.sampled_from(list(Ill))), st.booleans()), min_size=1, max_size=60
    )
)
def test_whatever_happens_there_is_one_reboot_an_hour_at_most(
    history: list[tuple[float, frozenset[Ill], bool]],
) -> None:
    """Each reboot begins a new life of the machine, whose uptime counts from there."""
    now, started, ladder, reboots = 0.0, -LONGEST_WAIT, Ladder(), [-LONGEST_WAIT]
    for wait, ills, tries in history:
        now += wait
        if tries:
            ladder.pause()
        elif any(decision.step is Step.REBOOT for decision in ladder.look(ills, now, now - started)):
            assert now - reboots[-1] >= FIRST_REBOOT
            reboots.append(now)
            started, ladder = now, Ladder(ladder.in_vain + 1)
