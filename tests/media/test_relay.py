"""A way through a relay, against a real coturn on loopback: UDP and TCP, and what a relay may do wrong."""

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import signal
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from appliance.host import authority
from appliance.media import relay
from appliance.media.relay import Relayed, RelayServer, through
from appliance.media.ways import Address, Way
from tests.support import need, ports, until

SECRET = b"known to coturn and to us"
MEDIA = bytes.fromhex("806f 1234 00000001 0000002a") + b"some opus bytes"


class Ear:
    """What came by a way, and on which thread."""

    def __init__(self) -> None:
        self.media: list[tuple[bytes, str]] = []
        self.other: list[bytes] = []

    def on_media(self, data: bytes | memoryview) -> None:
        self.media.append((bytes(data), threading.current_thread().name))

    def on_other(self, way: Way, data: bytes) -> None:
        self.other.append(data)


@asynccontextmanager
async def coturn(folder: Path, tls_port: int = 0) -> AsyncIterator[int]:
    """On 127.0.0.1; with ``tls_port`` also over TLS, by the authority in ``folder``."""
    program = need("turnserver", "Debian's coturn is the relay")
    port, log = ports.free_port(), folder / "turn.log"
    config = folder / "turn.conf"
    config.write_text(f"""listening-ip=127.0.0.1
listening-port={port}
relay-ip=127.0.0.1
allow-loopback-peers
use-auth-secret
static-auth-secret={SECRET.decode()}
realm=kontor
no-cli
{f"tls-listening-port={tls_port}" if tls_port else "no-tls"}
cert={folder}/{authority.CHAIN}
pkey={folder}/{authority.KEY}
no-dtls
log-file=stdout
pidfile={folder}/turn.pid
userdb={folder}/turn.db
""")
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(program, "-c", str(config), stdout=out, stderr=out)
    try:
        async with asyncio.timeout(10):
            while not _listens(port):
                await asyncio.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 3)
        except TimeoutError:
            process.kill()
            await process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def server(port: int, transport: Literal["udp", "tcp"] = "udp", *, wrong: bool = False) -> RelayServer:
    username = f"{int(time.time()) + 600}:amber"
    password = base64.b64encode(hmac.digest(SECRET, username.encode(), hashlib.sha1)).decode()
    return RelayServer("127.0.0.1", port, transport, username=username, credential="wrong" if wrong else password)


@asynccontextmanager
async def peer() -> AsyncIterator[tuple[socket.socket, Address]]:
    """Where the way leads: the host's media port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        host, port = sock.getsockname()
        yield sock, (host, port)


async def received(sock: socket.socket) -> tuple[bytes, Address]:
    async with asyncio.timeout(5):
        return await asyncio.get_running_loop().sock_recvfrom(sock, 4096)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_media_and_all_else_go_both_ways(tmp_path: Path, transport: Literal["udp", "tcp"]) -> None:
    ear = Ear()
    async with coturn(tmp_path) as port, peer() as (sock, place):
        opens = through([server(port, transport)], None)
        assert opens is not None
        way = await opens(place, ear.on_media, ear.on_other)
        assert (way.relayed, way.own, way.towards) == (True, "127.0.0.1", ("127.0.0.1", port))
        await asyncio.to_thread(way.send, memoryview(MEDIA))
        data, relayed = await received(sock)
        assert data == MEDIA
        way.tell(b"\x16 a handshake")
        assert (await received(sock))[0] == b"\x16 a handshake"
        for data in (MEDIA, b"\x16 an answer", MEDIA[:-1]):
            sock.sendto(data, relayed)
        await until(lambda: len(ear.media) == 2 and ear.other)
        assert [data for data, _ in ear.media] == [MEDIA, MEDIA[:-1]]
        assert ear.other == [b"\x16 an answer"]
        way.close()
        way.close()
        with pytest.raises(OSError, match="closed"):
            way.send(MEDIA)
        way.tell(b"\x16 late")
        await way.closed()
        sock.sendto(MEDIA, relayed)
        await asyncio.sleep(0.1)
        assert len(ear.media) == 2, "the allocation is given back"


async def test_over_tls_the_relay_proves_who_it_is(tmp_path: Path) -> None:
    names, now = authority.general_names(["127.0.0.1"]), dt.datetime.now(dt.UTC)
    own = authority.make(names, now)
    authority.store(tmp_path, own)
    authority.issue(tmp_path, own, names, now)
    ear, tls_port = Ear(), ports.free_port()
    believes = ssl.create_default_context(cafile=tmp_path / authority.PUBLIC)
    async with coturn(tmp_path, tls_port), peer() as (sock, place):
        there = replace(server(tls_port, "tcp"), tls=True)
        opens, doubts = through([there], believes), through([there], ssl.create_default_context())
        assert opens is not None
        assert doubts is not None
        with pytest.raises(OSError, match="no relay"):
            await doubts(place, ear.on_media, ear.on_other)
        way = await opens(place, ear.on_media, ear.on_other)
        way.send(MEDIA)
        data, relayed = await received(sock)
        sock.sendto(data, relayed)
        await until(lambda: ear.media)
        assert ear.media[0][0] == MEDIA
        way.close()
        await way.closed()


async def test_over_udp_the_polling_thread_reads_media_itself(tmp_path: Path) -> None:
    ear = Ear()
    async with coturn(tmp_path) as port, peer() as (sock, place):
        opens = through([server(port)], None)
        assert opens is not None
        way = await opens(place, ear.on_media, ear.on_other)
        way.send(MEDIA)
        _, relayed = await received(sock)
        ending = threading.Event()

        def poll() -> None:
            while not ending.wait(0.01):
                way.poll()

        thread = threading.Thread(target=poll, name="exchange")
        thread.start()
        await asyncio.sleep(0.05)
        sock.sendto(MEDIA, relayed)
        sock.sendto(b"\x16 an answer", relayed)
        await until(lambda: ear.media and ear.other)
        ending.set()
        await asyncio.to_thread(thread.join)
        assert ear.media == [(MEDIA, "exchange")]
        way.close()
        await way.closed()


async def test_a_relay_that_refuses_or_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "_OPEN_SECONDS", 2.0)
    ear = Ear()
    async with coturn(tmp_path) as port, peer() as (_, place):
        nowhere = ports.free_port()
        for servers in ([server(port, wrong=True)], [server(nowhere, "tcp")], [server(nowhere)]):
            opens = through(servers, None)
            assert opens is not None
            with pytest.raises((OSError, TimeoutError)):
                await opens(place, ear.on_media, ear.on_other)
        opens = through([server(nowhere), server(port, wrong=True), server(port, "tcp")], None)
        assert opens is not None
        way = await opens(place, ear.on_media, ear.on_other)
        assert isinstance(way, Relayed)
        assert way._stream is not None, "the one that let us in"
        way.close()
        await way.closed()


async def test_junk_from_a_relay_disturbs_nothing() -> None:
    ear = Ear()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as false:
        false.bind(("127.0.0.1", 0))
        false.setblocking(False)
        way = Relayed(("192.0.2.1", 5), ear.on_media, ear.on_other)
        opening = asyncio.create_task(way.open(server(false.getsockname()[1]), None))
        _, client = await received(false)
        for junk in (
            b"",
            b"\x40",
            b"\x40\x00\xff\xff\x80",
            b"\x40\x01\x00\x04\x80aaa",
            b"\x00\x01",
            bytes(2000),
            b"\xff" * 99,
        ):
            false.sendto(junk, client)
        false.sendto(b"\x40\x00\x00\x03\x80no", client)
        await asyncio.sleep(0.1)
        assert ear.other == []
        opening.cancel()
        await asyncio.wait([opening])
        way.close()
        await way.closed()


async def test_a_slow_tcp_connection_drops_what_it_cannot_take(monkeypatch: pytest.MonkeyPatch) -> None:
    ear, written = Ear(), []

    class Slow:
        waiting = 0

        def is_closing(self) -> bool:
            return False

        def get_write_buffer_size(self) -> int:
            return self.waiting

        def write(self, data: bytes) -> None:
            written.append(data)

        def abort(self) -> None:
            pass

    way, slow = Relayed(("192.0.2.1", 5), ear.on_media, ear.on_other), Slow()
    way._stream = slow  # type: ignore[assignment]
    way.send(b"\x80" * 5)
    await asyncio.sleep(0)
    assert [frame[:9] for frame in written] == [b"\x40\x00\x00\x05" + b"\x80" * 5]
    assert len(written[0]) == 12, "padded to a multiple of four"
    slow.waiting = 5000
    way.send(b"\x80" * 5)
    await asyncio.sleep(0)
    assert len(written) == 1
    slow.waiting = 0
    way.send(b"\x80" * 5)
    way.close()
    await way.closed()
    assert len(written) == 1, "what was handed over before closing does not leave after it"


def test_without_relays_there_is_no_way_through_one() -> None:
    assert through([], None) is None


async def test_who_is_not_waited_for_any_more_leaves_no_relay_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    opened, closing = list[Relayed](), asyncio.Event()

    async def at_once(self: Relayed, server: RelayServer, tls: ssl.SSLContext | None) -> None:
        opened.append(self)

    async def slowly(self: Relayed) -> None:
        closing.set()
        await asyncio.sleep(0.2)

    monkeypatch.setattr(Relayed, "open", at_once)
    monkeypatch.setattr(Relayed, "closed", slowly)
    opens, ear = through([server(1), server(2)], None), Ear()
    assert opens is not None
    opening = asyncio.ensure_future(opens(("192.0.2.1", 5), ear.on_media, ear.on_other))
    await closing.wait()
    opening.cancel()
    await asyncio.wait([opening])
    assert opening.cancelled()
    assert [way._closed for way in opened] == [True], "a direct way was found meanwhile"
