"""Who changes from afar what the mute switch means must not open the gate by it, however the change came into the settings."""

from pathlib import Path

import pytest

from appliance.app.panels import mark_of
from appliance.audio.virtual import Tone, VirtualCard
from appliance.core.controls import Door, MuteControl, Reason
from appliance.panel.memory import MuteMemory
from appliance.panel.virtual import VirtualPanel
from tests.app.parts import kept, settings
from tests.app.test_sound import Parts, running
from tests.support import until

CHANGES = (
    'mute = "momentary"',
    'mute_level = "high"',
    "mute_pin = 16",
    "push_to_talk = true",
    'mic_lamp_level = "high"',
    "debounce_ms = 5",
    'kind = "virtual"',
)


def parts(folder: Path, more: str = "") -> Parts:
    made = Parts(folder, VirtualCard(Tone(440)), f"[panel]\n{more}\n")
    if 'mute = "momentary"' in more:
        made.panel = VirtualPanel(MuteControl.MOMENTARY, 0.005, 0.05)
        made.sound._panel = made.sound.desk._panel = made.panel
    return made


async def known(device: Parts) -> None:
    """Card and panel are there."""
    await until(lambda: not device.sound.desk.controls.reasons & {Reason.AUDIO, Reason.PANEL})


async def cycle(device: Parts) -> None:
    """A hand closes the switch, and opens it again."""
    await until(lambda: device.sound.desk.controls.reasons == {Reason.HAND})
    device.panel.move("mute", True)
    await until(lambda: Reason.SWITCH in device.sound.desk.controls.reasons and device.panel.at_rest)
    device.panel.move("mute", False)


async def opened(device: Parts) -> None:
    await until(lambda: device.sound.gate.is_open)


@pytest.mark.parametrize("change", CHANGES[:2])
async def test_a_changed_panel_waits_for_a_hand_after_the_next_start(short_dir: Path, change: str) -> None:
    """Nothing was ever pressed, so that nothing else would have been stored."""
    first = parts(short_dir)
    async with running(first):
        await until(lambda: first.sound.gate.is_open and MuteMemory(kept(short_dir)).load().stored)
    for _ in range(2):
        again = parts(short_dir, change)
        async with running(again) as lines:
            await known(again)
            assert Reason.HAND in again.sound.desk.controls.reasons
            assert not again.sound.gate.is_open
            assert not lines.lines("gate_opened")


async def test_a_hand_ends_it_and_the_next_start_is_as_ever(short_dir: Path) -> None:
    for more in ("", 'mute_level = "high"', 'mute_level = "high"\nroom_pin = 16\nnight_percent = 20'):
        device = parts(short_dir, more)
        async with running(device):
            if more == 'mute_level = "high"':
                await cycle(device)
            await opened(device)


async def test_killed_before_the_change_is_stored_it_is_seen_again(short_dir: Path) -> None:
    MuteMemory(kept(short_dir), mark_of(settings(short_dir).panel)).save(frozenset(), Door.OPEN)
    for _ in range(2):
        sound = parts(short_dir, 'mute_level = "high"').sound  # and never runs
        assert Reason.HAND in sound.desk.controls.reasons
        sound._listener.close()


def test_a_mute_that_tells_of_no_panel_is_believed(tmp_path: Path) -> None:
    MuteMemory(tmp_path).save(frozenset({Reason.ADMIN}), Door.LISTENING)
    memory = MuteMemory(tmp_path, 7)
    assert memory.load().reasons == {Reason.ADMIN}
    assert not memory.current
    memory.save(frozenset(), Door.OPEN)
    assert memory.current
    assert MuteMemory(tmp_path, 7).load().reasons == frozenset()
    assert MuteMemory(tmp_path).load().reasons == frozenset()
    assert MuteMemory(tmp_path, 8).load().reasons == {Reason.HAND}


def test_the_mark_is_of_what_a_hand_has_to_answer_and_of_nothing_else(tmp_path: Path) -> None:
    base = mark_of(settings(tmp_path).panel)
    marks = [mark_of(settings(tmp_path, f"[panel]\n{change}\n").panel) for change in CHANGES]
    assert len({base, *marks}) == len(CHANGES) + 1
    assert all(0 < mark < 2**32 for mark in marks)
    others = '[panel]\nroom_pin = 16\nstill = true\nfirst = "muted"\n'
    assert mark_of(settings(tmp_path, others).panel) == base


async def lost(device: Parts) -> None:
    """Nobody knows whether somebody had muted it."""
    await until(lambda: device.sound.desk.controls.reasons == {Reason.HAND})


async def test_where_no_mute_is_stored_the_image_waits_for_a_hand(short_dir: Path) -> None:
    for _ in range(2):  # it is stored, too: a restart is no hand
        device = parts(short_dir, 'first = "muted"')
        async with running(device):
            await lost(device)
            await until(lambda: MuteMemory(kept(short_dir)).load().stored)
    device = parts(short_dir, 'first = "muted"')
    async with running(device):
        await cycle(device)
        await opened(device)
    device = parts(short_dir, 'first = "muted"')
    async with running(device):
        await opened(device)


async def test_elsewhere_a_first_start_is_open(short_dir: Path) -> None:
    device = parts(short_dir)
    async with running(device):
        await opened(device)
