"""A room that is announced is found: by a real announcement over real multicast on loopback, and nothing else is believed."""

import asyncio
import dataclasses
import datetime as dt
import hashlib
import struct
from pathlib import Path
from typing import Any

import pytest

from appliance.core.events import EventName
from appliance.core.mdns import question
from appliance.core.nearby import SERVICE, NearbyRoom, read_nearby
from appliance.host import announce, authority
from appliance.host.announce import announcement
from appliance.host.config import HostConfig, RoomConfig
from appliance.host.room_store import RoomStore
from appliance.provisioning import nearby
from appliance.provisioning.nearby import Found, look, read, with_authority
from tests.host.harness import ROOM, house
from tests.provisioning.published import Raw
from tests.support import need, until

GOOD = {"v": "1", "room": "studio", "title": "Studio", "certificate": "ab" * 32}


@pytest.mark.parametrize(
    "wrong",
    [
        {"v": "2"},
        {"room": "No Room"},
        {"title": ""},
        {"title": "a\u202eb"},
        {"certificate": "AB" * 32},
        {"certificate": ""},
        {"authority": "x"},
    ],
)
def test_what_is_not_understood_is_no_room(wrong: dict[str, str]) -> None:
    assert read_nearby(GOOD | wrong) is None


def test_what_is_announced_is_what_is_read() -> None:
    room = NearbyRoom("studio", "Stüdio", "ab" * 32)
    assert read_nearby(room.properties()) == room
    whole = dataclasses.replace(room, url="https://rooms.example.org", https=True, authority="cd" * 32)
    assert read_nearby(whole.properties()) == whole
    assert read_nearby(dataclasses.replace(room, https=True).properties() | {"more": "x"}).https  # type: ignore[union-attr]


def test_of_a_title_of_many_bytes_as_much_is_announced_as_a_record_holds() -> None:
    told = NearbyRoom("studio", "🎙" * 64, "ab" * 32).properties()["title"]
    assert len(f"title={told}".encode()) <= 255
    assert told == "🎙" * 62, "no half of a character"


def answer(text: bytes, port: int = 8080, name: str = f"studio.{SERVICE}") -> bytes:
    """A packet of a responder."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    parts = ((33, struct.pack("!HHH", 0, 0, port) + b"\0"), (16, text))
    records = [labels + struct.pack("!HHIH", kind, 1, 10, len(content)) + content for kind, content in parts]
    return struct.pack("!HHHHHH", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)


def text_of(properties: dict[str, str]) -> bytes:
    """A TXT record."""
    parts = [f"{key}={value}".encode() for key, value in properties.items()]
    return b"".join(bytes([len(part)]) + part for part in parts)


def test_packets_of_strangers() -> None:
    good = answer(text_of(GOOD))
    (found,) = read(good, "192.0.2.7")
    assert found.url == found.plain_url == "http://192.0.2.7:8080"
    assert found.as_dict() == {"room": "studio", "name": "Studio", "url": "http://192.0.2.7:8080"}
    (found,) = read(answer(text_of(GOOD | {"tls": "1"})), "192.0.2.7")
    assert found.url == "https://192.0.2.7:8080" and found.plain_url == "http://192.0.2.7:8080"
    (found,) = read(answer(text_of(GOOD | {"url": "https://rooms.example.org"})), "192.0.2.7")
    assert found.url == "https://rooms.example.org" and found.plain_url == "http://rooms.example.org:8080"
    for packet in (
        b"",
        good[:20],
        question(SERVICE),
        answer(text_of(GOOD), port=0),
        answer(text_of(GOOD), name="studio._other._tcp.local."),
        answer(text_of(GOOD | {"url": "javascript:1"})),
        answer(text_of(GOOD)[:-40]),
        answer(b"\xff" * 20),
        answer(b""),
    ):
        assert list(read(packet, "192.0.2.7")) == []
    for cut in range(len(good)):
        list(read(good[:cut], "192.0.2.7"))


async def test_how_much_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    hearing = nearby._Hearing()
    for number in range(nearby._MOST_PACKETS + 50):
        hearing.datagram_received(answer(text_of(GOOD | {"room": f"r{number % 40}"})), ("192.0.2.7", 5353))
    assert len(hearing._packets) == nearby._MOST_PACKETS
    assert len(hearing.found()) == nearby.MOST_FOUND


async def test_a_host_that_answers_on_several_ways_is_one() -> None:
    hearing = nearby._Hearing()
    for sender in ("127.0.0.1", "192.0.2.7", "198.51.100.7"):
        hearing.datagram_received(answer(text_of(GOOD)), (sender, 5353))
    (found,) = hearing.found()
    assert found.url == "http://192.0.2.7:8080"


async def test_an_announced_room_is_found_and_a_stopped_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("module:zeroconf", "zeroconf is not installed")
    told: list[Any] = []
    config = HostConfig(tmp_path / "host.pem", (RoomConfig("studio", "Studio"), RoomConfig("attic", "Attic")))
    assert announcement(config, lambda: 1, lambda *_: None) == {}
    config = dataclasses.replace(config, announce="studio")
    parts = announcement(config, lambda: 8123, lambda name, **fields: told.append((name, fields)))
    task = asyncio.create_task(parts["announcement"]())
    try:
        await until(lambda: told, seconds=10)
        assert told == [(EventName.ROOM_ANNOUNCED, {"room": "studio"})]
        found = await look(["127.0.0.1"])
        rooms = [each.as_dict() for each in found]  # perhaps others of this machine are among them
        assert {"room": "studio", "name": "Studio", "url": "http://127.0.0.1:8123"} in rooms
    finally:
        task.cancel()
        await asyncio.wait([task])
    monkeypatch.setattr(nearby, "_WAIT", 0.3)
    assert all(not each.url.endswith(":8123") for each in await look(["127.0.0.1"]))
    assert await look([]) == [] and await look(["192.0.2.77"]) == [], "an address that is not ours is left out"


async def test_what_an_admin_calls_the_room_is_announced_and_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("module:zeroconf", "zeroconf is not installed")
    monkeypatch.setattr(announce, "_LOOK", 0.2)
    config = HostConfig(tmp_path / "host.pem", (RoomConfig("studio", "Studio"),), announce="studio", state_dir=tmp_path)
    store = RoomStore(config.rooms[0], tmp_path, 0.0)
    told: list[Any] = []
    parts = announcement(config, lambda: 8123, lambda name, **fields: told.append(name))

    async def titles() -> set[object]:
        found = await look(["127.0.0.1"])
        return {each.as_dict()["name"] for each in found if each.url.endswith(":8123")}

    store.memory.set_title("Team Berlin")
    await store.written()
    task = asyncio.create_task(parts["announcement"]())
    try:
        await until(lambda: told, seconds=10)
        assert await titles() == {"Team Berlin"}, "and not the title of the settings"
        store.memory.set_title("Café ☕")
        async with asyncio.timeout(20):
            while await titles() != {"Café ☕"}:
                await asyncio.sleep(0.2)
        assert told == [EventName.ROOM_ANNOUNCED], "the same announcement goes on"
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_one_failure_does_not_end_the_following(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("module:zeroconf", "zeroconf is not installed")
    monkeypatch.setattr(announce, "_LOOK", 0.1)
    config = HostConfig(tmp_path / "host.pem", (RoomConfig("studio", "Studio"),), announce="studio")
    told: list[Any] = []
    looks: list[int] = []

    def title(_config: HostConfig, _room: RoomConfig) -> str:
        looks.append(1)
        if 2 <= len(looks) <= 5:
            raise OSError(5, "Input/output error")
        return "Studio" if len(looks) == 1 else "Café ☕"

    monkeypatch.setattr(announce, "_title", title)
    parts = announcement(config, lambda: 8123, lambda name, **fields: told.append((name, fields.get("why"))))
    task = asyncio.create_task(parts["announcement"]())
    try:
        await until(lambda: len(looks) > 6, seconds=10)
        failed = (EventName.ANNOUNCEMENT_FAILED, "[Errno 5] Input/output error")
        assert told == [(EventName.ROOM_ANNOUNCED, None), failed], "the same failure is told once"
        async with asyncio.timeout(20):
            while "Café ☕" not in {each.as_dict()["name"] for each in await look(["127.0.0.1"])}:
                await asyncio.sleep(0.2)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_network_that_takes_no_announcement_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("module:zeroconf", "zeroconf is not installed")
    told: list[Any] = []

    def down(_config: HostConfig) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(announce, "_responder", down)
    config = HostConfig(tmp_path / "host.pem", (RoomConfig("studio", "Studio"),), announce="studio")
    parts = announcement(config, lambda: 8123, lambda name, **fields: told.append(name))
    task = asyncio.create_task(parts["announcement"]())
    await until(lambda: told, seconds=10)
    assert told == [EventName.ANNOUNCEMENT_FAILED] and not task.done()
    task.cancel()
    await asyncio.wait([task])


async def test_the_authority_is_fetched_and_is_the_announced_one(tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    own = authority.make(authority.general_names(["localhost"]), dt.datetime.now(dt.UTC))
    authority.store(folder, own)
    async with house(tmp_path, authority=folder) as home:
        room = NearbyRoom(ROOM, "Studio", "ab" * 32, authority=hashlib.sha256(own.pem).hexdigest())
        found = Found(room, home.base, home.base)
        whole = await with_authority(found)
        assert whole is not None and whole.authority_pem == own.pem.decode()
        other = dataclasses.replace(found, nearby=dataclasses.replace(room, authority="cd" * 32))
        assert await with_authority(other) is None, "another than was announced"
        assert await with_authority(dataclasses.replace(found, plain_url="http://127.0.0.1:9")) is None
    none = dataclasses.replace(found, nearby=dataclasses.replace(room, authority=""))
    assert await with_authority(none) is none


@pytest.mark.parametrize(
    "content", [b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", b"/etc/hostname"]
)
async def test_an_authority_that_is_none_is_not_taken(content: bytes) -> None:
    """It would become a setting that is wrong, or the path of a file."""
    raw = Raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content), hang_up=True)
    url = await raw.serve()
    room = NearbyRoom(ROOM, "Studio", "ab" * 32, authority=hashlib.sha256(content).hexdigest())
    assert await with_authority(Found(room, url, url)) is None
    await raw.stop()
