"""Settings on trial on a real device: nobody hears it meanwhile, its door may be closed, and whoever tries them may be killed."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.core.controls import Reason
from appliance.health.status import ask
from tests.e2e.rig import until
from tests.e2e.test_admin import Office, a_card_is_made

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WRONG = '[room]\nid = "attic"\n'
"""A room that there is, and in which this device is nobody."""


async def is_tried(office: Office) -> bool:
    """Settings are on trial, and sound knows."""
    config = (await office.says("provision")).get("config", {})
    return config.get("state") == "trying" and Reason.TRIAL.word in (await office.says("sound")).get("reasons", ())


async def is_heard(office: Office) -> bool:
    """In the room, and nothing closes the gate."""
    return await office.is_in_room() and (await office.says("sound")).get("gate") == "open"


@contextlib.asynccontextmanager
async def a_device_is_heard(folder: Path) -> AsyncIterator[Office]:
    """A host, a folder that is published, and a device that is in its room with what it was given."""
    office = Office(folder)
    async with office.serves(), office.runs("host", "--config", "host.toml"):
        await until(lambda: is_there(folder / "h"))
        await a_card_is_made(office)
        office.boot.write_text(office.boot.read_text().replace('"alsa"', '"virtual"'))
        async with office.runs("run"):
            await until(lambda: is_heard(office), 60)
            await until(lambda: kept(office), 30)
            yield office


async def test_whoever_tries_settings_is_killed_again_and_again(short_dir: Path) -> None:
    async with a_device_is_heard(short_dir) as office:
        await office.publish(WRONG)
        for _ in range(3):
            await until(lambda: is_tried(office), 60)
            os.kill((await office.says("provision"))["pid"], signal.SIGKILL)
            await until(lambda: comes_back(office), 30)
        await until(lambda: gave_up(office), 60)
        await until(lambda: is_heard(office), 60)
        await office.publish('[audio]\nchimes = "soft"\n')
        await until(lambda: office.follows(all=2), 60)
        await until(lambda: is_heard(office), 30)


async def test_a_closed_door_hides_no_wrong_room(short_dir: Path) -> None:
    async with a_device_is_heard(short_dir) as office:
        await close_the_door(office)
        await office.publish(WRONG)
        said = await office.pull(code=1)
        assert "New settings were tried and taken back:" in said
        await until(office.is_in_room, 30)
        sound = await office.says("sound")
        assert (sound["door"], sound["gate"]) == ("closed", "closed"), "as it was before the trial"


async def is_there(path: Path) -> bool:
    return path.exists()


async def kept(office: Office) -> bool:
    return bool((await office.says("provision")).get("config", {}).get("state") == "kept")


async def comes_back(office: Office) -> bool:
    """Provision answers again."""
    return bool(await office.says("provision"))


async def gave_up(office: Office) -> bool:
    config = (await office.says("provision")).get("config", {})
    return (config.get("state"), config.get("why")) == ("refused", "its trial was cut off 3 times")


async def close_the_door(office: Office) -> None:
    """By the panel: the door button held, twice."""
    path = office.folder / "d" / "sound.status"
    for _ in range(2):
        await asyncio.to_thread(ask, path, {"do": "panel", "hold": "door"})
        await asyncio.sleep(1.3)
        await asyncio.to_thread(ask, path, {"do": "panel", "release": "door"})
        await asyncio.sleep(0.3)
