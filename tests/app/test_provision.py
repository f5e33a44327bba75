"""The daemon: its rounds, its socket, and what it begins with. Sound and link are stand-ins, time is virtual."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.app import provision as module
from appliance.app.neighbours import Neighbours
from appliance.app.provision import Provision, begin_with
from appliance.app.rollout import Rollout, needs
from appliance.commands import config_pull
from appliance.health.notify import Notifier
from appliance.provisioning.virtual import VirtualNetwork
from appliance.settings import Settings, Source, load
from tests.app.parts import journal
from tests.app.provisioned import ROOM, Device, make_device, parts
from tests.app.test_rollout import AFAR, IN_ROOM, WRONG_ROOM, settled

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    device = make_device(tmp_path, monkeypatch)
    monkeypatch.setattr(time, "monotonic", lambda: asyncio.get_running_loop().time())
    return device


class Running:
    """The daemon of a device."""

    def __init__(self, device: Device) -> None:
        files, _least = begin_with(device.root)
        self.stop = asyncio.Event()
        self.log, self.lines = journal()
        network = VirtualNetwork()
        self.provision = Provision(files, self.log, network, device.root)
        clock = asyncio.get_running_loop().time
        self.provision.rollout = Rollout(files, self.log, network, device.root, clock=clock)
        self.neighbours = Neighbours(Path(files.current.settings.device.runtime_dir))

    async def ask(self, do: str = "status") -> dict[str, dict[str, object]]:
        return dict(await self.neighbours._exchange(self.neighbours._runtime / "provision.status", {"do": do}))

    async def state(self) -> object:
        return (await self.ask())["config"]["state"]


@contextlib.asynccontextmanager
async def running(device: Device) -> AsyncIterator[Running]:
    daemon = Running(device)
    task = asyncio.create_task(daemon.provision.run(daemon.stop, Notifier(""), {}))
    await asyncio.sleep(0.1)
    try:
        yield daemon
    finally:
        daemon.stop.set()
        await task


async def test_a_device_without_a_room_says_what_it_needs(device: Device) -> None:
    async with parts(device) as standing, running(device) as daemon:
        await asyncio.sleep(10)
        said = await daemon.ask()
        assert said["needs"] == standing.fault.removeprefix("needs ") == "a room"
        assert said["found"] == []
        assert said["config"]["state"] == "defaults"
        assert said["network"]["manager"] == "virtual"
        daemon.provision.found = lambda: [{"room": "lobby", "name": "Lobby", "url": ROOM}]
        assert (await daemon.ask())["found"] == [{"room": "lobby", "name": "Lobby", "url": ROOM}]


def test_who_needs_no_room() -> None:
    assert needs(Settings()) == "a room"
    text = 'schema = 1\n[host]\nenabled = true\n[[host.rooms]]\nid = "a"\n'
    assert needs(load([Source("x", text.encode())], ())) == ""


async def test_a_boot_file_that_is_changed_is_seen_within_seconds(device: Device) -> None:
    async with parts(device) as standing, running(device) as daemon:
        await asyncio.sleep(60)
        device.boot(IN_ROOM)
        await asyncio.sleep(15)
        assert await daemon.state() == "kept"
        assert standing.in_room
        assert (await daemon.ask())["needs"] == ""


async def test_what_is_published_is_seen_at_the_next_look(device: Device) -> None:
    device.machine(IN_ROOM + AFAR)
    async with parts(device) as standing, running(device) as daemon:
        await asyncio.sleep(60)
        device.shown.publish("all", 1, "[audio]\nbitrate = 28000\n")
        asked = len(device.shown.asked)
        await asyncio.sleep(31 + 10)
        assert await daemon.state() == "kept"
        assert standing.settings.audio.bitrate == 28000
        await asyncio.sleep(600)
        looks = len(device.shown.asked) - asked
        assert 600 / 30 <= looks <= 660 / 20


async def test_pull_looks_at_once_waits_for_the_trial_and_tells(device: Device) -> None:
    device.machine(IN_ROOM + AFAR + "poll_s = 3600\n")
    async with parts(device) as standing, running(device) as daemon:
        await settled(standing)
        await asyncio.sleep(60)
        device.shown.publish("all", 1, WRONG_ROOM)
        said = await daemon.ask("pull")
        assert said["config"]["state"] == "reverted"
        assert config_pull.describe(said["config"]) == [
            "New settings were tried and taken back:",
            "the room was lost (Unknown device.)",
        ]
        both = await asyncio.gather(daemon.ask("pull"), daemon.ask("pull"))
        assert [each["config"]["state"] for each in both] == ["reverted", "reverted"]
        assert len(daemon.lines.lines("settings_tried")) in (2, 3), "somebody asks by hand: tried again"
        device.shown.publish("all", 2, "[audio]\nbitrate = 28000\n")
        said = await daemon.ask("pull")
        digest = said["config"]["digest"]
        assert config_pull.describe(said["config"]) == [f"These settings hold: {digest} (all 2)."]


async def test_a_room_found_nearby_is_taken_at_once(device: Device) -> None:
    async with parts(device) as standing, running(device) as daemon:
        await asyncio.sleep(30)
        await daemon.provision.adopt(f"schema = 1\n{IN_ROOM}".encode(), "found nearby")
        await asyncio.sleep(8)
        assert standing.in_room


async def test_a_room_found_nearby_that_cannot_be_taken_hinders_nothing_that_comes(device: Device) -> None:
    """Anybody in the network may announce one, with an authority that has expired, say."""
    async with parts(device) as standing, running(device) as daemon:
        await asyncio.sleep(30)
        await daemon.provision.adopt(b"schema = 1\nnonsense = 1\n", "found nearby")
        await asyncio.sleep(20)
        assert "nonsense" in daemon.lines.getvalue()
        device.boot(IN_ROOM)
        await asyncio.sleep(20)
        assert standing.in_room


async def test_when_its_own_folders_change_it_begins_anew(device: Device, tmp_path: Path) -> None:
    async with parts(device), running(device) as daemon:
        device.boot(f'[device]\nstate_dir = "{tmp_path}/elsewhere"\n')
        await asyncio.sleep(120)
        assert daemon.stop.is_set()


async def test_its_own_level_of_the_journal_is_taken_up_too(device: Device) -> None:
    async with parts(device), running(device) as daemon:
        device.boot('[log]\nlevel = "error"\n')
        await asyncio.sleep(60)
        assert await daemon.state() == "kept"
        assert daemon.log.least.name == "ERROR"


async def test_what_was_on_trial_when_the_power_went_is_taken_back_before_sound_and_link_read_it(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.machine(IN_ROOM)
    async with parts(device) as standing:
        await settled(standing)
        async with running(device) as daemon:
            device.boot(WRONG_ROOM)
            await asyncio.sleep(8)
            assert await daemon.state() == "trying"
        assert device.active != device.good
    at_ready: list[tuple[str, str]] = []
    monkeypatch.setattr(Notifier, "tell", lambda _self, _text: at_ready.append((device.active, device.good)))
    async with parts(device) as standing, running(device):
        assert at_ready[0] == ("", "")


async def test_who_ran_on_while_the_trial_was_cut_off_is_not_heard_until_it_runs_with_what_holds(
    device: Device,
) -> None:
    device.machine(IN_ROOM)
    async with parts(device) as standing:
        await settled(standing)
        async with running(device):
            device.boot(WRONG_ROOM)
            await asyncio.sleep(8)
        standing.trial = False  # it has lapsed
        device.boot("")
        async with running(device):
            assert standing.settings.room.url == ROOM or standing.trial
            await asyncio.sleep(1.5)
            assert standing.settings.room.url == ROOM
            assert not standing.trial


async def test_accepted_settings_that_do_not_fit_any_more_are_no_end_of_the_way(
    device: Device, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an update, say, that knows one of them no more."""
    device.boot(IN_ROOM)
    async with parts(device):
        async with running(device) as daemon:
            await asyncio.sleep(60)
            assert await daemon.state() == "kept"
        (file,) = device.root.glob("var/lib/kontor/settings/sets/*/20-boot.toml")
        file.write_text("schema = 1\nroom = 5\n")
        files, least = begin_with(device.root)
        assert "must be one section: [room]" in capsys.readouterr().err
        assert str(files.current.settings.device.runtime_dir).endswith("-run")
        assert least.name == "INFO"
        async with running(device) as daemon:
            await asyncio.sleep(60)
            assert await daemon.state() == "kept", "the card says it still"
    device.machine("[room]\nurl = 5\n")
    found = begin_with(device.root)[0].current
    assert found.salvaged
    assert found.settings.room.url == ROOM, "the card's"


@pytest.mark.parametrize(
    ("config", "lines"),
    [
        ({"state": "defaults"}, ["Nothing was found: what this machine says itself holds."]),
        (
            {"state": "refused", "why": "a.toml:3: x\na.toml:4: y", "faults": ["all: It cannot be reached."]},
            [
                "New settings are wrong, and were not tried:",
                "a.toml:3: x",
                "a.toml:4: y",
                "Not fetched: all: It cannot be reached.",
            ],
        ),
        ({"state": "trying"}, ["New settings are on trial."]),
        ({}, [""]),
    ],
)
def test_what_pull_tells(config: dict[str, object], lines: list[str]) -> None:
    assert config_pull.describe(config) == lines


def test_nobody_to_ask_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from appliance.__main__ import main

    assert main(["config", "pull", "--runtime", str(tmp_path)]) == 75
    assert "does not run here" in capsys.readouterr().err


def test_below_another_root_there_is_no_network_of_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KONTOR_ROOT", str(tmp_path))
    assert isinstance(module.network_of(tmp_path), VirtualNetwork)
