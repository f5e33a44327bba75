"""Load for ``make bench-room``: members of a room in a process of their own, told what to do over standard input.

What it does is told by what follows ``python -m tools.bench.room_load URL SECONDS``:

- ``LISTENERS TALKERS RED`` joins them, says ``joined``, waits for a line, talks and listens for so many seconds, and says what
  arrived, as JSON. Every listener deciphers all it gets and watches for gaps; one in twenty decodes, and tells by the kernel's
  own stamp when its packets came.
- ``RATE`` only joins, so many a second, each for two seconds.
- ``watch NUMBER`` keeps so many pages open.

The room's key comes in the environment.
"""

import asyncio
import contextlib
import json
import os
import resource
import select
import socket
import struct
import sys
import tempfile
import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np

from appliance.app.speech import prepare
from appliance.core.levels import dbov
from appliance.core.units import BLOCK, Pcm
from appliance.host import srtp
from appliance.media import red
from appliance.media.opus import Decoder, Encoder
from tools.bench.light_member import ROOM, Member, Way

KEY = "KONTOR_BENCH_KEY"
FRAME = 0.02
ONE_IN = 20
_TOGETHER = 8
_CHECK_EVERY = 4.0
_LAST = 0.3
"""Seconds of nothing after which nothing more comes."""
_STAMPS = 35  # SO_TIMESTAMPNS, <asm-generic/socket.h>
_STAMP = struct.Struct("qq")
_HEADER = 20
"""Bytes of the header in what a host sends: 12, and two extensions."""
_SPOKEN = -45.0
"""dBov; quieter frames are pauses, which are not forwarded before speech and look alike."""


@dataclass
class Sent:
    """One packet of a talker on its way."""

    at: float
    """When it was handed to the kernel, by the wall clock, as the kernel stamps arrivals."""
    worst: float = 0.0
    """Seconds until the last watched listener had it."""


def speech_packets(talkers: int) -> list[dict[bytes, int]]:
    """Speech as Opus packets of 20 ms, with their levels (-dBov): each talker has others, so that a payload tells whose it is."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder) / "speech.wav")
        with wave.open(str(Path(folder) / "speech.wav")) as file:
            pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    encoder = Encoder(20, bitrate=32_000)
    frames = [pcm[at : at + 2 * BLOCK] for at in range(0, pcm.size - 2 * BLOCK, 2 * BLOCK)]
    spoken = {encoder.encode(frame): round(-dbov(frame)) for frame in frames if dbov(frame) > _SPOKEN}
    packets, each = list(spoken.items()), len(spoken) // max(1, talkers)
    return [dict(packets[index * each : (index + 1) * each]) for index in range(talkers)]


@dataclass
class Sink:
    """One listener while it is measured."""

    member: Member
    watched: bool
    packets: int = 0
    gaps: int = 0
    decoded: int = 0
    newest: dict[int, int] = field(default_factory=dict)
    decoders: dict[int, Decoder] = field(default_factory=dict)


class Load:
    """Talkers and listeners, served on one thread."""

    def __init__(self, listeners: Sequence[Member], talkers: Sequence[Member]) -> None:
        self.sinks = [Sink(member, index % ONE_IN == 0) for index, member in enumerate(listeners)]
        self.delays: list[float] = []
        self.refused = self.sent = 0
        self._talkers = talkers
        self._speech = [list(packets.items()) for packets in speech_packets(len(talkers))]
        self._under_way: dict[bytes, Sent] = {}
        self._packet = srtp.Datagram()
        self._pcm: Pcm = np.zeros(5760, np.int16)
        self._poll = select.epoll()
        self._by_fd: dict[int, Sink] = {}
        for sink in self.sinks:
            if sink.watched:
                sink.member.socket.setsockopt(socket.SOL_SOCKET, _STAMPS, 1)
            self._by_fd[sink.member.socket.fileno()] = sink
            self._poll.register(sink.member.socket.fileno(), select.EPOLLIN)
        for talker in talkers:
            self._poll.register(talker.socket.fileno(), select.EPOLLIN)

    def run(self, seconds: float) -> None:
        """Talk and listen."""
        begin = time.monotonic()
        due = [begin + FRAME * index / max(1, len(self._talkers)) for index in range(len(self._talkers))]
        checks = [begin + _CHECK_EVERY * index / len(self._everybody) for index in range(len(self._everybody))]
        while (now := time.monotonic()) < begin + seconds:
            for index, talker in enumerate(self._talkers):
                if now >= due[index]:
                    self._talk(talker, self._speech[index], round((due[index] - begin) / FRAME))
                    due[index] += FRAME
            for index, member in enumerate(self._everybody):
                if now >= checks[index]:
                    member.check()
                    checks[index] += _CHECK_EVERY
            self._turn(max(0.0, min(due, default=now + FRAME) - time.monotonic()))
        while self._turn(_LAST):  # what is still on its way
            pass

    def results(self) -> dict[str, float]:
        """What arrived, all together."""
        self.delays += [1000 * sent.worst for sent in self._under_way.values() if sent.worst]
        decoded = [sink.decoded for sink in self.sinks if sink.watched]
        return {
            "sent": self.sent,
            "packets": sum(sink.packets for sink in self.sinks),
            "least": min((sink.packets for sink in self.sinks), default=0),
            "gaps": sum(sink.gaps for sink in self.sinks),
            "refused": self.refused,
            "decoded_least": min(decoded, default=0),
            "p50": float(np.percentile(self.delays, 50)) if self.delays else 0.0,
            "p99": float(np.percentile(self.delays, 99)) if self.delays else 0.0,
            "worst": max(self.delays, default=0.0),
        }

    @property
    def _everybody(self) -> list[Member]:
        return [*(sink.member for sink in self.sinks), *self._talkers]

    def _talk(self, talker: Member, packets: list[tuple[bytes, int]], number: int) -> None:
        payload, level = packets[number % len(packets)]
        packet = talker.packet(number, payload, level)
        before = self._under_way.get(payload)
        if before is not None and before.worst:
            self.delays.append(1000 * before.worst)
        self._under_way[payload] = Sent(time.time())
        talker.say(packet)
        self.sent += 1

    def _turn(self, wait: float) -> bool:
        """Read one datagram of each socket that has any; whether one had."""
        ready = self._poll.poll(wait, 4096)
        for descriptor, _ in ready:
            sink = self._by_fd.get(descriptor)
            if sink is None:
                os.read(descriptor, 2048)  # what talkers get does not matter
            elif sink.watched:
                self._watch(sink)
            else:
                self._packet.size = sink.member.socket.recv_into(self._packet.data)
                self._take(sink)
        return bool(ready)

    def _watch(self, sink: Sink) -> None:
        self._packet.size, notes, _, _ = sink.member.socket.recvmsg_into([self._packet.data], 64)
        if not self._take(sink):
            return
        arrived = next((_seconds(data) for _, kind, data in notes if kind == _STAMPS), 0.0)
        content = self._packet.view[_HEADER : self._packet.size]
        payload = bytes(red.primary(content) or b"") if sink.member.red else bytes(content)
        sent = self._under_way.get(payload)
        if sent is not None:
            sent.worst = max(sent.worst, arrived - sent.at)
        source = int.from_bytes(self._packet.data[8:12], "big")
        decoder = sink.decoders.get(source) or sink.decoders.setdefault(source, Decoder())
        sink.decoded += decoder.decode(payload, self._pcm) > 0

    def _take(self, sink: Sink) -> bool:
        packet, data = self._packet, self._packet.data
        if packet.size < _HEADER or not 128 <= data[0] <= 191 or 192 <= data[1] <= 223:
            return False
        if sink.member.inbound is None or not sink.member.inbound.open(packet):
            self.refused += 1
            return False
        source = int.from_bytes(data[8:12], "big")
        number = data[2] << 8 | data[3]
        before = sink.newest.get(source)
        if before is not None and (number - before) & 0xFFFF != 1:
            sink.gaps += 1
        sink.newest[source] = number
        sink.packets += 1
        return True


def _seconds(stamp: bytes) -> float:
    seconds, nanoseconds = _STAMP.unpack(stamp)
    return float(seconds + nanoseconds / 1e9)


async def joined(
    http: aiohttp.ClientSession, way: Way, names: Sequence[str], *, talk: bool = False, redundant: bool = False
) -> list[Member]:
    """Members of these names, some at a time."""
    found: list[Member] = []
    for at in range(0, len(names), _TOGETHER):
        some = names[at : at + _TOGETHER]
        found += await asyncio.gather(*(Member(way, name, talks=talk, red=redundant).connect(http) for name in some))
    return found


async def unmute(http: aiohttp.ClientSession, way: Way, member: Member) -> aiohttp.ClientWebSocketResponse:
    """Open a talker's microphone over presence; the socket has to stay open."""
    socket_ = await http.ws_connect(f"{way.url}/rooms/{ROOM}/presence")
    await socket_.send_json({"type": "hello", "v": 1, "token": member.token})
    await socket_.send_json({"type": "muted", "muted": False})
    return socket_


async def talk_and_listen(way: Way, seconds: float, listeners: int, talkers: int, redundant: int) -> None:
    """The whole of one measurement."""
    async with aiohttp.ClientSession() as http:
        some = await joined(http, way, [f"l{index}" for index in range(listeners)], redundant=bool(redundant))
        others = await joined(http, way, [f"t{index}" for index in range(talkers)], talk=True)
        sockets = [await unmute(http, way, talker) for talker in others]
        say({"joined": len(some) + len(others)})
        while await asyncio.to_thread(sys.stdin.readline):
            load = Load(some, others)
            reading = [asyncio.create_task(_read(each)) for each in sockets]
            await asyncio.to_thread(load.run, seconds)
            say(load.results())
            for task in reading:
                task.cancel()
        for each in sockets:
            await each.close()


async def _read(socket_: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in socket_:
        pass


async def join_and_leave(way: Way, seconds: float, rate: float) -> None:
    """Join ``rate`` members a second; each stays for two."""
    joins = 0
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:

        async def visit(number: int) -> None:
            nonlocal joins
            with contextlib.suppress(TimeoutError):
                member = await Member(way, f"v{os.getpid()}-{number}").connect(http)
                joins += 1
                await asyncio.sleep(2)
                await member.leave(http)

        begin, count = time.monotonic(), 0
        while count < seconds * rate:
            await asyncio.sleep(max(0.0, begin + count / rate - time.monotonic()))
            group.create_task(visit(count))
            count += 1
    say({"joins": joins})


async def watch(way: Way, seconds: float, number: int) -> None:
    """Keep presence sockets open, as that many pages do, and count what they are told."""
    told = 0

    async def one(http: aiohttp.ClientSession, index: int) -> None:
        nonlocal told
        async with http.ws_connect(f"{way.url}/rooms/{ROOM}/presence") as page:
            await page.send_json({"type": "hello", "v": 1, "token": way.token(f"w{index}", "listener")})
            async for message in page:
                told += message.type is aiohttp.WSMsgType.TEXT

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        pages = []
        for index in range(number):
            pages.append(asyncio.create_task(one(http, index)))
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        say({"watching": number})
        before = told
        await asyncio.sleep(seconds)
        say({"told": told - before})
        for page in pages:
            page.cancel()
        await asyncio.gather(*pages, return_exceptions=True)


def say(what: dict[str, float]) -> None:
    """One line to whoever started us."""
    print(json.dumps(what), flush=True)


def main() -> None:
    """As the command line says."""
    way = Way(sys.argv[1], bytes.fromhex(os.environ[KEY]))
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    seconds = float(sys.argv[2])
    if sys.argv[3] == "watch":
        asyncio.run(watch(way, seconds, int(sys.argv[4])))
        return
    numbers = [int(word) for word in sys.argv[3:]]
    if len(numbers) == 1:
        asyncio.run(join_and_leave(way, seconds, *numbers))
    else:
        asyncio.run(talk_and_listen(way, seconds, *numbers))


if __name__ == "__main__":
    main()
