"""Who may do what: guests, roles, removal, mute for whoever is new, links that end, keys that are revoked, limits."""

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.core.events import EventName
from appliance.core.protocol import Claims
from appliance.host.config import DeviceConfig, HostConfig, Limits, Proxy, Rate, RoomConfig
from appliance.host.memory import MOST, RoomMemory
from appliance.host.room_store import RoomKey, RoomStore, StoreError, folder_of, read_keys, write_keys
from appliance.host.server import Host
from tests.host.harness import KEY, OTHER_ROOM, ROOM, House, house, token
from tests.host.member import Member, Presence, inside, open_mic
from tests.host.steady import tone_between
from tests.support import until

ONE_ROOM = (RoomConfig(ROOM, "Studio", {"k1": KEY}),)


async def error_after(presence: Presence, **message: Any) -> str:
    before = len(presence.of("error"))
    await presence.send(**message)
    await until(lambda: len(presence.of("error")) > before)
    return str(presence.of("error")[-1]["code"])


def role(presence: Presence, who: str) -> str | None:
    member = presence.member(who)
    return None if member is None else str(member["role"])


# ---- guests and roles


async def test_a_guest_listens_until_a_member_lets_them_speak(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna") as ((anna, annas),),
        Member(home, "gus", role="guest") as gus,
        gus.presence() as guests,
    ):
        assert guests.messages[0]["guest"] is True
        assert guests.messages[0]["you"]["role"] == "guest"
        await gus.connect()
        assert await error_after(guests, type="muted", muted=False) == "forbidden"
        assert await error_after(guests, type="admit", member="gus") == "forbidden"
        await guests.send(type="hand", up=True)
        await until(lambda: annas.state("gus") == "hand")
        await gus.talk(0.2)
        assert not anna.heard
        await annas.send(type="admit", member="gus")
        await until(lambda: role(guests, "gus") == "speaker")
        assert annas.state("gus") == "muted", "the hand is down, and nothing opens by itself"
        await open_mic(gus, guests)
        await gus.talk(0.2)
        await until(lambda: anna.heard_of("gus"))
        assert [event.fields["role"] for event in home.told(EventName.MEMBER_ADMITTED)] == ["speaker"]


async def test_who_was_let_in_stays_in_when_they_come_back(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna") as ((_, annas),):
        async with Member(home, "gus", role="guest") as gus:
            await gus.connect()
            await annas.send(type="admit", member="gus")
            await until(lambda: role(annas, "gus") == "speaker")
            await gus.leave()
        async with inside(home, "gus", role="guest") as ((_, guests),):
            assert guests.messages[0]["guest"] is False
            assert role(annas, "gus") == "speaker"


async def test_a_listener_is_let_speak_by_an_admin_only_and_joins_anew(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna") as ((anna, annas),),
        inside(home, "boss", role="admin") as ((_, boss),),
        inside(home, "leo", role="listener") as ((leo, leos),),
    ):
        assert await error_after(annas, type="admit", member="leo") == "forbidden"
        assert await error_after(annas, type="role", member="leo", role="speaker") == "forbidden"
        assert await error_after(boss, type="role", member="boss", role="listener") == "forbidden"
        await boss.send(type="admit", member="leo")
        await until(lambda: role(leos, "leo") == "speaker")
        await leos.send(type="muted", muted=False)
        await until(lambda: leos.state("leo") == "listening")
        await leo.talk(0.2)
        assert not anna.heard, "it came in without a microphone"
        async with Member(home, "leo", role="listener") as again:
            again.token = leo.token
            await again.connect()
            await until(lambda: leos.state("leo") == "muted")
            await open_mic(again, leos)
            await again.talk(0.2)
            await until(lambda: anna.heard_of("leo"))
            await boss.send(type="role", member="leo", role="listener")
            await until(lambda: leos.state("leo") == "muted")
            anna.heard.clear()
            await again.talk(0.2)
            assert not anna.heard
        assert await error_after(leos, type="muted", muted=False) == "forbidden"


async def test_who_was_let_speak_and_comes_by_a_newer_listener_link_listens(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "boss", role="admin") as ((_, boss),):
        for said in ("guest", "listener"):
            async with Member(home, "leo", role=said) as leo:
                await leo.connect()
                await boss.send(type="admit", member="leo")
                await until(lambda: role(boss, "leo") == "speaker")
                async with Member(home, "leo", role=said) as again:
                    again.token = leo.token
                    await again.connect()
                    await until(lambda: role(boss, "leo") == "speaker", what="the same link lets them speak")
            newer = int(time.time()) + 900
            async with inside(home, "leo", role="listener", expires=newer) as ((_, leos),):
                assert leos.messages[0]["you"]["role"] == "listener"
                await until(lambda: role(boss, "leo") == "listener")
                assert await error_after(leos, type="muted", muted=False) == "forbidden"
            async with Presence(house=home, hello=token("leo", role="speaker", expires=newer)) as leos:
                assert leos.messages[0]["you"]["role"] == "speaker", "and who was sent a link to speak speaks"


# ---- sent out


async def test_who_is_sent_out_is_gone_and_comes_in_no_more(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna", "ben") as ((_, annas), (ben, bens)),
        inside(home, "boss", role="admin") as ((_, boss),),
    ):
        assert await error_after(annas, type="remove", member="ben") == "forbidden"
        assert await error_after(boss, type="remove", member="boss") == "forbidden"
        await boss.send(type="remove", member="ben")
        await until(lambda: bens.code is not None)
        assert (bens.code, bens.why) == (4410, "removed")
        await until(lambda: annas.member("ben") is None)
        await until(lambda: ben.dtls.closed)
        assert (await ben.post()).status == 403
        async with ben.presence() as again:
            assert (again.code, again.messages) == (4410, [])
        assert home.count("host_removed") == 1
        assert home.count("host_tokens_removed") == 2
        home.host._conferences[ROOM].requests.allow("ben", boss_of(home))
        assert (await ben.post()).status == 201


def boss_of(home: House) -> Any:
    (watcher,) = home.host._conferences[ROOM].audience.of("boss")
    return watcher.who


# ---- muted when new


async def test_whoever_comes_in_anew_is_muted_until_an_admin_lets_them_speak(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna") as ((anna, annas),),
        inside(home, "boss", role="admin") as ((_, boss),),
    ):
        assert await error_after(annas, type="mute_new", on=True) == "forbidden"
        await boss.send(type="mute_new", on=True)
        await until(lambda: annas.of("mute_new") == [{"type": "mute_new", "on": True}])
        assert annas.state("anna") == "listening", "whoever is there is not new"
        async with Member(home, "ben") as ben, ben.presence() as bens:
            assert bens.messages[0]["mute_new"] is True
            await ben.connect()
            await until(lambda: bens.state("ben") == "admin_muted")
            await bens.send(type="muted", muted=False)
            await ben.talk(0.2)
            assert not anna.heard
            await boss.send(type="unmute", member="ben")
            await until(lambda: bens.of("admin_mute_lifted"))
            await ben.leave()
            await ben.connect_again()
            await open_mic(ben, bens)
        await anna.leave()
        await anna.connect_again()
        await until(lambda: annas.state("anna") == "muted")
        async with Member(home, "room-7", kind="site") as site, Member(home, "gus", role="guest") as gus:
            await site.connect()
            await gus.connect()
            await until(lambda: annas.state("room-7") == annas.state("gus") == "muted")
        await boss.send(type="mute_new", on=False)
        async with Member(home, "eve") as eve:
            await eve.connect()
            await until(lambda: annas.state("eve") == "muted")


async def test_what_a_room_remembers_outlives_the_host(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"state_dir": tmp_path, "rooms": ONE_ROOM}
    async with (
        house(tmp_path, **settings) as home,
        inside(home, "boss", role="admin") as ((_, boss),),
        inside(home, "anna", "ben") as ((_, annas), _),
    ):
        await boss.send(type="mute_new", on=True)
        await boss.send(type="mute", member="anna")
        await boss.send(type="remove", member="ben")
        await until(lambda: annas.member("ben") is None)
    path = folder_of(tmp_path, ROOM) / "members.json"
    assert path.stat().st_mode & 0o777 == 0o600
    async with (
        house(tmp_path, **settings) as home,
        inside(home, "boss", role="admin") as ((_, boss),),
        Member(home, "anna") as anna,
        Member(home, "ben") as ben,
        Member(home, "eve") as eve,
    ):
        assert boss.messages[0]["mute_new"] is True
        await anna.connect()
        await eve.connect()
        await until(lambda: boss.state("anna") == boss.state("eve") == "admin_muted")
        assert (await ben.post()).status == 403
    changed = {**settings, "rooms": (replace(ONE_ROOM[0], mute_new=True),)}
    async with house(tmp_path, **changed) as home, inside(home, "boss", role="admin") as ((_, boss),):
        await boss.send(type="mute_new", on=False)
        await until(lambda: boss.of("mute_new"))
    async with house(tmp_path, **changed) as home:
        assert not home.host._conferences[ROOM].memory.mute_new, "an admin said so"
    async with house(tmp_path, **settings) as home:
        assert not home.host._conferences[ROOM].memory.mute_new
    async with house(tmp_path, **changed) as home:
        assert home.host._conferences[ROOM].memory.mute_new is False
    path.write_text('{"schema": 1}')
    with pytest.raises(StoreError, match=r"members\.json is damaged"):
        await Host(HostConfig(certificate_path=tmp_path / "host.pem", **settings), lambda _: None).start()


# ---- keys


async def test_a_room_without_keys_makes_and_keeps_its_own(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"state_dir": tmp_path, "rooms": (RoomConfig(ROOM, "Studio"),)}
    async with house(tmp_path, **settings) as home:
        (key,) = read_keys(folder_of(tmp_path, ROOM))
        path = folder_of(tmp_path, ROOM) / "keys.json"
        assert path.stat().st_mode & 0o777 == 0o600
        assert len(key.secret) == 32
        assert repr(key).count("secret") == 0
        async with inside(home, "anna", key=key.secret, key_id=key.id):
            assert home.host.state()["members"] == 1
    async with house(tmp_path, **settings) as home:
        assert read_keys(folder_of(tmp_path, ROOM)) == (key,)
    path.write_text('{"schema": 1, "keys": [{"id": "a", "made": 0, "secret": "eA=="}]}')
    with pytest.raises(StoreError, match=r"keys\.json is damaged: A key's secret has to have 16 bytes"):
        await Host(HostConfig(certificate_path=tmp_path / "host.pem", **settings), lambda _: None).start()


# ---- what opens nothing, each under its own name


@pytest.mark.parametrize(
    ("counter", "changes"),
    [
        ("host_tokens_forged", {"key": b"x" * 32}),
        ("host_tokens_expired", {"expires": int(time.time()) - 86_400}),
        ("host_tokens_foreign", {"room": OTHER_ROOM}),
        ("host_tokens_revoked", {"key_id": "k0"}),
    ],
)
async def test_each_token_that_opens_nothing_is_counted_under_its_own_name(
    tmp_path: Path, counter: str, changes: dict[str, Any]
) -> None:
    async with (
        house(tmp_path) as home,
        tone_between(home) as room,
        Member(home, "eve", **changes) as eve,
    ):
        eve.room = ROOM
        response = await eve.post()
        assert response.status in {401, 403}
        async with eve.presence() as presence:
            await until(lambda: presence.code is not None)
            assert presence.messages == []
        await room.counts(counter, "host_refused", least=2)


async def test_a_link_that_ends_while_its_holder_is_in_ends_the_stay(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna") as ((_, annas),),
        Member(home, "ben", expires=int(time.time()) + 3) as ben,
        ben.presence() as bens,
        Member(home, "room-7", kind="site", expires=int(time.time()) + 3) as site,
        site.presence(),
    ):
        await ben.connect()
        await site.connect()
        await until(lambda: bens.code is not None, 6)
        assert (bens.code, bens.why) == (4401, "expired")
        await until(lambda: annas.member("ben") is None)
        assert annas.member("room-7") is not None, "a device gets its next token when it comes back"


# ---- limits


async def test_an_address_that_tries_wrong_tokens_is_told_to_wait_and_right_ones_pass(tmp_path: Path) -> None:
    limits = Limits(address_wrong=Rate(0.01, 3.0))
    async with house(tmp_path, limits=limits) as home, Member(home, "eve", key=b"x" * 32) as eve:
        assert [(await eve.post()).status for _ in range(5)] == [401, 401, 401, 429, 429]
        assert home.count("host_tokens_limited") == 2
        async with inside(home, "anna"), eve.presence() as presence:
            assert presence.code == 1013


async def test_joins_and_sockets_of_one_address_are_bounded(tmp_path: Path) -> None:
    limits = Limits(address_joins=Rate(0.01, 2.0), sockets_per_address=2)
    async with house(tmp_path, limits=limits) as home, Member(home, "anna") as anna, Member(home, "ben") as ben:
        assert [(await member.post()).status for member in (anna, ben, anna)] == [201, 201, 429]
        assert home.count("host_joins_limited") == 1
        async with anna.presence() as first, ben.presence() as second, anna.presence() as third:
            assert [socket.code for socket in (first, second, third)] == [None, None, 1013]
        assert home.count("host_presence_limited") == 1
        await until(lambda: not home.host._conferences[ROOM].audience)
        async with anna.presence() as again:
            assert again.code is None


async def test_devices_of_one_address_ask_so_often_and_not_more(tmp_path: Path) -> None:
    async with house(tmp_path, limits=Limits(address_challenges=Rate(0.01, 2.0))) as home:
        told = []
        for _ in range(3):
            async with home.http.post(home.url("/devices/challenge"), json={"device": "room-7"}) as response:
                told.append(response.status)
        assert told == [200, 200, 429]
        assert home.count("host_challenges_limited") == 1


# ---- whom a proxy names


async def ask_token(home: House, room: str = ROOM, **headers: str) -> tuple[int, dict[str, Any]]:
    async with home.http.post(home.url(f"/rooms/{room}/token"), headers=headers) as response:
        is_json = response.content_type == "application/json"
        return response.status, await response.json() if is_json else {"text": await response.text()}


async def test_whom_a_trusted_proxy_names_needs_no_link(tmp_path: Path) -> None:
    proxy = Proxy(("127.0.0.0/8",), "X-Forwarded-User")
    named = {"X-Forwarded-User": "ada@example.org"}
    async with house(tmp_path, proxy=proxy) as home:
        assert (await ask_token(home))[0] == 401
        assert (await ask_token(home, **named, **{"Sec-Fetch-Site": "cross-site"}))[0] == 403
        assert (await ask_token(home, "nowhere", **named))[0] == 404
        assert home.count("host_names_refused") == 2
        _, other = await ask_token(home, **{"X-Forwarded-User": "ada.example.org"})
        status, answer = await ask_token(home, **named, **{"Sec-Fetch-Site": "same-origin"})
        assert (status, answer["name"]) == (200, "ada@example.org")
        async with (
            Presence(house=home, hello=answer["token"]) as ada,
            Presence(house=home, hello=other["token"]) as another,
        ):
            you = ada.messages[0]["you"]
            assert (you["name"], you["role"], you["kind"]) == ("ada@example.org", "speaker", "person")
            assert another.messages[0]["you"]["id"] != you["id"]
        home.host._conferences[ROOM].memory.remove(you["id"], "Ada", "boss")
        assert (await ask_token(home, **named))[0] == 403


async def test_nobody_is_named_unless_the_settings_say_so(tmp_path: Path) -> None:
    for proxy in (Proxy(), Proxy(("127.0.0.0/8",), "")):
        async with house(tmp_path, proxy=proxy) as home:
            assert (await ask_token(home, **{"X-Forwarded-User": "ada"}))[0] in {404, 405}
    async with house(tmp_path, proxy=Proxy(("10.0.0.0/8",), "X-Forwarded-User")) as home:
        assert (await ask_token(home, **{"X-Forwarded-User": "ada"}))[0] == 401


# ---- what is kept of who spoke


async def test_nothing_of_who_spoke_is_told_to_strangers_or_written_down(tmp_path: Path) -> None:
    async with house(tmp_path, state_dir=tmp_path, rooms=ONE_ROOM) as home:
        async with inside(home, "anna", "ben") as ((anna, _), (ben, _)):
            before = len(home.events)
            await anna.talk(0.5)
            await until(lambda: ben.heard_of("anna"))
            assert len(home.events) == before
            assert "anna" not in str(home.host.state())
        assert not (folder_of(tmp_path, ROOM) / "members.json").exists()


def test_a_role_that_was_given_never_makes_or_unmakes_an_admin() -> None:
    memory = RoomMemory(mute_new=False, title="Studio", changed=lambda: None)
    boss = Claims(ROOM, "boss", "Boss", "speaker", "person", 2**40, "k1")
    memory.give_role(boss, "listener")
    assert memory.role_of(replace(boss, role="admin")) == "admin"
    assert memory.role_of(boss) == "listener"
    assert memory.role_of(replace(boss, key_id="k2", expires=2**41)) == "listener", "a newer link is no way around it"
    for n in range(MOST + 10):
        memory.remove(f"m{n}", "M", "boss")
    assert len(memory.removed) == MOST
    assert "m0" not in memory.removed


async def test_a_key_that_is_revoked_while_a_request_comes_in_opens_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, rooms=(RoomConfig(ROOM, "Studio"),)) as home:
        conference = home.host._conferences[ROOM]
        (key,) = conference.store.keys
        async with Member(home, "anna", key=key.secret, key_id=key.id) as anna:
            for act in (lambda: conference.memory.remove("anna", "Anna", "boss"), None):
                offer = anna.offer().encode()
                reader, writer = await asyncio.open_connection(*home.host.address)
                head = f"POST /rooms/{ROOM}/media HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {anna.token}\r\n"
                head += f"Content-Type: application/sdp\r\nContent-Length: {len(offer)}\r\n\r\n"
                writer.write(head.encode())
                await asyncio.sleep(0.1)
                if act is not None:
                    act()
                else:
                    await conference.store.revoke_key(key.id, time.time())
                writer.write(offer)
                status = (await reader.readline()).split()[1]
                assert status == (b"403" if act is not None else b"401")
                writer.close()
                conference.memory.allow("anna")
        assert home.host.state()["members"] == 0


# ---- who cannot unmute themselves


class Publisher(Member):
    """One that only sends, as other programs do by WHIP."""

    @property
    def media_url(self) -> str:
        return self.house.url(f"/rooms/{self.room}/whip")


async def test_an_admin_mutes_a_publisher_and_it_is_not_heard(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna") as ((anna, _),),
        inside(home, "boss", role="admin") as ((_, boss),),
        Publisher(home, "obs") as obs,
    ):
        await obs.connect()
        await until(lambda: boss.state("obs") == "listening")
        await obs.talk(0.2)
        await until(lambda: anna.heard_of("obs"))
        await boss.send(type="mute", member="obs")
        await until(lambda: boss.state("obs") == "admin_muted")
        anna.heard.clear()
        await obs.talk(0.2)
        assert not anna.heard
        await boss.send(type="unmute", member="obs")
        await until(lambda: boss.state("obs") == "listening")
        await obs.talk(0.2)
        await until(lambda: anna.heard_of("obs"))


async def test_a_publisher_that_is_new_or_a_guest_waits_to_be_let_speak(tmp_path: Path) -> None:
    rooms = (replace(ONE_ROOM[0], mute_new=True),)
    async with (
        house(tmp_path, rooms=rooms) as home,
        inside(home, "boss", role="admin") as ((boss, office),),
        Publisher(home, "obs") as obs,
        Publisher(home, "gus", role="guest") as gus,
    ):
        await obs.connect()
        await gus.connect()
        await until(lambda: office.state("obs") == "admin_muted" and office.state("gus") == "listening")
        await obs.talk(0.2)
        await gus.talk(0.2)
        assert not boss.heard
        await office.send(type="unmute", member="obs")
        await office.send(type="admit", member="gus")
        await until(lambda: office.state("obs") == "listening" and role(office, "gus") == "speaker")
        await obs.talk(0.2)
        await gus.talk(0.2)
        await until(lambda: boss.heard_of("obs") and boss.heard_of("gus"))


async def test_a_key_that_is_revoked_while_another_is_being_written_stays_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RoomStore(RoomConfig(ROOM, "Studio"), tmp_path, time.time())
    old = store.keys[0].id
    began, goes_on = threading.Event(), threading.Event()

    def slow_disk(folder: Path, keys: tuple[RoomKey, ...]) -> None:
        began.set()
        assert goes_on.wait(10)
        write_keys(folder, keys)

    monkeypatch.setattr("appliance.host.room_store.write_keys", slow_disk)
    first, second = (asyncio.create_task(store.add_key(time.time())) for _ in range(2))
    await until(began.is_set)
    revoking = asyncio.create_task(store.revoke_key(old, time.time()))
    await until(lambda: old not in store.secrets, what="it is still good while the disk is slow")
    await asyncio.sleep(0.05)
    goes_on.set()
    made = [(await first).id, (await second).id]
    await revoking
    held = [key.id for key in store.keys]
    assert old not in held
    assert {*made} <= {*held}
    assert [key.id for key in read_keys(folder_of(tmp_path, ROOM))] == held


async def test_over_an_open_network_nobody_is_unmuted_whose_link_could_be_read_there(tmp_path: Path) -> None:
    async with (
        house(tmp_path, proxy=Proxy(("127.0.0.0/8",))) as home,
        inside(home, "anna") as ((anna, seen),),
    ):
        await seen.send(type="muted", muted=True)
        await until(lambda: (seen.member("anna") or {})["muted"])
        headers = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "http"}
        url = home.url(f"/rooms/{ROOM}/presence")
        async with home.http.ws_connect(url, headers=headers) as eve:
            await eve.send_json({"type": "hello", "v": 1, "token": anna.token})
            assert (await eve.receive_json())["listen_only"] == "no_https"
            await eve.send_json({"type": "muted", "muted": False})
            while (answer := await eve.receive_json())["type"] != "error":
                pass
            assert answer["code"] == "forbidden"
        assert home.host._conferences[ROOM].roster.members[0].muted


async def test_a_link_that_is_older_than_a_device_of_that_name_does_not_take_its_place(tmp_path: Path) -> None:
    devices = (DeviceConfig("attic", "Attic", ROOM, bytes(32)),)
    async with (
        house(tmp_path, devices=devices) as home,
        Member(home, "attic", kind="site") as device,
        Member(home, "attic") as person,
    ):
        await device.connect()
        assert (await person.post()).status == 401
        async with person.presence() as presence:
            assert presence.code == 4401
        assert home.count("host_replaced") == 0
        assert home.host._conferences[ROOM].roster.members[0].kind == "site"
