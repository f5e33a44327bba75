"""A way to the host through a relay (TURN, RFC 8656): for networks that let no UDP through, or only to a relay of theirs.

aioice speaks the protocol; the sockets are ours, so that media over UDP is sent and read by the exchange thread as on a
direct way, with four bytes of channel number and length before each packet. Over TCP and TLS the loop writes and reads: what
the connection does not take at once is dropped, and never waits behind the gate.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from aioice import stun, turn

from appliance.media.ice import OpenRelay
from appliance.media.names import look_up
from appliance.media.polled import PolledSocket
from appliance.media.srtp import MOST_BYTES
from appliance.media.ways import Address, OnMedia, OnOther, Way, own_address

_OPEN_SECONDS = 4.0
_LIFETIME = 600
_REFRESH_CHANNEL = 240
"""Seconds; a channel lasts 600, but the permission that comes with it 300 (RFC 8656, 9 and 12)."""
_STARTS_LATER = 0.2
"""Seconds between two relays that are tried: the first is the one that the host would rather see used."""
_GIVE_BACK = 1.0
"""Seconds for giving an allocation back; one that is not ends by itself."""
_NUMBER = 0x4000
"""Of the one channel."""
_MOST_UNSENT = 2048
"""Bytes that may wait in a TCP connection; with more the network is slower than speech."""
_CHANNEL = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class RelayServer:
    """A relay that the host names."""

    host: str
    port: int
    transport: Literal["udp", "tcp"] = "udp"
    tls: bool = False
    username: str = ""
    credential: str = field(default="", repr=False)


class _Datagrams:
    """Stands in for an asyncio datagram transport, of which aioice uses this much."""

    def __init__(self, polled: PolledSocket) -> None:
        self._polled = polled
        self._closed = False

    def sendto(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._polled.send(data)

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self._polled.close()


class _Client(Protocol):
    """What both kinds of aioice's client have."""

    receiver: asyncio.DatagramProtocol | None
    relayed_address: Address | None
    channel_number: int
    channel_refresh_at: dict[int, float]
    channel_to_peer: dict[int, Address]
    peer_to_channel: dict[Address, int]

    async def channel_bind(self, channel_number: int, addr: Address) -> None: ...

    async def connect(self) -> Address: ...

    async def delete(self) -> None: ...

    async def send_data(self, data: bytes, addr: Address) -> None: ...

    def datagram_received(self, data: bytes | str, addr: Address) -> None: ...


class _Receiver(asyncio.DatagramProtocol):
    """What aioice's client has unwrapped, given on."""

    def __init__(self, way: "Relayed") -> None:
        self._way = way

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._way.unwrapped(data, addr)


class Relayed:
    """One allocation, and in it the channel to the host."""

    relayed = True

    def __init__(self, place: Address, on_media: OnMedia, on_other: OnOther) -> None:
        self._place = place
        self._on_media, self._on_other = on_media, on_other
        self._loop = asyncio.get_running_loop()
        self._client: _Client | None = None
        self._polled: PolledSocket | None = None
        self._stream: asyncio.Transport | None = None
        self._frame = bytearray(_CHANNEL.size + 2 * MOST_BYTES)
        self._view = memoryview(self._frame)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._ending: asyncio.Task[None] | None = None
        self.own = ""
        self.towards: Address = ("", 0)

    async def open(self, server: RelayServer, tls: ssl.SSLContext | None) -> None:
        """Get an allocation, and bind a channel in it.

        :raises OSError: the relay is not there, or refuses.
        """
        kind = socket.SOCK_STREAM if server.transport == "tcp" else socket.SOCK_DGRAM
        self.towards = (await look_up(server.host, server.port, kind))[0]
        self.own = own_address(*self.towards) or ""
        try:
            self._client = await (self._over_tcp(server, tls) if kind == socket.SOCK_STREAM else self._over_udp(server))
            await self._client.connect()
            self._client.receiver = _Receiver(self)
            await self._bind(self._client)
        except stun.TransactionError as refusal:
            raise ConnectionError(str(refusal)) from None

    async def _bind(self, client: _Client) -> None:
        """Bind the channel as aioice's ``send_data`` would for its first datagram; that refreshes it from then on."""
        await client.channel_bind(_NUMBER, self._place)
        client.channel_number = _NUMBER + 1
        client.channel_refresh_at[_NUMBER] = time.time() + _REFRESH_CHANNEL
        client.channel_to_peer[_NUMBER] = self._place
        client.peer_to_channel[self._place] = _NUMBER

    async def _over_udp(self, server: RelayServer) -> _Client:
        sock = socket.socket(socket.AF_INET6 if ":" in self.towards[0] else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.connect(self.towards)
            self._polled = PolledSocket(sock, self._read)
        except OSError:
            sock.close()
            raise
        client = turn.TurnClientUdpProtocol(
            self.towards, server.username, server.credential, _LIFETIME, _REFRESH_CHANNEL
        )
        client.connection_made(_Datagrams(self._polled))  # type: ignore[arg-type]
        return client

    async def _over_tcp(self, server: RelayServer, tls: ssl.SSLContext | None) -> _Client:
        transport, client = await self._loop.create_connection(
            lambda: turn.TurnClientTcpProtocol(
                self.towards, server.username, server.credential, _LIFETIME, _REFRESH_CHANNEL
            ),
            self.towards[0],
            self.towards[1],
            ssl=tls if server.tls else None,
            server_hostname=server.host if server.tls else None,
        )
        self._stream = transport
        return client

    # ---- sending

    def send(self, packet: memoryview | bytes) -> None:
        """Send media, from one thread at a time. Raises OSError when it did not leave."""
        if self._closed:
            raise OSError("the way is closed")
        size = len(packet)
        _CHANNEL.pack_into(self._frame, 0, _NUMBER, size)
        self._frame[_CHANNEL.size : _CHANNEL.size + size] = packet
        if self._polled is not None:
            self._polled.send(self._view[: _CHANNEL.size + size])
        else:
            padded = _CHANNEL.size + size + -size % 4
            try:
                self._loop.call_soon_threadsafe(self._write, bytes(self._view[:padded]))
            except RuntimeError:
                raise OSError("the loop has ended") from None

    def _write(self, frame: bytes) -> None:
        stream = self._stream
        if stream is None or self._closed or stream.is_closing():
            return
        if stream.get_write_buffer_size() <= _MOST_UNSENT:
            stream.write(frame)

    def tell(self, data: bytes) -> None:
        """Send anything but media: aioice refreshes the channel by the way."""
        if self._client is not None and not self._closed:
            task = asyncio.create_task(self._tell(self._client, data))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell(self, client: _Client, data: bytes) -> None:
        with contextlib.suppress(stun.TransactionError, OSError):
            await client.send_data(data, self._place)

    # ---- receiving

    def poll(self) -> None:
        """Read what has come over UDP; over TCP the loop does."""
        if self._polled is not None:
            self._polled.poll()

    def _read(self, datagram: memoryview, on_loop: bool) -> None:
        """UDP, on the thread that read it: media out of its channel goes the short way."""
        if len(datagram) > _CHANNEL.size:
            channel, size = _CHANNEL.unpack_from(datagram)
            inner = datagram[_CHANNEL.size : _CHANNEL.size + size]
            if channel == _NUMBER and len(inner) == size > 0 and 128 <= inner[0] <= 191:
                self._on_media(inner)
                return
        if on_loop:
            self._hand_over(bytes(datagram))
        else:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._hand_over, bytes(datagram))

    def _hand_over(self, datagram: bytes) -> None:
        if self._client is not None and not self._closed:
            with contextlib.suppress(ValueError, IndexError, KeyError, struct.error):  # junk
                self._client.datagram_received(datagram, self.towards)

    def unwrapped(self, data: bytes, addr: Address) -> None:
        """What aioice took out of a channel or an indication."""
        if addr != self._place or not data:
            return
        if 128 <= data[0] <= 191:
            self._on_media(data)
        else:
            self._on_other(self, data)

    # ---- the end

    def close(self) -> None:
        """Send nothing any more, and give the allocation back; :meth:`closed` waits for that."""
        if self._ending is None:
            self._closed = True
            for task in self._tasks:
                task.cancel()
            self._ending = asyncio.create_task(self._end(), name="relay-close")

    async def closed(self) -> None:
        """Wait for the end, at most a second."""
        if self._ending is not None:
            await asyncio.wait([self._ending])

    async def _end(self) -> None:
        try:
            if self._client is not None and self._client.relayed_address is not None:
                with contextlib.suppress(TimeoutError, stun.TransactionError, OSError):
                    async with asyncio.timeout(_GIVE_BACK):
                        await self._client.delete()
        finally:
            if self._polled is not None:
                self._polled.close()
            if self._stream is not None:
                self._stream.abort()


def through(servers: Sequence[RelayServer], tls: ssl.SSLContext | None) -> OpenRelay | None:
    """What opens a way through the first of ``servers`` that lets us; None when there is none.

    :param tls: checks the certificates of relays over TLS.
    """
    if not servers:
        return None

    async def open_one(place: Address, on_media: OnMedia, on_other: OnOther) -> Way:
        ways = [Relayed(place, on_media, on_other) for _ in servers]

        async def attempt(index: int) -> Relayed:
            await asyncio.sleep(index * _STARTS_LATER)
            await ways[index].open(servers[index], tls)
            return ways[index]

        tasks = [asyncio.create_task(attempt(index), name="relay-open") for index in range(len(servers))]
        try:
            opened = await _first_open(tasks)
            await _end_all(tasks, [way for way in ways if way is not opened])
        except BaseException:  # cancelled too: a better way was found meanwhile
            await _end_all(tasks, ways)
            raise
        return opened

    return open_one


async def _first_open(attempts: Sequence[asyncio.Task[Relayed]]) -> Relayed:
    async with asyncio.timeout(_OPEN_SECONDS):
        for first in asyncio.as_completed(attempts):
            with contextlib.suppress(OSError):
                return await first
    raise ConnectionError("no relay lets us through")


async def _end_all(attempts: Sequence[asyncio.Task[Relayed]], ways: Sequence[Relayed]) -> None:
    for attempt in attempts:
        attempt.cancel()
    await asyncio.gather(*attempts, return_exceptions=True)
    for way in ways:
        way.close()
    await asyncio.gather(*(way.closed() for way in ways))
