"""What a member does that is in the room: on its presence socket, and with its media."""

import asyncio
import contextlib
import itertools
import json
import struct
from collections.abc import Iterator

import aiohttp
import pylibsrtp

from appliance.core import sdp
from appliance.media import red, rtp
from appliance.media.rtp import ReportBlock
from tests.fuzz import media, mutate, words
from tests.fuzz.live import nothing_broke, open_house, own_loop
from tests.fuzz.target import Run, Target
from tests.host.harness import ROOM, token
from tests.host.member import Member

_ENDS = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


# ---- what a member says on its presence socket


@contextlib.contextmanager
def _socket() -> Iterator[Run]:
    """An admin who may do everything, and says it wrongly; junk ends the socket, and the next one begins."""
    names = itertools.cycle([f"ada-{n}" for n in range(40)])  # who removed herself is not let in again

    with own_loop() as loop, open_house(loop) as found:
        socket: aiohttp.ClientWebSocketResponse | None = None

        async def say(data: bytes) -> None:
            nonlocal socket
            if socket is None or socket.closed:
                socket = await found.http.ws_connect(
                    found.url(f"/rooms/{ROOM}/presence"), max_msg_size=0, timeout=aiohttp.ClientWSTimeout(ws_close=0.05)
                )
                await socket.send_str(json.dumps({"type": "hello", "v": 1, "token": token(next(names), "admin")}))
            try:
                await socket.send_str(data.decode())
            except ValueError:  # no text
                await socket.send_bytes(data)
            for _ in range(6):  # the host reads and answers, the client reads
                await asyncio.sleep(0)
            with contextlib.suppress(TimeoutError):
                while socket._reader._buffer:
                    if (await socket.receive(0.005)).type in _ENDS:
                        await socket.close()

        def run(data: bytes) -> None:
            loop.run_until_complete(say(data))
            nothing_broke(found)

        yield run
        if socket is not None:
            loop.run_until_complete(socket.close())


# ---- what a member sends that is in the room


_RTP, _RAW_RTP, _RTCP, _RAW = range(4)
"""The first byte of a record: protected as the member's next packet, as it is, as RTCP, or not at all."""


def _kinded(kind: int, data: bytes) -> bytes:
    return bytes((kind,)) + data


def _sessions() -> tuple[bytes, ...]:
    frames = [_kinded(_RTP, packet) for packet in media.PACKETS[:3]]
    copies = red.build(sdp.DEVICE_OPUS, media.FRAMES[3], [(1920, media.FRAMES[1]), (960, media.FRAMES[2])])
    first = struct.pack("!BBHII", 0x90, sdp.DEVICE_RED, 0, 960, 0) + b"\xbe\xde\x00\x01\x20\x8a\0\0"
    reports = [_kinded(_RTCP, report) for report in media.REPORTS]
    lone = rtp.receiver_report(7, [ReportBlock(1, 200, 1, 2, 3)])
    return (
        mutate.join(frames * 3),
        mutate.join([_kinded(_RTP, first + copies)] * 4 + reports),
        mutate.join([_kinded(_RAW_RTP, media.PACKETS[0]), _kinded(_RTCP, lone), _kinded(_RAW, media.REPORTS[0])]),
        mutate.join(
            [_kinded(_RAW, bytes((20 + n,)) + bytes(40)) for n in range(3)] + [_kinded(_RAW, b"\0\1" + bytes(60))]
        ),
    )


def _datagram(member: Member, record: bytes) -> bytes | None:
    """What is sent for a record; None when libsrtp itself refuses to protect that."""
    kind, data = record[:1], record[1:]
    outbound = member._outbound
    assert outbound is not None
    with contextlib.suppress(pylibsrtp.Error, ValueError):
        if kind[0] % 4 == _RTP and len(data) >= 12:
            member.seq = (member.seq + 1) & 0xFFFF
            numbered = data[:2] + member.seq.to_bytes(2, "big") + data[4:8] + member.ssrc.to_bytes(4, "big") + data[12:]
            return bytes(outbound._session.protect(numbered))
        if kind[0] % 4 == _RAW_RTP:
            return bytes(outbound._session.protect(data))
        if kind[0] % 4 == _RTCP:
            return outbound.seal_rtcp(data)
        return data
    return None


@contextlib.contextmanager
def _member() -> Iterator[Run]:
    with own_loop() as loop, open_house(loop) as found:

        async def enter(name: str) -> Member:
            return await Member(found, name).connect()

        talker, other = (loop.run_until_complete(enter(name)) for name in ("anna", "ben"))

        async def send(data: bytes) -> None:
            for record in mutate.split(data):
                datagram = _datagram(talker, record) if record else b""
                if datagram is not None:
                    with contextlib.suppress(OSError):
                        talker.send_raw(datagram)
            for _ in range(3):  # the host reads, and sends; the members read
                await asyncio.sleep(0)
            other.heard.clear()
            talker.heard.clear()

        def run(data: bytes) -> None:
            loop.run_until_complete(send(data))
            nothing_broke(found)

        yield run
        for member in (talker, other):
            member.vanish()


def targets() -> list[Target]:
    """All of this file."""
    return [
        Target("presence_socket", mutate.document, words.CLIENT_MESSAGES, _socket),
        Target("member", mutate.records, _sessions(), _member),
    ]
