"""A datagram socket that a thread reads instead of the loop, and that the loop takes back."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from appliance.media.polled import IDLE, PolledSocket
from tests.support import until


class World:
    """A socket, its peer, and what the loop and a thread have read."""

    def __init__(self, sock: socket.socket, peer: socket.socket) -> None:
        self.peer = peer
        self.heard: list[bytes] = []
        self.polled: list[tuple[bytes, str]] = []
        self.socket = PolledSocket(sock, self._take)

    def _take(self, datagram: memoryview, on_loop: bool) -> None:
        if on_loop:
            self.heard.append(bytes(datagram))
        else:
            self.polled.append((bytes(datagram), threading.current_thread().name))

    async def poll(self) -> None:
        thread = threading.Thread(target=self.socket.poll, name="exchange")
        thread.start()
        await asyncio.to_thread(thread.join)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(peer.getsockname())
        peer.connect(sock.getsockname())
        made = World(sock, peer)
        try:
            yield made
        finally:
            made.socket.close()


async def test_the_loop_reads_until_somebody_polls() -> None:
    async with world() as w:
        w.peer.send(b"one")
        await until(lambda: w.heard == [b"one"])
        await w.poll()
        await asyncio.sleep(0.01)
        w.peer.send(b"two")
        w.peer.send(b"three")
        await asyncio.sleep(0.05)
        assert w.heard == [b"one"], "the loop lets it"
        await w.poll()
        assert w.polled == [(b"two", "exchange"), (b"three", "exchange")]


async def test_the_loop_takes_over_when_nobody_polls_any_more() -> None:
    async with world() as w:
        for number in range(8):
            await w.poll()
            w.peer.send(bytes([number]))
            await asyncio.sleep(IDLE / 4)
        await w.poll()
        assert [data for data, _ in w.polled] == [bytes([number]) for number in range(8)]
        w.peer.send(b"later")
        await until(lambda: w.heard == [b"later"])
        w.peer.send(b"again")
        await until(lambda: w.heard == [b"later", b"again"])
        await w.poll()
        await asyncio.sleep(0.01)
        w.peer.send(b"polled")
        await w.poll()
        assert w.polled[-1] == (b"polled", "exchange")


async def test_a_poll_reads_so_many_and_no_more() -> None:
    async with world() as w:
        await w.poll()
        await asyncio.sleep(0.01)
        for number in range(40):
            w.peer.send(bytes([number]))
        await w.poll()
        assert len(w.polled) == 32
        await w.poll()
        assert [data for data, _ in w.polled] == [bytes([number]) for number in range(40)]


async def test_a_closed_one_reads_nothing_and_leaves_the_loop_alone() -> None:
    async with world() as w:
        await w.poll()
        await asyncio.sleep(0.01)
        w.socket.close()
        w.peer.send(b"late")
        await w.poll()
        assert w.polled == []
        await asyncio.sleep(2 * IDLE)


async def test_an_empty_datagram_holds_up_the_others_for_a_moment_only() -> None:
    async with world() as w:
        await w.poll()
        for data in (b"", b"", b"one"):
            w.peer.send(data)
        for _ in range(30):
            await w.poll()
        assert w.polled == [(b"one", "exchange")]


async def test_it_sends_until_it_is_closed() -> None:
    async with world() as w:
        w.socket.send(b"one")
        assert w.peer.recv(16) == b"one"
        w.socket.close()
        w.socket.close()
        with pytest.raises(OSError, match="closed"):
            w.socket.send(b"late")


async def test_a_peer_that_is_gone_is_no_end() -> None:
    """Its machine answers "port unreachable", which the kernel tells with the next call."""
    async with world() as w:
        name = w.peer.getsockname()
        w.peer.close()
        for _ in range(20):
            with contextlib.suppress(ConnectionRefusedError):
                w.socket.send(b"anybody?")
            await w.poll()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(name)
            again.sendto(b"back", sock_name(w))
            for _ in range(12):
                await w.poll()
        assert [data for data, _ in w.polled] == [b"back"]


def sock_name(w: World) -> tuple[str, int]:
    assert w.socket._socket is not None
    host, port = w.socket._socket.getsockname()
    return host, port
