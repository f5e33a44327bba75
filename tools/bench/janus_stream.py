"""Janus for a large audience: the AudioBridge forwards its mix (``rtp_forward``) to the Streaming plugin, which sends it to all.

The listeners take part in ICE, DTLS and SRTP for real and decipher all they get. Janus offers no address of the loopback: all of
it has to run in a network of its own (tests/contract/apart.py).
"""

import asyncio
import contextlib
import os
import select
import socket
import struct
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
from aioice import stun

from appliance.app.demo import free_port
from appliance.core.sdp import fingerprint_text, parse_offer
from appliance.host import srtp
from tools.bench.light_member import Member, Way, identity
from tools.bench.processes import cpu_seconds
from tools.bench.room_peers import (
    AUDIOBRIDGE,
    FRAME,
    Cost,
    Janus,
    participants,
    server,
    until_open,
    write_janus,
)

_MOUNTPOINT = """bench: {{ type = "rtp", id = 1, description = "bench",
 media = ( {{ type = "audio", mid = "a", port = {port}, pt = 111, codec = "opus", iface = "127.0.0.1" }} ) }}
"""
_GENERAL = "event_loops = 2, session_timeout = 0"
_ROOM = ', rtp_forward_host = "127.0.0.1", rtp_forward_port = {port}, rtp_forward_ptype = 111'
_TOGETHER = 20
"""Janus takes no hello before it is ready: many wait their second at once."""
_WARMS = 2.0
"""Seconds until the bridge mixes and all hear it."""


class Listener(Member):
    """A light member that answers instead of offering, and waits to be checked.

    :param address: where it is reached.
    """

    def __init__(self, who: str, address: str) -> None:
        super().__init__(Way("", bytes(32)), who)
        self.socket.bind((address, 0))
        self.packets = 0

    def answer(self, offer: str) -> str:
        """The answer to an offer of Janus, from whose first address it listens from now on."""
        said = parse_offer(offer)
        lines = offer.splitlines()
        words = next(line for line in lines if line.startswith("a=candidate:") and " udp " in line.lower()).split(" ")
        self.socket.connect((words[4], int(words[5])))
        address, port = self.socket.getsockname()
        return "\r\n".join(
            [
                *(
                    "v=0",
                    f"o=- 1 1 IN IP4 {address}",
                    "s=-",
                    "t=0 0",
                    "a=ice-lite",
                    f"a=group:BUNDLE {said.media[0].mid}",
                ),
                *("m=audio 9 UDP/TLS/RTP/SAVPF 111", f"c=IN IP4 {address}", f"a=mid:{said.media[0].mid}", "a=recvonly"),
                *("a=rtcp-mux", "a=rtpmap:111 opus/48000/2", f"a=ice-ufrag:{self._ufrag}", f"a=ice-pwd:{self._pwd}"),
                *(f"a=fingerprint:sha-256 {fingerprint_text(identity().fingerprint)}", "a=setup:active"),
                *(f"a=candidate:1 1 udp 2130706431 {address} {port} typ host", "a=end-of-candidates", ""),
            ]
        )

    async def shake(self) -> None:
        """Be checked, and shake hands.

        :raises TimeoutError: Janus does not come.
        """
        async with asyncio.timeout(10):
            while not self.checked(await super()._receive()):
                pass
            await self._shake()

    async def _receive(self) -> bytes:
        data = await super()._receive()
        while self.checked(data):
            data = await super()._receive()
        return data

    def checked(self, data: bytes) -> bool:
        """Whether this was one of ICE's messages; a question is answered."""
        if data[0] > 3:
            return False
        question = stun.parse_message(data)
        if question.message_class is stun.Class.REQUEST:
            answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, question.transaction_id)
            answer.attributes["XOR-MAPPED-ADDRESS"] = self.socket.getpeername()
            answer.add_message_integrity(self._pwd.encode())
            self._send(bytes(answer))
        return True


async def streaming_cost(address: str, count: int, seconds: float, packets: Sequence[bytes]) -> Cost:
    """One talker in an AudioBridge, and ``count`` listeners of its mix; the cost is of all Janus, the mix included.

    :param address: of the network in which it runs; not of the loopback.
    """
    port, secret, forwarded = free_port("127.0.0.1", 22_000), "bench", 5002
    with tempfile.TemporaryDirectory() as folder:
        nat = f'nat: {{ ice_enforce_list = "{address}" }}'
        room = _ROOM.format(port=forwarded)
        write_janus(Path(folder), port, secret, ("audiobridge", "streaming"), general=_GENERAL, more=nat, room=room)
        (Path(folder) / "janus.plugin.streaming.jcfg").write_text(_MOUNTPOINT.format(port=forwarded))
        async with server("janus", "-F", folder, "-C", f"{folder}/janus.jcfg") as pid, aiohttp.ClientSession() as http:
            await until_open(port)
            janus = Janus(http, f"http://127.0.0.1:{port}/janus", secret)
            with contextlib.ExitStack() as stack:
                own = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                own.bind(("127.0.0.1", 0))
                (way,) = await participants(janus, 1, own.getsockname()[1])
                session = f"/{(await janus.ask('', janus='create'))['data']['id']}"
                listeners: list[Listener] = []
                while len(listeners) < count:
                    more = range(len(listeners), min(count, len(listeners) + _TOGETHER))
                    some = [await _watch(janus, session, address, f"l{number}") for number in more]
                    for listener in some:
                        stack.enter_context(listener.socket)
                    await asyncio.gather(*(listener.shake() for listener in some))
                    listeners += some
                return await asyncio.to_thread(_listened, own, way, listeners, pid, seconds, packets)


async def _watch(janus: Janus, session: str, address: str, who: str) -> Listener:
    """A listener of the mountpoint."""
    handle = f"{session}/{(await janus.ask(session, janus='attach', plugin='janus.plugin.streaming'))['data']['id']}"
    await janus.ask(handle, janus="message", body={"request": "watch", "id": 1})
    event: dict[str, Any] = {}
    while "jsep" not in event:
        event = await janus.event(session)
        if "error" in event.get("plugindata", {}).get("data", {}):
            raise RuntimeError(event["plugindata"]["data"]["error"])
    listener = Listener(who, address)
    jsep = {"type": "answer", "sdp": listener.answer(event["jsep"]["sdp"])}
    await janus.ask(handle, janus="message", body={"request": "start"}, jsep=jsep)
    return listener


def _listened(
    own: socket.socket,
    way: tuple[str, int],
    listeners: Sequence[Listener],
    pid: int,
    seconds: float,
    packets: Sequence[bytes],
) -> Cost:
    """Talk into the bridge, count what the listeners get."""
    poll, by_fd = select.epoll(), {listener.socket.fileno(): listener for listener in listeners}
    for descriptor in by_fd:
        poll.register(descriptor, select.EPOLLIN)
    begin, number = time.monotonic(), 0
    cpu, measured, received = 0.0, 0.0, 0
    while (now := time.monotonic()) < begin + _WARMS + seconds:
        if not measured and now >= begin + _WARMS:
            measured, cpu, received = now, cpu_seconds(pid), _heard(listeners)
        if now >= begin + number * FRAME:
            head = struct.pack("!BBHII", 0x80, AUDIOBRIDGE, number & 0xFFFF, number * 960 & 0xFFFFFFFF, 7)
            own.sendto(head + packets[number % len(packets)], way)
            number += 1
        for descriptor, _ in poll.poll(max(0.0, begin + number * FRAME - time.monotonic()), 4096):
            _take(by_fd[descriptor])
    passed = time.monotonic() - measured
    cores = (cpu_seconds(pid) - cpu) / passed
    return Cost(len(listeners), cores, (_heard(listeners) - received) / passed)


def _heard(listeners: Sequence[Listener]) -> int:
    return sum(listener.packets for listener in listeners)


_PACKET = srtp.Datagram()


def _take(listener: Listener) -> None:
    """Read one datagram; only what can be deciphered counts."""
    _PACKET.size = os.readv(listener.socket.fileno(), [_PACKET.data])
    first, second = _PACKET.data[0], _PACKET.data[1]
    if first <= 3:
        listener.checked(bytes(_PACKET.view[: _PACKET.size]))
    elif 128 <= first <= 191 and not 192 <= second <= 223 and listener.inbound is not None:
        listener.packets += listener.inbound.open(_PACKET)
