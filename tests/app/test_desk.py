"""The desk: order on a press, what link tells, what is remembered."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from appliance.app import desk
from appliance.app.desk import RESET_SHOWN, Desk
from appliance.audio.gate import Gate
from appliance.core.controls import Controls, Door, Event, MuteControl, Reason, initial, step
from appliance.core.counters import Counters
from appliance.core.lamps import LinkPhase, Sign
from appliance.media.exchange import Downlink, Speaker
from appliance.panel.memory import MuteMemory, Remembered
from appliance.panel.port import Panel, View
from tests.app.parts import LampRow, journal
from tests.support import until

ANSWER = Downlink(seq=1, link=LinkPhase.IN_ROOM)


class World:
    """A desk with a real gate, a row of lamps and a clock that is set by hand."""

    def __init__(self, folder: Path, controls: Controls) -> None:
        self.order: list[object] = []
        self.gate, self.lamps, self.now = Gate(), LampRow(self.order), 100.0
        self.memory = MuteMemory(folder)
        self.counters = Counters()
        self.connection = 1
        told, self.lines = journal()
        panel = cast("Panel", self.lamps)
        self.desk = Desk(
            self.gate, panel, self.memory, controls, journal=told, counters=self.counters, clock=lambda: self.now
        )

    def told(self, **fields: Any) -> None:
        self.desk.answered(ANSWER._replace(**fields), self.connection)


def started(kind: MuteControl) -> Controls:
    controls = initial(kind)
    for event in (Event.PANEL_FOUND, Event.SWITCH_FOUND_OPEN, Event.AUDIO_FOUND):
        controls = step(controls, event)
    return controls


@pytest.fixture(params=list(MuteControl))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    world = World(tmp_path, started(request.param))
    world.desk.apply(Event.STARTED)
    assert world.gate.is_open
    return world


async def test_press_reaches_the_gate_before_the_loop_and_the_lamp_after(world: World) -> None:
    hands = world.desk.hands(asyncio.get_running_loop())
    latching = world.desk.controls.kind is MuteControl.LATCHING
    assert hands.close()
    assert not world.gate.is_open
    assert world.desk.refresh(ANSWER, False).mic is Sign.STEADY, "the lamp shows the gate, not the controls"
    hands.post(Event.SWITCH_CLOSED if latching else Event.PRESS_WHILE_OPEN)
    await asyncio.sleep(0)
    assert world.desk.controls.reasons == {Reason.SWITCH if latching else Reason.BUTTON}
    hands.post(Event.SWITCH_OPENED if latching else Event.PRESS_WHILE_CLOSED)
    await asyncio.sleep(0)
    assert world.gate.is_open
    assert world.desk.refresh(ANSWER, False).mic is Sign.OFF
    assert len(world.lines.lines("gate_closed")) == 1
    assert world.counters.get("gate_closings") == 1


async def test_the_lamp_that_the_panel_lit_goes_out_again_when_the_loop_was_late(world: World) -> None:
    latching = world.desk.controls.kind is MuteControl.LATCHING
    hands = world.desk.hands(asyncio.get_running_loop())
    lit = world.desk.refresh(ANSWER, False)
    assert hands.close()
    world.lamps.show(View(replace(lit, mic=Sign.STEADY)))  # as the panel's thread does
    # To and fro while the loop was busy: it takes both before it looks at the lamps.
    hands.post(Event.SWITCH_CLOSED if latching else Event.PRESS_WHILE_OPEN)
    hands.post(Event.SWITCH_OPENED if latching else Event.PRESS_WHILE_CLOSED)
    await asyncio.sleep(0)
    world.desk.refresh(ANSWER, False)
    assert world.gate.is_open
    assert world.lamps.shown is not None
    assert world.lamps.shown.mic is Sign.OFF
    assert hands.close()
    hands.post(Event.SWITCH_CLOSED if latching else Event.PRESS_WHILE_OPEN)
    await asyncio.sleep(0)
    world.lamps.shown = lit  # what the loop was about to show passed the panel's thread
    assert world.desk.refresh(ANSWER, False).mic is Sign.STEADY
    assert world.lamps.shown.mic is Sign.STEADY


async def test_a_mute_that_could_not_be_stored_is_stored_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "_STORE_AGAIN", 0.01)
    save, tries = world.memory.save, [OSError("full"), OSError("full")]

    def full(*wish: Any) -> None:
        if tries:
            raise tries.pop()
        save(*wish)

    monkeypatch.setattr(world.memory, "save", full)
    keeping = asyncio.create_task(world.desk.keep_memory())
    world.desk.apply(Event.ADMIN_MUTED)
    await until(lambda: world.memory.load().reasons == {Reason.ADMIN})
    await until(lambda: world.desk.refresh(ANSWER, False).fault is Sign.OFF)
    keeping.cancel()


async def test_admin_mute_between_press_and_decision_opens_nothing(world: World) -> None:
    hands = world.desk.hands(asyncio.get_running_loop())
    hands.close()
    world.told()
    world.told(admin_muted=1)
    world.told(admin_muted=1, admin_lifted=1)
    assert not world.gate.is_open
    assert Reason.ADMIN in world.desk.controls.reasons


def test_counters_of_link_are_events_once_and_the_first_answer_is_the_base(world: World) -> None:
    world.told(admin_muted=7, knocks=3, asked=2, door_commands=5)
    assert world.gate.is_open
    world.told(admin_muted=8, knocks=3, asked=2, door_commands=5)
    assert world.desk.controls.reasons == {Reason.ADMIN}
    world.told(admin_muted=8, knocks=4, asked=2, door_commands=5)
    assert world.desk.refresh(ANSWER, False).speak is Sign.SLOW
    world.now += 6
    assert world.desk.refresh(ANSWER, False).speak is Sign.OFF


def test_door_from_afar_closes_and_opens_to_listening_at_most(world: World) -> None:
    world.told()
    world.told(door_commands=1, door=Door.CLOSED)
    assert world.desk.controls.door is Door.CLOSED
    world.told(door_commands=2, door=Door.OPEN)
    assert world.desk.controls.door is Door.CLOSED
    world.told(door_commands=3, door=Door.LISTENING)
    assert world.desk.controls.door is Door.LISTENING
    assert not world.gate.is_open


def test_recording_is_announced_before_the_room_is_in_it(world: World) -> None:
    world.told(recording=True)
    assert not world.gate.is_open
    assert world.desk.refresh(ANSWER, False).speak is Sign.SLOW
    world.now += 4.9
    world.desk.refresh(ANSWER, False)
    assert not world.gate.is_open
    world.now += 0.2
    world.desk.refresh(ANSWER, False)
    assert world.gate.is_open
    world.desk.apply(Event.LINK_LOST)
    world.told(recording=True)
    assert world.gate.is_open, "announced once is enough, though link was started anew"
    assert world.desk.recording
    world.told(recording=False)
    assert world.gate.is_open
    assert not world.desk.recording


def test_nothing_from_afar_shortens_the_announcement(world: World) -> None:
    world.told(recording=True)
    world.told(recording=False)
    assert not world.gate.is_open
    world.now += 5.1
    world.desk.refresh(ANSWER, False)
    assert world.gate.is_open


@pytest.mark.parametrize("lost", [False, True])
def test_a_trial_closes_and_restores(world: World, lost: bool) -> None:
    world.told()
    world.told(trial=True)
    assert world.desk.controls.reasons == {Reason.TRIAL}
    if lost:
        world.desk.apply(Event.LINK_LOST)
    world.told()
    assert world.gate.is_open


def test_a_trial_goes_on_while_link_starts_anew(world: World) -> None:
    """By the settings that are on trial, mostly: the new link is told of it within a second, and until then knows nothing."""
    world.told(trial=True)
    world.connection += 1
    world.told(trial=False)
    world.told(trial=False)
    assert not world.gate.is_open
    world.told(trial=True)
    assert not world.gate.is_open
    world.told(trial=False)
    assert world.gate.is_open, "it was told that it is over"
    world.told(trial=True)
    world.connection += 1
    world.told(trial=False)
    world.now += desk.TRIAL_LASTS
    world.told(trial=False)
    assert world.gate.is_open, "nobody says so any more"


async def test_a_press_that_meets_a_mute_from_afar_mutes(tmp_path: Path) -> None:
    world = World(tmp_path, started(MuteControl.MOMENTARY))
    world.desk.apply(Event.STARTED)
    hands = world.desk.hands(asyncio.get_running_loop())
    world.told()
    world.told(admin_muted=1)
    assert hands.close(), "it was open when the finger moved"
    hands.post(Event.PRESS_WHILE_OPEN)
    await asyncio.sleep(0)
    assert world.desk.controls.reasons == {Reason.ADMIN, Reason.BUTTON}


def test_a_violation_closes_until_a_hand_acts(world: World) -> None:
    world.told()
    world.told(violation=True)
    assert world.desk.controls.reasons == {Reason.VIOLATION}
    assert world.desk.refresh(ANSWER, False).mic is Sign.FAST
    world.told(violation=False)
    world.desk.apply(Event.LINK_LOST)
    world.told(violation=False)
    assert not world.gate.is_open


def test_link_lost_leaves_the_gate_and_shows_on_room(world: World) -> None:
    world.told(admin_muted=4)
    world.desk.apply(Event.LINK_LOST)
    world.connection += 1
    assert world.gate.is_open
    assert world.desk.refresh(None, False).room is Sign.SLOW
    world.told(admin_muted=0)
    assert world.gate.is_open, "a link that was started anew counts from 0: that is no mute"


def test_what_link_was_told_while_it_did_not_answer_is_not_lost(world: World) -> None:
    world.told(admin_muted=4, door_commands=1)
    world.desk.apply(Event.LINK_LOST)
    world.told(admin_muted=4, door_commands=2, door=Door.CLOSED)
    assert world.desk.controls.door is Door.CLOSED
    assert world.desk.controls.reasons == {Reason.DOOR}


def test_speak_shows_the_loudest(world: World) -> None:
    answer = ANSWER._replace(speakers=(Speaker(1, 2, -60, False), Speaker(1, 2, -30, False)))
    shown = world.desk.refresh(answer, False)
    assert shown.speak is Sign.STEADY
    assert shown.brightness == pytest.approx(0.5)


def test_lamps_are_sent_only_when_something_changed(world: World) -> None:
    world.desk.refresh(ANSWER, False)
    sent = len(world.order)
    for _ in range(5):
        world.desk.refresh(ANSWER, False)
    assert len(world.order) == sent


async def test_what_must_survive_is_stored(tmp_path: Path) -> None:
    world = World(tmp_path, started(MuteControl.MOMENTARY))
    world.desk.apply(Event.STARTED)
    keeping = asyncio.create_task(world.desk.keep_memory())
    world.told()
    world.told(admin_muted=1)
    while world.desk._stored != (frozenset({Reason.ADMIN}), Door.OPEN):  # the file is there a moment earlier
        await asyncio.sleep(0.01)
    assert world.memory.load() == Remembered(frozenset({Reason.ADMIN}), Door.OPEN)
    keeping.cancel()
    world.desk.apply(Event.PRESS_WHILE_CLOSED)
    await world.desk.store()
    assert world.memory.load() == Remembered()
    assert await asyncio.gather(keeping, return_exceptions=True)


async def test_a_full_disk_is_told_and_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    world = World(folder, started(MuteControl.MOMENTARY))
    world.desk.apply(Event.STARTED)
    world.desk.apply(Event.PRESS_WHILE_OPEN)
    await world.desk.store()
    assert world.lines.lines("mute_store_damaged")
    assert world.desk.refresh(ANSWER, False).fault is Sign.SLOW
    folder.mkdir()
    await world.desk.store()
    assert world.memory.load().reasons == {Reason.BUTTON}
    assert world.desk.refresh(ANSWER, False).fault is Sign.OFF


async def test_a_slow_disk_never_puts_an_old_mute_after_a_new_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the end: who keeps the memory is cancelled while its thread still writes, and what holds is stored once more."""
    save, writes, go_on = world.memory.save, threading.Event(), threading.Event()

    def slow(*wish: Any) -> None:
        if not writes.is_set():
            writes.set()
            assert go_on.wait(5)
        save(*wish)

    monkeypatch.setattr(world.memory, "save", slow)
    keeping = asyncio.create_task(world.desk.keep_memory())
    world.desk.apply(Event.ADMIN_MUTED)
    await until(writes.is_set)
    keeping.cancel()
    assert await asyncio.gather(keeping, return_exceptions=True)
    world.desk.apply(Event.VIOLATED)
    storing = asyncio.create_task(world.desk.store())
    await asyncio.sleep(0.02)
    go_on.set()
    assert await storing
    assert world.memory.load().reasons == {Reason.ADMIN, Reason.VIOLATION}


async def test_what_the_panel_tells_of_a_closed_gate_answers_for_no_other_closing(tmp_path: Path) -> None:
    """A switch that is closed over a closed gate must not count as the decision on a key that was let go since."""
    controls = initial(MuteControl.LATCHING, push_to_talk=True)
    for event in (Event.PANEL_FOUND, Event.SWITCH_FOUND_OPEN, Event.AUDIO_FOUND, Event.STARTED):
        controls = step(controls, event)
    world = World(tmp_path, controls)
    hands = world.desk.hands(asyncio.get_running_loop())
    assert not hands.close()
    hands.post(Event.SWITCH_CLOSED)
    assert not world.gate.open(), "what the loop was told before does not open it any more"
    assert not hands.close()
    hands.post(Event.TALK_RELEASED)
    world.desk.apply(Event.TALK_PRESSED)
    world.desk._from_panel(Event.SWITCH_CLOSED, True)
    world.desk._from_panel(Event.SWITCH_OPENED, False)
    assert world.desk.controls.open
    assert not world.gate.is_open, "the key was let go, and the loop has not heard of it yet"
    await asyncio.sleep(0)
    assert world.desk.controls.reasons >= {Reason.TALK}
    world.desk.apply(Event.SWITCH_OPENED)
    hands.post(Event.TALK_PRESSED)
    await asyncio.sleep(0)
    assert world.gate.is_open


async def test_without_a_room_the_panel_asks_to_join_one_and_the_door_stays(world: World) -> None:
    nowhere = ANSWER._replace(link=LinkPhase.LEFT)
    assert world.desk.refresh(nowhere, talking=False).signs[1:] == (Sign.OFF, Sign.OFF, Sign.SLOW)
    hands = world.desk.hands(asyncio.get_running_loop())
    hands.post(Event.DOOR_PRESSED)
    hands.knock()
    await until(lambda: world.desk.presses == 2)
    assert world.desk.controls.door is Door.OPEN and world.gate.is_open
    assert "event=join_pressed" in world.lines.getvalue()
    world.desk.refresh(ANSWER, talking=False)
    hands.post(Event.DOOR_PRESSED)
    hands.knock()
    await until(lambda: world.desk.controls.door is Door.LISTENING and world.desk.knocks == 2)
    assert world.desk.presses == 2, "in a room ROOM is the door again"
    world.desk.refresh(None, talking=False)
    hands.post(Event.DOOR_PRESSED)
    await until(lambda: world.desk.controls.door is Door.CLOSED)


async def test_room_held_on_asks_for_a_reset_and_undoes_the_door(world: World) -> None:
    hands = world.desk.hands(asyncio.get_running_loop())
    hands.post(Event.DOOR_PRESSED)
    await until(lambda: world.desk.controls.door is Door.LISTENING)
    assert not world.gate.is_open and not world.desk.reset_held
    hands.post(Event.RESET_HELD)
    await until(lambda: world.desk.reset_held)
    assert world.desk.controls.door is Door.OPEN and world.gate.is_open
    assert "event=reset_held" in world.lines.getvalue()
    shown = world.desk.refresh(ANSWER, talking=False)
    assert shown.signs == (Sign.OFF, Sign.FAST, Sign.FAST, Sign.FAST), "MIC shows the gate"
    hands.post(Event.DOOR_RELEASED)
    world.now += RESET_SHOWN
    assert not world.desk.reset_held, "nobody has done it"
    assert world.desk.refresh(ANSWER, talking=False).signs == (Sign.OFF, Sign.STEADY, Sign.OFF, Sign.OFF)


async def test_without_a_room_a_reset_undoes_no_press_of_long_ago(world: World) -> None:
    hands = world.desk.hands(asyncio.get_running_loop())
    for event in (Event.DOOR_PRESSED, Event.DOOR_RELEASED):
        hands.post(event)
    await until(lambda: world.desk.controls.door is Door.LISTENING)
    world.desk.refresh(ANSWER._replace(link=LinkPhase.LEFT), talking=False)
    for event in (Event.DOOR_PRESSED, Event.RESET_HELD):
        hands.post(event)
    await until(lambda: world.desk.reset_held)
    assert world.desk.controls.door is Door.LISTENING and not world.gate.is_open
