"""The hosted engine's decisions: when it comes back, when it gives up, and how it goes. Its media is in tests/contract/."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from appliance.core import protocol
from appliance.core.lamps import LinkPhase
from appliance.core.reconnect import Fault
from appliance.host.config import HostConfig, RoomConfig
from appliance.host.server import Host
from appliance.rooms.contract import PhaseChanged, RoomEvent, RoomRefused
from appliance.rooms.hosted import HostedEngine, HostedSettings, _first_of
from appliance.rooms.signalling import Credentials, Lost, Signalling, fixed_credentials

KEY = bytes(range(32))
ASKED = web.AppKey("asked", list[str])


def token(identity: str = "anna", room: str = "main") -> str:
    claims = protocol.Claims(room, identity, identity.capitalize(), "speaker", "person", int(time.time()) + 600, "k1")
    return protocol.issue(claims, KEY)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("host") / "host.pem"


@asynccontextmanager
async def hosting(certificate: Path) -> AsyncIterator[Host]:
    host = Host(HostConfig(certificate, (RoomConfig("main", "The room", {"k1": KEY}),)), lambda _: None)
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


class Stay:
    """An engine that runs, and what it told."""

    def __init__(self, url: str, credentials: Credentials) -> None:
        self.engine = HostedEngine(HostedSettings(url, "main", "anna", credentials))
        self.events: list[RoomEvent] = []
        self.task = asyncio.create_task(self.engine.run(self.events.append))

    @property
    def phases(self) -> list[LinkPhase]:
        return [event.phase for event in self.events if isinstance(event, PhaseChanged)]

    @property
    def reasons(self) -> list[str]:
        return [event.why for event in self.events if isinstance(event, PhaseChanged)]

    async def reach(self, *phases: LinkPhase, seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not self.phases or self.phases[-1] not in phases:
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.engine.leave()


@asynccontextmanager
async def staying(url: str, credentials: Credentials) -> AsyncIterator[Stay]:
    stay = Stay(url, credentials)
    try:
        yield stay
    finally:
        await stay.end()


def url_of(host: Host) -> str:
    return f"http://127.0.0.1:{host.address[1]}"


async def members(host: Host) -> int:
    return int(host.state()["rooms"][0]["members"])


class Refusing:
    """Credentials that are refused so many times before they are good."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.asked = 0

    async def __call__(self, _signalling: Signalling) -> str:
        self.asked += 1
        if self.left:
            self.left -= 1
            raise Lost(Fault("refused"), "The room does not accept this key.", token_refused=True)
        return token()


async def test_a_token_that_is_refused_once_is_asked_for_again(certificate: Path) -> None:
    """It may have expired on its way, or the host was started anew between challenge and answer."""
    credentials = Refusing(1)
    async with hosting(certificate) as host, staying(url_of(host), credentials) as stay:
        await stay.reach(LinkPhase.IN_ROOM)
        assert credentials.asked == 2
        assert stay.phases == [LinkPhase.CONNECTING, LinkPhase.RECONNECTING, LinkPhase.IN_ROOM]


async def test_a_token_that_is_refused_twice_is_refused(certificate: Path) -> None:
    credentials = Refusing(2)
    async with hosting(certificate) as host, staying(url_of(host), credentials) as stay:
        with pytest.raises(RoomRefused, match="does not accept this key"):
            await asyncio.wait_for(asyncio.shield(stay.task), 5)
        assert stay.phases[-1] is LinkPhase.REFUSED
        assert credentials.asked == 2


async def test_it_tries_until_a_server_is_there_and_says_why_not(free_port: int) -> None:
    async with staying(f"http://127.0.0.1:{free_port}", fixed_credentials(token())) as stay:
        await stay.reach(LinkPhase.RECONNECTING)
        await asyncio.sleep(0.6)
        assert set(stay.reasons) == {"", "Nothing listens at the server's address: it may be starting."}
        assert stay.engine.counters["join_failures"] == 1
        assert stay.engine.counters["proof_violations"] == 0


@pytest.fixture
def full() -> web.Application:
    """A server whose room is full, and asks to be left alone for long."""
    app = web.Application()
    app[ASKED] = []

    async def presence(request: web.Request) -> web.WebSocketResponse:
        request.app[ASKED].append("presence")
        socket = web.WebSocketResponse(timeout=0.2)
        await socket.prepare(request)
        await socket.receive()
        claims = protocol.Claims("main", "anna", "Anna", "speaker", "person", 2_000_000_000, "k1")
        await socket.send_json(protocol.welcome(claims, "The room", [], []))
        await socket.receive()
        return socket

    async def media(_request: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": "100"})

    app.router.add_get("/rooms/main/presence", presence)
    app.router.add_post("/rooms/main/media", media)
    return app


async def test_it_waits_as_long_as_a_full_room_asks_but_another_network_wakes_it(full: web.Application) -> None:
    runner = web.AppRunner(full, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with staying(f"http://127.0.0.1:{runner.addresses[0][1]}", fixed_credentials(token())) as stay:
            await stay.reach(LinkPhase.RECONNECTING)
            await asyncio.sleep(0.5)
            assert len(full[ASKED]) == 1
            assert stay.reasons[-1] == "The room is full."
            stay.engine.route_changed()
            await asyncio.sleep(0.3)
            assert len(full[ASKED]) == 2
            await stay.engine.leave()  # waiting does not keep it
            await stay.reach(LinkPhase.LEFT)
    finally:
        await runner.cleanup()


async def test_leaving_is_told_to_the_host_also_after_the_engine_was_cancelled(certificate: Path) -> None:
    async with hosting(certificate) as host:
        stay = Stay(url_of(host), fixed_credentials(token()))
        await stay.reach(LinkPhase.IN_ROOM)
        assert await members(host) == 1
        await stay.end()
        assert await members(host) == 0
        await stay.engine.leave()  # a second time does nothing


async def test_a_host_that_stops_in_order_is_found_again(certificate: Path) -> None:
    async with hosting(certificate) as host:
        url, port = url_of(host), host.address[1]
        stay = Stay(url, fixed_credentials(token()))
        await stay.reach(LinkPhase.IN_ROOM)
    await stay.reach(LinkPhase.RECONNECTING)
    assert stay.reasons[-1] in {"The server is going away.", "The presence socket was lost."}
    again = Host(
        HostConfig(certificate, (RoomConfig("main", "The room", {"k1": KEY}),), http_port=port), lambda _: None
    )
    await again.start()
    try:
        await stay.reach(LinkPhase.IN_ROOM)
    finally:
        await stay.end()
        await again.stop()


async def test_what_ends_first_ends_the_others() -> None:
    ended: list[str] = []

    async def part(name: str, seconds: float, error: Exception | None = None) -> None:
        try:
            await asyncio.sleep(seconds)
            if error:
                raise error
        finally:
            ended.append(name)

    with pytest.raises(KeyError):
        await _first_of(part("slow", 10), part("quick", 0.01, KeyError()))
    assert sorted(ended) == ["quick", "slow"]
    ended.clear()
    await _first_of(part("slow", 10), part("quick", 0.01))
    assert sorted(ended) == ["quick", "slow"]
    ended.clear()
    both = asyncio.create_task(_first_of(part("one", 10), part("other", 10)))
    await asyncio.sleep(0.01)
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both
    assert sorted(ended) == ["one", "other"]
