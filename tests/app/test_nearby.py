"""A device without a room joins one that is announced nearby after a press, and never without."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from appliance.app import nearby
from appliance.app.nearby import Nearby, Network, settings_of
from appliance.app.neighbours import Neighbours
from appliance.core.nearby import NearbyRoom
from appliance.health.status import StatusServer
from appliance.provisioning.nearby import Found
from appliance.settings import Settings, Source, load
from tests.app.parts import journal
from tests.support import until

ROOM = Found(NearbyRoom("studio", 'Studio "1"', "ab" * 32), "http://192.0.2.7:8080", "http://192.0.2.7:8080")
OTHER = Found(NearbyRoom("attic", "Attic", "cd" * 32), "http://192.0.2.8:8080", "http://192.0.2.8:8080")
SECURE = Found(
    NearbyRoom("studio", "Studio", "ab" * 32, https=True, authority="ef" * 32), "https://192.0.2.7", "http://x"
)


def settings(text: str = "") -> Settings:
    return load([Source("kontor.toml", f"schema = 1\n{text}".encode())])


class World:
    """A device whose sound counts presses, and the rooms that are announced around it."""

    def __init__(self, folder: Path) -> None:
        self.settings = settings()
        self.rooms: Sequence[Found] = ()
        self.looks = 0
        self.authority: Found | None = None
        self.said: dict[str, Any] = {"presses": 3}
        self.adopted: list[tuple[str, str]] = []
        told, self.lines = journal()
        network = Network(self._look, self._authority)
        neighbours = Neighbours(folder, partial(next, count(0.0, 10.0)))
        self.nearby = Nearby(lambda: self.settings, neighbours, self._adopt, told, network)
        self.asked = 0

    async def _look(self) -> Sequence[Found]:
        self.looks += 1
        return self.rooms

    async def _authority(self, found: Found) -> Found | None:
        return self.authority if found is SECURE else found

    async def _adopt(self, content: bytes, name: str) -> None:
        self.adopted.append((content.decode(), name))
        self.settings = load([Source(name, content)])

    async def status(self, _request: object) -> dict[str, Any]:
        self.asked += 1
        return self.said

    async def asked_again(self) -> None:
        before = self.asked
        await until(lambda: self.asked > before + 1)

    async def press(self) -> None:
        await self.asked_again()
        self.said = {"presses": self.said["presses"] + 1}


@asynccontextmanager
async def living(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    for name, seconds in (("LOOK_EVERY", 0.01), ("ASK_EVERY", 0.005), ("REST", 0.01)):
        monkeypatch.setattr(nearby, name, seconds)
    made = World(folder)
    sound = StatusServer(folder / "sound.status", {"status": made.status})
    await sound.start()
    task = asyncio.create_task(made.nearby.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.wait([task])
        await sound.stop()


async def test_a_room_is_shown_and_joined_only_after_a_press(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with living(tmp_path, monkeypatch) as world:
        world.rooms = [ROOM]
        await until(world.nearby.found)
        assert world.nearby.found() == [{"room": "studio", "name": 'Studio "1"', "url": "http://192.0.2.7:8080"}]
        await world.asked_again()
        assert not world.adopted, "three presses of before are none"
        await world.press()
        await until(lambda: world.adopted)
        assert world.settings.room.url == ROOM.url and world.settings.room.id == "studio"
        assert world.settings.room.certificate_sha256 == bytes.fromhex("ab" * 32)
        assert world.settings.device.id.startswith("meeting-room-")
        assert world.adopted[0][1] == 'the room found nearby, Studio "1"'
        await until(lambda: not world.nearby.found())
        looked = world.looks
        await asyncio.sleep(0.05)
        assert world.looks == looked, "a device with a room asks the network no more"
        assert len(world.adopted) == 1


async def test_a_press_without_a_room_or_among_several_joins_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with living(tmp_path, monkeypatch) as world:
        await world.press()
        await until(lambda: "no room is announced" in world.lines.getvalue())
        world.rooms = [ROOM, OTHER]
        await until(lambda: len(world.nearby.found()) == 2)
        await world.press()
        await until(lambda: "several rooms are announced" in world.lines.getvalue())
        world.rooms = [OTHER]
        await until(lambda: len(world.nearby.found()) == 1)
        assert not world.adopted, "a press of before is not kept for later"


async def test_a_sound_that_was_started_anew_has_pressed_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with living(tmp_path, monkeypatch) as world:
        world.rooms = [ROOM]
        await until(world.nearby.found)
        await world.asked_again()
        for said in ({"presses": 0}, {}, {"presses": "x"}, {"presses": 0}):
            world.said = said
            await world.asked_again()
        assert not world.adopted
        world.said = {"presses": 1}
        await until(lambda: world.adopted)


async def test_a_room_whose_authority_is_another_is_not_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with living(tmp_path, monkeypatch) as world:
        world.rooms = [SECURE]
        await until(world.nearby.found)
        await world.press()
        await until(lambda: "certificate cannot be had" in world.lines.getvalue())
        assert not world.adopted
        pem = "-----BEGIN CERTIFICATE-----\n" + ("A" * 64 + "\n") * 99 + "-----END CERTIFICATE-----\n"
        world.authority = Found(SECURE.nearby, SECURE.url, SECURE.plain_url, pem)
        await world.press()
        await until(lambda: world.adopted)
        assert world.settings.network.ca is not None and world.settings.network.ca.text == pem


async def test_a_device_with_a_room_does_not_look_until_it_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with living(tmp_path, monkeypatch) as world:
        world.settings = settings('[room]\nurl = "http://192.0.2.1"')
        await asyncio.sleep(0.05)
        looked = world.looks
        await asyncio.sleep(0.05)
        assert world.looks == looked and not world.nearby.found()
        world.settings = settings()
        await until(lambda: world.looks > looked)


def test_a_device_that_has_an_id_keeps_it() -> None:
    assert "[device]" not in settings_of(ROOM, settings('[device]\nid = "box"'))
