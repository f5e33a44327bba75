"""What a second look at the mute has found: presses that race with what is still on its way."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.app.quiet import Kept, Quiet, QuietMemory
from appliance.core.controls import Event, MuteControl, Reason, step
from tests.app.parts import journal, settings
from tests.app.test_desk import World, started
from tests.support import until


def button(folder: Path) -> World:
    """An open desk with a mute button."""
    world = World(folder, started(MuteControl.MOMENTARY))
    world.desk.apply(Event.STARTED)
    assert world.gate.is_open
    return world


def slow_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """The next save waits: it has begun, and it may go on."""
    began, go_on, save = threading.Event(), threading.Event(), world.memory.save

    def slow(*wish: Any) -> None:
        began.set()
        assert go_on.wait(10)
        save(*wish)

    monkeypatch.setattr(world.memory, "save", slow)
    return began, go_on


@pytest.mark.parametrize("stops", [False, True])
async def test_a_mute_while_the_disk_still_takes_the_unmute_before_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: bool
) -> None:
    """Muted, unmuted and muted again, faster than a worn card writes: the wish is then what was stored at first."""
    world = button(tmp_path)
    world.desk.apply(Event.PRESS_WHILE_OPEN)
    assert await world.desk.store()
    keeping = asyncio.create_task(world.desk.keep_memory())
    began, go_on = slow_disk(world, monkeypatch)
    world.desk.apply(Event.PRESS_WHILE_CLOSED)
    await until(began.is_set)
    world.desk.apply(Event.PRESS_WHILE_OPEN)
    if stops:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        storing = asyncio.create_task(world.desk.store())
        await asyncio.sleep(0)
        go_on.set()
        assert await storing
    go_on.set()
    await until(lambda: world.memory.load().reasons == {Reason.BUTTON} and not world.desk._saving.locked())
    await asyncio.sleep(0.05)
    assert world.memory.load().reasons == {Reason.BUTTON}
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


@pytest.mark.parametrize(
    ("control", "talks", "opens", "closes"),
    [
        (MuteControl.LATCHING, False, Event.SWITCH_OPENED, Event.SWITCH_CLOSED),
        (MuteControl.LATCHING, False, Event.SWITCH_OPENED, Event.PANEL_LOST),
        (MuteControl.MOMENTARY, True, Event.TALK_PRESSED, Event.TALK_RELEASED),
    ],
)
async def test_what_opens_and_is_still_on_its_way_does_not_open_what_was_closed_since(
    tmp_path: Path, control: MuteControl, talks: bool, opens: Event, closes: Event
) -> None:
    """A loop that is late finds both at once; the gate must not open between them, not even for a moment."""
    controls = replace(started(control), push_to_talk=talks)
    world = World(tmp_path, step(controls, Event.TALK_RELEASED))
    world.desk.apply(Event.STARTED)
    hands = world.desk.hands(asyncio.get_running_loop())
    if control is MuteControl.LATCHING:
        world.desk.apply(Event.SWITCH_CLOSED)
    world.gate._closed_at -= 1.0  # long ago, so that this closing finds a closed gate
    before = world.gate.epoch
    hands.post(opens)
    hands.close()
    hands.post(closes)
    await asyncio.sleep(0.01)
    assert not world.gate.is_open
    assert world.gate.epoch == before, "it was open meanwhile"
    if closes is not Event.PANEL_LOST:
        hands.post(opens)
        await until(lambda: world.gate.is_open)


async def test_quiet_hours_that_hold_again_while_the_disk_takes_their_end_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sound is stopped just then: its storing is given up, and what it has begun goes on."""
    world, told = button(tmp_path), journal()[0]
    memory = QuietMemory(tmp_path)
    memory.save(Kept(held=True, seen=7))
    quiet = Quiet(settings(tmp_path).quiet, world.desk, memory, told)
    began, go_on, save = threading.Event(), threading.Event(), memory.save

    def slow(kept: Kept) -> None:
        began.set()
        assert go_on.wait(10)
        save(kept)

    monkeypatch.setattr(memory, "save", slow)
    quiet._kept = Kept(held=False, seen=7)
    given_up = asyncio.create_task(quiet.store())
    await until(began.is_set)
    quiet._kept = Kept(held=True, seen=7)
    given_up.cancel()
    storing = asyncio.create_task(quiet.store())
    await asyncio.sleep(0)
    go_on.set()
    assert await storing
    await until(lambda: not quiet._saving.locked())
    assert memory.load().held
