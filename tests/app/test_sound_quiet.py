"""Quiet hours in sound: from its settings to the gate, the exchange and the disk."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.app.process import VitalEnded
from appliance.app.quiet import QuietMemory
from appliance.app.sound import Sound
from appliance.audio.virtual import Tone, VirtualCard
from appliance.core.controls import Door, Event, MuteControl, Reason
from appliance.core.lamps import Sign
from appliance.health.notify import Notifier
from appliance.panel.virtual import VirtualPanel
from tests.app.parts import journal, kept, settings
from tests.support import until


def quiet_now() -> tuple[str, int]:
    """Settings by which it has been quiet for an hour, and the end of that."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    begin, end = now - timedelta(hours=1), now + timedelta(hours=2)
    hours = f'hours = ["{begin:%H:%M}-{end:%H:%M}"]'
    return f'[quiet]\ntime_zone = "UTC"\n{hours}\ntrust_clock = true\n', int(end.timestamp())


def make(folder: Path, more: str) -> Sound:
    told, _ = journal()
    panel = VirtualPanel(MuteControl.LATCHING, 0.005, 0.05)
    return Sound(settings(folder, more), VirtualCard(Tone(440)), panel, told)


async def test_a_start_in_quiet_hours_opens_nothing_and_tells_until_when(short_dir: Path) -> None:
    more, end = quiet_now()
    sound, stop = make(short_dir, more), asyncio.Event()
    assert sound.desk.controls.door is Door.CLOSED, "before card and panel are opened"
    running = asyncio.create_task(sound.run(stop, Notifier("")))
    await until(lambda: sound.desk.controls.reasons == {Reason.DOOR, Reason.QUIET})
    assert not sound.gate.is_open
    await until(lambda: sound.duplex.facts.quiet_until == end)
    assert sound.desk.shown.room is Sign.OFF
    told = sound.state().as_dict()["quiet"]
    assert isinstance(told, dict)
    assert (told["holds"], told["until"], told["clock_trusted"]) == (True, end, True)
    await until(lambda: QuietMemory(kept(short_dir)).load().held)
    sound.desk.apply(Event.DOOR_PRESSED)
    await until(lambda: sound.gate.is_open)
    await until(lambda: sound.duplex.facts.quiet_until == 0)
    stop.set()
    await running
    left = QuietMemory(kept(short_dir)).load()
    assert not left.held
    assert left.outranked > 0


async def test_a_memory_of_quiet_hours_that_ends_ends_sound(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bugs = [ZeroDivisionError()]

    def save(*_: object) -> None:
        if bugs:
            raise bugs.pop()

    monkeypatch.setattr(QuietMemory, "save", save)
    sound = make(short_dir, quiet_now()[0])
    with pytest.raises(BaseExceptionGroup) as caught:
        await asyncio.wait_for(sound.run(asyncio.Event(), Notifier("")), 5)
    assert any(str(error).startswith("quiet") for error in caught.value.exceptions if isinstance(error, VitalEnded))
    assert not sound.gate.is_open


async def test_no_message_tells_of_an_open_gate_behind_a_closed_door(short_dir: Path) -> None:
    sound, stop = make(short_dir, quiet_now()[0]), asyncio.Event()
    running = asyncio.create_task(sound.run(stop, Notifier("")))
    await until(lambda: sound.desk.controls.reasons == {Reason.DOOR, Reason.QUIET})
    await until(lambda: sound.duplex.facts.quiet_until > 0)
    sound.desk.apply(Event.DOOR_PRESSED)
    facts = sound.duplex.facts  # before the next turn
    assert (sound.gate.is_open, facts.reasons, facts.door, facts.quiet_until) == (True, 0, Door.OPEN, 0)
    stop.set()
    await running
