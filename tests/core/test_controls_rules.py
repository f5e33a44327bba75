"""The mute rules of UX.md, told as what happens in a room."""

import pytest

from appliance.core.controls import ORIGIN, Controls, Door, Event, MuteControl, Origin, Reason, initial, step
from tests.core.controls_space import CONFIGURATIONS, ready, run

R, E = Reason, Event
LATCHING, MOMENTARY = MuteControl.LATCHING, MuteControl.MOMENTARY
REMOTE = tuple(event for event in Event if ORIGIN[event] is Origin.REMOTE)


def test_a_remote_event_can_close_it() -> None:
    closing = {event for event in REMOTE if not step(ready(MOMENTARY), event).open}
    assert closing == {
        E.ADMIN_MUTED,
        E.DOOR_ASKED_LISTENING,
        E.DOOR_ASKED_CLOSED,
        E.PANEL_SETTING_CHANGED,
        E.QUIET_BEGAN,
        E.VIOLATED,
        E.TRIAL_BEGAN,
        E.RECORDING_BEGAN,
    }


@pytest.mark.parametrize("event", [E.LINK_LOST, E.LINK_FOUND, E.KNOCKED, E.ASKED_TO_UNMUTE, E.ADMIN_LIFTED])
@pytest.mark.parametrize("before", [(), (E.ADMIN_MUTED,), (E.DOOR_PRESSED,)])
def test_these_only_tell(event: Event, before: tuple[Event, ...]) -> None:
    state = run(ready(LATCHING), *before)
    assert step(state, event) is state


# Rule 7, latching switch


def test_opening_the_switch_ends_the_switch_alone() -> None:
    others = (E.AUDIO_LOST, E.DOOR_PRESSED, E.TRIAL_BEGAN, E.RECORDING_BEGAN, E.QUIET_BEGAN)
    state = run(ready(LATCHING), *others, E.SWITCH_CLOSED, E.SWITCH_OPENED)
    assert state.reasons == {R.AUDIO, R.DOOR, R.TRIAL, R.RECORDING, R.QUIET}


@pytest.mark.parametrize("mute", [E.ADMIN_MUTED, E.PANEL_SETTING_CHANGED, E.VIOLATED])
def test_a_full_cycle_of_the_switch_is_the_answer_of_the_room(mute: Event) -> None:
    state = run(ready(LATCHING), mute, E.SWITCH_CLOSED)
    assert not state.open
    assert step(state, E.SWITCH_OPENED).open


@pytest.mark.parametrize("mute", [E.ADMIN_MUTED, E.PANEL_SETTING_CHANGED, E.VIOLATED])
def test_a_mute_that_came_while_the_switch_was_closed_takes_a_full_cycle_more(mute: Event) -> None:
    state = run(ready(LATCHING), E.SWITCH_CLOSED, mute, E.SWITCH_OPENED)
    assert len(state.reasons) == 1
    assert run(state, E.SWITCH_CLOSED, E.SWITCH_OPENED).open


def test_muted_again_while_the_switch_is_closed_counts_as_new() -> None:
    state = run(ready(LATCHING), E.ADMIN_MUTED, E.VIOLATED, E.SWITCH_CLOSED, E.ADMIN_MUTED, E.SWITCH_OPENED)
    assert state.reasons == {R.ADMIN}


def test_closing_a_closed_switch_again_answers_nothing() -> None:
    """An edge seen twice is no second movement."""
    state = run(ready(LATCHING), E.SWITCH_CLOSED, E.ADMIN_MUTED, E.SWITCH_CLOSED, E.SWITCH_OPENED)
    assert state.reasons == {R.ADMIN}


def test_a_switch_that_is_read_is_no_hand() -> None:
    closed = run(ready(LATCHING), E.ADMIN_MUTED, E.SWITCH_FOUND_CLOSED)
    assert step(closed, E.SWITCH_OPENED).reasons == {R.ADMIN}
    answered_half = run(ready(LATCHING), E.ADMIN_MUTED, E.SWITCH_CLOSED, E.SWITCH_FOUND_OPEN)
    assert answered_half.reasons == {R.ADMIN}
    assert step(answered_half, E.SWITCH_OPENED).reasons == {R.ADMIN}


def test_reading_a_closed_switch_keeps_what_closing_it_has_begun() -> None:
    state = run(ready(LATCHING), E.ADMIN_MUTED, E.SWITCH_CLOSED, E.SWITCH_FOUND_CLOSED, E.SWITCH_OPENED)
    assert state.open


def test_a_momentary_button_does_nothing_to_a_latching_device_and_the_other_way_round() -> None:
    latching, momentary = ready(LATCHING), ready(MOMENTARY)
    muted = step(momentary, E.ADMIN_MUTED)
    assert step(latching, E.PRESS_WHILE_OPEN) is latching
    assert run(latching, E.ADMIN_MUTED, E.PRESS_WHILE_CLOSED).reasons == {R.ADMIN}
    for event in (E.SWITCH_CLOSED, E.SWITCH_FOUND_CLOSED, E.SWITCH_OPENED, E.SWITCH_FOUND_OPEN):
        assert step(momentary, event) is momentary
        assert step(muted, event) is muted


# Rule 7, momentary button


def test_presses_close_and_open() -> None:
    closed = step(ready(MOMENTARY), E.PRESS_WHILE_OPEN)
    assert closed.reasons == {R.BUTTON}
    assert step(closed, E.PRESS_WHILE_CLOSED).open


def test_a_press_on_a_closed_gate_is_the_answer_of_the_room() -> None:
    mutes = (E.PRESS_WHILE_OPEN, E.ADMIN_MUTED, E.PANEL_SETTING_CHANGED, E.VIOLATED)
    assert step(run(ready(MOMENTARY), *mutes), E.PRESS_WHILE_CLOSED).open


def test_and_ends_no_other_reason() -> None:
    others = (E.AUDIO_LOST, E.DOOR_PRESSED, E.TRIAL_BEGAN, E.RECORDING_BEGAN, E.QUIET_BEGAN)
    state = run(ready(MOMENTARY), *others, E.ADMIN_MUTED, E.PRESS_WHILE_CLOSED)
    assert state.reasons == {R.AUDIO, R.DOOR, R.TRIAL, R.RECORDING, R.QUIET}


# The start and the panel


@pytest.mark.parametrize(("kind", "push_to_talk"), CONFIGURATIONS)
def test_unknown_means_muted(kind: MuteControl, push_to_talk: bool) -> None:
    expected = {R.STARTING, R.AUDIO, R.PANEL}
    expected |= {R.SWITCH} if kind is LATCHING else set()
    expected |= {R.TALK} if push_to_talk else set()
    assert initial(kind, push_to_talk).reasons == expected
    assert initial(kind, push_to_talk).door is Door.OPEN


def test_controls_without_a_start_are_closed_too() -> None:
    assert Controls().reasons == {R.STARTING}
    assert Controls() == Controls(LATCHING, False, Door.OPEN, frozenset({R.STARTING}), frozenset(), Door.OPEN)


@pytest.mark.parametrize("kind", MuteControl)
def test_a_start_remembers_only_what_is_to_be_remembered(kind: MuteControl) -> None:
    fresh, state = initial(kind), initial(kind, remembered=frozenset(Reason), door=Door.LISTENING)
    button = {R.BUTTON} if kind is MOMENTARY else set()
    assert state.held - fresh.held == {R.ADMIN, R.HAND, R.VIOLATION} | button
    assert state.door is state.remembered_door is Door.LISTENING


def test_a_button_mute_of_before_can_be_ended_by_the_switch_that_replaced_the_button() -> None:
    stored = step(ready(MOMENTARY), E.PRESS_WHILE_OPEN).remembered
    state = ready(LATCHING, stored=stored)
    assert state.reasons == {R.HAND}
    assert run(state, E.SWITCH_CLOSED, E.SWITCH_OPENED).open


def test_a_found_panel_is_read_before_a_switch_counts_as_open() -> None:
    state = run(ready(LATCHING), E.PANEL_LOST, E.PANEL_FOUND)
    assert state.reasons == {R.SWITCH}
    assert step(state, E.SWITCH_FOUND_OPEN).open
    lost_in_the_start = run(
        initial(LATCHING), E.PANEL_FOUND, E.SWITCH_FOUND_OPEN, E.PANEL_LOST, E.PANEL_FOUND, E.AUDIO_FOUND, E.STARTED
    )
    assert lost_in_the_start.reasons == {R.SWITCH}


def test_a_button_nobody_saw_counts_as_pressed_and_a_key_as_let_go() -> None:
    state = run(ready(MOMENTARY, True), E.PANEL_LOST, E.PANEL_FOUND)
    assert state.reasons == {R.BUTTON, R.TALK}
    assert run(state, E.PRESS_WHILE_CLOSED).reasons == {R.TALK}
    assert run(state, E.PRESS_WHILE_CLOSED, E.TALK_PRESSED).open


@pytest.mark.parametrize("kind", MuteControl)
def test_push_to_talk_opens_only_while_held(kind: MuteControl) -> None:
    state = step(ready(kind, True), E.TALK_RELEASED)
    assert state.reasons == {R.TALK}
    assert step(state, E.TALK_PRESSED).open
    without = ready(kind)
    assert step(without, E.TALK_RELEASED) is without


# The door and quiet hours


def test_the_door_goes_round_by_hand() -> None:
    state = ready(MOMENTARY)
    doors = []
    for _ in range(4):
        state = step(state, E.DOOR_PRESSED)
        doors.append((state.door, state.open))
    assert doors == [(Door.LISTENING, False), (Door.CLOSED, False), (Door.OPEN, True), (Door.LISTENING, False)]


@pytest.mark.parametrize("presses", range(3))
def test_from_afar_the_door_is_never_opened_beyond_listening(presses: int) -> None:
    state = run(ready(MOMENTARY), *[E.DOOR_PRESSED] * presses)
    assert step(state, E.DOOR_ASKED_OPEN) is state
    assert step(state, E.DOOR_ASKED_LISTENING).door is Door.LISTENING
    assert step(state, E.DOOR_ASKED_CLOSED).door is Door.CLOSED


@pytest.mark.parametrize(
    ("presses", "afterwards"),
    [(0, Door.LISTENING), (1, Door.LISTENING), (2, Door.CLOSED)],
    ids=["open", "half", "shut"],
)
def test_quiet_hours_close_the_door_and_give_it_back_at_most_listening(presses: int, afterwards: Door) -> None:
    state = run(ready(MOMENTARY), *[E.DOOR_PRESSED] * presses, E.QUIET_BEGAN)
    assert state.door is Door.CLOSED
    assert state.reasons == {R.DOOR, R.QUIET}
    assert step(state, E.QUIET_BEGAN) is state
    state = step(state, E.QUIET_ENDED)
    assert state.door is afterwards
    assert state.reasons == {R.DOOR}
    assert step(state, E.QUIET_ENDED) is state


def test_a_hand_at_the_door_outranks_the_schedule_until_it_begins_again() -> None:
    state = run(ready(MOMENTARY), E.QUIET_BEGAN, E.DOOR_PRESSED)
    assert state.open
    assert step(state, E.QUIET_ENDED) is state
    assert step(state, E.QUIET_BEGAN).door is Door.CLOSED


def test_a_door_closed_from_afar_in_quiet_hours_outlasts_them() -> None:
    state = run(ready(MOMENTARY), E.QUIET_BEGAN, E.DOOR_ASKED_CLOSED)
    assert state.reasons == {R.DOOR, R.QUIET}
    assert step(state, E.QUIET_ENDED).door is Door.CLOSED
    state = run(ready(MOMENTARY), E.DOOR_ASKED_CLOSED, E.QUIET_BEGAN, E.DOOR_ASKED_LISTENING)
    assert (state.door, state.open) == (Door.LISTENING, False)
    assert step(state, E.QUIET_ENDED).door is Door.LISTENING


def test_the_door_that_is_stored_in_quiet_hours_is_the_one_after_them() -> None:
    assert run(ready(MOMENTARY), E.QUIET_BEGAN).remembered_door is Door.LISTENING
    assert run(ready(MOMENTARY), E.DOOR_ASKED_CLOSED, E.QUIET_BEGAN).remembered_door is Door.CLOSED
    assert ready(MOMENTARY).remembered_door is Door.OPEN
    assert run(ready(MOMENTARY), E.QUIET_BEGAN, E.DOOR_PRESSED).remembered_door is Door.OPEN
