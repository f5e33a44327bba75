"""Link that gets other settings while it runs: a room left and another joined, a trial that lapses."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.app import link as module
from appliance.app.link import Link
from appliance.app.neighbours import Neighbours
from appliance.app.process import NotAllowed
from appliance.core.controls import Reason
from appliance.core.lamps import LinkPhase
from appliance.health.notify import Notifier
from appliance.media.exchange import Listener
from appliance.provisioning.files import Files
from appliance.rooms import contract
from appliance.settings import Settings
from tests.app.parts import journal
from tests.app.test_link import Puppet, World
from tests.support import until


class Moving(World):
    """Link over a file of settings; each engine that it makes is a puppet of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("")
        self.files = Files(folder / "kontor.toml")
        self.files.current = self.files.load()
        self.engines: list[Puppet] = []
        told, self.lines = journal()
        self.listener = Listener(folder / "exchange")
        self.refuse = ""
        self.link = Link(self.files.current.settings, self.make, told, self.files)
        self.stop = asyncio.Event()
        self.seq = 0
        self.neighbours = Neighbours(folder)

    @property
    def engine(self) -> Puppet:  # type: ignore[override]  # World has it as a plain attribute
        return self.engines[-1]

    def make(self, _settings: Settings) -> Puppet:
        if self.refuse:
            raise NotAllowed(self.refuse)
        self.engines.append(Puppet())
        return self.engines[-1]

    def write(self, text: str) -> None:
        own = f'[device]\nstate_dir = "{self.folder}"\nruntime_dir = "{self.folder}"\n'
        (self.folder / "kontor.toml").write_text(f"schema = 1\n{own}{text}")

    async def reload(self) -> dict[str, object]:
        return dict(await self.neighbours.tell("link", {"do": "reload"}))


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Moving]:
    world = Moving(folder)
    task = asyncio.create_task(world.link.run(world.stop, Notifier("")))
    try:
        await until(lambda: world.listener.poll() or world.listener.connected)
        await until(lambda: world.engine.end)
        yield world
    finally:
        world.stop.set()
        await task
        world.listener.close()


async def test_a_new_room_is_joined_and_the_old_one_left_while_sound_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        old = world.engine
        old.report(contract.PhaseChanged(LinkPhase.IN_ROOM))
        world.write('[room]\nid = "blue"\n')
        said = await world.reload()
        assert (said["takes"], said["effects"]) == ("rejoin", {"room.id": "rejoin"})
        await until(lambda: len(world.engines) == 2 and world.engine.end)
        assert old.left == 1
        assert (await world.ask()).link is LinkPhase.CONNECTING
        world.engine.report(contract.PhaseChanged(LinkPhase.IN_ROOM))
        status = await world.neighbours.tell("link", {"do": "status"})
        assert (status["room"], status["phase"]) == ("blue", "in_room")


async def test_what_the_old_engine_says_while_it_leaves_is_not_taken_for_the_new_one(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        old = world.engine
        old.report(contract.PhaseChanged(LinkPhase.IN_ROOM))
        leaving = asyncio.Event()

        async def leave() -> None:
            old.report(contract.PhaseChanged(LinkPhase.IN_ROOM))
            await leaving.wait()

        old.leave = leave  # type: ignore[method-assign]
        world.write('[room]\nid = "blue"\n')
        await world.reload()
        status = await world.neighbours.tell("link", {"do": "status"})
        assert status["phase"] == "connecting"
        leaving.set()
        await until(lambda: len(world.engines) == 2 and world.engine.end)


async def test_the_new_room_learns_how_this_site_is(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.ask(reasons=1 << Reason.BUTTON)
        await until(lambda: world.engine.sites)
        world.write('[room]\nid = "blue"\n')
        await world.reload()
        await until(lambda: len(world.engines) == 2 and world.engine.sites)
        assert world.engine.sites[0].reasons == (Reason.BUTTON.word,)


async def test_a_room_that_cannot_be_joined_leaves_the_old_one_as_it_is(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.engine.report(contract.PhaseChanged(LinkPhase.IN_ROOM))
        world.refuse = "[room] ca_file: no such file"
        world.write('[room]\nid = "blue"\n')
        assert await world.reload() == {"error": world.refuse}
        assert world.engine.left == 0
        assert (await world.ask()).link is LinkPhase.IN_ROOM


async def test_several_rooms_one_after_the_other(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        for name in ("blue", "green", "red"):
            world.write(f'[room]\nid = "{name}"\n')
            assert (await world.reload())["takes"] == "rejoin"
        await until(lambda: world.engine.end)
        status = await world.neighbours.tell("link", {"do": "status"})
        assert status["room"] == "red"
        assert [engine.left for engine in world.engines] == [1, 1, 1, 0]


def leaves_slowly(engine: Puppet) -> asyncio.Event:
    """Set it, and the engine has left."""
    leaving, leave = asyncio.Event(), engine.leave

    async def slowly() -> None:
        await leaving.wait()
        await leave()

    engine.leave = slowly  # type: ignore[method-assign]
    return leaving


async def test_whoever_mends_link_on_its_way_to_a_new_room_does_not_send_it_back(tmp_path: Path) -> None:
    """It would be in the old room, and say that it runs with the new settings."""
    async with running(tmp_path) as world:
        leaving = leaves_slowly(world.engine)
        world.write('[room]\nid = "blue"\n')
        await world.reload()
        assert await world.neighbours.tell("link", {"do": "mend", "how": "rejoin"}) == {"mends": "rejoin"}
        leaving.set()
        await until(lambda: len(world.engines) == 3 and world.engine.end)
        assert (await world.neighbours.tell("link", {"do": "status"}))["room"] == "blue"


async def test_a_newer_room_while_the_device_is_leaving_still(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        leaving = leaves_slowly(world.engine)
        for name in ("blue", "green"):
            world.write(f'[room]\nid = "{name}"\n')
            assert (await world.reload())["takes"] == "rejoin"
        leaving.set()
        await until(lambda: len(world.engines) == 3 and world.engine.end)
        status = await world.neighbours.tell("link", {"do": "status"})
        assert status["room"] == "green"
        assert world.engines[1].end is None, "the one between was never joined"


async def test_a_trial_closes_the_gate_and_lapses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMIND_EVERY", 0.02)
    monkeypatch.setattr(module, "TRIAL_LASTS", 0.3)
    async with running(tmp_path) as world:
        assert await world.neighbours.tell("link", {"do": "trial", "on": True}) == {"trial": True}
        assert (await world.ask()).trial
        await until(lambda: not world.link._answering.says.trial)
        assert not (await world.ask()).trial, "whoever tries settings is gone"
        await world.neighbours.tell("link", {"do": "trial", "on": True})
        assert await world.neighbours.tell("link", {"do": "trial", "on": "yes"}) == {"trial": False}
        assert not (await world.ask()).trial
