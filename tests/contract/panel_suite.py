"""What every kind of lines has to do under the deck, whatever it is made of: the contract of panel/lines.py.

Plain functions, so that the same ones run here over virtual lines and gpiozero's mock pins, and in a booted kernel over pins
that are real to Linux. Each gets a rig of its own, which moves contacts and looks at lamps from outside.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

import pytest

from appliance.audio.gate import Gate
from appliance.core.controls import Event, MuteControl
from appliance.core.lamps import Lamps, Sign
from appliance.panel.contacts import Timing
from appliance.panel.deck import Deck
from appliance.panel.layout import Layout
from appliance.panel.lines import CONTACTS, Lines, LinesError
from appliance.panel.port import Hands, View
from tests.support import wait_for

TIMING = Timing(debounce=0.02, hold=0.3, repeat=0.05)
LIVE = View(Lamps(Sign.OFF, Sign.STEADY, Sign.OFF, Sign.OFF, 0.0))
"""The gate is open, and all is well."""
_SOON = 5.0


class Rig(Protocol):
    """Lines, and somebody who works at their other end."""

    lines: Lines

    def move(self, contact: str, down: bool) -> None:
        """Move a contact; its edge is told."""

    def shift(self, contact: str, down: bool) -> None:
        """Move a contact in a way that nobody is told the edge."""

    def lit(self, lamp: str) -> bool:
        """Whether a lamp is lit, at its wire."""

    def gone(self) -> AbstractContextManager[None]:
        """The lines are lost meanwhile."""

    def claimed(self, contact: str) -> AbstractContextManager[None]:
        """Somebody else has this line meanwhile."""


class Room:
    """A real gate, and what was told, in order; ``looks`` is called in the moment in which a hand has closed the gate."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.told: list[object] = []
        self.looks: Callable[[], object] = lambda: None
        self.seen: list[object] = []

    def hands(self) -> Hands:
        def told(what: object) -> Callable[[], None]:
            return lambda: self.told.append(what)

        return Hands(self._close, self._post, told("knock"), told("hand"), self.told.append, lambda: self.gate.is_open)

    def open(self) -> None:
        """As the loop does when nothing is left to close it."""
        self.gate.decided()
        assert self.gate.open()

    def wait(self, *what: object) -> None:
        """Until exactly this was told, whatever was told before is forgotten then."""
        try:
            wait_for(lambda: self.told == list(what), _SOON)
        except AssertionError as error:
            raise AssertionError(f"{list(what)} were waited for, and {self.told} was told") from error
        self.told.clear()

    def _close(self) -> bool:
        return self.gate.close_by_hand()

    def _post(self, event: Event) -> None:
        if event in {Event.SWITCH_CLOSED, Event.PRESS_WHILE_OPEN, Event.TALK_RELEASED, Event.PANEL_LOST}:
            self.seen.append((self.gate.is_open, self.looks()))
        self.told.append(event)


@contextlib.contextmanager
def deck(rig: Rig, kind: MuteControl = MuteControl.LATCHING, *, talk: bool = False) -> Iterator[tuple[Deck, Room]]:
    """A started panel on the rig's lines; stopped afterwards, without a trace."""
    room, before = Room(), threading.active_count()
    made = Deck(rig.lines, kind, TIMING, push_to_talk=talk, layout=Layout(pixels=0))
    made.start(room.hands())
    try:
        yield made, room
    finally:
        made.stop()
    assert made.ended.result(_SOON) is None
    assert threading.active_count() == before
    assert rig.lit("mic"), "whoever is in the room sees a closed microphone when the panel has ended"
    assert rig.lit("fault")
    assert not rig.lit("room")


def at_rest(rig: Rig, *, muted: bool = False) -> None:
    """Nobody touches anything, and the switch stands open, or at mute."""
    for contact in CONTACTS:
        rig.shift(contact, contact == "mute" and muted)


def found(kind: MuteControl = MuteControl.LATCHING) -> tuple[Event, ...]:
    """What a panel tells first when nobody touches it."""
    return (Event.PANEL_FOUND, Event.SWITCH_FOUND_OPEN) if kind is MuteControl.LATCHING else (Event.PANEL_FOUND,)


def live(rig: Rig, made: Deck, room: Room, kind: MuteControl = MuteControl.LATCHING) -> None:
    """The gate is open and MIC dark."""
    room.wait(*found(kind))
    room.open()
    made.show(LIVE)
    wait_for(lambda: not rig.lit("mic"), _SOON, "MIC goes out")


def starts_lit_and_tells_what_it_found(rig: Rig) -> None:
    for muted in (False, True):
        at_rest(rig, muted=muted)
        with deck(rig) as (made, room):
            assert rig.lit("mic")
            assert rig.lit("fault")
            assert made.problem == ""
            room.wait(Event.PANEL_FOUND, Event.SWITCH_FOUND_CLOSED if muted else Event.SWITCH_FOUND_OPEN)


def closes_gate_then_lamp_then_tells(rig: Rig) -> None:
    for kind, event in ((MuteControl.LATCHING, Event.SWITCH_CLOSED), (MuteControl.MOMENTARY, Event.PRESS_WHILE_OPEN)):
        at_rest(rig)
        with deck(rig, kind) as (made, room):
            room.looks = lambda: rig.lit("mic")
            live(rig, made, room, kind)
            rig.move("mute", True)
            room.wait(event)
            assert room.seen == [(False, True)], "the gate is closed and MIC lit before anybody is told"


def bounces_are_one_move(rig: Rig) -> None:
    at_rest(rig)
    with deck(rig) as (made, room):
        live(rig, made, room)
        for flip in range(13):
            rig.move("mute", flip % 2 == 0)
        room.wait(Event.SWITCH_CLOSED)
        wait_for(lambda: made.at_rest, _SOON, "it comes to rest")
        for flip in range(13):
            rig.move("mute", flip % 2 == 1)
        room.wait(Event.SWITCH_OPENED)


def finds_an_edge_that_was_lost(rig: Rig) -> None:
    at_rest(rig)
    with deck(rig) as (made, room):
        live(rig, made, room)
        rig.shift("mute", True)
        room.wait(Event.SWITCH_CLOSED)
        assert not room.gate.is_open
        assert rig.lit("mic")
        assert made.counts["panel_edges_lost"] == 1
        wait_for(lambda: made.at_rest, _SOON, "it comes to rest")
        rig.move("mute", False)
        room.wait(Event.SWITCH_OPENED)
        room.open()
        made.show(replace(LIVE, night=True))
        wait_for(lambda: not rig.lit("mic"), _SOON, "MIC goes out")
        rig.shift("mute", True)
        room.wait(Event.SWITCH_CLOSED)
        rig.shift("mute", False)
        wait_for(lambda: made.counts["panel_edges_lost"] == 3, _SOON, "the level is read again")
        room.wait(Event.SWITCH_OPENED)
        rig.move("mute", True)
        room.wait(Event.SWITCH_CLOSED)


def mic_is_not_put_out_over_a_closed_gate(rig: Rig) -> None:
    at_rest(rig)
    with deck(rig) as (made, room):
        live(rig, made, room)
        rig.move("mute", True)
        room.wait(Event.SWITCH_CLOSED)
        made.show(replace(LIVE, hands=1))  # what the loop wanted before it has heard of the press
        wait_for(lambda: made.shown.mic is Sign.STEADY, _SOON, "it shows the gate")
        made.show(replace(LIVE, lamps=replace(LIVE.lamps, room=Sign.OFF)))
        wait_for(lambda: not rig.lit("room"), _SOON, "another lamp goes out")
        assert rig.lit("mic")


def lamps_show_the_view(rig: Rig) -> None:
    at_rest(rig)
    with deck(rig) as (made, room):
        live(rig, made, room)
        wait_for(lambda: rig.lit("room") and not rig.lit("fault") and not rig.lit("speak"), _SOON, "all is well")
        made.show(View(Lamps(Sign.STEADY, Sign.OFF, Sign.STEADY, Sign.STEADY, 1.0)))
        wait_for(lambda: rig.lit("mic") and rig.lit("speak") and rig.lit("fault"), _SOON, "they are lit")
        assert not rig.lit("room")


def buttons_do_what_they_are_for(rig: Rig) -> None:
    at_rest(rig)
    with deck(rig) as (_, room):
        room.wait(*found())
        for contact, told in (("talk", "hand"), ("knock", "knock"), ("volume_up", 1), ("volume_down", -1)):
            rig.move(contact, True)
            wait_for(lambda told=told: told in room.told, _SOON, f"{contact} is told")  # type: ignore[misc]
            rig.move(contact, False)
            room.told.clear()
        rig.move("room", True)
        room.wait(Event.DOOR_PRESSED)
        rig.move("room", False)


def letting_go_of_the_key_closes(rig: Rig) -> None:
    at_rest(rig)
    with deck(rig, talk=True) as (made, room):
        room.looks = lambda: rig.lit("mic")
        room.wait(*found())
        rig.move("talk", True)
        room.wait(Event.TALK_PRESSED)
        room.open()
        made.show(LIVE)
        wait_for(lambda: not rig.lit("mic"), _SOON, "MIC goes out")
        rig.move("talk", False)
        room.wait(Event.TALK_RELEASED)
        assert room.seen == [(False, True)]


def lost_lines_close_and_come_back(rig: Rig) -> None:
    at_rest(rig)
    with deck(rig) as (made, room):
        live(rig, made, room)
        with rig.gone():
            room.wait(Event.PANEL_LOST)
            assert not room.gate.is_open
            wait_for(lambda: bool(made.problem), _SOON, "it says why")
            assert not made.ended.done()
            assert made.counts["panel_losses"] == 1
        at_rest(rig, muted=True)
        room.wait(Event.PANEL_FOUND, Event.SWITCH_FOUND_CLOSED)
        assert made.problem == ""
        rig.move("mute", False)
        room.wait(Event.SWITCH_OPENED)


def a_claimed_line_is_named_and_tried_again(rig: Rig) -> None:
    at_rest(rig)
    with contextlib.ExitStack() as claim:
        claim.enter_context(rig.claimed("mute"))
        with pytest.raises(LinesError):
            rig.lines.open(lambda _contact, _down: None, lambda _error: None)
        with deck(rig) as (made, room):
            assert made.problem
            assert room.told == [], "there was no panel that could be lost"
            claim.close()
            room.wait(*found())
            assert made.problem == ""


CHECKS: tuple[Callable[[Rig], None], ...] = (
    starts_lit_and_tells_what_it_found,
    closes_gate_then_lamp_then_tells,
    bounces_are_one_move,
    finds_an_edge_that_was_lost,
    mic_is_not_put_out_over_a_closed_gate,
    lamps_show_the_view,
    buttons_do_what_they_are_for,
    letting_go_of_the_key_closes,
    lost_lines_close_and_come_back,
    a_claimed_line_is_named_and_tried_again,
)
"""The contract."""
