"""The desk and what is neither mute nor door: the room's hand, push-to-talk, and everything that a panel shows."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from appliance.app.desk import ANNOUNCEMENT, Desk
from appliance.audio.gate import Gate
from appliance.core.controls import Event, MuteControl, Reason, initial, step
from appliance.core.counters import Counters
from appliance.core.lamps import LinkPhase, Sign
from appliance.media.exchange import Downlink, Speaker
from appliance.panel.memory import MuteMemory
from appliance.panel.port import Hands, Panel, View
from tests.app.parts import LampRow, journal

ANSWER = Downlink(seq=1, link=LinkPhase.IN_ROOM)
BEN = Speaker(1, 2, -20, False)


class Room:
    """A desk with an open gate, and hands at its panel."""

    def __init__(self, folder: Path, *, push_to_talk: bool = False) -> None:
        controls = initial(MuteControl.MOMENTARY, push_to_talk)
        for event in (Event.PANEL_FOUND, Event.AUDIO_FOUND):
            controls = step(controls, event)
        self.gate, self.panel, self.now = Gate(), LampRow([]), 100.0
        told, self.lines = journal()
        self.changes = 0
        self.desk = Desk(
            self.gate,
            cast("Panel", self.panel),
            MuteMemory(folder),
            controls,
            journal=told,
            counters=Counters(),
            clock=lambda: self.now,
        )
        self.desk.changed = self._changed
        self.desk.apply(Event.STARTED)

    def _changed(self) -> None:
        self.changes += 1

    @property
    def hands(self) -> Hands:
        return self.desk.hands(asyncio.get_running_loop())

    async def tap(self) -> None:
        """TALK, where it is no push-to-talk key."""
        self.hands.hand()
        await asyncio.sleep(0)

    def view(self, answer: Downlink | None = ANSWER, **more: Any) -> View:
        self.desk.refresh(answer, False, **more)
        assert self.panel.view is not None
        return self.panel.view


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


async def test_talk_raises_the_hand_and_lowers_it_again(room: Room) -> None:
    before = room.changes
    await room.tap()
    assert (room.desk.hand, room.view().own_hand) == (True, True)
    await room.tap()
    assert (room.desk.hand, room.view().own_hand) == (False, False)
    assert room.changes == before + 2, "the room is told each time"
    assert ["up=yes" in line for line in room.lines.lines("hand_changed")] == [True, False]


@pytest.mark.parametrize(
    ("closing", "ending"),
    [
        (Event.PRESS_WHILE_OPEN, Event.PRESS_WHILE_CLOSED),
        (Event.ADMIN_MUTED, Event.ADMIN_LIFTED),
        (Event.DOOR_PRESSED, Event.DOOR_PRESSED),
        (Event.DOOR_ASKED_LISTENING, Event.DOOR_ASKED_CLOSED),
        (Event.ADMIN_MUTED, Event.QUIET_BEGAN),
    ],
    ids=["heard again", "let speak", "door closed", "from afar", "quiet hours"],
)
async def test_who_is_heard_let_speak_or_gone_no_longer_asks_to_speak(
    room: Room, closing: Event, ending: Event
) -> None:
    room.desk.apply(closing)
    await room.tap()
    room.desk.apply(Event.ASKED_TO_UNMUTE)
    assert room.desk.hand
    room.desk.apply(ending)
    assert not room.desk.hand


async def test_behind_a_closed_door_no_hand_goes_up(room: Room) -> None:
    room.desk.apply(Event.DOOR_ASKED_CLOSED)
    before = room.changes
    await room.tap()
    assert not room.desk.hand
    assert room.changes == before
    assert not room.lines.lines("hand_changed")


async def test_who_is_heard_all_the_time_may_ask_to_speak_too(room: Room) -> None:
    await room.tap()
    room.desk.apply(Event.KNOCKED)
    assert room.gate.is_open
    assert room.desk.hand


async def test_push_to_talk_opens_while_it_is_held(tmp_path: Path) -> None:
    room = Room(tmp_path, push_to_talk=True)
    hands = room.hands
    assert room.desk.controls.reasons == {Reason.TALK}
    for _ in range(2):
        hands.post(Event.TALK_PRESSED)
        await asyncio.sleep(0)
        assert room.gate.is_open
        assert hands.close(), "at the leading edge, before the loop knows"
        assert not room.gate.is_open
        hands.post(Event.TALK_RELEASED)
        await asyncio.sleep(0)
        assert room.desk.controls.reasons == {Reason.TALK}
        assert room.view().lamps.mic is Sign.STEADY


@pytest.mark.parametrize("other", [Event.ADMIN_MUTED, Event.DOOR_ASKED_LISTENING, Event.QUIET_BEGAN, Event.VIOLATED])
async def test_a_held_key_opens_nothing_that_is_closed_for_another_reason(tmp_path: Path, other: Event) -> None:
    room = Room(tmp_path, push_to_talk=True)
    room.desk.apply(other)
    room.hands.post(Event.TALK_PRESSED)
    await asyncio.sleep(0)
    assert not room.gate.is_open


def test_the_panel_is_shown_the_whole_room(room: Room) -> None:
    answer = ANSWER._replace(speakers=(BEN,), hands=2, knocks=1)
    room.desk.answered(ANSWER, 1)
    room.desk.answered(answer, 1)
    view = room.view(answer, warning=True, night=True)
    assert view == View(room.desk.shown, (BEN,), 2, True, False, True, False, True)
    assert view.lamps.speak is Sign.SLOW
    room.now += 6
    assert not room.view(answer).knock
    assert room.view(None) == View(room.desk.shown)


def test_behind_a_closed_door_nobody_speaks_and_a_knock_still_shows(room: Room) -> None:
    room.desk.apply(Event.DOOR_ASKED_CLOSED)
    room.desk.answered(ANSWER, 1)
    answer = ANSWER._replace(speakers=(BEN,), hands=1, knocks=1)
    room.desk.answered(answer, 1)
    view = room.view(answer)
    assert (view.speakers, view.knock, view.hands) == ((), True, 1)
    room.desk.apply(Event.DOOR_ASKED_LISTENING)
    assert room.view(answer).speakers == (BEN,)


def test_room_pulses_before_quiet_hours_end(room: Room) -> None:
    room.desk.apply(Event.QUIET_BEGAN)
    assert room.view().lamps.room is Sign.OFF
    shown = room.view(warning=True)
    assert (shown.lamps.room, shown.warning) == (Sign.SLOW, True)


def test_a_recording_is_shown_from_its_announcement_to_its_end(room: Room) -> None:
    assert not room.view().recording
    room.desk.answered(ANSWER._replace(recording=True), 1)
    assert room.view().recording
    room.now += ANNOUNCEMENT
    assert room.view().recording
    room.desk.answered(ANSWER, 1)
    assert not room.view().recording


def test_so_is_one_that_somebody_makes_at_the_device(room: Room) -> None:
    room.desk.announce()
    assert room.view().recording
    room.now += ANNOUNCEMENT
    assert room.view().recording
    room.desk.recorded()
    assert not room.view().recording


def test_what_did_not_change_is_not_shown_again(room: Room) -> None:
    answer = ANSWER._replace(speakers=(BEN,))
    room.view(answer)
    shown = len(room.panel.order)
    room.view(answer)
    assert len(room.panel.order) == shown
    room.view(answer._replace(speakers=(BEN._replace(level=-21),)))
    assert len(room.panel.order) == shown + 1
