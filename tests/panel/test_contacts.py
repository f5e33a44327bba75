"""Switch and buttons: closing on the leading edge, opening after the debounce, bounces told once, lost edges found."""

from dataclasses import replace

import pytest

from appliance.core.controls import Event, MuteControl
from appliance.panel.contacts import ButtonContact, Contacts, MuteContact, TalkContact, Timing
from appliance.panel.port import Hands

TIMING = Timing(0.02, 1.0, 0.2)


class Gate:
    """A gate that a test can look at, and what the hands told."""

    def __init__(self, is_open: bool) -> None:
        self.is_open = is_open
        self.events: list[object] = []
        self.closed = 0
        self.hands = Hands(
            self._close,
            self.events.append,
            lambda: self.events.append("knock"),
            lambda: self.events.append("hand"),
            self.events.append,
        )

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
    switch.edge(True, 1.0)
    assert gate.closed == 1
    assert gate.events == [Event.SWITCH_FOUND_OPEN, Event.SWITCH_CLOSED]
    switch.settle(1.03)
    assert gate.events[1:] == [Event.SWITCH_CLOSED]
    assert switch.due is None


def test_switch_opens_after_it_was_still() -> None:
    gate = Gate(False)
    switch = contact(MuteControl.LATCHING, gate)
    switch.found(True)
    for now, down in ((1.0, False), (1.004, True), (1.008, False)):
        switch.edge(down, now)
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
    switch.edge(True, 1.0)
    assert gate.events[1:] == [Event.SWITCH_CLOSED]
    switch.settle(1.02)
    assert gate.events[1:] == [Event.SWITCH_CLOSED]


def test_an_edge_that_says_what_was_said_tells_nothing() -> None:
    gate = Gate(False)
    switch, key = contact(MuteControl.LATCHING, gate), talk(gate)
    switch.found(False)
    switch.edge(False, 1.0)
    switch.settle(1.02)
    assert gate.events == [Event.SWITCH_FOUND_OPEN]
    key.edge(True, 2.0)
    key.settle(2.02)
    key.edge(True, 3.0)
    key.settle(3.02)
    assert gate.events[1:] == [Event.TALK_PRESSED]


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
    switch.edge(True, 1.0)
    assert not gate.is_open
    switch.edge(False, 1.001)
    switch.settle(1.03)
    assert gate.events[1:] == [Event.SWITCH_CLOSED, Event.SWITCH_FOUND_OPEN]


def test_spike_on_a_closed_switch_opens_nothing() -> None:
    gate = Gate(False)
    switch = contact(MuteControl.LATCHING, gate)
    switch.found(True)
    switch.edge(False, 1.0)
    switch.edge(True, 1.001)
    switch.settle(1.03)
    assert gate.events == [Event.SWITCH_FOUND_CLOSED]


def test_button_mutes_at_once_and_unmutes_after_the_debounce() -> None:
    gate = Gate(True)
    button = contact(MuteControl.MOMENTARY, gate)
    button.found(False)
    button.edge(True, 1.0)
    assert gate.closed == 1
    assert gate.events == [Event.PRESS_WHILE_OPEN]
    button.settle(1.02)
    button.edge(False, 1.2)
    button.settle(1.22)
    assert gate.events == [Event.PRESS_WHILE_OPEN]
    button.edge(True, 2.0)
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


def test_a_button_that_is_stuck_at_the_start_opens_nothing_until_it_was_let_go() -> None:
    gate = Gate(False)
    button = contact(MuteControl.MOMENTARY, gate)
    button.found(True)
    button.settle(9.0)
    assert gate.events == []
    button.edge(False, 10.0)
    button.settle(10.02)
    button.edge(True, 11.0)
    button.settle(11.02)
    assert gate.events == [Event.PRESS_WHILE_CLOSED]


def talk(gate: Gate, *, held: bool = False) -> TalkContact:
    key = TalkContact(gate.hands, 0.02)
    key.found(held)
    return key


def test_letting_go_closes_at_the_leading_edge_and_holding_opens_after_the_debounce() -> None:
    gate = Gate(False)
    key = talk(gate)
    for now, down in ((1.0, True), (1.004, False), (1.008, True)):
        key.edge(down, now)
        key.settle(now)
    key.settle(1.027)
    assert gate.events == []
    key.settle(1.029)
    assert gate.events == [Event.TALK_PRESSED]
    gate.is_open = True
    key.edge(False, 2.0)
    assert (gate.closed, gate.events[1:]) == (1, [Event.TALK_RELEASED])
    for now, down in ((2.002, True), (2.004, False)):
        key.edge(down, now)
        key.settle(now)
    key.settle(2.1)
    assert gate.events[1:] == [Event.TALK_RELEASED]
    assert key.due is None


def test_a_key_that_springs_back_to_held_opens_again() -> None:
    gate = Gate(True)
    key = talk(gate)
    key.edge(True, 1.0)
    key.settle(1.02)
    key.edge(False, 2.0)
    key.edge(True, 2.003)
    key.settle(2.03)
    assert gate.events == [Event.TALK_PRESSED, Event.TALK_RELEASED, Event.TALK_PRESSED]


def test_a_touch_that_is_shorter_than_the_debounce_opens_nothing() -> None:
    gate = Gate(False)
    key = talk(gate)
    key.edge(True, 1.0)
    key.edge(False, 1.01)
    key.settle(1.05)
    assert (gate.events, gate.closed) == ([], 0)


def test_a_key_that_is_stuck_at_the_start_opens_nothing_until_it_was_let_go() -> None:
    gate = Gate(False)
    key = talk(gate, held=True)
    key.settle(9.0)
    assert gate.events == []
    key.edge(False, 10.0)
    key.settle(10.02)
    key.edge(True, 11.0)
    key.settle(11.02)
    assert gate.events == [Event.TALK_RELEASED, Event.TALK_PRESSED]


def run(button: ButtonContact, until: float, now: float = 1.0) -> None:
    """Let time pass in steps of 10 ms."""
    while now < until:
        button.settle(now)
        now += 0.01


@pytest.mark.parametrize(("held", "acts"), [(0.5, 0), (0.99, 0), (1.05, 1), (9.0, 1)])
def test_a_long_press_acts_once_when_it_was_held(held: float, acts: int) -> None:
    done: list[int] = []
    door = ButtonContact(lambda: done.append(1), 0.02, 1.0)
    door.edge(True, 1.0)
    run(door, 1.0 + held)
    door.edge(False, 1.0 + held)
    door.settle(1.0 + held + 0.02)
    door.settle(20.0)
    assert len(done) == acts
    assert door.due is None


def test_bounces_of_a_long_press_are_one_press() -> None:
    done: list[int] = []
    door = ButtonContact(lambda: done.append(1), 0.02, 1.0)
    for now, down in ((1.0, True), (1.005, False), (1.01, True)):
        door.edge(down, now)
        door.settle(now)
    assert door.due == pytest.approx(1.03)
    door.settle(1.03)
    assert door.due == pytest.approx(2.01)
    door.settle(2.02)
    assert done == [1]


def test_a_long_press_that_is_just_being_let_go_does_nothing() -> None:
    done: list[int] = []
    door = ButtonContact(lambda: done.append(1), 0.02, 1.0)
    door.edge(True, 1.0)
    door.settle(1.02)
    door.edge(False, 1.99)
    door.settle(2.0)
    door.settle(2.02)
    assert (done, door.due) == ([], None)


def test_a_spike_while_it_is_held_does_not_begin_a_long_press_anew() -> None:
    done: list[int] = []
    door = ButtonContact(lambda: done.append(1), 0.02, 1.0)
    door.edge(True, 1.0)
    door.settle(1.02)
    door.edge(False, 1.5)
    door.edge(True, 1.501)
    door.settle(1.53)
    assert door.due == pytest.approx(2.0)


def test_a_button_acts_when_it_is_pressed_and_a_held_one_repeats() -> None:
    at: list[float] = []
    now = 0.0
    volume = ButtonContact(lambda: at.append(round(now, 2)), 0.02, repeat=0.2)
    volume.edge(True, 1.0)
    while now < 2.05:
        volume.settle(now)
        now = round(now + 0.01, 2)
    volume.edge(False, 2.05)
    volume.settle(2.07)
    volume.settle(9.0)
    assert at == [1.02, 1.52, 1.72, 1.92], "a tap is one step: the second comes later than the others"


def test_what_a_late_thread_missed_is_not_made_up_for() -> None:
    done: list[int] = []
    volume = ButtonContact(lambda: done.append(1), 0.02, repeat=0.2)
    volume.edge(True, 1.0)
    volume.settle(1.02)
    volume.settle(5.0)
    volume.settle(5.01)
    assert len(done) == 2


def panel(gate: Gate, *, push_to_talk: bool = False, wired: tuple[str, ...] = ()) -> Contacts:
    every = ("mute", "room", "talk", "volume_up", "volume_down", "knock")
    return Contacts(wired or every, MuteControl.LATCHING, push_to_talk, TIMING, gate.hands)


@pytest.mark.parametrize(
    ("name", "push_to_talk", "told"),
    [
        ("mute", False, Event.SWITCH_CLOSED),
        ("talk", False, "hand"),
        ("talk", True, Event.TALK_PRESSED),
        ("volume_up", False, 1),
        ("volume_down", False, -1),
        ("knock", False, "knock"),
    ],
)
def test_what_each_contact_does(name: str, push_to_talk: bool, told: object) -> None:
    gate = Gate(False)
    contacts = panel(gate, push_to_talk=push_to_talk)
    contacts.edge(name, True, 1.0)
    assert contacts.due == pytest.approx(1.02)
    contacts.settle(1.02)
    assert gate.events == [told]


def test_the_room_button_is_held_for_the_door() -> None:
    gate = Gate(False)
    contacts = panel(gate)
    contacts.edge("room", True, 1.0)
    contacts.settle(1.02)
    assert contacts.due == pytest.approx(2.0)
    contacts.settle(2.0)
    assert gate.events == [Event.DOOR_PRESSED]
    contacts.edge("room", False, 2.5)
    contacts.settle(2.53)
    assert gate.events == [Event.DOOR_PRESSED, Event.DOOR_RELEASED]
    assert contacts.due is None


@pytest.mark.parametrize("hold", [0.3, 1.0, 5.0])
def test_the_room_button_is_held_for_ten_seconds_for_a_reset(hold: float) -> None:
    gate = Gate(False)
    contacts = Contacts(("room",), MuteControl.LATCHING, False, replace(TIMING, hold=hold), gate.hands)
    contacts.edge("room", True, 1.0)
    contacts.settle(1.02)
    contacts.settle(1.0 + hold)
    assert contacts.due == pytest.approx(11.0), "ten seconds from when it was pressed, whatever the door takes"
    contacts.settle(10.99)
    assert gate.events == [Event.DOOR_PRESSED]
    contacts.settle(11.0)
    assert gate.events == [Event.DOOR_PRESSED, Event.RESET_HELD]
    assert contacts.due is None, "once, however long it is held"
    contacts.edge("room", False, 60.0)
    contacts.settle(60.02)
    assert gate.events == [Event.DOOR_PRESSED, Event.RESET_HELD, Event.DOOR_RELEASED]


@pytest.mark.parametrize("let_go", [3.0, 10.99])
def test_a_room_button_that_is_let_go_earlier_resets_nothing(let_go: float) -> None:
    gate = Gate(False)
    contacts = panel(gate, wired=("room",))
    contacts.edge("room", True, 1.0)
    contacts.settle(1.02)
    contacts.settle(2.0)
    contacts.edge("room", False, let_go)
    contacts.settle(11.0)
    contacts.settle(let_go + 0.02)
    contacts.edge("room", True, 12.0)
    contacts.settle(12.02)
    contacts.settle(13.0)
    assert gate.events == [Event.DOOR_PRESSED, Event.DOOR_RELEASED, Event.DOOR_PRESSED]


def test_a_room_button_that_was_tapped_tells_nothing() -> None:
    gate = Gate(False)
    contacts = panel(gate, wired=("room",))
    contacts.edge("room", True, 1.0)
    contacts.settle(1.02)
    contacts.edge("room", False, 1.5)
    contacts.settle(1.52)
    contacts.settle(99.0)
    assert gate.events == []


def test_only_what_is_wired_is_there() -> None:
    contacts = panel(Gate(False), wired=("mute",))
    with pytest.raises(KeyError):
        contacts.edge("knock", True, 1.0)


@pytest.mark.parametrize("name", ["room", "talk", "volume_up", "knock"])
def test_a_button_that_is_found_pressed_does_nothing_until_it_was_let_go(name: str) -> None:
    gate = Gate(False)
    contacts = panel(gate, push_to_talk=True)
    contacts.found(name, True)
    contacts.settle(50.0)
    assert not contacts.read(name, True, 51.0)
    contacts.settle(52.0)
    assert (gate.events, contacts.due) == ([], None)


@pytest.mark.parametrize(("name", "step"), [("volume_up", 1), ("volume_down", -1)])
def test_the_volume_goes_on_while_its_button_is_held(name: str, step: int) -> None:
    gate = Gate(False)
    contacts = panel(gate)
    contacts.edge(name, True, 1.0)
    for now in (1.02, 1.52, 1.72):
        contacts.settle(now)
    assert gate.events == [step] * 3


def test_the_next_look_is_for_whatever_comes_first() -> None:
    contacts = panel(Gate(False))
    contacts.edge("knock", True, 1.0)
    contacts.edge("talk", True, 1.01)
    assert contacts.due == pytest.approx(1.02)
    contacts.settle(1.02)
    assert contacts.due == pytest.approx(1.03)


def test_an_edge_that_was_lost_is_found_by_its_level() -> None:
    gate = Gate(True)
    contacts = panel(gate)
    contacts.found("mute", False)
    assert not contacts.read("mute", False, 1.0)
    assert contacts.due is None, "what nobody moved needs no look"
    assert contacts.read("mute", True, 1.25)
    assert (gate.closed, gate.events[1:]) == (1, [Event.SWITCH_CLOSED])
    contacts.settle(1.28)
    contacts.edge("mute", True, 1.3)  # the edge was only late
    contacts.settle(1.33)
    assert gate.events[1:] == [Event.SWITCH_CLOSED]
    assert contacts.read("mute", False, 1.5)
    assert gate.events[1:] == [Event.SWITCH_CLOSED], "opening waits until it was still, however it was found"
    contacts.settle(1.52)
    assert gate.events[1:] == [Event.SWITCH_CLOSED, Event.SWITCH_OPENED]
