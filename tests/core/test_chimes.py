"""Which chime belongs to what has changed: every event in every state that can be."""

from itertools import product

import pytest

from appliance.core.chimes import Chime, chime_of
from appliance.core.controls import ORIGIN, Controls, Door, Event, MuteControl, Origin, Reason, initial, step
from tests.core.controls_space import subsets

OPEN = Controls(held=frozenset())
STATES = [
    Controls(kind=kind, held=held, door=door)
    for kind in MuteControl
    for held in subsets({Reason.SWITCH, Reason.BUTTON, Reason.ADMIN, Reason.QUIET, Reason.RECORDING})
    for door in Door
]


def rung(before: Controls, event: Event) -> Chime | None:
    return chime_of(before, step(before, event), event)


def test_every_event_in_every_state() -> None:
    for before, event in product(STATES, Event):
        after, chime = step(before, event), rung(before, event)
        if after.door is not before.door:
            assert chime == after.door.name.lower(), "the door is heard always"
        elif Reason.QUIET in after.held:
            assert chime is None, "quiet hours are quiet"
        elif chime is Chime.MUTED:
            assert before.open and not after.open and ORIGIN[event] is not Origin.HAND
        else:
            expected = {Event.KNOCKED: Chime.KNOCK, Event.ASKED_TO_UNMUTE: Chime.KNOCK}
            assert chime is (expected | {Event.RECORDING_BEGAN: Chime.RECORDING}).get(event)


@pytest.mark.parametrize("event", [Event.ADMIN_MUTED, Event.PANEL_LOST, Event.VIOLATED, Event.TRIAL_BEGAN])
def test_what_closes_the_gate_without_a_hand_is_heard(event: Event) -> None:
    assert rung(OPEN, event) is Chime.MUTED
    assert rung(step(OPEN, event), event) is None, "it is closed already"


@pytest.mark.parametrize(
    ("kind", "event"),
    [(MuteControl.LATCHING, Event.SWITCH_CLOSED), (MuteControl.MOMENTARY, Event.PRESS_WHILE_OPEN)],
)
def test_a_hand_is_answered_by_the_lamp(kind: MuteControl, event: Event) -> None:
    assert rung(Controls(kind=kind, held=frozenset()), event) is None


def test_a_start_makes_no_sound() -> None:
    starting = initial(MuteControl.LATCHING)
    assert rung(starting, Event.QUIET_BEGAN) is None, "it may be at night, after a power cut"
    assert rung(starting, Event.KNOCKED) is None
    assert rung(step(starting, Event.STARTED), Event.QUIET_BEGAN) is Chime.CLOSED


def test_opening_makes_no_sound() -> None:
    muted = Controls(held=frozenset({Reason.SWITCH}))
    assert rung(muted, Event.SWITCH_OPENED) is None
