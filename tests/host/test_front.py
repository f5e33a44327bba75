"""The front of a sharded host: two whole hosts on Unix sockets behind one port, spoken to as if they were one."""

import asyncio
import contextlib
import gzip
import os
import socket
import stat
import tomllib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from yarl import URL

from appliance.core.events import Event
from appliance.host.config import HostConfig, Proxy, RoomConfig
from appliance.host.front import Front, Shard
from appliance.host.front_server import FrontServer
from appliance.host.http import Refusal
from appliance.host.server import Host
from appliance.rooms.device_key import DeviceKey
from appliance.rooms.enrolment import enrolling_credentials
from appliance.rooms.signalling import Signalling
from tests.host.harness import KEY, OTHER_ROOM, ROOM, House, token
from tests.host.member import Member, Presence, inside
from tests.support import until

ROOMS = (RoomConfig(ROOM, "Studio", {"k1": KEY}), RoomConfig(OTHER_ROOM, "Workshop", {"k1": KEY}))


class Street(House):
    """A front with two hosts behind it; to members it is one house."""

    def __init__(
        self, front: FrontServer, hosts: Sequence[Host], http: aiohttp.ClientSession, told: list[Event]
    ) -> None:
        super().__init__(hosts[0], http, told)
        self.front, self.hosts = front, hosts
        self.base = f"http://127.0.0.1:{front.address[1]}"


@contextlib.asynccontextmanager
async def street(folder: Path, proxy: Proxy | None = None) -> AsyncIterator[Street]:
    events: list[Event] = []
    proxy = proxy or Proxy()
    config = HostConfig(certificate_path=folder / "host.pem", rooms=ROOMS, proxy=proxy)
    hosts = [
        Host(
            HostConfig(
                certificate_path=folder / "host.pem", rooms=(room,), unix_path=folder / f"{room.id}.http", proxy=proxy
            ),
            events.append,
        )
        for room in ROOMS
    ]
    shards = [Shard(folder / f"{room.id}.http", frozenset({room.id}), frozenset({f"box-{room.id}"})) for room in ROOMS]
    front = FrontServer(config, shards, events.append)
    for host in hosts:
        await host.start()
    await front.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield Street(front, hosts, http, events)
    finally:
        await front.stop()
        for host in hosts:
            await host.stop()
        await asyncio.sleep(0)


async def test_members_of_both_rooms_talk_and_hear(short_dir: Path) -> None:
    async with street(short_dir) as home, inside(home, "ada", "bob") as ((ada, _), (bob, seen)):
        async with inside(home, "cem", "dan", room=OTHER_ROOM) as ((cem, _), (dan, _)):
            await asyncio.gather(ada.talk(0.4), cem.talk(0.4))
            await until(lambda: len(bob.heard_of("ada")) > 15 and len(dan.heard_of("cem")) > 15)
        assert not bob.heard_of("cem")
        assert ada.to[1] != cem.to[1]  # each shard has a port of its own
        await until(lambda: (seen.level("ada") or -127) > -60, what="levels do not pass the front")
        assert await ada.leave() == 200
        await until(lambda: seen.member("ada") is None)


async def test_what_a_shard_refuses_comes_through_as_it_is(short_dir: Path) -> None:
    async with street(short_dir) as home:
        url = home.url()
        headers = {"Authorization": f"Bearer {token('ada', room=OTHER_ROOM)}", "Content-Type": "application/sdp"}
        async with home.http.post(url, data="v=0", headers=headers) as answer:
            assert answer.status == 403
            assert (await answer.text()).endswith(".\n")
        async with home.http.post(home.url("/rooms/nowhere/media"), data="v=0", headers=headers) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (404, "*")
        async with home.http.post(url, data="x" * 70_000, headers=headers) as answer:
            assert answer.status == 413
        async with Presence(house=home, hello="junk") as presence:
            await until(lambda: presence.code)
            assert presence.code == 4401


async def test_a_compressed_body_is_not_opened(short_dir: Path) -> None:
    async with street(short_dir) as home:
        headers = {"Content-Type": "application/sdp", "Content-Encoding": "gzip"}
        async with home.http.post(home.url(), data=gzip.compress(bytes(60_000)), headers=headers) as answer:
            assert (answer.status, answer.headers["Accept-Encoding"]) == (415, "identity")


async def test_pings_pass_in_both_directions(short_dir: Path) -> None:
    async with street(short_dir) as home, inside(home, "ada", "bob") as ((_, lost), (_, seen)):
        lost.answering = False  # pings of the host that nobody answers: it has to notice through the front
        await until(lambda: seen.state("ada") == "connecting", what="a lost pong is not noticed through the front")


async def test_a_page_and_the_health_of_all(short_dir: Path) -> None:
    async with street(short_dir) as home:
        async with home.http.get(home.url(f"/{ROOM}")) as answer:
            assert answer.status == 200
            assert answer.content_type == "text/html"
        async with home.http.get(home.url("/health")) as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "ok"})


async def test_the_rooms_of_all_shards_are_listed_in_the_order_of_the_settings(short_dir: Path) -> None:
    named = {"X-Forwarded-Proto": "https", "X-Forwarded-User": "Ada"}
    async with street(short_dir, Proxy(("127.0.0.1",), "X-Forwarded-User")) as home:

        async def rooms(**headers: str) -> tuple[int, list[str]]:
            async with home.http.get(home.url("/rooms"), headers=headers) as answer:
                return answer.status, [room["id"] for room in (await answer.json())["rooms"]] if answer.ok else []

        assert await rooms(**named) == (200, [ROOM, OTHER_ROOM])
        assert await rooms() == (401, [])
        async with home.http.head(home.url("/rooms"), headers=named) as answer:
            assert answer.status == 200, "of a list without a body nothing is read"
        await home.hosts[0].stop()
        assert await rooms(**named) == (200, [OTHER_ROOM]), "what a shard that is away holds is left out"
        await home.hosts[1].stop()
        assert await rooms(**named) == (503, [])
    async with street(short_dir) as home, home.http.get(home.url("/rooms"), headers=named) as answer:
        assert answer.status == 401


async def test_an_admin_makes_a_link_through_the_front(short_dir: Path) -> None:
    async with street(short_dir) as home:
        headers = {"Authorization": f"Bearer {token('boss', 'admin')}"}
        body = {"name": "Ada", "role": "listener", "days": 1}
        async with home.http.post(home.url(f"/rooms/{ROOM}/links"), json=body, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
            link = (await answer.json())["url"]
        assert link.startswith(f"{home.base}/{ROOM}#"), "the address of the front, and not of what is behind it"
        async with Presence(house=home, hello=link.split("#")[1]) as ada:
            assert ada.messages[0]["you"]["role"] == "listener"


async def test_while_a_shard_is_away_its_room_is_told_to_come_again_and_the_other_goes_on(short_dir: Path) -> None:
    async with street(short_dir) as home, inside(home, "cem", "dan", room=OTHER_ROOM) as ((cem, _), (dan, _)):
        async with Member(home, "ada") as ada, ada.presence() as presence:
            await home.hosts[0].stop()
            await until(lambda: presence.code, what="the socket of a shard that went stays open")
            assert presence.code in {1001, 1012}
            answer = await ada.post()
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        async with home.http.get(home.url("/health")) as health:
            assert health.status == 503
        await cem.talk(0.3)
        assert len(dan.heard_of("cem")) > 10
        await home.hosts[0].start()
        async with Member(home, "ada") as again:
            await again.connect()


async def test_a_device_is_sent_to_the_shard_of_its_room(short_dir: Path) -> None:
    async with street(short_dir) as home:
        for device in (f"box-{ROOM}", f"box-{OTHER_ROOM}", "unknown"):
            async with home.http.post(home.url("/devices/challenge"), json={"device": device}) as answer:
                assert answer.status == 200
                assert len((await answer.json())["nonce"]) == 80
        async with home.http.post(
            home.url("/devices/challenge"), data="[", headers={"Content-Type": "application/json"}
        ) as answer:
            assert answer.status == 400


async def test_a_new_device_enrols_at_the_shard_of_its_room(short_dir: Path) -> None:
    key = DeviceKey.make()
    async with street(short_dir) as home:
        admin = {"Authorization": f"Bearer {token('boss', 'admin', room=OTHER_ROOM)}"}
        body = {"name": "Room 3", "url": home.base}
        async with home.http.post(home.url(f"/rooms/{OTHER_ROOM}/devices"), json=body, headers=admin) as answer:
            card = tomllib.loads((await answer.json())["toml"])
        credentials = enrolling_credentials("room-3", "Room 3", key, card["room"]["enrolment"])
        assert await credentials(Signalling(home.http, URL(home.base), OTHER_ROOM))
        (device,) = home.hosts[1]._conferences[OTHER_ROOM].store.registry.devices
        assert device.public_key == key.public


@pytest.mark.parametrize(
    ("spoofed", "talks"),
    [("Kontor-Reached", True), ("X-Forwarded-For", False)],  # the last as a proxy here would that nobody told us of
)
async def test_nobody_writes_the_headers_of_the_front(short_dir: Path, spoofed: str, talks: bool) -> None:
    async with street(short_dir) as home, Member(home, "ada") as ada:
        headers = {
            "Authorization": f"Bearer {ada.token}",
            "Content-Type": "application/sdp",
            spoofed: "203.0.113.9",
            "X-Forwarded-Proto": "http",
        }
        async with home.http.post(ada.media_url, data=ada.offer(), headers=headers) as answer:
            text = await answer.text()
            assert answer.status == 201, text
            ada.accept(text)
        assert ada.to[0] == "127.0.0.1"
        assert ("a=recvonly" in text or "a=sendrecv" in text) == talks  # from this machine one may


async def test_a_front_that_cannot_have_its_port_says_so(short_dir: Path) -> None:
    async with street(short_dir) as home:
        config = HostConfig(certificate_path=short_dir / "host.pem", rooms=ROOMS, http_port=home.front.address[1])
        other = FrontServer(config, [], home.events.append)
        with pytest.raises(OSError, match="in use"):
            await other.start()


async def test_what_strangers_send_is_not_heaped_up_in_the_front(short_dir: Path) -> None:
    async with street(short_dir) as home:
        url = home.url(f"/rooms/{ROOM}/presence")
        async with home.http.ws_connect(url) as socket:
            await socket.send_str("x" * 70_000)
            answer = await socket.receive()
            assert (answer.type, socket.close_code) == (aiohttp.WSMsgType.CLOSE, 1009)


async def test_nothing_is_handed_on_of_somebody_who_is_gone(short_dir: Path) -> None:
    front = Front([Shard(short_dir / "none.http", frozenset({ROOM}))], Proxy(), tls=lambda _: False)
    gone = make_mocked_request("POST", f"/rooms/{ROOM}/token", headers={"X-Forwarded-For": "127.0.0.1"})
    gone.match_info["room"] = ROOM
    gone.protocol.transport = None
    await front.open()
    try:
        with pytest.raises(Refusal, match="gone"):
            await front.room(gone)
    finally:
        await front.close()


async def test_only_our_own_user_may_speak_to_a_shard_whatever_the_umask(short_dir: Path) -> None:
    before = os.umask(0)
    try:
        async with street(short_dir):
            assert {stat.S_IMODE((short_dir / f"{room.id}.http").stat().st_mode) for room in ROOMS} == {0o600}
    finally:
        os.umask(before)


async def test_a_shard_takes_the_place_of_one_that_was_killed_and_of_no_other(short_dir: Path) -> None:
    config = HostConfig(certificate_path=short_dir / "host.pem", rooms=ROOMS[:1], unix_path=short_dir / "one.http")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(short_dir / "one.http"))
    first, second = (Host(config, lambda _: None) for _ in range(2))
    await first.start()
    try:
        with pytest.raises(OSError, match="in use"):
            await second.start()
    finally:
        await first.stop()


async def test_whoever_never_reads_does_not_hold_its_socket_for_ever(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.host.front._SLOW", 0.2)

    async def talk(shard: web.WebSocketResponse) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await shard.send_str("x" * 10_000)

    async def chatter(request: web.Request) -> web.WebSocketResponse:
        shard = web.WebSocketResponse()
        await shard.prepare(request)
        talking = asyncio.create_task(talk(shard))
        await shard.receive()
        talking.cancel()
        await asyncio.wait([talking])
        return shard

    app = web.Application()
    app.add_routes([web.get(f"/rooms/{ROOM}/presence", chatter)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(short_dir / "one.http")).start()
    front = FrontServer(
        HostConfig(certificate_path=short_dir / "host.pem", rooms=ROOMS[:1]),
        [Shard(short_dir / "one.http", frozenset({ROOM}))],
        lambda _: None,
    )
    await front.start()
    reader, writer = await asyncio.open_connection(*front.address, limit=1024)
    try:
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        head = (
            f"GET /rooms/{ROOM}/presence HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\n"
        )
        writer.write(head.encode())
        assert b"101" in await reader.readline()
        (site,) = front._entrance._runners  # type: ignore[union-attr]
        assert site.server is not None
        await until(lambda: not site.server.connections, what="its socket stands")  # type: ignore[union-attr]
    finally:
        writer.transport.abort()
        await front.stop()
        await runner.cleanup()
        await asyncio.sleep(0)
