"""Updates in provision: a start that proves itself or does not, the window, whoever talks, and a machine that starts anew."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from appliance.app.update_service import Verb, act
from appliance.app.updating import AGAIN, EVERY, HUSH, LONG_HUSH, LOOK, Updating
from appliance.core.updating import State
from appliance.health.status import StatusServer
from appliance.provisioning.power import Foreground, NotDone
from appliance.settings import Settings, load
from appliance.settings.sources import Source
from tests.app.parts import journal
from tests.support import until
from tests.updating.machine import KEY, Machine, image, published

pytestmark = pytest.mark.virtual_time

OLD = image(100)
NEW = image(200, like=OLD, changed=3)


class Systemd(Foreground):
    """Does what the unit would do at once, unless it ``hangs``; a reboot is counted, and the test's to make."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.did: list[str] = []
        self.reboots = 0
        self.hangs = False
        self.refuses = ""

    async def start(self, unit: str) -> None:
        if self.refuses:
            raise NotDone(self.refuses)
        verb = cast(Verb, unit.removeprefix("kontor-update@").removesuffix(".service"))
        self.did.append(verb)
        if not (self.hangs and verb == "apply"):
            work = threading.Thread(target=act, args=(verb, self._root))
            work.start()
            work.join()

    async def stop(self, unit: str) -> None:
        self.did.append(f"stop {unit}")
        self.hangs = False

    async def state_of(self, _unit: str) -> str:
        return "activating" if self.hangs and self.did[-1] == "apply" else "inactive"

    async def reboot(self) -> None:
        if self.refuses:
            raise NotDone(self.refuses)
        self.reboots += 1


class Box:
    """A machine with slots whose sound and link are only their sockets."""

    def __init__(self, folder: Path) -> None:
        self.machine = Machine(folder, OLD)
        self.machine.images[NEW.built] = NEW
        self.power = Systemd(folder)
        self.sound: dict[str, Any] = {"pid": 7, "counters": {"blocks_played": 0}}
        self.link: dict[str, Any] = {"phase": "in_room", "speaking": []}
        self.silent: set[str] = set()
        self.stuck = False
        self.trying = False
        self.journal, self.lines = journal()
        self.runtime = folder / "run"
        (folder / "state/provision").mkdir()
        self.configure('window = "any"\n')
        self._servers: list[StatusServer] = []

    def configure(self, update: str, quiet: str = "") -> None:
        text = f"""schema = 1
[device]
state_dir = "{self.machine.root / "state"}"
runtime_dir = "{self.runtime}"
[update]
keys = ["{KEY.public}"]
{update}{quiet}"""
        (self.machine.root / "etc/kontor/kontor.toml").write_text(text)
        self.settings: Settings = load([Source("kontor.toml", text.encode(), self.machine.root)])
        self.updating = self.new()

    def new(self) -> Updating:
        return Updating(
            lambda: self.settings,
            self.journal,
            self.power,
            trying=lambda: self.trying,
            root=self.machine.root,
            clock=lambda: self.now,
        )

    async def serve(self) -> None:
        for part in ("sound", "link"):
            server = StatusServer(self.runtime / f"{part}.status", {"status": self._answer(part)})
            await server.start()
            self._servers.append(server)

    def _answer(self, part: str) -> Any:
        async def status(_request: Mapping[str, Any]) -> Mapping[str, object]:
            if part in self.silent:
                raise ValueError(f"{part} is not well")
            if part == "sound" and not self.stuck:
                self.sound["counters"]["blocks_played"] += 100
            return dict(self.sound if part == "sound" else self.link)

        return status

    async def close(self) -> None:
        for server in self._servers:
            await server.stop()

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def live(self, seconds: float) -> None:
        """Let time pass, one look after the other."""
        end = self.now + seconds
        while self.now < end:
            await self.updating.look()
            await asyncio.sleep(LOOK)

    async def restart(self) -> None:
        """The machine starts anew, and provision with it."""
        await self.close()
        self._servers.clear()
        self.machine.start()
        self.updating = self.new()
        await self.serve()

    async def start_over(self) -> None:
        await self.restart()
        await self.updating.prove()

    def told(self, event: str) -> list[str]:
        return self.lines.lines(event)

    @property
    def state(self) -> object:
        return self.updating.as_dict()["state"]


@asynccontextmanager
async def box_in(folder: Path) -> AsyncIterator[Box]:
    box = Box(folder)
    await box.serve()
    try:
        yield box
    finally:
        await box.close()


async def proved(box: Box) -> None:
    """Its first start was a good one."""
    await box.updating.prove()
    assert box.state == State.UP_TO_DATE


def in_file(box: Box) -> str:
    """The manifest of a newer bundle."""
    return str(published(box.machine.root / "www", NEW))


async def ready(box: Box) -> None:
    """An update was asked for and written."""
    await proved(box)
    await box.updating.ask({"source": in_file(box)})
    await box.live(HUSH + LOOK)
    assert box.state == State.READY


async def test_a_start_is_good_once_sound_runs_and_nothing_else_is_asked(short_dir: Path) -> None:
    async with box_in(short_dir) as box:
        box.silent = {"link"}
        assert box.state == State.STARTING
        assert (await box.updating.ask({}))["asked"] is True, (
            "whoever asks that early waits, and is not told that it is over"
        )
        box.updating = box.new()
        await proved(box)
        assert box.machine.record.slots["a"].left == 3
        assert box.power.did == ["confirm"]


async def test_a_good_slot_stays_good_although_sound_does_not_run(short_dir: Path) -> None:
    async with box_in(short_dir) as box:
        box.silent = {"sound"}
        began = box.now
        await proved(box)
        assert box.now - began >= 300


async def test_an_update_is_made_when_nobody_talks_and_started_and_kept(short_dir: Path) -> None:
    async with box_in(short_dir) as box:
        await ready(box)
        assert box.machine.runs("b") == NEW
        assert box.power.reboots == 1, "somebody asked for it: as soon as nobody talks"
        assert box.told("update_reboots")
        await box.start_over()
        assert box.machine.booted == "b"
        assert box.state == State.UP_TO_DATE
        assert box.power.did == ["confirm", "apply", "confirm", "confirm"]
        assert box.updating.as_dict()["version"] == NEW.version


async def test_a_version_that_loses_the_room_is_left(short_dir: Path) -> None:
    async with box_in(short_dir) as box:
        await ready(box)
        box.link |= {"phase": "reconnecting", "why": "no route"}
        await box.start_over()
        assert box.state == State.LEFT
        assert "the room was lost (no route)" in str(box.updating.as_dict()["why"])
        await box.live(LOOK)
        assert box.power.reboots == 2
        box.link |= {"phase": "in_room", "why": ""}
        await box.start_over()
        assert (box.machine.booted, box.state) == ("a", State.LEFT)
        await box.live(AGAIN)
        assert box.power.reboots == 2, "it is where it wants to be"


async def test_whoever_was_not_in_the_room_need_not_be_in_it_after(short_dir: Path) -> None:
    async with box_in(short_dir) as box:
        box.link["phase"] = "reconnecting"
        await ready(box)
        await box.start_over()
        assert (box.machine.booted, box.state) == ("b", State.UP_TO_DATE)


@pytest.mark.parametrize("spoil", ["stuck", "silent"])
async def test_a_version_without_sound_is_left(short_dir: Path, spoil: str) -> None:
    async with box_in(short_dir) as box:
        await ready(box)
        box.stuck, box.silent = spoil == "stuck", {"sound"} if spoil == "silent" else set()
        await box.start_over()
        assert box.state == State.LEFT
        assert "no sound is played" in str(box.updating.as_dict()["why"])


async def test_nothing_is_begun_while_somebody_talks_or_records(short_dir: Path) -> None:
    async with box_in(short_dir) as box:
        await proved(box)
        await box.updating.ask({"source": in_file(box)})
        box.link["speaking"] = ["Ada"]
        await box.live(3 * HUSH)
        box.link["speaking"], box.sound["recording"] = [], True
        await box.live(3 * HUSH)
        box.sound["recording"] = False
        await box.live(HUSH - 2 * LOOK)
        assert box.power.did == ["confirm"]
        await box.live(4 * LOOK)
        assert box.power.did == ["confirm", "apply"]


async def test_it_is_stopped_when_somebody_talks_and_goes_on_after(short_dir: Path) -> None:
    async with box_in(short_dir) as box:
        await proved(box)
        await box.updating.ask({"source": in_file(box)})
        box.power.hangs = True
        looking = asyncio.create_task(box.live(HUSH))
        await until(lambda: box.power.did == ["confirm", "apply"], 1000)
        (box.runtime / "update/status.json").write_text('{"state": "working", "slot": "a"}')
        assert box.state == State.WORKING
        box.link["speaking"] = ["Ada"]
        await looking
        assert box.power.did == ["confirm", "apply", "stop kontor-update@apply.service"]
        assert box.state == State.PAUSED
        box.link["speaking"] = []
        await box.live(HUSH + 3 * LOOK)
        assert box.state == State.READY


async def test_the_machine_waits_for_its_window_and_for_long_silence(short_dir: Path) -> None:
    async with box_in(short_dir) as box:
        await ready(box)
        box.power.reboots = 0
        box.updating = box.new()  # provision was started anew: nobody asked this one
        box.configure('window = "00:00-00:01"\n')  # no clock can be believed here
        await box.live(2 * LONG_HUSH)
        assert box.power.reboots == 0
        box.configure('window = "any"\n')
        box.link["speaking"] = ["Ada"]
        await box.live(10)
        box.link["speaking"] = []
        await box.live(LONG_HUSH - 2 * LOOK)
        assert box.power.reboots == 0
        await box.live(4 * LOOK)
        assert box.power.reboots == 1
        await box.live(AGAIN - 4 * LOOK)
        assert box.power.reboots == 1
        await box.live(6 * LOOK)
        assert box.power.reboots == 2, "nothing came of it"


async def test_what_is_published_is_looked_for_every_hour(short_dir: Path) -> None:
    async with box_in(short_dir) as box:
        await proved(box)
        await box.live(2 * AGAIN)
        assert box.power.did == ["confirm"], "there is no address"
        box.configure('url = "http://127.0.0.1:9/x"\nwindow = "any"\n')
        await box.live(AGAIN + HUSH)
        assert 1 <= box.power.did.count("apply") <= 2
        assert (box.state, box.updating.as_dict()["kind"]) == (State.FAILED, "unreachable")
        await box.live(AGAIN * 1.3)
        assert box.power.did.count("apply") >= 2, "what failed is tried again sooner than after an hour"


async def test_nothing_is_done_while_settings_are_on_trial(short_dir: Path) -> None:
    async with box_in(short_dir) as box:
        await proved(box)
        await box.updating.ask({"source": in_file(box)})
        box.trying = True
        await box.live(3 * HUSH)
        assert box.power.did == ["confirm"]


async def test_whoever_goes_back_has_the_machine_started_anew(short_dir: Path) -> None:
    async with box_in(short_dir) as box:
        await ready(box)
        await box.start_over()
        await box.power.start("kontor-update@rollback.service")  # as kontor update rollback has it done
        assert (box.state, box.updating.as_dict()["why"]) == (State.LEFT, "somebody asked for it")
        await box.live(LOOK)
        assert box.power.reboots == 2
        await box.start_over()
        assert box.machine.booted == "a"
        await box.updating.ask({"source": ""})


async def test_a_machine_that_does_nothing_is_told(short_dir: Path) -> None:
    async with box_in(short_dir) as box:
        box.power.refuses = "permission denied"
        proving = asyncio.create_task(box.updating.prove())
        await until(lambda: len(box.told("update_failed")) > 1, 1000)
        assert box.told("update_failed")[0] == 'test: event=update_failed kind=confirm why="permission denied"'
        box.power.refuses = ""
        await proving
        assert box.machine.record.slots["a"].left == 3, "what was refused for a while is done all the same"
        box.power.refuses = "busy"
        await box.updating.ask({"source": in_file(box)})
        await box.live(2 * HUSH)
        assert "kind=apply why=busy" in box.told("update_failed")[-1]
        box.power.refuses = ""
        await ready(box)
        box.power.refuses = "permission denied"
        await box.live(AGAIN + LOOK)
        assert box.told("reboot_refused")


async def test_a_machine_without_slots_says_so_and_looks_for_nothing(short_dir: Path) -> None:
    async with box_in(short_dir) as box:
        (short_dir / "proc/cmdline").write_text("root=/dev/sda1 kontor.slot=c\n")
        box.updating = box.new()
        assert box.updating.as_dict() == {"state": "no_image"}
        with pytest.raises(ValueError, match="not started from an image"):
            await box.updating.ask({})
        running = asyncio.create_task(box.updating.run())
        await asyncio.sleep(2 * EVERY)
        assert box.power.did == []
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert act("confirm", short_dir) == 69


async def test_it_runs_until_it_is_cancelled(short_dir: Path) -> None:
    async with box_in(short_dir) as box:
        running = asyncio.create_task(box.updating.run())
        await until(lambda: box.power.did == ["confirm"], 1000)
        await box.updating.ask({"source": in_file(box)})
        await until(lambda: box.power.reboots == 1, 1000)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_was_asked_for_by_a_process_that_has_gone_is_not_done_by_another(short_dir: Path) -> None:
    async with box_in(short_dir) as box:
        await proved(box)
        assert not (box.runtime / "asked/update.json").exists()
        (box.runtime / "asked/update.json").write_text("{")
        await box.power.start("kontor-update@confirm.service")
        assert box.state == State.UP_TO_DATE
