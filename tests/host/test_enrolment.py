"""How devices become known: one-use tokens, asking, and what the page's admins and the host's keeper do about it."""

import asyncio
import base64
import json
import time
import tomllib
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from appliance.core.enrolment import LIFE, enrolment_text, fingerprint
from appliance.core.events import EventName
from appliance.core.protocol import TokenError
from appliance.host import registry as registry_module
from appliance.host.config import DeviceConfig
from appliance.host.registry import MOST_ASKING, Registry, RegistryError, stored_devices
from appliance.host.room_store import StoreError
from appliance.rooms.device_key import DeviceKey
from appliance.rooms.enrolment import enrolling_credentials
from appliance.rooms.signalling import Lost, Signalling
from tests.host.harness import OTHER_ROOM, ROOM, House, house, token
from tests.host.member import Presence
from tests.support import until

DEVICES = f"/rooms/{ROOM}/devices"


class Asked:
    """An admin of the room, over HTTP as the page does it."""

    def __init__(self, home: House, role: str = "admin") -> None:
        self.home = home
        self.headers = {"Authorization": f"Bearer {token('boss', role)}"}  # type: ignore[arg-type]

    async def __call__(self, path: str, body: dict[str, Any] | None = None, status: int = 200) -> dict[str, Any]:
        method = "GET" if body is None else "POST"
        async with self.home.http.request(method, self.home.url(path), json=body, headers=self.headers) as response:
            text = await response.text()
            assert response.status == status, text
            return dict(json.loads(text)) if status == 200 else {"says": text}

    async def card(self, device: str = "room-3") -> dict[str, Any]:
        answer = await self(DEVICES, {"id": device, "name": "Room 3", "url": self.home.base})
        return tomllib.loads(answer["toml"])


async def come(home: House, key: DeviceKey, one_use: str = "", device: str = "room-3", room: str = ROOM) -> str:
    """What a device that comes gets: a token of the room."""
    async with aiohttp.ClientSession() as http:
        signalling = Signalling(http, URL(home.base), room)
        return await enrolling_credentials(device, "Room 3", key, one_use)(signalling)


async def refused(home: House, key: DeviceKey, one_use: str = "", device: str = "room-3", room: str = ROOM) -> str:
    with pytest.raises(Lost) as lost:
        await come(home, key, one_use, device, room)
    assert lost.value.fault.kind == "refused"
    return str(lost.value)


async def test_a_one_use_token_is_swapped_for_the_devices_key(tmp_path: Path) -> None:
    key = DeviceKey.make()
    async with house(tmp_path, state_dir=tmp_path) as home:
        card = await Asked(home).card()
        assert card["device"] == {"name": "Room 3", "id": "room-3"}
        assert card["room"]["url"] == home.base and card["room"]["id"] == ROOM
        assert len(bytes.fromhex(card["room"]["certificate_sha256"].replace(":", ""))) == 32
        one_use = card["room"]["enrolment"]
        assert one_use not in (tmp_path / "rooms" / ROOM / "devices.json").read_text(), "only its hash is kept"
        assert await come(home, key, one_use)
        assert home.told(EventName.DEVICE_ENROLLED)[0].fields["key"] == fingerprint(key.public)
        assert "used already" in await refused(home, DeviceKey.make(), one_use), "it is good once"
        assert await come(home, key), "from now on the key is enough"
    async with house(tmp_path, state_dir=tmp_path) as home:
        assert await come(home, key, one_use), "and after the host was started anew, too"
        assert home.count("host_devices_enrolled") == 0
    assert stored_devices(tmp_path / "rooms" / ROOM) == {"room-3"}


async def test_a_token_is_for_one_device_one_room_and_one_day(tmp_path: Path) -> None:
    key = DeviceKey.make()
    async with house(tmp_path, strangers="refuse") as home:
        one_use = (await Asked(home).card())["room"]["enrolment"]
        assert "used already" in await refused(home, key, one_use, device="room-4")
        assert "used already" in await refused(home, key, one_use, room=OTHER_ROOM)
        registry = home.host._conferences[ROOM].store.registry
        assert not await registry.enrol("room-3", one_use, key.public, time.time() + LIFE + 1)
        newer = (await Asked(home).card())["room"]["enrolment"]
        assert "used already" in await refused(home, key, one_use), "a newer one takes its place"
        assert await come(home, key, newer)
        assert home.count("host_enrolments_refused") > 0


async def test_the_answer_that_was_lost_costs_nothing(tmp_path: Path) -> None:
    key = DeviceKey.make()
    async with house(tmp_path) as home, aiohttp.ClientSession() as http:
        one_use = (await Asked(home).card())["room"]["enrolment"]
        signature = base64.b64encode(key.sign(enrolment_text(ROOM, "room-3", one_use))).decode()
        public = base64.b64encode(key.public).decode()
        body = {"device": "room-3", "name": "R", "room": ROOM, "token": one_use, "key": public, "signature": signature}
        for _ in range(2):
            async with http.post(home.url("/devices/enrol"), json=body) as response:
                assert response.status == 200
        for wrong in (
            {"signature": "AAAA"},
            {"key": base64.b64encode(DeviceKey.make().public).decode()},
            {"key": "short"},
            {"key": 7},
            {"token": "no token"},
            {"device": "Room 3"},
            {"name": ""},
        ):
            async with http.post(home.url("/devices/enrol"), json=body | wrong) as response:
                assert response.status == 400, wrong
        async with http.post(home.url("/devices/enrol"), json=body | {"room": "nowhere"}) as response:
            assert response.status in (400, 404)


async def test_a_device_without_a_token_waits_until_an_admin_has_read_its_key(tmp_path: Path) -> None:
    key, other = DeviceKey.make(), DeviceKey.make()
    async with house(tmp_path) as home:
        admin = Asked(home)
        assert fingerprint(key.public) in await refused(home, key)
        assert "does not accept" in await refused(home, other), "an id that waits is nobody else's"
        await refused(home, key)
        assert len(home.told(EventName.DEVICE_ASKS)) == 1, "asking again is no news"
        listed = await admin(DEVICES)
        asks = {"id": "room-3", "name": "Room 3", "key": fingerprint(key.public), "replaces": False}
        assert listed["asking"] == [asks]
        await admin(f"{DEVICES}/room-3/admit", {"key": fingerprint(other.public)}, 409)
        await admin(f"{DEVICES}/room-4/admit", {"key": fingerprint(key.public)}, 404)
        await admin(f"{DEVICES}/room-3/admit", {"key": fingerprint(key.public)})
        assert await come(home, key)
        listed = await admin(DEVICES)
        assert not listed["asking"] and listed["devices"][0]["key"] == fingerprint(key.public)
        assert listed["devices"][0]["report"] is None
        assert fingerprint(other.public) in await refused(home, other), "who has a known id waits as any other"
        asks = {"id": "room-3", "name": "Room 3", "key": fingerprint(other.public), "replaces": True}
        assert (await admin(DEVICES))["asking"] == [asks]
        assert await come(home, key), "and changes nothing until it is let in"
        await admin(f"{DEVICES}/room-3/admit", {"key": fingerprint(other.public)})
        assert await come(home, other)
        assert "has to let" in await refused(home, key)


async def test_admins_are_told_of_whoever_asks_and_nobody_else_is(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        Presence(house=home, hello=token("boss", "admin")) as boss,
        Presence(house=home, hello=token("anna")) as anna,
    ):
        key = DeviceKey.make()
        for _ in range(2):
            await refused(home, key)
        await until(lambda: boss.of("device_asks"))
        assert boss.of("device_asks") == [{"type": "device_asks", "device": {"id": "room-3", "name": "Room 3"}}]
        assert anna.of("device_asks") == []


async def test_strangers_are_refused_or_let_in_where_the_settings_say_so(tmp_path: Path) -> None:
    key = DeviceKey.make()
    async with house(tmp_path, strangers="refuse") as home:
        assert "does not accept" in await refused(home, key)
        assert not (await Asked(home)(DEVICES))["asking"]
    async with house(tmp_path, strangers="let_in") as home:
        assert await come(home, key)
        assert "has to let" in await refused(home, DeviceKey.make()), "but never in another's place"


async def test_a_stranger_takes_no_persons_place(tmp_path: Path) -> None:
    """Whoever asks under the id of somebody who is in the room would send this one out, and keep the link out for good."""
    async with house(tmp_path, strangers="let_in") as home, Presence(house=home, hello=token("anna")) as anna:
        assert "does not accept" in await refused(home, DeviceKey.make(), device="anna")
        assert home.host._conferences[ROOM].store.registry.device("anna") is None
        assert anna.code is None
    async with house(tmp_path) as home:
        key = DeviceKey.make()
        await refused(home, key, device="anna")
        async with Presence(house=home, hello=token("anna")):
            admit = {"key": fingerprint(key.public)}
            assert "is in the room under this id" in (await Asked(home)(f"{DEVICES}/anna/admit", admit, 409))["says"]


async def test_a_token_that_is_too_old_is_as_good_as_none(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        words = await refused(home, DeviceKey.make(), "x" * 43)
        assert "older than a day" in words and "has to let this device in" in words
        words = await refused(home, DeviceKey.make(), "a token with spaces", device="room-4")
        assert "has to let this device in" in words


async def test_a_device_without_an_id_gets_one_of_its_own(tmp_path: Path) -> None:
    async with house(tmp_path, devices=(DeviceConfig("room-3", "Room 3", ROOM, b"d" * 32),)) as home:
        admin = Asked(home)
        made = [(await admin(DEVICES, {"name": "Room 3", "url": home.base}))["id"] for _ in range(2)]
        assert made == ["room-3-2", "room-3-3"]
        assert [each["id"] for each in (await admin(DEVICES))["invited"]] == made


async def test_only_an_admin_may_invite_and_only_what_can_be(tmp_path: Path) -> None:
    fixed = DeviceConfig("room-7", "Room 7", ROOM, DeviceKey.make().public)
    good = {"id": "room-3", "name": "Room 3", "url": "https://rooms.example.org"}
    async with house(tmp_path, devices=(fixed,)) as home:
        admin = Asked(home)
        await Asked(home, "speaker")(DEVICES, good, 403)
        await Asked(home, "speaker")(DEVICES, None, 403)
        await admin(f"/rooms/{OTHER_ROOM}/devices", good, 403)
        await admin("/rooms/nowhere/devices", good, 404)
        async with home.http.post(home.url(DEVICES), json=good) as response:
            assert response.status == 401
        assert "in the settings" in (await admin(DEVICES, good | {"id": "room-7"}, 409))["says"]
        for wrong in ({"id": "Room 3"}, {"name": " "}, {"url": "ftp://x"}, {"url": ""}, {"url": 5}):
            await admin(DEVICES, good | wrong, 400)
        home.host._conferences[ROOM].memory.remove("room-3", "Room 3", "somebody")
        assert "sent out on the server" in (await admin(DEVICES, good, 409))["says"]


async def test_what_was_let_in_before_a_key_was_taken_back_is_let_in_no_more(tmp_path: Path) -> None:
    key, newer = DeviceKey.make(), DeviceKey.make()
    async with house(tmp_path) as home:
        conference = home.host._conferences[ROOM]
        old = await come(home, key, (await Asked(home).card())["room"]["enrolment"])
        assert conference.admission.verify(old).identity == "room-3"
        await come(home, newer, (await Asked(home).card())["room"]["enrolment"])
        with pytest.raises(TokenError):
            conference.admission.verify(old)
        assert "has to let" in await refused(home, key)
        assert await conference.store.registry.forget("room-3", time.time() + 1)
        assert not await conference.store.registry.forget("room-3", time.time() + 1)
        assert "does not accept" in await refused(home, newer), "another of this id waits"


# ---- what is kept


async def test_what_cannot_be_written_has_not_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(ROOM, tmp_path)
    one_use = await registry.invite("room-3", "Room 3", 0.0)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(registry_module, "atomic_write", full)
    for change in (
        registry.enrol("room-3", one_use, b"k" * 32, 1.0),
        registry.add("room-4", "Room 4", b"k" * 32, 1.0),
        registry.invite("room-5", "Room 5", 1.0),
        registry.forget("room-3", 1.0),
    ):
        with pytest.raises(OSError, match="No space"):
            await change
    assert not registry.devices and [each.id for each in registry.invitations(1.0)] == ["room-3"]
    monkeypatch.undo()
    assert await registry.enrol("room-3", one_use, b"k" * 32, 1.0), "the token is still good"


async def test_how_many_wait_and_for_how_long_is_bounded(tmp_path: Path) -> None:
    registry = Registry(ROOM, None)
    for number in range(MOST_ASKING):
        assert registry.ask(f"room-{number}", "Room", bytes([number]) * 32, 0.0)
    assert not registry.ask("one-more", "Room", b"x" * 32, 1.0)
    assert registry.ask("room-0", "Room", bytes(32), 500.0), "who waits may ask again"
    assert registry.ask("one-more", "Room", b"x" * 32, 700.0)
    assert {each.id for each in registry.asking(701.0)} == {"room-0", "one-more"}
    monkey = Registry(ROOM, None, [DeviceConfig("fixed", "Fixed", ROOM, b"f" * 32)])
    with pytest.raises(RegistryError, match="in the settings"):
        await monkey.forget("fixed", 0.0)
    monkey.reported("nobody", {"a": 1}, 5.0)
    monkey.reported("fixed", {"config": "kept"}, 5.5)
    assert monkey.report("nobody") is None and monkey.report("fixed") == {"at": 5, "config": "kept"}


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '{"schema": 2, "devices": [], "invitations": []}',
        '{"schema": 1, "devices": [7], "invitations": []}',
        '{"schema": 1, "devices": [{"id": "a", "name": "A", "key": "x"}], "invitations": []}',
        '{"schema": 1, "devices": [], "invitations": [{"id": "a", "name": "A", "token_sha256": "zz", "expires": 1}]}',
        '{"schema": 1, "devices": [], "invitations": [{"id": "a", "name": "A", "token_sha256": "00", "expires": 1}]}',
    ],
)
async def test_a_damaged_file_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "rooms" / ROOM).mkdir(parents=True)
    (tmp_path / "rooms" / ROOM / "devices.json").write_text(content)
    with pytest.raises(StoreError, match=r"devices\.json is damaged"):
        async with house(tmp_path, state_dir=tmp_path):
            raise AssertionError("it must not start")
    await asyncio.sleep(0)
