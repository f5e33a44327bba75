"""Sequences of events: all short ones, and long ones by chance."""

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.controls import ORIGIN, Controls, Door, Event, MuteControl, Origin, Reason, reasons_of, step
from tests.core.controls_space import CONFIGURATIONS, ready, run

R, E = Reason, Event
LATCHING, MOMENTARY = MuteControl.LATCHING, MuteControl.MOMENTARY
REMOTE = tuple(event for event in Event if ORIGIN[event] is Origin.REMOTE)

CLOSINGS: dict[str, tuple[Event, ...]] = {
    "switch": (E.SWITCH_CLOSED,),
    "button": (E.PRESS_WHILE_OPEN,),
    "admin": (E.ADMIN_MUTED,),
    "door listening": (E.DOOR_PRESSED,),
    "door closed": (E.DOOR_PRESSED, E.DOOR_PRESSED),
    "door from afar": (E.DOOR_ASKED_CLOSED,),
    "quiet hours": (E.QUIET_BEGAN,),
    "panel lost": (E.PANEL_LOST,),
    "violation": (E.VIOLATED,),
    "hand": (E.PANEL_SETTING_CHANGED,),
    "talk key": (E.TALK_RELEASED,),
    "no audio": (E.AUDIO_LOST,),
    "trial": (E.TRIAL_BEGAN,),
    "recording": (E.RECORDING_BEGAN,),
}


def closes(cause: str, kind: MuteControl, push_to_talk: bool) -> bool:
    only = {"switch": kind is LATCHING, "button": kind is MOMENTARY, "talk key": push_to_talk}
    return only.get(cause, True)


CASES = [(*setup, cause) for setup, cause in product(CONFIGURATIONS, CLOSINGS) if closes(cause, *setup)]


@pytest.mark.parametrize(("kind", "push_to_talk", "cause"), CASES)
def test_after_each_closing_no_four_remote_events_open_the_gate(
    kind: MuteControl, push_to_talk: bool, cause: str
) -> None:
    """All sequences up to length 4: equal states are followed once, which leaves nothing out."""
    start = ready(kind, push_to_talk)
    assert start.open
    reached = {run(start, *CLOSINGS[cause])}
    for _ in range(5):
        assert not any(state.open for state in reached)
        reached = {step(state, event) for state in reached for event in REMOTE}


@given(
    st.sampled_from(CASES),
    st.lists(st.sampled_from(Event), max_size=40),
    st.lists(st.sampled_from(REMOTE), min_size=5, max_size=200),
)
def test_nor_does_any_longer_sequence_after_whatever_came_before(
    case: tuple[MuteControl, bool, str], before: list[Event], remote: list[Event]
) -> None:
    kind, push_to_talk, cause = case
    state = run(ready(kind, push_to_talk), *before, *CLOSINGS[cause])
    if state.open:  # the door was pressed on from closed to open
        state = step(state, E.ADMIN_MUTED)
    for event in remote:
        state = step(state, event)
        assert not state.open


SWITCH_PLAY = (E.SWITCH_CLOSED, E.SWITCH_OPENED, E.SWITCH_FOUND_CLOSED, E.SWITCH_FOUND_OPEN, E.ADMIN_MUTED, E.VIOLATED)


def admin_holds(history: Sequence[Event]) -> bool:
    """Rule 7 from history: closed by a hand and then opened by a hand after the last mute, and not just read between."""
    if E.ADMIN_MUTED not in history:
        return False
    since = len(history) - 1 - list(reversed(history)).index(E.ADMIN_MUTED)
    stands_closed, begun = False, False
    for n, event in enumerate(history):
        if event is E.SWITCH_CLOSED and not stands_closed:
            stands_closed, begun = True, n > since
        elif event is E.SWITCH_FOUND_CLOSED:
            stands_closed = True
        elif event in {E.SWITCH_OPENED, E.SWITCH_FOUND_OPEN}:
            if event is E.SWITCH_OPENED and begun:
                return False
            stands_closed, begun = False, False
    return True


@pytest.mark.parametrize("length", range(6))
def test_rule_7_agrees_with_history_for_every_play_of_the_switch(length: int) -> None:
    for history in product(SWITCH_PLAY, repeat=length):
        assert (R.ADMIN in run(ready(LATCHING), *history).held) is admin_holds(history), history


@given(st.sets(st.sampled_from(Reason)), st.integers(min_value=len(Reason), max_value=62))
def test_reasons_survive_the_exchange_and_unknown_bits_are_ignored(reasons: set[Reason], unknown: int) -> None:
    door = Door.LISTENING if R.DOOR in reasons else Door.OPEN
    state = Controls(held=frozenset(reasons - {R.DOOR}), door=door)
    assert reasons_of(state.mask) == reasons
    assert reasons_of(state.mask | 1 << unknown) == reasons
    assert state.mask < 1 << len(Reason)
