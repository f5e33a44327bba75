"""What reaches a device on its ways to the host: checks and their answers, datagrams of a relay, the relays it is told of."""

import asyncio
import contextlib
import struct
import time
from collections.abc import Iterator
from typing import cast

from aioice import stun, turn

from appliance.media.ice import Agent, Remote
from appliance.media.relay import Relayed, _Receiver
from appliance.media.ways import Way
from appliance.rooms.relays import MOST_RELAYS, relays_of
from tests.fuzz import media, mutate
from tests.fuzz.target import Run, Target, simple

_HOST = ("192.0.2.1", 7000)
_CHANNEL = 0x4000


class _Wire:
    """A way that leads nowhere."""

    relayed = False
    own = "192.0.2.9"
    towards = _HOST

    def __init__(self) -> None:
        self.told = 0

    def tell(self, data: bytes) -> None:
        self.told += 1
        assert len(data) < 200


def _message(method: stun.Method, kind: stun.Class, key: bytes | None = None, **attributes: object) -> bytes:
    message = stun.Message(method, kind, transaction_id=b"t" * 12)
    message.attributes.update({name.replace("_", "-"): value for name, value in attributes.items()})
    if key is not None:
        message.add_message_integrity(key)
    return bytes(message)


def _checks() -> tuple[bytes, ...]:
    binding = stun.Method.BINDING
    return (
        _message(binding, stun.Class.REQUEST, b"ours", USERNAME="us:them", PRIORITY=7, ICE_CONTROLLED=9),
        _message(binding, stun.Class.RESPONSE, b"theirs", XOR_MAPPED_ADDRESS=_HOST),
        _message(binding, stun.Class.ERROR, b"theirs", ERROR_CODE=(487, "Role Conflict")),
        _message(binding, stun.Class.REQUEST, None, USERNAME="us:them"),
        _message(binding, stun.Class.INDICATION),
        b"\x16\xfe\xfd" + bytes(40),
    )


@contextlib.contextmanager
def _agent() -> Iterator[Run]:
    async def made() -> Agent:
        agent = Agent(lambda _: None, lambda _: None, lambda _: None)
        agent._remote = Remote("them", "theirs", (_HOST,))
        agent.local_username, agent.local_password = "us", "ours"
        return agent

    loop = asyncio.new_event_loop()
    agent, wire = loop.run_until_complete(made()), _Wire()

    def run(data: bytes) -> None:
        if data:
            agent._take(cast("Way", wire), data)
        assert agent._queue.qsize() <= 64

    yield run
    loop.close()


def _relay_datagrams() -> tuple[bytes, ...]:
    inner = media.PACKETS[0]
    return (
        struct.pack("!HH", _CHANNEL, len(inner)) + inner,
        struct.pack("!HH", _CHANNEL, 0) + b"\0",
        struct.pack("!HH", _CHANNEL, 40) + b"\x16\xfe\xfd" + bytes(37),
        _message(stun.Method.DATA, stun.Class.INDICATION, None, XOR_PEER_ADDRESS=_HOST, DATA=inner),
        _message(stun.Method.ALLOCATE, stun.Class.RESPONSE, b"k", XOR_RELAYED_ADDRESS=_HOST, LIFETIME=600),
        _message(stun.Method.REFRESH, stun.Class.ERROR, None, ERROR_CODE=(438, "Stale Nonce"), NONCE=b"n", REALM="r"),
    )


@contextlib.contextmanager
def _relayed() -> Iterator[Run]:
    async def made() -> Relayed:
        way = Relayed(_HOST, lambda _: None, lambda _way, _data: None)
        client = turn.TurnClientUdpProtocol(("192.0.2.7", 3478), "user", "secret", 600, 500)
        client.channel_to_peer[_CHANNEL], client.peer_to_channel[_HOST] = _HOST, _CHANNEL
        client.receiver = _Receiver(way)
        way._client = client
        return way

    loop = asyncio.new_event_loop()
    way = loop.run_until_complete(made())

    def run(data: bytes) -> None:
        way._read(memoryview(data), on_loop=True)

    yield run
    loop.close()


_LINKS = (
    b'<turn:192.0.2.7:3478?transport=udp>; rel="ice-server"; username="9:a"; credential="c"; credential-type="password"',
    b'<turns:relay.example:443?transport=tcp>; rel=ice-server; username="a\\"b"; credential="c\nd", <turn:x>;rel="ice-server"',
    b'<turn:[2001:db8::1]>; rel="other ice-server"; username=""\n<stun:stun.example>; rel="ice-server"',
)


def _links(data: bytes) -> None:
    began = time.process_time()
    found = relays_of(data.decode("utf-8", "surrogateescape").split("\n"))
    assert len(found) <= MOST_RELAYS
    assert all(0 < relay.port < 65_536 for relay in found)
    assert time.process_time() - began < 2


def targets() -> list[Target]:
    """All of this file."""
    return [
        Target("device_ice", mutate.binary, _checks(), _agent),
        Target("relay", mutate.binary, _relay_datagrams(), _relayed),
        Target("links", mutate.lines, _LINKS, simple(_links)),
    ]
