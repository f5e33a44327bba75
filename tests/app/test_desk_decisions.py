"""Every decision of the desk that mutants could change unnoticed: what is told, once and with which words, and when it ends."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from appliance.app import desk as desk_module
from appliance.app.desk import ANNOUNCEMENT
from appliance.audio.gate import Gate
from appliance.core.chimes import Chime
from appliance.core.controls import Door, Event, MuteControl, Reason, initial
from appliance.core.counters import Counters
from appliance.core.events import Severity
from appliance.core.lamps import LinkPhase, Room, Sign, lamps
from appliance.health.journal import Journal
from appliance.media.exchange import Speaker
from appliance.panel.memory import MuteMemory
from appliance.panel.port import Panel
from tests.app.parts import LampRow, journal
from tests.app.test_desk import ANSWER, World, started

BEN = Speaker(1, 2, -20, False)


class Desk(World):
    """An open desk whose chimes and changes are kept."""

    def __init__(self, folder: Path, now: float = 100.0) -> None:
        super().__init__(folder, started(MuteControl.MOMENTARY))
        self.desk._journal = Journal("test", self.lines, least=Severity.DEBUG)
        self.now = now
        self.chimes: list[Chime] = []
        self.changes = 0
        self.desk.chime = self.chimes.append
        self.desk.changed = self._changed
        self.desk.apply(Event.STARTED)

    def _changed(self) -> None:
        self.changes += 1

    def words(self, event: str) -> list[str]:
        """What the journal has of ``event``, without what every line has."""
        told = [line.partition("event=")[2].partition(" ") for line in self.lines.getvalue().splitlines()]
        return [rest for name, _, rest in told if name == event]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# ---- what link tells


def test_a_lifted_mute_and_a_question_are_told_once_each(desk: Desk) -> None:
    desk.told()
    desk.told(admin_lifted=1)
    desk.told(admin_lifted=1, asked=1)
    desk.told(admin_lifted=1, asked=1)
    assert desk.words("admin_mute_lifted") == [""]
    assert desk.words("asked_to_unmute") == [""]
    assert desk.chimes == [Chime.KNOCK]
    assert desk.desk.refresh(ANSWER, False).speak is Sign.SLOW, "a question is seen, too"


def test_a_lifted_mute_lets_the_hand_down(desk: Desk) -> None:
    desk.told()
    desk.told(admin_muted=1)
    desk.desk._raise_hand()
    desk.told(admin_muted=1, admin_lifted=1)
    assert not desk.desk.hand


def test_a_knock_is_heard_once_and_seen_for_five_seconds(desk: Desk) -> None:
    desk.told()
    desk.told(knocks=1)
    desk.told(knocks=1)
    assert desk.chimes == [Chime.KNOCK]
    seen = []
    for passed in (0.0, 4.99, 5.0, 5.01):
        desk.now = 100.0 + passed
        seen.append(desk.desk.refresh(ANSWER, False).speak)
    assert seen == [Sign.SLOW, Sign.SLOW, Sign.OFF, Sign.OFF]


def test_right_after_the_machine_has_started_nobody_has_knocked(tmp_path: Path) -> None:
    assert Desk(tmp_path, now=1.0).desk.refresh(ANSWER, False).speak is Sign.OFF


@pytest.mark.parametrize("phase", LinkPhase)
def test_room_shows_how_link_stands(desk: Desk, phase: LinkPhase) -> None:
    answer = ANSWER._replace(link=phase)
    assert desk.desk.refresh(answer, False).room is lamps(desk.desk.controls, Room(phase)).room
    assert desk.desk.refresh(None, False).room is Sign.SLOW


def test_who_talks_into_a_closed_microphone_is_told_by_mic_alone(desk: Desk) -> None:
    assert desk.desk.refresh(ANSWER, True).mic is Sign.OFF
    desk.desk.apply(Event.ADMIN_MUTED)
    assert desk.desk.refresh(ANSWER, False).mic is Sign.STEADY
    assert desk.desk.refresh(ANSWER, True).mic is Sign.SLOW


def test_limits_are_shown_by_fault(desk: Desk) -> None:
    assert desk.desk.refresh(ANSWER, False).fault is Sign.OFF
    assert desk.desk.refresh(ANSWER, False, degraded=True).fault is Sign.SLOW


@pytest.mark.parametrize(("speakers", "brightness"), [((), 0.0), ((BEN, BEN._replace(level=-50)), 40 / 60)])
def test_speak_is_as_bright_as_the_loudest(desk: Desk, speakers: tuple[Speaker, ...], brightness: float) -> None:
    shown = desk.desk.refresh(ANSWER._replace(speakers=speakers), False)
    assert shown.brightness == pytest.approx(brightness)
    assert desk.desk.refresh(ANSWER._replace(hands=1), False).speak is Sign.SLOW


def test_a_trial_and_a_recording_of_link_are_told_when_they_begin_and_end(desk: Desk) -> None:
    for fields in ({}, {"trial": True}, {"trial": True}, {}, {"recording": True}, {"recording": True}, {}):
        desk.told(**fields)
    assert desk.words("recording") == ["on=yes", "on=no"]
    assert [words.split()[-1] for words in desk.words("gate_closed")] == ['began"', 'began"']
    assert desk.desk.controls.reasons == {Reason.RECORDING}


def test_a_violation_is_told_once_for_each_connection(desk: Desk) -> None:
    desk.told(violation=True)
    desk.told(violation=True)
    assert len(desk.words("violation")) == 1
    desk.desk.apply(Event.PRESS_WHILE_CLOSED)
    desk.told(violation=True)
    assert desk.gate.is_open, "what a hand has answered does not come back by being told again"
    desk.connection += 1
    desk.told(violation=True)
    assert desk.desk.controls.reasons == {Reason.VIOLATION}
    assert len(desk.words("violation")) == 2


# ---- what is told of what has changed


def test_what_has_changed_is_written_down_in_words_and_nothing_else_is(desk: Desk) -> None:
    assert desk.words("gate_opened") == ["cause=started"]
    desk.desk.apply(Event.ADMIN_MUTED)
    desk.desk.apply(Event.ADMIN_MUTED)
    desk.desk.apply(Event.VIOLATED)
    desk.desk.apply(Event.DOOR_ASKED_CLOSED)
    desk.desk.apply(Event.PRESS_WHILE_CLOSED)
    desk.desk.apply(Event.DOOR_PRESSED)
    assert desk.words("gate_closed") == ['reasons=admin cause="muted by admin"']
    assert desk.words("gate_opened") == ["cause=started", 'cause="door pressed"']
    assert desk.words("reasons_changed") == [
        "reasons=admin,fault cause=violation",
        'reasons=admin,door,fault cause="door asked closed"',
        'reasons=door cause="press while closed"',
    ]
    assert desk.words("door_changed") == ['door=closed cause="door asked closed"', 'door=open cause="door pressed"']
    assert desk.counters.get("gate_closings") == 1
    assert desk.counters.get("gate_openings") == 2


def test_only_a_change_is_a_change(desk: Desk) -> None:
    before = desk.changes
    desk.desk.apply(Event.ADMIN_LIFTED)
    desk.desk.apply(Event.LINK_FOUND)
    assert desk.changes == before
    assert desk.chimes == []
    desk.desk.apply(Event.ADMIN_MUTED)
    assert desk.changes == before + 1
    assert desk.chimes == [Chime.MUTED]


def test_before_the_gate_may_open_no_reason_is_told_any_more(desk: Desk) -> None:
    opened: list[bool] = []
    desk.desk.opening = lambda: opened.append(desk.gate.is_open)
    desk.desk.apply(Event.ADMIN_MUTED)
    assert opened == []
    desk.desk.apply(Event.PRESS_WHILE_CLOSED)
    assert opened == [False]


# ---- what hands do


async def test_hands_reach_the_desk(desk: Desk) -> None:
    turned: list[int] = []
    desk.desk.turn = turned.append
    hands = desk.desk.hands(asyncio.get_running_loop())
    assert hands.is_open()
    assert (desk.desk.knocks, desk.changes) == (0, 1)
    hands.knock()
    hands.knock()
    hands.turn(-1)
    hands.hand()
    assert desk.desk.knocks == 0, "on the loop, and not on the thread of the panel"
    await asyncio.sleep(0)
    assert (desk.desk.knocks, turned, desk.desk.hand) == (2, [-1], True)
    assert desk.words("knocked") == ['by="this room"'] * 2
    assert desk.words("hand_changed") == ['up=yes by="this room"']
    assert desk.changes == 4
    desk.desk.apply(Event.ADMIN_MUTED)
    assert not hands.is_open()


def test_a_press_that_no_loop_hears_any_more_closes_the_gate(desk: Desk) -> None:
    loop = asyncio.new_event_loop()
    hands = desk.desk.hands(loop)
    loop.close()
    assert desk.gate.is_open
    hands.post(Event.DOOR_PRESSED)
    assert not desk.gate.is_open


async def test_only_what_answers_for_a_closing_lets_the_gate_open_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two closings of a moment, told by one event; events that closed nothing decide nothing."""
    hands = desk.desk.hands(asyncio.get_running_loop())
    desk.desk.refresh(ANSWER, False)
    shown = len(desk.order)
    for event in (Event.PANEL_FOUND, Event.TALK_PRESSED):  # nothing was closed for these
        hands.post(event)
    await asyncio.sleep(0)
    desk.desk.refresh(ANSWER, False)
    assert len(desk.order) == shown, "MIC was not lit by the panel"
    assert desk.counters.get("panel_events") == 2

    decided: list[bool] = []
    real = desk.gate.decided

    def decide() -> None:
        decided.append(True)
        real()

    monkeypatch.setattr(desk.gate, "decided", decide)
    assert hands.close()
    desk.gate._closed_at -= 1.0  # a second passes
    assert not hands.close()
    hands.post(Event.PRESS_WHILE_OPEN)
    hands.post(Event.DOOR_PRESSED)
    await asyncio.sleep(0)
    assert decided == [True]
    assert desk.desk.controls.reasons == {Reason.BUTTON, Reason.DOOR}
    hands.post(Event.PRESS_WHILE_CLOSED)
    for _ in range(2):
        hands.post(Event.DOOR_PRESSED)
    await asyncio.sleep(0)
    assert desk.gate.is_open


@pytest.mark.parametrize("event", [Event.SWITCH_CLOSED, Event.TALK_RELEASED, Event.PANEL_LOST])
async def test_what_the_panel_closed_while_the_gate_was_closed_stays_so_until_it_is_taken_in(
    desk: Desk, event: Event
) -> None:
    """What opens may be on its way to the loop, before it."""
    hands = desk.desk.hands(asyncio.get_running_loop())
    desk.desk.apply(Event.ADMIN_MUTED)
    desk.gate._closed_at -= 1.0  # a second passes
    assert not hands.close()
    hands.post(event)
    desk.desk.apply(Event.PRESS_WHILE_CLOSED)
    assert desk.desk.controls.open
    assert not desk.gate.is_open
    await asyncio.sleep(0)
    assert desk.gate.is_open is desk.desk.controls.open


async def test_what_was_wished_for_while_the_disk_took_something_else_is_stored_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when it is what the disk had before."""
    save = desk.memory.save

    def slow(*wish: Any) -> None:
        monkeypatch.setattr(desk.memory, "save", save)
        desk.desk.apply(Event.PRESS_WHILE_CLOSED)
        assert desk.desk._to_store.is_set()
        save(*wish)

    monkeypatch.setattr(desk.memory, "save", slow)
    desk.desk.apply(Event.ADMIN_MUTED)
    desk.desk._to_store.clear()
    await desk.desk.store()
    assert desk.memory.load().reasons == {Reason.ADMIN}
    assert await desk.desk.store()
    assert desk.memory.load().reasons == frozenset()


async def test_a_closing_that_is_answered_without_a_reason_is_undone(desk: Desk) -> None:
    hands = desk.desk.hands(asyncio.get_running_loop())
    assert hands.close()
    desk.desk.apply(Event.TALK_PRESSED)
    assert not desk.gate.is_open, "the press that the loop has not seen keeps it shut"
    hands.post(Event.TALK_PRESSED)
    await asyncio.sleep(0)
    assert desk.gate.is_open


async def test_behind_a_closed_door_no_hand_is_up(desk: Desk) -> None:
    desk.desk._raise_hand()
    assert desk.desk.hand
    desk.desk.apply(Event.DOOR_ASKED_CLOSED)
    assert not desk.desk.hand
    before = desk.changes
    desk.desk._raise_hand()
    assert (desk.desk.hand, desk.changes) == (False, before)


# ---- a recording at the device


def test_a_recording_here_is_announced_closed_and_told(desk: Desk) -> None:
    desk.desk.announce()
    assert desk.desk.controls.reasons == {Reason.RECORDING}
    assert desk.chimes == [Chime.RECORDING]
    assert desk.words("recording") == ["on=yes"]
    for passed, is_over in ((ANNOUNCEMENT - 0.01, False), (ANNOUNCEMENT, True)):
        desk.now = 100.0 + passed
        assert desk.desk.refresh(ANSWER, False).speak is (Sign.OFF if is_over else Sign.SLOW)
        assert desk.gate.is_open is is_over
    desk.desk.apply(Event.RECORDING_BEGAN)
    desk.desk.refresh(ANSWER, False)
    assert not desk.gate.is_open, "an announcement that is over ends no other"
    desk.desk.recorded()
    assert desk.words("recording") == ["on=yes", "on=no"]


def test_a_recording_here_comes_back_from_the_room_and_is_not_announced_twice(desk: Desk) -> None:
    desk.told()
    assert not desk.desk.records
    desk.desk.announce()
    assert desk.desk.records, "the room is told"
    desk.now = 101.0
    desk.told(recording=True)
    desk.now = 100.0 + ANNOUNCEMENT
    desk.desk.refresh(ANSWER._replace(recording=True), False)
    assert desk.gate.is_open, "five seconds are five, and the room's answer makes no second announcement"
    assert desk.chimes == [Chime.RECORDING]
    desk.desk.recorded()
    assert not desk.desk.records
    assert desk.desk.recording, "until the room has taken that it is over"
    desk.told()
    assert not desk.desk.recording
    desk.told(recording=True)
    assert desk.chimes == [Chime.RECORDING] * 2, "what somebody else begins is announced"


# ---- what is stored


def test_before_anything_is_shown_the_lamps_are_those_of_the_controls(desk: Desk) -> None:
    assert desk.desk.shown == lamps(desk.desk.controls, Room())
    desk.desk.refresh(ANSWER._replace(link=LinkPhase.REFUSED), False)
    assert desk.desk.shown.room is Sign.FAST


async def test_a_mute_that_the_disk_has_for_another_panel_is_stored_though_nothing_has_changed(tmp_path: Path) -> None:
    MuteMemory(tmp_path, 8).save(frozenset({Reason.HAND}), Door.OPEN)
    memory = MuteMemory(tmp_path, 7)
    controls = initial(MuteControl.MOMENTARY, remembered=memory.load().reasons)
    lamps, told = cast("Panel", LampRow([])), journal()[0]
    desk = desk_module.Desk(Gate(), lamps, memory, controls, journal=told, counters=Counters(), clock=lambda: 1.0)
    assert desk._to_store.is_set()
    assert await desk.store()
    again = MuteMemory(tmp_path, 7)
    assert again.load().reasons == {Reason.HAND}
    assert again.current


async def test_what_is_stored_already_is_not_stored_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[tuple[Any, ...]] = []
    monkeypatch.setattr(MuteMemory, "save", lambda _memory, *wish: saved.append(wish))
    assert await desk.desk.store()
    assert saved == []
    assert not desk.desk._to_store.is_set()
    desk.desk.apply(Event.ADMIN_MUTED)
    assert desk.desk._to_store.is_set()
    assert await desk.desk.store()
    assert await desk.desk.store()
    assert saved == [(frozenset({Reason.ADMIN}), Door.OPEN)]


async def test_a_disk_that_has_refused_is_in_order_only_when_it_has_taken_something(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when what is to be stored is again what stands there."""
    with monkeypatch.context() as patch:
        patch.setattr(MuteMemory, "save", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        desk.desk.apply(Event.ADMIN_MUTED)
        assert not await desk.desk.store()
        desk.desk.apply(Event.PRESS_WHILE_CLOSED)
        assert not await desk.desk.store()
    assert desk.desk.refresh(ANSWER, False).fault is Sign.SLOW
    assert await desk.desk.store()
    assert desk.desk.refresh(ANSWER, False).fault is Sign.OFF
    assert desk.memory.load().stored


@pytest.mark.virtual_time
async def test_a_disk_that_refuses_is_tried_again_every_five_seconds(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, tried = asyncio.get_running_loop(), list[float]()
    began = loop.time()

    def refuse(*_: object) -> None:
        tried.append(loop.time() - began)
        if len(tried) < 3:
            raise OSError(28, "No space left on device")

    async def here(call: Callable[[], Any]) -> Any:
        return call()

    monkeypatch.setattr(MuteMemory, "save", refuse)
    monkeypatch.setattr(asyncio, "to_thread", here)  # virtual time does not wait for threads
    keeping = asyncio.create_task(desk.desk.keep_memory())
    desk.desk.apply(Event.ADMIN_MUTED)
    await asyncio.sleep(30)
    assert tried == pytest.approx([0.0, 5.0, 10.0], abs=0.01)
    assert desk.counters.get("mute_store_failures") == 2
    assert ["No space left" in words for words in desk.words("mute_store_damaged")] == [True, True]
    assert await desk.desk.store()
    assert len(tried) == 3
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
