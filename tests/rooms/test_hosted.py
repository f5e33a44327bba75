"""The hosted engine's decisions: when it comes back, when it gives up, and how it goes. Its media is in tests/contract/."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from appliance.core import protocol
from appliance.core.controls import Door
from appliance.core.lamps import LinkPhase
from appliance.core.reconnect import Fault
from appliance.core.roster import Kind
from appliance.core.state import WayState
from appliance.host.approach import Approach
from appliance.host.config import HostConfig, RoomConfig
from appliance.host.server import Host
from appliance.rooms.contract import PhaseChanged, RoomEvent, RoomRefused, SiteReport
from appliance.rooms.hosted import HostedEngine, HostedSettings
from appliance.rooms.signalling import Credentials, Lost, Signalling, fixed_credentials
from appliance.rooms.staying import first_of
from tests.support import until

KEY = bytes(range(32))
ASKED = web.AppKey("asked", list[str])


def token(identity: str = "anna", room: str = "main", kind: Kind = "person") -> str:
    claims = protocol.Claims(room, identity, identity.capitalize(), "speaker", kind, int(time.time()) + 600, "k1")
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


async def test_a_refusal_is_no_end_when_somebody_changes_their_mind(certificate: Path) -> None:
    credentials = Refusing(2)
    async with hosting(certificate) as host, staying(url_of(host), credentials) as stay:
        with pytest.raises(RoomRefused) as refusal:
            await asyncio.wait_for(asyncio.shield(stay.task), 5)
        assert refusal.value.ask_again
        stay.task = asyncio.create_task(stay.engine.run(stay.events.append))
        await stay.reach(LinkPhase.IN_ROOM)
        assert await members(host) == 1


async def test_a_support_bundle_that_nobody_takes_ends_no_stay(certificate: Path, free_port: int) -> None:
    async with hosting(certificate) as host, staying(url_of(host), fixed_credentials(token())) as stay:
        await stay.reach(LinkPhase.IN_ROOM)
        assert await stay.engine.hand_in("w" * 22, b"\x1f\x8b") == "The server has no such room.", "nor such a bundle"
        assert stay.phases[-1] is LinkPhase.IN_ROOM
    nobody = HostedEngine(HostedSettings(f"http://127.0.0.1:{free_port}", "main", "anna", fixed_credentials(token())))
    assert await nobody.hand_in("w" * 22, b"\x1f\x8b") == "The server does not answer."


async def test_it_tries_until_a_server_is_there_and_says_why_not(free_port: int) -> None:
    async with staying(f"http://127.0.0.1:{free_port}", fixed_credentials(token())) as stay:
        await stay.reach(LinkPhase.RECONNECTING)
        await asyncio.sleep(0.6)
        assert set(stay.reasons) == {"", "Nothing listens at the server's address: it may be starting."}
        assert 1 <= stay.engine.counters["join_failures"] <= 10
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


@pytest.mark.parametrize(("days", "words"), [(1, "ahead of"), (-1, "behind")])
async def test_a_clock_that_is_a_day_off_is_told_and_keeps_nobody_out(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, days: int, words: str
) -> None:
    wrong = SimpleNamespace(time=lambda: time.time() + days * 86_400)
    monkeypatch.setattr("appliance.rooms.trust.time", wrong)
    async with hosting(certificate) as host, staying(url_of(host), fixed_credentials(token())) as stay:
        await stay.reach(LinkPhase.IN_ROOM)
        assert stay.reasons[-1] == f"This device's clock is about a day {words} the server's."


async def test_times_that_a_device_tells_are_the_hosts_whatever_its_own_clock_says(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = SimpleNamespace(time=lambda: time.time() + 86_400)
    monkeypatch.setattr("appliance.rooms.trust.time", wrong)
    now = int(time.time())
    details = {"link": {"phase": "in_room", "since": now + 86_400}, "held": {"switch": [now + 86_390, None]}}
    lamps = dict.fromkeys(("mic", "room", "speak", "fault"), "off")
    async with hosting(certificate) as host, staying(url_of(host), fixed_credentials(token(kind="site"))) as stay:
        stay.engine.report_site(SiteReport(False, ("switch",), Door.OPEN, lamps, -90.0, details=details))
        await stay.reach(LinkPhase.IN_ROOM)

        def told() -> Mapping[str, Any]:
            member = host._conferences["main"].roster.get("anna")
            return {} if member is None or member.site is None else member.site.get("details", {})

        await until(told)
        assert abs(told()["link"]["since"] - now) < 10
        assert abs(told()["held"]["switch"][0] - (now - 10)) < 10


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
        await first_of(part("slow", 10), part("quick", 0.01, KeyError()))
    assert sorted(ended) == ["quick", "slow"]
    ended.clear()
    await first_of(part("slow", 10), part("quick", 0.01))
    assert sorted(ended) == ["quick", "slow"]
    ended.clear()
    both = asyncio.create_task(first_of(part("one", 10), part("other", 10)))
    await asyncio.sleep(0.01)
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both
    assert sorted(ended) == ["one", "other"]


class Wire:
    """A relay of TCP between a member and its host, which can be cut. Media goes its own way."""

    def __init__(self, host: Host) -> None:
        self._target = host.address[1]
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        except OSError:
            return
        finally:
            writer.close()

    async def cut(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.sleep(0.05)


async def test_how_the_way_is_is_known_in_the_room_and_nowhere_else(certificate: Path) -> None:
    async with hosting(certificate) as host:
        async with staying(f"http://127.0.0.1:{host.address[1]}", fixed_credentials(token())) as stay:
            assert stay.engine.way == WayState()
            await stay.reach(LinkPhase.IN_ROOM)
            async with asyncio.timeout(10):  # the way that was nominated is asked anew every few seconds
                while stay.engine.way.rtt_ms is None:
                    await asyncio.sleep(0.05)
            way = stay.engine.way
            assert 0 < (way.rtt_ms or 0) < 5_000
            assert (way.loss, way.jitter_ms, way.delay_ms, way.relayed) == (0.0, 0.0, None, False)
        assert stay.engine.way == WayState()


async def test_a_presence_socket_that_is_lost_does_not_end_the_sound(certificate: Path) -> None:
    async with hosting(certificate) as host:
        wire = Wire(host)
        await wire.start()
        async with staying(f"http://127.0.0.1:{wire.port}", fixed_credentials(token())) as stay:
            await stay.reach(LinkPhase.IN_ROOM)
            transport = stay.engine._media.transport
            await wire.cut()
            await asyncio.sleep(0.7)
            await wire.start()
            async with asyncio.timeout(5):
                while not wire._writers:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.5)
            assert stay.phases == [LinkPhase.CONNECTING, LinkPhase.IN_ROOM]
            assert stay.engine.counters["joins"] == 1
            assert stay.engine.counters["link_losses"] == 1
            assert stay.engine._media.transport is transport
        await wire.cut()


async def test_sound_without_presence_is_told_after_a_while(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.rooms.staying._ABSENT", 0.8)
    async with hosting(certificate) as host:
        wire = Wire(host)
        await wire.start()
        async with staying(f"http://127.0.0.1:{wire.port}", fixed_credentials(token())) as stay:
            await stay.reach(LinkPhase.IN_ROOM)
            await wire.cut()
            await stay.reach(LinkPhase.RECONNECTING)
            assert stay.engine._media.alive_within(2.0)
            await wire.start()
            await stay.reach(LinkPhase.IN_ROOM)
            assert stay.engine.counters["joins"] == 1
        await wire.cut()


async def test_another_address_ends_the_socket_and_not_the_media(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "127.0.0.1"
    monkeypatch.setattr("appliance.rooms.reach.own_address", lambda *_: own)
    async with hosting(certificate) as host, staying(url_of(host), fixed_credentials(token())) as stay:
        await stay.reach(LinkPhase.IN_ROOM)
        await asyncio.sleep(0.7)
        own = "127.0.0.5"
        async with asyncio.timeout(5):
            while not stay.engine.counters.get("link_losses"):
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        assert stay.phases == [LinkPhase.CONNECTING, LinkPhase.IN_ROOM]
        assert stay.engine.counters["joins"] == 1


async def test_a_device_that_may_only_listen_for_want_of_https_is_told(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.host.services.approach_of", lambda *_, **__: Approach("198.51.100.7", secure=False))
    async with hosting(certificate) as host, staying(url_of(host), fixed_credentials(token())) as stay:
        await stay.reach(LinkPhase.IN_ROOM)
        assert stay.reasons[-1] == "Nobody hears this device: without https in [room] url it may only listen."
        for _ in range(20):
            stay.engine.send(np.full(480, 9000, np.int16))
        await asyncio.sleep(1.5)
        assert stay.phases[-1] is LinkPhase.IN_ROOM, "its reports go on"
        assert stay.engine.counters.get("packets_sent", 0) == 0


async def test_a_clock_that_is_days_off_is_told_and_lets_in(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.rooms.trust.skew_of", lambda _: -2 * 86_400.0)
    async with hosting(certificate) as host, staying(url_of(host), fixed_credentials(token())) as stay:
        await stay.reach(LinkPhase.IN_ROOM)
        assert stay.reasons[-1] == "This device's clock is about 2 days behind the server's."


@pytest.mark.virtual_time
async def test_after_an_hour_without_a_server_it_is_back_within_a_second(certificate: Path) -> None:
    loop = asyncio.get_running_loop()
    rooms = (RoomConfig("main", "The room", {"k1": KEY}),)
    host = Host(HostConfig(certificate, rooms), lambda _: None)
    await host.start()
    port = host.address[1]
    stay = Stay(url_of(host), fixed_credentials(token()))
    await stay.reach(LinkPhase.IN_ROOM)
    await host.stop()
    await stay.reach(LinkPhase.RECONNECTING)
    await asyncio.sleep(3600)
    again = Host(HostConfig(certificate, rooms, http_port=port), lambda _: None)
    await again.start()
    began = loop.time()
    await stay.reach(LinkPhase.IN_ROOM)
    assert loop.time() - began < 1.0
    assert stay.engine.counters["joins"] == 2
    assert stay.engine.counters["join_failures"] < 3600 / 0.5
    await stay.end()
    await again.stop()
