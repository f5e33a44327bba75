"""What bench-scale makes of what it measures, and the crowd that stands before a host."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aioice import stun

from appliance.core import presence_reader, protocol
from tests.support import free_port
from tools.bench import scale, scale_link
from tools.bench.janus_stream import Listener
from tools.bench.page_stage import member
from tools.bench.room import Measured
from tools.bench.room_peers import Cost
from tools.bench.scale_crowd import Crowd, with_crowd
from tools.bench.scale_device import REAL, TALKERS, Device, others
from tools.bench.scale_load import rooms_of

OFFER = """v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE a
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 127.0.0.1
a=mid:a
a=sendonly
a=rtcp-mux
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuv
a=fingerprint:sha-256 {}
a=setup:actpass
a=rtpmap:111 opus/48000/2
a=candidate:1 1 udp 2015363327 127.0.0.1 {} typ host
"""


def test_a_room_is_flat_when_its_device_costs_no_more_than_a_fifth_more() -> None:
    small, flat, steep = scale.device_figures([Device(10, 8.0), Device(1000, 9.5), Device(5000, 9.7)])
    assert (small.goal, small.met()) == ("", None)
    assert (flat.goal, flat.met(), steep.met()) == ("<= 9.60", True, False)
    assert flat.peer_value == 8.0
    assert "996 others are only told of" in flat.note and "6 others have really joined" in small.note
    assert "bound was lifted" in steep.note and "bound was lifted" not in flat.note


def test_no_device_is_no_figure() -> None:
    with pytest.raises(ValueError, match="No device"):
        scale.device_figures([])


def test_every_server_stands_beside_our_host() -> None:
    hosted = Measured(listeners=400, cpu=2.0, seconds=10.0, packets=200_000, p99=5.0)
    theirs = {"livekit": (Cost(400, 0.5, 20_000), "x"), "janus_streaming": (Cost(200, 0.25, 9000), "y")}
    own, livekit, janus = scale.listeners_figures(hosted, theirs)
    assert (own.value, own.peer_value) == (2000, None)
    assert (livekit.name, livekit.value, livekit.peer_value) == ("scale.listeners_per_core_livekit", 800, 2000)
    assert "only 90 % of their packets" in janus.note and "only" not in livekit.note
    assert janus.value == 720, "what did not arrive costs nothing"


@pytest.mark.parametrize("size", [10, REAL, REAL + 1, 5000])
def test_a_room_has_as_many_as_it_is_called(size: int) -> None:
    joined, told = others(size)
    assert joined + told + TALKERS + 1 == size
    assert joined == 0 or size <= REAL


def test_rooms_come_in_threes() -> None:
    assert rooms_of(["http://a", "6", "3", "http://b", "0", "3"]) == [("http://a", 6, 3), ("http://b", 0, 3)]
    with pytest.raises(ValueError, match="an address, its listeners and its talkers"):
        rooms_of(["http://a", "6"])


def test_a_lifted_link_takes_a_room_that_is_too_large_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (presence_reader, protocol):
        for name in ("MOST_MEMBERS", "MOST_SERVER_BYTES"):
            monkeypatch.setattr(module, name, getattr(module, name))
    welcome = {
        "type": "welcome",
        "v": 1,
        "you": {"id": "d", "name": "D", "role": "speaker", "kind": "site"},
        "room": {"id": "bench", "title": "Bench"},
        "members": [],
        "slots": [None, None, None],
        "capabilities": {"levels": "real", "hands": True, "admin_mute": True, "volumes": True},
    }
    text = protocol.dump(with_crowd(welcome, 5000))
    with pytest.raises(protocol.ProtocolError):
        protocol.parse_server(text)
    scale_link.lift()
    told = protocol.parse_server(text)
    assert isinstance(told, protocol.Welcome)
    assert len(told.members) == 5000
    assert len(text) <= protocol.MOST_SERVER_BYTES


@asynccontextmanager
async def before_a_host(crowd: Crowd, port: int) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A host with one member, which tells levels of its own, and a presence socket that leads to it through the crowd."""

    async def presence(request: web.Request) -> web.WebSocketResponse:
        socket_ = web.WebSocketResponse()
        await socket_.prepare(request)
        assert (await socket_.receive_json())["type"] == "hello"
        await socket_.send_json({"type": "levels", "levels": {"x": -3}, "speaking": ["x"]})
        await socket_.send_json({"type": "welcome", "members": [member(9000) | {"id": "t0"}]})
        await socket_.send_json({"type": "left", "id": "y"})
        await socket_.close(code=4003)
        return socket_

    app = web.Application()
    app.router.add_get("/rooms/bench/presence", presence)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await crowd.start(port)
    crowd.stand_before(f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"http://127.0.0.1:{port}/rooms/bench/presence") as down,
        ):
            yield down
    finally:
        await crowd.stop()
        await runner.cleanup()


async def test_a_device_is_told_of_the_crowd_and_of_its_levels() -> None:
    crowd = Crowd(40, ("t0",), 50.0)
    async with before_a_host(crowd, free_port()) as down:
        await down.send_json({"type": "hello"})
        told = [message.json() async for message in down]
    assert {len(one["members"]) for one in told if one["type"] == "welcome"} == {41}
    levels = [one for one in told if one["type"] == "levels"]
    assert all(one["speaking"] == ["t0"] for one in levels), "the host's own are left out"
    assert {"type": "left", "id": "y"} in told, "all else passes"


async def test_a_listener_answers_an_offer_and_what_asks_whether_it_is_there() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as janus:
        janus.bind(("127.0.0.1", 0))
        janus.setblocking(False)
        listener = Listener("l", "127.0.0.1")
        with listener.socket:
            answer = listener.answer(OFFER.format(":".join(["AB"] * 32), janus.getsockname()[1]))
            assert "a=mid:a\r\n" in answer and "a=setup:active\r\n" in answer and "a=ice-lite\r\n" in answer
            question = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
            janus.sendto(bytes(question), listener.socket.getsockname())
            loop = asyncio.get_running_loop()
            assert listener.checked(await loop.sock_recv(listener.socket, 2048))
            password = answer.split("a=ice-pwd:")[1].split("\r\n")[0]
            reply = stun.parse_message(await loop.sock_recv(janus, 2048))
            assert reply.check_message_integrity(password.encode())
            assert reply.message_class is stun.Class.RESPONSE
            assert reply.transaction_id == question.transaction_id
            assert not listener.checked(b"\x80" + bytes(40)), "sound is none of ICE's"
