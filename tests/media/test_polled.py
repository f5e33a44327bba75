"""A datagram socket that a thread reads instead of the loop, and that the loop takes back."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from appliance.media.polled import IDLE, PolledSocket
from tests.support import until


class Ear(asyncio.DatagramProtocol):
    """What the loop has read."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def datagram_received(self, data: bytes, _address: object) -> None:
        self.heard.append(data)


class World:
    """A socket of the loop, its peer, and what a thread has polled."""

    def __init__(self, transport: asyncio.DatagramTransport, ear: Ear, peer: socket.socket) -> None:
        self.transport, self.ear, self.peer = transport, ear, peer
        self.polled: list[tuple[bytes, str]] = []
        self.socket = PolledSocket(transport, self._take)

    def _take(self, datagram: memoryview) -> None:
        self.polled.append((bytes(datagram), threading.current_thread().name))

    async def poll(self) -> None:
        thread = threading.Thread(target=self.socket.poll, name="exchange")
        thread.start()
        await asyncio.to_thread(thread.join)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        loop = asyncio.get_running_loop()
        transport, ear = await loop.create_datagram_endpoint(Ear, ("127.0.0.1", 0), peer.getsockname())
        peer.connect(transport.get_extra_info("sockname"))
        made = World(transport, ear, peer)
        try:
            yield made
        finally:
            made.socket.close()
            transport.close()
            await asyncio.sleep(0)


async def test_the_loop_reads_until_somebody_polls() -> None:
    async with world() as w:
        w.peer.send(b"one")
        await until(lambda: w.ear.heard == [b"one"])
        await w.poll()
        await asyncio.sleep(0.01)
        w.peer.send(b"two")
        w.peer.send(b"three")
        await asyncio.sleep(0.05)
        assert w.ear.heard == [b"one"], "the loop lets it"
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
        await until(lambda: w.ear.heard == [b"later"])
        w.peer.send(b"again")
        await until(lambda: w.ear.heard == [b"later", b"again"])
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
