"""What holds for the controls in every state and after every event (UX.md, "Mute: the rules")."""

from itertools import accumulate, permutations, product

import numpy as np
import pytest

from appliance.core.controls import (
    ANSWERED_BY_HAND,
    ORIGIN,
    REMEMBERED,
    Door,
    Event,
    MuteControl,
    Origin,
    Reason,
    initial,
    reasons_of,
    step,
)
from tests.core.controls_space import CONFIGURATIONS, Space, bits, explore, run, starts

R, E = Reason, Event


@pytest.fixture(scope="module", params=CONFIGURATIONS, ids=lambda setup: f"{setup[0]}-{setup[1]}")
def whole(request: pytest.FixtureRequest) -> Space:
    return explore(*request.param)


MAY_END: dict[Event, set[Reason]] = {
    E.SWITCH_OPENED: {R.SWITCH, R.ADMIN, R.HAND, R.VIOLATION},
    E.SWITCH_FOUND_OPEN: {R.SWITCH},
    E.PRESS_WHILE_CLOSED: {R.BUTTON, R.ADMIN, R.HAND, R.VIOLATION},
    E.DOOR_PRESSED: {R.QUIET},
    E.TALK_PRESSED: {R.TALK},
    E.QUIET_ENDED: {R.QUIET},
    E.STARTED: {R.STARTING},
    E.AUDIO_FOUND: {R.AUDIO},
    E.PANEL_FOUND: {R.PANEL},
    E.TRIAL_ENDED: {R.TRIAL},
    E.RECORDING_ANNOUNCED: {R.RECORDING},
}
"""UX.md, rules 3, 4 and 7, said once more: all that an event may end. An event that is missing here ends nothing."""

ADDS: dict[Event, dict[MuteControl, set[Reason]]] = {
    event: {MuteControl.LATCHING: latching, MuteControl.MOMENTARY: momentary}
    for event, latching, momentary in [
        (E.SWITCH_CLOSED, {R.SWITCH}, set[Reason]()),
        (E.SWITCH_FOUND_CLOSED, {R.SWITCH}, set[Reason]()),
        (E.PRESS_WHILE_OPEN, set[Reason](), {R.BUTTON}),
        (E.ADMIN_MUTED, {R.ADMIN}, {R.ADMIN}),
        (E.PANEL_SETTING_CHANGED, {R.HAND}, {R.HAND}),
        (E.QUIET_BEGAN, {R.QUIET}, {R.QUIET}),
        (E.AUDIO_LOST, {R.AUDIO}, {R.AUDIO}),
        (E.PANEL_LOST, {R.PANEL, R.SWITCH}, {R.PANEL, R.BUTTON}),
        (E.TRIAL_BEGAN, {R.TRIAL}, {R.TRIAL}),
        (E.RECORDING_BEGAN, {R.RECORDING}, {R.RECORDING}),
        (E.VIOLATED, {R.VIOLATION}, {R.VIOLATION}),
    ]
}
ADDS_WITH_PUSH_TO_TALK = {E.TALK_RELEASED, E.PANEL_LOST}

SOUND_ITSELF = {R.STARTING, R.AUDIO, R.TRIAL, R.RECORDING}
"""Reasons that sound ends by itself (UX.md, rule 3)."""


def changes(whole: Space, event: Event) -> tuple[np.ndarray, np.ndarray]:
    """Which reasons ``event`` ended and which it added, as masks by state."""
    after = whole.held[whole.after[event]]
    return whole.held & ~after, after & ~whole.held


def test_the_gate_is_open_only_when_no_reason_holds(whole: Space) -> None:
    for state in whole.states:
        assert state.open is (not state.reasons)
        assert (R.DOOR in state.reasons) is (state.door is not Door.OPEN)
        assert state.reasons - {R.DOOR} == state.held
        assert reasons_of(state.mask) == state.reasons
        assert R.QUIET not in state.held or R.DOOR in state.reasons


def test_settings_do_not_change_in_a_run(whole: Space) -> None:
    assert all((s.kind, s.push_to_talk) == (whole.kind, whole.push_to_talk) for s in whole.states)


def test_reasons_of_the_other_panel_never_hold(whole: Space) -> None:
    never = {R.DOOR, R.BUTTON if whole.kind is MuteControl.LATCHING else R.SWITCH} | (
        set() if whole.push_to_talk else {R.TALK}
    )
    assert not (whole.held & bits(*never)).any()


def test_an_event_ends_only_what_it_may_end(whole: Space) -> None:
    for event in Event:
        ended, _ = changes(whole, event)
        assert not (ended & ~bits(*MAY_END.get(event, set()))).any(), event


def test_an_event_adds_its_reasons_in_every_state_and_no_other(whole: Space) -> None:
    for event in Event:
        adds = bits(*ADDS.get(event, {}).get(whole.kind, set()))
        if whole.push_to_talk and event in ADDS_WITH_PUSH_TO_TALK:
            adds |= bits(R.TALK)
        _, added = changes(whole, event)
        assert (whole.held[whole.after[event]] & adds == adds).all(), event
        assert not (added & ~adds).any(), event


def test_what_sound_may_end_it_ends_in_every_state(whole: Space) -> None:
    for event in Event:
        if ORIGIN[event] is Origin.SOUND and (event, whole.kind) != (E.SWITCH_FOUND_OPEN, MuteControl.MOMENTARY):
            assert not (whole.held[whole.after[event]] & bits(*MAY_END.get(event, set()))).any(), event


def test_no_remote_event_opens_the_gate(whole: Space) -> None:
    """Rule 3. Quiet hours may end their own reason, and then the door stands where nobody is heard."""
    for event in (event for event in Event if ORIGIN[event] is Origin.REMOTE):
        after = whole.after[event]
        assert not (~whole.is_open & whole.is_open[after]).any(), event
        ended, _ = changes(whole, event)
        assert not (ended & ~bits(R.QUIET)).any(), event
        assert (whole.door[after][ended != 0] != Door.OPEN).all(), event
        assert not ((whole.door != Door.OPEN) & (whole.door[after] == Door.OPEN)).any(), event


def test_what_sound_ends_by_itself_restores_at_most_the_gate_before(whole: Space) -> None:
    """Rule 3: whatever else closed the gate goes on doing so, unless the panel itself was read."""
    closed = whole.closed_but_for(*SOUND_ITSELF)
    for event in Event:
        if ORIGIN[event] is not Origin.HAND and event not in {E.SWITCH_FOUND_OPEN, E.PANEL_FOUND}:
            assert not (closed & ~closed[whole.after[event]]).any(), event


def test_reading_the_panel_ends_nothing_but_not_having_read_it(whole: Space) -> None:
    closed = whole.closed_but_for(*SOUND_ITSELF, R.SWITCH, R.PANEL)
    for event in (E.SWITCH_FOUND_OPEN, E.PANEL_FOUND):
        assert not (closed & ~closed[whole.after[event]]).any(), event


def test_a_lost_panel_that_is_found_again_tells_nothing_until_it_is_read(whole: Space) -> None:
    assert not whole.is_open[whole.after[E.PANEL_FOUND][whole.after[E.PANEL_LOST]]].any()


def test_the_door_moves_only_for_hand_schedule_and_command(whole: Space) -> None:
    by_hand = {E.DOOR_PRESSED, E.RESET_HELD}
    may_move = by_hand | {E.DOOR_ASKED_LISTENING, E.DOOR_ASKED_CLOSED, E.QUIET_BEGAN, E.QUIET_ENDED}
    for event, after in whole.after.items():
        moves = bool((whole.door[after] != whole.door).any())
        assert moves is (event in may_move), event
    assert (whole.door[whole.after[E.DOOR_PRESSED]] == (whole.door + 1) % 3).all()
    assert (whole.door[whole.after[E.DOOR_ASKED_LISTENING]] == Door.LISTENING).all()
    assert (whole.door[whole.after[E.DOOR_ASKED_CLOSED]] == Door.CLOSED).all()


def test_a_reset_that_is_held_undoes_the_press_it_began_with_and_no_other(whole: Space) -> None:
    """While a hand lies on the button the door stands one further than before; whoever else moves it ends that."""
    before = np.array([-1 if s.door_before_press is None else s.door_before_press for s in whole.states])
    lies = before >= 0
    assert (whole.door[lies] == (before[lies] + 1) % 3).all()
    assert (whole.door[whole.after[E.RESET_HELD]] == np.where(lies, before, whole.door)).all()
    assert (before[whole.after[E.DOOR_PRESSED]] == whole.door).all()
    ends_it = {E.DOOR_ASKED_LISTENING, E.DOOR_ASKED_CLOSED, E.QUIET_BEGAN, E.PANEL_LOST, E.DOOR_RELEASED, E.RESET_HELD}
    for event, after in whole.after.items():
        if event in ends_it:
            assert (before[after] == -1).all(), event
        elif event is not E.DOOR_PRESSED:
            assert (before[after] == before).all(), event


def test_a_reset_that_is_held_leaves_the_gate_as_it_was_before_the_press(whole: Space) -> None:
    """Also when something else has happened meanwhile: what closes the gate then goes on to."""
    meanwhile = [event for event in Event if ORIGIN[event] is not Origin.HAND and event is not E.SWITCH_FOUND_OPEN]
    pressed = whole.after[E.DOOR_PRESSED]
    undone = whole.after[E.RESET_HELD][pressed]
    assert (whole.door[undone] == whole.door).all()
    assert (whole.held[undone] == whole.held & ~bits(R.QUIET)).all()
    closed = whole.closed_but_for(*SOUND_ITSELF, R.PANEL)
    for event in meanwhile:
        after = whole.after[E.RESET_HELD][whole.after[event][pressed]]
        assert not (closed & ~whole.closed_but_for(*SOUND_ITSELF, R.PANEL)[after]).any(), event
        if ORIGIN[event] is Origin.REMOTE:
            assert not (~whole.is_open & whole.is_open[after]).any(), event


def test_what_the_switch_will_end_is_what_held_when_it_was_closed(whole: Space) -> None:
    assert not (whole.answerable & ~bits(*ANSWERED_BY_HAND)).any()
    assert not (whole.answerable & ~whole.held).any()
    assert not (whole.answerable[(whole.held & bits(R.SWITCH)) == 0]).any()
    grown = {event for event, after in whole.after.items() if (whole.answerable[after] & ~whole.answerable).any()}
    assert grown <= {E.SWITCH_CLOSED}


def test_from_every_state_a_healthy_device_and_a_hand_lead_back_to_an_open_gate(whole: Space) -> None:
    """No dead end: whatever happened, the people in the room can be heard again without a restart."""
    healthy = [E.STARTED, E.AUDIO_FOUND, E.PANEL_FOUND, E.TRIAL_ENDED, E.RECORDING_ANNOUNCED]
    if whole.kind is MuteControl.LATCHING:
        hand = [E.SWITCH_FOUND_OPEN, E.SWITCH_CLOSED, E.SWITCH_OPENED, E.TALK_PRESSED]
    else:
        hand = [E.PRESS_WHILE_CLOSED, E.TALK_PRESSED]
    for state in whole.states:
        again = run(state, *healthy, *hand)
        assert not again.held - {R.QUIET}
        presses = (3 - again.door) % 3
        assert run(again, *[E.DOOR_PRESSED] * presses).open


def test_mute_survives_a_restart(whole: Space) -> None:
    """Rule 5: the restarted device is closed for the same stored reasons, with the door no wider open."""
    answered = {R.SWITCH, R.BUTTON} | ANSWERED_BY_HAND
    for state in whole.states:
        again = initial(whole.kind, whole.push_to_talk, state.remembered, state.remembered_door)
        assert state.remembered == state.held & REMEMBERED
        found = E.SWITCH_FOUND_CLOSED if R.SWITCH in state.held else E.SWITCH_FOUND_OPEN
        again = run(again, E.PANEL_FOUND, found, E.AUDIO_FOUND, E.STARTED, E.TALK_PRESSED)
        assert again.held == state.held & answered
        assert again.door >= state.door if R.QUIET not in state.held else again.door >= Door.LISTENING


def test_a_restart_in_quiet_hours_ends_like_quiet_hours(whole: Space) -> None:
    for state in whole.states:
        if R.QUIET in state.held:
            again = initial(whole.kind, whole.push_to_talk, state.remembered, state.remembered_door)
            assert step(step(again, E.QUIET_BEGAN), E.QUIET_ENDED).door is step(state, E.QUIET_ENDED).door


def test_every_start_is_closed_until_all_is_known(whole: Space) -> None:
    """Rule 4: no order of good news opens the gate before the last of it."""
    needed = {E.PANEL_FOUND, E.AUDIO_FOUND, E.STARTED}
    needed |= {E.SWITCH_FOUND_OPEN} if whole.kind is MuteControl.LATCHING else set()
    needed |= {E.TALK_PRESSED} if whole.push_to_talk else set()
    for start, order in product(starts(whole.kind, whole.push_to_talk), permutations(sorted(needed))):
        states = list(accumulate(order, step, initial=start))
        assert not any(state.open for state in states[:-1])
        assert states[-1].held == start.held & REMEMBERED
