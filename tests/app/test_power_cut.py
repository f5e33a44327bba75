"""Settings when the power goes, or the disk refuses, at any call that taking them up makes."""

import asyncio
from itertools import count
from pathlib import Path

import pytest

from appliance.provisioning.files import Files
from appliance.provisioning.sets import Sets
from tests.app.provisioned import ROOM, Device, make_device, parts
from tests.support.disk import Recorder, State, contents, restore

pytestmark = pytest.mark.virtual_time

KEPT = f'[room]\nurl = "{ROOM}"\ntoken = "old-secret"\n'
NEW = f'[room]\nurl = "{ROOM}"\ntoken = "new-secret"\nid = "blue"\n'
SECRET_OF = {"": "", "main": "old-secret", "blue": "new-secret"}
SETTINGS = "var/lib/kontor/settings"


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    root = tmp_path / "disk"
    root.mkdir()
    return make_device(root, monkeypatch)


async def taken(device: Device) -> str:
    """Take in what is there, with sound and link as they are after a start; returns how it went."""
    async with parts(device):
        await device.begin()
        return str((await device.round())["state"])


def room_and_secret(device: Device) -> tuple[str, str]:
    """What link reads at this moment: nothing that it cannot use, whatever has happened."""
    settings = Files(None, {"room"}, device.root).load().settings
    token = settings.room.token_file
    return settings.room.id, token.read().decode() if token else ""


async def recorded(device: Device, text: str) -> Recorder:
    device.boot(text)
    with pytest.MonkeyPatch.context() as patch:
        recorder = Recorder(device.root, patch)
        assert await taken(device) == "kept"
    return recorder


@pytest.mark.parametrize("first", [False, pytest.param(True, marks=pytest.mark.slow)])
async def test_at_whatever_call_the_power_goes_the_old_settings_are_there_or_the_new_ones(
    device: Device, first: bool
) -> None:
    old = ("main", "")
    if not first:
        device.boot(KEPT)
        assert await taken(device) == "kept"
        old = ("main", "old-secret")
    recorder = await recorded(device, NEW)
    new = ("blue", "new-secret")
    assert room_and_secret(device) == new
    states: dict[State, None] = {}
    for cut in recorder.cuts:
        states |= dict.fromkeys(sorted(cut, key=str))
    assert len(states) > 40
    sets = Sets(device.root / SETTINGS)
    for number, state in enumerate(states):
        restore(state, device.root)
        assert room_and_secret(device) in (old, new), "as every process reads it, before provisioning has started"
        await device.begin()
        assert device.active == device.good
        assert room_and_secret(device) in (old, new)
        if device.good:
            sets.read(device.good)
        if number % 40 == 0:
            await taken_in_the_end(device, new)
    restore(max(recorder.cuts[-1]), device.root)
    assert room_and_secret(device) == new, "what was kept is kept"


async def taken_in_the_end(device: Device, new: tuple[str, str]) -> None:
    """Whatever was left lying, the new settings are taken up when the power is back."""
    assert await taken(device) == "kept"
    assert room_and_secret(device) == new
    assert "new-secret" not in (device.root / "boot/firmware/kontor.toml").read_text()


async def test_the_secret_is_on_the_disk_before_it_is_taken_from_the_boot_partition(device: Device) -> None:
    recorder = await recorded(device, NEW)
    for cut in recorder.cuts:
        for state in cut:
            assert any(b"new-secret" in (content or b"") for _path, content, _link in state)


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.slow)])
async def test_a_disk_that_refuses_any_one_call_hinders_only_for_a_while(device: Device, every: int) -> None:
    device.boot(KEPT)
    assert await taken(device) == "kept"
    device.boot(NEW)
    start = contents(device.root)
    calls = len((await recorded(device, NEW)).calls)
    for fails in range(0, calls, every):
        restore(start, device.root)
        numbers = count()

        def refuse(_call: str, numbers: "count[int]" = numbers, fails: int = fails) -> None:
            if next(numbers) == fails:
                raise OSError(28, "No space left on device")

        with pytest.MonkeyPatch.context() as patch:
            Recorder(device.root, patch, refuse)
            async with parts(device):
                await device.begin()
                await device.round()
                await device.round()
                await asyncio.sleep(30)
                said = await device.round()
                assert (said["state"], said["why"]) == ("kept", ""), fails
        assert room_and_secret(device) == ("blue", "new-secret")


async def test_a_full_disk_is_told_once_and_nothing_changes(device: Device) -> None:
    device.boot(KEPT)
    assert await taken(device) == "kept"
    device.boot(NEW)

    def refuse(call: str) -> None:
        if call in ("write", "mkdir"):
            raise OSError(28, "No space left on device")

    async with parts(device) as standing:
        with pytest.MonkeyPatch.context() as patch:
            Recorder(device.root, patch, refuse)
            await device.begin()
            said = await device.round()
            for _ in range(100):
                said = await device.round()
        assert said["why"] == "the disk does not take what has to be on it (No space left on device)"
        assert len(device.lines.lines("settings_not_stored")) == 1
        assert not device.lines.lines("settings_changed")[4:]
        assert standing.settings.room.id == "main"
        assert (await device.round())["state"] == "kept", "there is room again"
        assert standing.settings.room.id == "blue"
