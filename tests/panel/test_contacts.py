"""Switch and buttons: closing on the leading edge, opening after the debounce, bounces told once."""

import pytest

from appliance.core.controls import Event, MuteControl
from appliance.panel.contacts import HoldContact, MuteContact
from appliance.panel.port import Hands


class Gate:
    """A gate that a test can look at."""

    def __init__(self, is_open: bool) -> None:
        self.is_open = is_open
        self.events: list[Event] = []
        self.closed = 0
        self.hands = Hands(self._close, self.events.append, lambda: None)

    def _close(self) -> bool:
        was, self.is_open = self.is_open, False
        self.closed += was
        return was


def contact(kind: MuteControl, gate: Gate) -> MuteContact:
    return MuteContact(kind, gate.hands, 0.02)


def test_switch_closes_on_the_leading_edge() -> None:
    gate = Gate(True)
    switch = contact(MuteControl.LATCHING, gate)
    switch.found(False)
    assert switch.edge(True, 1.0)
    assert gate.events == [Event.SWITCH_FOUND_OPEN, Event.SWITCH_CLOSED]
    switch.settle(1.03)
    assert gate.events[1:] == [Event.SWITCH_CLOSED]
    assert switch.due is None


def test_switch_opens_after_it_was_still() -> None:
    gate = Gate(False)
    switch = contact(MuteControl.LATCHING, gate)
    switch.found(True)
    for now, down in ((1.0, False), (1.004, True), (1.008, False)):
        assert not switch.edge(down, now)
        switch.settle(now)
    assert gate.events == [Event.SWITCH_FOUND_CLOSED]
    switch.settle(1.027)
    assert gate.events == [Event.SWITCH_FOUND_CLOSED]
    switch.settle(1.029)
    assert gate.events[1:] == [Event.SWITCH_OPENED]


def test_switch_closing_a_closed_gate_is_told_at_once_too() -> None:
    gate = Gate(False)
    switch = contact(MuteControl.LATCHING, gate)
    switch.found(False)
    assert not switch.edge(True, 1.0)
    assert gate.events[1:] == [Event.SWITCH_CLOSED]
    switch.settle(1.02)
    assert gate.events[1:] == [Event.SWITCH_CLOSED]


def test_bouncing_close_is_told_once() -> None:
    gate = Gate(True)
    switch = contact(MuteControl.LATCHING, gate)
    switch.found(False)
    for now, down in ((1.0, True), (1.002, False), (1.004, True), (1.006, False), (1.008, True)):
        switch.edge(down, now)
        switch.settle(now)
    switch.settle(1.03)
    assert gate.events[1:] == [Event.SWITCH_CLOSED]


def test_spike_on_a_switch_closes_and_opens_again_by_the_switch() -> None:
    gate = Gate(True)
    switch = contact(MuteControl.LATCHING, gate)
    switch.found(False)
    assert switch.edge(True, 1.0)
    switch.edge(False, 1.001)
    switch.settle(1.03)
    assert gate.events[1:] == [Event.SWITCH_CLOSED, Event.SWITCH_FOUND_OPEN]


def test_button_mutes_at_once_and_unmutes_after_the_debounce() -> None:
    gate = Gate(True)
    button = contact(MuteControl.MOMENTARY, gate)
    button.found(False)
    assert button.edge(True, 1.0)
    assert gate.events == [Event.PRESS_WHILE_OPEN]
    button.settle(1.02)
    button.edge(False, 1.2)
    button.settle(1.22)
    assert gate.events == [Event.PRESS_WHILE_OPEN]
    assert not button.edge(True, 2.0)
    assert gate.events == [Event.PRESS_WHILE_OPEN]
    button.settle(2.02)
    assert gate.events == [Event.PRESS_WHILE_OPEN, Event.PRESS_WHILE_CLOSED]


def test_spike_on_a_button_of_a_closed_gate_opens_nothing() -> None:
    gate = Gate(False)
    button = contact(MuteControl.MOMENTARY, gate)
    button.found(False)
    button.edge(True, 1.0)
    button.edge(False, 1.003)
    button.settle(1.1)
    assert gate.events == []


def test_spike_that_muted_is_not_taken_for_the_next_press() -> None:
    gate = Gate(True)
    button = contact(MuteControl.MOMENTARY, gate)
    button.found(False)
    button.edge(True, 1.0)
    button.edge(False, 1.003)
    button.settle(1.03)
    button.edge(True, 5.0)
    button.settle(5.02)
    assert gate.events == [Event.PRESS_WHILE_OPEN, Event.PRESS_WHILE_CLOSED]


@pytest.mark.parametrize(("held", "acts"), [(0.5, False), (0.99, False), (1.05, True), (9.0, True)])
def test_door_acts_once_when_held(held: float, acts: bool) -> None:
    gate = Gate(True)
    door = HoldContact(Event.DOOR_PRESSED, gate.hands, 0.02, 1.0)
    door.edge(True, 1.0)
    now = 1.0
    while now < 1.0 + held:
        door.settle(now)
        now += 0.01
    door.edge(False, 1.0 + held)
    door.settle(1.0 + held + 0.02)
    door.settle(20.0)
    assert gate.events == ([Event.DOOR_PRESSED] if acts else [])
    assert door.due is None


def test_door_bounces_are_one_press() -> None:
    gate = Gate(True)
    door = HoldContact(Event.DOOR_PRESSED, gate.hands, 0.02, 1.0)
    for now, down in ((1.0, True), (1.005, False), (1.01, True)):
        door.edge(down, now)
        door.settle(now)
    assert door.due == pytest.approx(1.03)
    door.settle(1.03)
    assert door.due == pytest.approx(2.01)
    door.settle(2.02)
    assert gate.events == [Event.DOOR_PRESSED]
