"""The Janus engine and a server that is wrong in every way: what it makes of it, and that no secret gets out.

A server of ours plays it, as Debian's cannot be made to. What a right one does is in tests/contract/.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from appliance.core.lamps import LinkPhase
from appliance.core.reconnect import Fault
from appliance.rooms import janus_gateway
from appliance.rooms import janus_messages as says
from appliance.rooms.contract import PhaseChanged, RoomEvent, RoomRefused
from appliance.rooms.janus import JanusEngine, JanusSettings
from appliance.rooms.janus_gateway import Gateway, Place, Refusal
from appliance.rooms.janus_twins import Twins
from appliance.rooms.reach import Reach
from appliance.rooms.signalling import Lost
from tests.support import until

Request = dict[str, Any]
PIN, TOKEN = "SECRET-pin", "SECRET-token"
SECRET = b"of the desk"
TWINS = Twins(1, "desk", SECRET)
SESSION, HANDLE = 1111222233334444, 5555666677778888


class Player:
    """Plays Janus: :attr:`answers` may give another answer than the right one, or None for none."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.answers: Callable[[Request], dict[str, Any] | str | None] = lambda _: {}
        self.sockets: list[web.WebSocketResponse] = []
        app = web.Application()
        app.router.add_get("/", self._serve)
        self.server = TestServer(app)

    def asked_for(self, what: str) -> list[Request]:
        return [one for one in self.asked if one["janus"] == what]

    async def say(self, **message: Any) -> None:
        await self.sockets[-1].send_json({"session_id": SESSION, **message})

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("janus-protocol",))
        await socket.prepare(request)
        assert socket.ws_protocol == "janus-protocol"
        self.sockets.append(socket)
        async for frame in socket:
            if frame.type is WSMsgType.TEXT:
                asked = json.loads(frame.data)
                self.asked.append(asked)
                given = self.answers(asked)
                if isinstance(given, str):
                    await socket.send_str(given)
                elif given is not None:
                    await socket.send_json({**_right(asked), **given, "transaction": asked["transaction"]})
        return socket


def _right(asked: Request) -> dict[str, Any]:
    match asked["janus"]:
        case "create":
            return {"janus": "success", "data": {"id": SESSION}}
        case "attach":
            return {"janus": "success", "data": {"id": HANDLE}}
        case "keepalive":
            return {"janus": "ack"}
    return {"janus": "success"}


def plugin(**data: Any) -> dict[str, Any]:
    """What the plugin says about our handle."""
    return {"janus": "event", "sender": HANDLE, "plugindata": {"plugin": "janus.plugin.audiobridge", "data": data}}


@pytest.fixture
def player() -> Player:
    return Player()


class Stay:
    """An engine that runs, and what it told."""

    def __init__(self, url: str) -> None:
        self.engine = JanusEngine(JanusSettings(url, 1, "desk", "Desk", pin=PIN, token=TOKEN, secret=SECRET))
        self.events: list[RoomEvent] = []
        self.task = asyncio.create_task(self.engine.run(self.events.append))

    def why(self, phase: LinkPhase) -> str | None:
        return next((e.why for e in self.events if isinstance(e, PhaseChanged) and e.phase is phase), None)

    def all_said(self) -> str:
        error = self.task.exception() if self.task.done() and not self.task.cancelled() else None
        return repr((self.events, error, error and error.args, self.engine.counters))


@asynccontextmanager
async def staying(player: Player, scheme: str = "ws", path: str = "") -> AsyncIterator[Stay]:
    async with player.server:
        stay = Stay(f"{scheme}://127.0.0.1:{player.server.port}{path}")
        try:
            yield stay
        finally:
            stay.task.cancel()
            await asyncio.wait([stay.task])


@asynccontextmanager
async def gateway_to(
    player: Player, take: Callable[[says.Said], None] = lambda _: None
) -> AsyncIterator[tuple[Gateway, asyncio.Task[None], list[str]]]:
    """An open one, the task that reads it, and what it counted as junk."""
    junk: list[str] = []
    await player.server.start_server()
    reach = Reach(player.server.make_url("/"), None)
    await reach.arrive(lambda _: None)
    async with reach.session() as http:
        gateway = Gateway(Place(), TOKEN, take, lambda: junk.append("junk"))
        running = asyncio.create_task(gateway.run(http, player.server.make_url("/").with_scheme("ws")))
        try:
            await gateway.open.wait()
            yield gateway, running, junk
        finally:
            running.cancel()
            await asyncio.wait([running])
            await player.server.close()


def error(code: int) -> dict[str, Any]:
    return {"janus": "error", "error": {"code": code, "reason": "SECRET words of a server"}}


def no(code: int) -> dict[str, Any]:
    return plugin(audiobridge="event", error_code=code, error="SECRET words of a plugin")


@pytest.mark.parametrize(
    ("step", "answer", "phase", "words"),
    [
        ("create", error(403), LinkPhase.REFUSED, "does not accept this device's token"),
        ("attach", error(405), LinkPhase.REFUSED, "not for the Janus server's AudioBridge"),
        ("attach", error(460), LinkPhase.REFUSED, "has no AudioBridge"),
        ("create", error(472), LinkPhase.RECONNECTING, "takes no more sessions"),
        ("message", no(485), LinkPhase.REFUSED, "no such room"),
        ("message", no(489), LinkPhase.REFUSED, "PIN or token"),
        ("message", no(483), LinkPhase.REFUSED, "[janus] pin_file"),
        ("message", no(499), LinkPhase.RECONNECTING, "error 499"),
        ("create", {"data": {}}, LinkPhase.RECONNECTING, "not understood"),
        ("create", "SECRET junk", LinkPhase.RECONNECTING, "not understood"),
        ("create", '{"janus":"x' + "x" * says.MOST_BYTES + '"}', LinkPhase.RECONNECTING, "Janus"),
        (
            "message",
            plugin(audiobridge="joined", id=1, participants="SECRET"),
            LinkPhase.RECONNECTING,
            "not understood",
        ),
        ("message", {"janus": "timeout"}, LinkPhase.RECONNECTING, "not heard from this device"),
        ("message", {"janus": "hangup", "sender": HANDLE}, LinkPhase.RECONNECTING, "ended the media connection"),
    ],
)
async def test_what_a_server_refuses_or_gets_wrong_is_one_sentence_of_ours(
    player: Player,
    step: str,
    answer: dict[str, Any] | str,
    phase: LinkPhase,
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    player.answers = lambda asked: answer if asked["janus"] == step else {}
    async with staying(player) as stay:
        await until(lambda: stay.why(phase) is not None)
        assert words in (stay.why(phase) or "")
        assert stay.task.done() is (phase is LinkPhase.REFUSED)
        if phase is LinkPhase.REFUSED:
            with pytest.raises(RoomRefused) as refused:
                stay.task.result()
            assert refused.value.ask_again, "somebody may change their mind"
        else:
            tries = len(player.asked_for("create"))
            await until(lambda: len(player.asked_for("create")) > tries)
    assert "SECRET" not in stay.all_said()
    assert str(SESSION) not in stay.all_said()
    assert "SECRET" not in caplog.text
    assert str(SESSION) not in caplog.text


async def test_a_secret_is_told_to_whom_it_is_for_and_shown_to_nobody(player: Player) -> None:
    player.answers = lambda asked: no(485) if asked["janus"] == "message" else {}
    async with staying(player) as stay:
        await until(stay.task.done)
    assert all(asked["token"] == TOKEN for asked in player.asked)
    assert [asked["janus"] for asked in player.asked if PIN in str(asked)] == ["message"]
    assert "SECRET" not in repr(JanusSettings("ws://x", 1, "desk", "Desk", pin=PIN, token=TOKEN))
    assert "5" not in repr(Place(5, 5))


def lets_in(asked: Request) -> dict[str, Any] | None:
    """Into the room, and then it takes its time with the sound."""
    if asked["janus"] != "message":
        return {}
    return plugin(audiobridge="joined", id=7, participants=[]) if asked["body"]["request"] == "join" else None


async def test_who_is_sent_out_stays_out(player: Player) -> None:
    player.answers = lets_in
    async with staying(player) as stay:
        await until(lambda: len(player.asked_for("message")) >= 2)
        await player.say(**plugin(audiobridge="event", kicked=7))
        await until(stay.task.done)
        with pytest.raises(RoomRefused, match="sent this member out") as refused:
            stay.task.result()
        assert not refused.value.ask_again


@pytest.mark.parametrize(
    ("news", "words", "again"),
    [
        ({"audiobridge": "destroyed"}, "room was closed", True),
        (
            {
                "audiobridge": "event",
                "participants": [{"id": 8, "display": f"Desk [kontor site desk {TWINS.proof(7, 8)}]"}],
            },
            "took its place",
            False,
        ),
    ],
)
async def test_a_room_that_ends_and_a_session_that_takes_over(
    player: Player, news: dict[str, Any], words: str, again: bool
) -> None:
    player.answers = lets_in
    async with staying(player) as stay:
        await until(lambda: len(player.asked_for("message")) >= 2)
        await player.say(**plugin(**news))
        await until(stay.task.done)
        with pytest.raises(RoomRefused, match=words) as refused:
            stay.task.result()
        assert refused.value.ask_again is again


@pytest.mark.virtual_time
@pytest.mark.parametrize("answers", [True, False])
async def test_a_mix_that_stops_costs_the_connection_only_where_its_checks_are_answered(
    answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When nothing at all comes the network is away, and the connection may be good after that."""
    engine = JanusEngine(JanusSettings("ws://127.0.0.1:1", 1, "desk", "Desk"))
    gone: list[bool] = []
    monkeypatch.setattr(engine._media, "alive_within", lambda _seconds: answers)
    monkeypatch.setattr(engine._media, "let_go", lambda: gone.append(True))
    with pytest.raises(Lost, match="Nothing is heard of the room"):
        await engine._hear()
    assert bool(gone) is answers


async def test_what_has_to_be_known_of_the_room_is_told_again_after_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = JanusEngine(JanusSettings("ws://127.0.0.1:1", 1, "desk", "Desk"))
    told: list[RoomEvent] = []
    monkeypatch.setattr(engine._staying, "_report", told.append)
    gateway: Any = SimpleNamespace(open=asyncio.Event())
    gateway.open.set()

    async def goes_on(_gateway: Gateway) -> bool:
        return True

    async def ends() -> None:
        raise Lost(Fault("network"), "Cut.")

    monkeypatch.setattr(engine, "_go_on", goes_on)
    monkeypatch.setattr(engine, "_hear", ends)
    engine._presence.but = "Somebody has our name."
    with pytest.raises(Lost):
        await engine._be_heard(gateway)
    assert told == [PhaseChanged(LinkPhase.IN_ROOM, "Somebody has our name.")]


async def test_a_server_without_tls_is_told_and_asked_again(player: Player) -> None:
    async with staying(player, "wss") as stay:
        await until(lambda: stay.why(LinkPhase.RECONNECTING) is not None)
        assert stay.why(LinkPhase.RECONNECTING) == (
            "The server does not speak TLS there, or not a version of it that is safe."
        )
        assert not stay.task.done()


async def test_a_server_that_is_no_janus_is_told(player: Player) -> None:
    async with staying(player, path="/elsewhere") as stay:
        await until(lambda: stay.why(LinkPhase.RECONNECTING) is not None)
        assert stay.why(LinkPhase.RECONNECTING) == "The server has no Janus there (status 404)."


# ---- requests and answers


async def test_an_answer_belongs_to_its_request(player: Player) -> None:
    """Whatever order they come in; an acknowledgement is none, and what nobody asked for is nobody's."""
    held: list[Request] = []
    player.answers = held.append
    async with gateway_to(player) as (gateway, running, _):
        first, second = (asyncio.create_task(gateway.ask("message", body={"n": n})) for n in (1, 2))
        await until(lambda: len(held) == 2)
        await player.say(janus="ack", transaction=held[0]["transaction"])
        await player.say(janus="success", transaction="nobody's")
        for asked in reversed(held):
            await player.say(janus="success", transaction=asked["transaction"], data={"n": asked["body"]["n"]})
        assert [(await first).data["n"], (await second).data["n"]] == [1, 2]
        assert gateway._waiting == {}
        assert not running.done()


async def test_what_is_never_answered_is_given_up_and_forgotten(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(janus_gateway, "_PATIENCE", 0.2)
    player.answers = lambda _: None
    async with gateway_to(player) as (gateway, _, _):
        asking = [asyncio.create_task(gateway.ask("message", body={})) for _ in range(40)]
        results = await asyncio.gather(*asking, return_exceptions=True)
        assert {str(result) for result in results} == {
            "Janus does not answer.",
            "Janus leaves too much unanswered.",
        }
        assert gateway._waiting == {}


async def test_what_waits_when_the_connection_ends_is_told(player: Player) -> None:
    player.answers = lambda _: None
    async with gateway_to(player) as (gateway, running, _):
        asking = asyncio.create_task(gateway.ask("message", body={}))
        await until(lambda: player.asked)
        await player.sockets[-1].close()
        with pytest.raises(Lost, match="was lost"):
            await asking
        with pytest.raises(Lost, match="was lost"):
            await running
        with pytest.raises(Lost, match="was lost"):
            await gateway.ask("message", body={})


async def test_a_session_is_kept_alive(player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    assert janus_gateway.KEEPALIVE < 60 / 2
    monkeypatch.setattr(janus_gateway, "KEEPALIVE", 0.05)
    async with gateway_to(player) as (gateway, running, junk):
        await asyncio.sleep(0.15)
        assert player.asked == [], "there is nothing to keep"
        await gateway.create()
        await until(lambda: len(player.asked_for("keepalive")) >= 3)
        assert all(asked["session_id"] == SESSION for asked in player.asked_for("keepalive"))
        assert (gateway._waiting, junk, running.done()) == ({}, [], False)


async def test_a_session_of_before_is_claimed_or_forgotten(player: Player) -> None:
    async with gateway_to(player) as (gateway, _, _):
        gateway.place.session, gateway.place.handle = SESSION, HANDLE
        assert await gateway.claim()
        assert player.asked[-1]["session_id"] == SESSION
        player.answers = lambda _: error(458)
        assert not await gateway.claim()
        assert not gateway.place.known


async def test_what_is_about_another_handle_is_not_ours(player: Player) -> None:
    heard: list[says.Said] = []
    async with gateway_to(player, heard.append) as (gateway, _, _):
        await gateway.create()
        await player.say(**{**plugin(audiobridge="destroyed"), "sender": HANDLE + 1})
        await player.say(**plugin(audiobridge="talking", id=5))
        await until(lambda: heard)
    assert [said.data["audiobridge"] for said in heard] == ["talking"]


async def test_junk_ends_the_connection_and_counts(player: Player) -> None:
    async with gateway_to(player) as (_, running, junk):
        await player.sockets[-1].send_str("[1, 2")
        with pytest.raises(Lost, match="not understood"):
            await running
        assert junk == ["junk"]


async def test_leaving_ends_the_session(player: Player) -> None:
    async with gateway_to(player) as (gateway, _, _):
        await gateway.create()
        await gateway.goodbye()
        assert player.asked[-1]["janus"] == "destroy"
        assert not gateway.place.known


async def test_a_server_that_does_not_let_go_holds_up_nobody(player: Player) -> None:
    async with gateway_to(player) as (gateway, _, _):
        await gateway.create()
        player.answers = lambda _: None
        began = asyncio.get_running_loop().time()
        await gateway.goodbye()
        assert asyncio.get_running_loop().time() - began < 2


async def test_an_error_has_a_number_and_none_of_the_servers_words(player: Player) -> None:
    player.answers = lambda _: no(487)
    async with gateway_to(player) as (gateway, _, _):
        with pytest.raises(Refusal) as refused:
            await gateway.message({"request": "configure"})
    assert refused.value.code == 487
    assert "SECRET" not in repr(refused.value)
