"""Whatever comes by HTTP and presence: it has a counter of its own, and a tone between two others goes on."""

import asyncio
import json
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from appliance.host.config import Limits, Times
from tests.host.harness import ROOM, House, house, token
from tests.host.member import Member, Presence
from tests.host.steady import Room, tone_between
from tests.support import until

# ---- HTTP without end


async def post(home: House, path: str, count: int, body: Any = b"", **headers: str) -> set[int]:
    """POST so often, eight at a time; gives the statuses."""
    statuses = set()
    left = iter(range(count))

    async def one_after_another() -> None:
        for _ in left:
            data = json.dumps(body) if isinstance(body, dict) else body
            async with home.http.post(home.url(path), data=data, headers=headers) as response:
                await response.read()
                statuses.add(response.status)

    await asyncio.gather(*(one_after_another() for _ in range(8)))
    return statuses


async def test_joins_without_end(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room, Member(home, "eve") as eve:
        headers = {"Authorization": f"Bearer {eve.token}", "Content-Type": "application/sdp"}
        assert await post(home, f"/rooms/{ROOM}/media", 300, eve.offer(), **headers) == {201, 429}
        await room.counts("host_joins_limited", "host_replaced", least=5)
        assert room.counted()["host_joins_limited"] > 250


async def test_wrong_tokens_without_end(tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {token('eve', key=b'x' * 32)}", "Content-Type": "application/sdp"}
    async with house(tmp_path) as home, tone_between(home) as room:
        assert await post(home, f"/rooms/{ROOM}/media", 300, **headers) == {401, 429}
        await room.counts("host_tokens_forged", "host_tokens_limited", "host_refused", least=200)


async def test_challenges_without_end(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        headers = {"Content-Type": "application/json"}
        assert await post(home, "/devices/challenge", 400, {"device": "room-9"}, **headers) == {200, 429}
        await room.counts("host_challenges_limited", least=200)


async def test_rooms_that_are_not_here(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        assert await post(home, "/rooms/nowhere/media", 200) == {404}
        async with Presence(house=home, room="nowhere") as presence:
            await until(lambda: presence.code == 4404)
        await room.counts("host_rooms_unknown", least=201)


async def test_offers_that_are_none(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        headers = {"Authorization": f"Bearer {token('eve')}", "Content-Type": "application/sdp"}
        assert await post(home, f"/rooms/{ROOM}/media", 5, b"v=0", **headers) == {400}
        await room.counts("host_offers_refused", "host_bad_requests", least=5)


async def test_bodies_that_are_too_large_or_never_come(tmp_path: Path) -> None:
    async with house(tmp_path, times=Times(body=0.3)) as home, tone_between(home) as room:
        headers = {"Content-Type": "application/json"}
        assert await post(home, "/devices/challenge", 5, b"x" * 70_000, **headers) == {413}
        reader, writer = await asyncio.open_connection(*home.host.address)
        writer.write(
            b"POST /devices/challenge HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        assert b"408" in await reader.read()
        writer.close()
        await room.counts("host_bad_requests", least=6)


async def test_two_hundred_connections_that_say_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.host.listener._FIRST_BYTE", 0.5)
    async with house(tmp_path) as home, tone_between(home) as room:
        silent = [socket.create_connection(home.host.address) for _ in range(200)]
        await room.counts("host_connections_failed", least=200)
        for connection in silent:
            connection.close()
        assert room.counted()["host_connections_failed"] == 200


async def test_two_hundred_requests_that_are_never_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.host.entrance._IDLE", 0.5)
    async with house(tmp_path) as home, tone_between(home):
        halves = [await asyncio.open_connection(*home.host.address) for _ in range(200)]
        for _, writer in halves:
            writer.write(b"GET / HTTP/1.1\r\nHost:")
        assert {await reader.read() for reader, _ in halves} == {b""}
        for _, writer in halves:
            writer.close()


async def test_more_connections_of_one_address_than_its_share(tmp_path: Path) -> None:
    async with house(tmp_path, limits=Limits(connections=160)) as home, tone_between(home) as room:
        standing = [socket.create_connection(home.host.address) for _ in range(200)]
        await room.counts("host_connections_refused", least=100)
        for connection in standing:
            connection.close()
        await until(lambda: room.counted().get("host_connections_failed", 0) > 50)


async def test_a_key_that_is_revoked_ends_the_stay_and_opens_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        conference = home.host._conferences[ROOM]
        key = await conference.store.add_key(time.time())
        async with Member(home, "eve", key=key.secret, key_id=key.id) as eve, eve.presence() as eves:
            await eve.connect()
            await conference.store.revoke_key(key.id, time.time())
            assert conference.revoke(key.id) == 1
            await until(lambda: eves.code == 4401)
            await until(lambda: eve.dtls.closed and room.bens.member("eve") is None)
            assert (await eve.post()).status == 401
        await room.counts("host_ended_tokens", "host_tokens_revoked", "host_refused")


# ---- presence without end


async def say(presence: Presence, messages: Iterable[dict[str, Any]]) -> None:
    """Send as fast as it goes, until the socket is closed."""
    for message in messages:
        if presence.code is None and not presence.socket.closed:
            await presence.send(**message)
    await until(lambda: presence.code is not None, what="the socket stays open")


@pytest.mark.parametrize(
    ("message", "counters"),
    [
        ({"type": "knock"}, {"host_knocks_ignored"}),
        ({"type": "hand", "up": True}, set()),
        ({"type": "admit", "member": "ben"}, {"host_requests_refused"}),
        ({"type": "mute", "member": "ben"}, {"host_requests_refused"}),
        ({"type": "ask_unmute", "member": "nobody"}, {"host_requests_refused"}),
    ],
    ids=["knocks", "hands", "admits", "mutes", "asks"],
)
async def test_messages_without_end(tmp_path: Path, message: dict[str, Any], counters: set[str]) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        before = len(room.bens.messages)
        switching = message["type"] == "hand"
        await say(room.mallorys, ({**message, "up": n % 2 == 0} if switching else message for n in range(100)))
        assert room.mallorys.code == 4400
        await room.counts("host_presence_flooded", *counters)
        assert room.counted()["host_presence_flooded"] == 1
        told = [m for m in room.bens.messages[before:] if m["type"] not in {"levels", "slots"}]
        assert len(told) < 30, "the others are told of changes, not of each message"


async def test_pings_without_end(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        for _ in range(100):
            if not room.mallorys.socket.closed:
                await room.mallorys.socket.ping()
        await until(lambda: room.mallorys.code == 4400)
        await room.counts("host_presence_flooded")


async def test_messages_that_are_junk(tmp_path: Path) -> None:
    async with house(tmp_path) as home, tone_between(home) as room:
        await room.mallorys.socket.send_str("{" * 4000)
        await until(lambda: room.mallorys.code == 4400)
        await room.counts("host_presence_junk")


async def test_sockets_that_say_no_hello(tmp_path: Path) -> None:
    async with house(tmp_path, times=Times(hello=0.5)) as home, tone_between(home) as room:
        silent = [Presence(house=home) for _ in range(70)]
        for presence in silent:
            await presence.__aenter__()
        await until(lambda: all(presence.code is not None for presence in silent))
        assert {presence.code for presence in silent} == {1013, 4408}
        await room.counts("host_hellos_missing", "host_presence_limited")
        for presence in silent:
            await presence.__aexit__()


# ---- who reads too slowly


async def deaf(home: House) -> asyncio.StreamWriter:
    """A watcher that reads nothing after its hello."""
    reader, writer = await asyncio.open_connection(*home.host.address, limit=1024)
    writer.write(
        b"GET /rooms/studio/presence HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert b"101" in await reader.readline()
    hello = json.dumps({"type": "hello", "v": 1, "token": token("eve")}).encode()
    writer.write(bytes([0x81, 0xFE]) + len(hello).to_bytes(2, "big") + bytes(4) + hello)
    return writer


async def test_a_reader_that_is_too_slow_is_told_less_then_closed(tmp_path: Path) -> None:
    limits = Limits()
    async with house(tmp_path) as home, tone_between(home) as room:
        writer = await deaf(home)
        audience = home.host._conferences[ROOM].audience
        await until(lambda: audience.of("eve"))
        (slow,) = audience.of("eve")
        while not (slow._is_writing and slow._waiting):  # what the kernel takes is full
            slow.send("x" * 50_000)
            await asyncio.sleep(0.005)
        transport = slow._socket._req.transport  # type: ignore[union-attr]
        assert transport is not None
        merged = home.count("host_updates_merged")
        for number in range(40):
            await room.mallorys.send(type="hand", up=number % 2 == 0)
            await asyncio.sleep(0.05)
        assert home.count("host_updates_merged") - merged > 10
        assert set(slow._owed) == {"mallory"}, "of who changes only the name is kept"
        most = 0
        while not slow.closing:
            slow.send("x" * 50_000)
            most = max(most, slow._size + transport.get_write_buffer_size())
            await asyncio.sleep(0)
        assert most <= limits.queue_characters + 500_000
        assert (slow._size, slow._owed, slow._levels) == (0, {}, None)
        await room.counts("host_messages_dropped")
        await until(lambda: not audience.of("eve"), 4)
        writer.close()


async def test_a_room_is_what_it_was(tmp_path: Path) -> None:
    """What the other tests compare with: without anything wrong nothing wrong is counted."""
    async with house(tmp_path) as home, tone_between(home) as room:
        await change_hands(room)
        await room.counts()


async def change_hands(room: Room) -> None:
    await room.mallorys.send(type="hand", up=True)
    await until(lambda: room.bens.state("mallory") == "hand")
