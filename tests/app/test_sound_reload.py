"""Sound that gets other settings while it runs: what a hand has to agree to closes the gate first, and stays closed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.app import reload as module
from appliance.app.neighbours import Neighbours
from appliance.app.sound import Sound
from appliance.audio.virtual import Tone, VirtualCard
from appliance.core.controls import Event, MuteControl, Reason
from appliance.core.lamps import Sign
from appliance.health.notify import Notifier
from appliance.panel.memory import MuteMemory
from appliance.panel.virtual import VirtualPanel
from appliance.provisioning.files import Files
from tests.app.parts import journal, kept
from tests.support import until


class World:
    """Sound over a file of settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept(folder)
        self.write("")
        files = Files(folder / "kontor.toml")
        files.current = files.load()
        self.files = files
        self.panel = VirtualPanel(MuteControl.LATCHING, 0.005, 0.05)
        told, self.lines = journal()
        self.sound = Sound(files.current.settings, VirtualCard(Tone(440)), self.panel, told, files)
        self.stop = asyncio.Event()
        self.neighbours = Neighbours(folder)

    def write(self, text: str) -> None:
        own = f'[device]\nstate_dir = "{self.folder}"\nruntime_dir = "{self.folder}"\n'
        (self.folder / "kontor.toml").write_text(f"schema = 1\n{own}{text}")

    async def tell(self, **request: object) -> dict[str, object]:
        return dict(await self.neighbours.tell("sound", request))


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[World]:
    world = World(folder)
    task = asyncio.create_task(world.sound.run(world.stop, Notifier("")))
    try:
        await until(lambda: world.sound.gate.is_open)
        yield world
    finally:
        world.stop.set()
        await task


async def test_status_tells_which_settings_it_runs_with(short_dir: Path) -> None:
    async with running(short_dir) as world:
        assert (await world.tell(do="status"))["settings"] == ""
        assert await world.tell(do="reload") == {"effects": {}, "takes": "nothing"}
        assert world.sound.gate.is_open


async def test_a_change_of_the_panel_closes_the_gate_until_a_hand_acts_and_the_next_sound_knows(
    short_dir: Path,
) -> None:
    async with running(short_dir) as world:
        world.write("[panel]\nmute_pin = 24\n")
        said = await world.tell(do="reload")
        assert said["takes"] == "hand"
        assert not world.sound.gate.is_open, "before it is answered"
        assert Reason.HAND in MuteMemory(kept(short_dir)).load().reasons, "and is on the disk"
        await until(world.stop.is_set)


async def test_a_disk_that_does_not_take_it_leaves_the_panel_as_it_is(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(short_dir) as world:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(MuteMemory, "save", full)
        world.write("[panel]\nmute_pin = 24\n")
        assert "could not be stored" in str((await world.tell(do="reload"))["error"])
        assert not world.sound.gate.is_open
        assert not world.stop.is_set()
        monkeypatch.undo()


async def test_a_mute_that_is_not_on_the_disk_is_not_forgotten_by_a_restart(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for it, the caretaker, new settings or a link that was taken over: the gate would open by it."""
    async with running(short_dir) as world:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(MuteMemory, "save", full)
        world.sound.desk.apply(Event.ADMIN_MUTED)
        assert "could be open" in str(await world.tell(do="mend", how="restart"))
        world.write('[audio]\nmicrophone = "silence"\nnoise = "low"\n')
        assert "could be open" in str((await world.tell(do="reload"))["error"])
        await asyncio.sleep(0.1)
        assert not world.stop.is_set()
        monkeypatch.undo()
        assert await world.tell(do="mend", how="restart") == {"mends": "restart"}
        await until(world.stop.is_set)
        assert Reason.ADMIN in MuteMemory(kept(short_dir)).load().reasons


async def test_another_sound_card_ends_this_process_in_order(short_dir: Path) -> None:
    async with running(short_dir) as world:
        world.write('[audio]\nmicrophone = "silence"\nnoise = "low"\n')
        assert (await world.tell(do="reload"))["takes"] == "restart"
        await until(world.stop.is_set)
        assert world.sound.desk.controls.open, "nobody has muted it: it comes back open"


async def test_what_provisioning_finds_wrong_shows_on_fault_and_lapses(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ADVICE_LASTS", 0.3)
    async with running(short_dir) as world:
        assert world.panel.shown.fault is Sign.OFF
        assert await world.tell(do="fault", why="needs a room") == {"why": "needs a room"}
        await until(lambda: world.panel.shown.fault is Sign.SLOW)
        await until(lambda: world.panel.shown.fault is Sign.OFF)
