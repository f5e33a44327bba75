"""Contacts that do what they should not: edges that tell nothing new, keys that are asked too early, buttons that are stuck."""

import pytest

from appliance.core.controls import Event, MuteControl
from appliance.panel.contacts import Contacts, Timing
from appliance.panel.port import Hands

TIMING = Timing(0.02, 1.0, 0.2)


class Panel:
    """All contacts of a panel, found as ``down`` says, over a gate that says whether it was open."""

    def __init__(self, kind: MuteControl = MuteControl.LATCHING, *, push_to_talk: bool = False, **down: bool) -> None:
        self.events: list[object] = []
        hands = Hands(
            lambda: True,
            self.events.append,
            lambda: self.events.append("knock"),
            lambda: self.events.append("hand"),
            self.events.append,
        )
        wired = ("mute", "room", "talk", "volume_up", "volume_down", "knock")
        self.contacts = Contacts(wired, kind, push_to_talk, TIMING, hands)
        for name in wired:
            self.contacts.found(name, down.get(name, False))
        self.events.clear()

    def settle(self, *times: float) -> None:
        for now in times:
            self.contacts.settle(now)


@pytest.mark.parametrize(("contact", "down"), [("mute", False), ("mute", True), ("talk", False), ("talk", True)])
def test_an_edge_to_where_the_contact_stands_tells_nothing(contact: str, down: bool) -> None:
    """As after an edge that was lost, or a spike too short for both of its edges to be told."""
    panel = Panel(MuteControl.LATCHING, push_to_talk=True, **{contact: down})
    panel.contacts.edge(contact, down, 5.0)
    panel.settle(5.01, 5.02, 5.03, 6.5)
    assert panel.events == []


def test_a_talk_key_that_was_let_go_opens_nothing_before_it_is_at_rest() -> None:
    panel = Panel(push_to_talk=True, talk=True)
    panel.contacts.edge("talk", False, 5.0)
    assert panel.events == [Event.TALK_RELEASED]
    panel.settle(5.001, 5.01, 5.019)
    assert panel.events == [Event.TALK_RELEASED]
    panel.settle(5.02)
    assert panel.events == [Event.TALK_RELEASED]


@pytest.mark.parametrize("contact", ["room", "talk", "volume_up", "volume_down", "knock"])
def test_a_button_that_is_stuck_does_nothing_until_it_was_let_go(contact: str) -> None:
    panel = Panel(MuteControl.LATCHING, push_to_talk=False, **{contact: True})
    for now in (5.25, 5.5, 5.75, 7.0):
        assert not panel.contacts.read(contact, True, now), "it stands where it was found"
        panel.settle(now, now + 0.1)
    panel.contacts.edge(contact, False, 8.0)
    panel.settle(8.02, 9.5)
    assert panel.events == []
    panel.contacts.edge(contact, True, 10.0)
    panel.settle(10.02, 11.0)
    assert panel.events


@pytest.mark.parametrize(("contact", "step"), [("volume_up", 1), ("volume_down", -1)])
def test_both_volume_buttons_repeat_while_they_are_held(contact: str, step: int) -> None:
    panel = Panel()
    panel.contacts.edge(contact, True, 5.0)
    panel.settle(5.02, 5.53, 5.74)
    assert panel.events == [step] * 3
    assert panel.contacts.due == pytest.approx(5.94)


def test_what_comes_to_rest_first_is_asked_for_first() -> None:
    panel = Panel()
    assert panel.contacts.due is None
    panel.contacts.edge("mute", True, 5.0)
    panel.contacts.edge("knock", True, 5.01)
    assert panel.contacts.due == pytest.approx(5.02)
    panel.settle(5.02)
    assert panel.contacts.due == pytest.approx(5.03)
