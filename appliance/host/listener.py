"""The host's TCP port: how many connections it takes, from whom, and https beside plain HTTP on the one port.

With a certificate a connection is encrypted or it is not, as its first byte says. Plain HTTP then gets the few pages that tell
how to come in; without a certificate it is all there is.
"""

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp.web import Server

from appliance.core.counters import Counters
from appliance.host.limits import sender_of

_BACKLOG = 1024
_AT_ONCE = 64
"""Connections that are taken in one turn of the loop; sound is on the same loop."""
_FIRST_BYTE = 10.0
"""Seconds within which a connection has to say something, and then to finish its TLS handshake."""
_BREATH = 0.5
"""Seconds without taking connections after the machine refused us one more."""
_COUNTED = 0.25
"""Seconds that a count of the connections is good for; those that come meanwhile are added. To look at thousands for each new
one would hold up every packet of sound."""
_HANDSHAKE = 0x16
"""A TLS record that begins a handshake (RFC 8446, 5.1); no HTTP request begins so."""
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@dataclass(frozen=True, slots=True)
class Doors:
    """What serves whom."""

    main: Server
    """The host itself."""
    plain: Server | None
    """Whoever comes without encryption, where there is some; from this machine nobody needs any."""
    context: Callable[[], ssl.SSLContext | None]
    """Asked for each connection, so that a renewed certificate is used at once."""


class Listener:
    """Listens from :meth:`open` to :meth:`close`.

    :param most: connections at a time. From half of them on, one address may hold an eighth.
    :param exempt: whether an address stands for many, as a reverse proxy does.
    """

    def __init__(self, doors: Doors, counters: Counters, most: int, exempt: Callable[[str], bool]) -> None:
        self._doors = doors
        self._counters = counters
        self._most = most
        self._exempt = exempt
        self._socket: socket.socket | None = None
        self._greeting: dict[asyncio.Task[None], str] = {}
        self._breath: asyncio.TimerHandle | None = None
        self._standing: Counter[str] = Counter()
        self._total = 0
        self._counted_at = float("-inf")

    def open(self, host: str, port: int) -> None:
        """Listen at an address.

        :raises OSError: it is taken or not ours.
        """
        listening = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=_BACKLOG
        )
        listening.setblocking(False)
        self._socket = listening
        asyncio.get_running_loop().add_reader(listening, self._accept)

    async def close(self) -> None:
        """Take no more connections, and drop those that have not said what they want."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        if self._breath is not None:
            self._breath.cancel()
        for task in self._greeting:
            task.cancel()
        if self._greeting:
            await asyncio.wait(self._greeting)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        if self._socket is None:
            raise RuntimeError("The listener is not open.")
        host, port = self._socket.getsockname()[:2]
        return host, port

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            if self._socket is None:
                return
            try:
                connection, address = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause()
                    return
                continue  # that one has gone away already
            if self._is_full(address[0]):
                self._counters.add("host_connections_refused")
                connection.close()
                continue
            connection.setblocking(False)
            task = asyncio.create_task(self._greet(connection, address[0]), name=f"greeting of {address[0]}")
            self._greeting[task] = address[0]
            task.add_done_callback(self._greeting.pop)

    def _pause(self) -> None:
        """No descriptor is left: looking again at once would only keep the loop busy."""
        self._counters.add("host_connections_refused")
        loop, listening = asyncio.get_running_loop(), self._socket
        if listening is not None:
            loop.remove_reader(listening)
            self._breath = loop.call_later(_BREATH, lambda: loop.add_reader(listening, self._accept))

    def _is_full(self, address: str) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._counted_at >= _COUNTED:
            self._counted_at, self._standing = now, self._count()
            self._total = self._standing.total()
        sender = sender_of(address)
        crowded = self._total >= self._most // 2 and not self._exempt(address)
        if self._total >= self._most or (crowded and self._standing[sender] >= self._most // 8):
            return True
        self._standing[sender] += 1
        self._total += 1
        return False

    def _count(self) -> Counter[str]:
        """How many connections each sender has."""
        doors, found = self._doors, Counter(map(sender_of, self._greeting.values()))
        for protocol in (*doors.main.connections, *(doors.plain.connections if doors.plain else ())):
            transport = protocol.transport
            tells = (
                transport is not None and not transport.is_closing()
            )  # asyncio's TLS forgets the name while it closes
            name = transport.get_extra_info("peername") if transport is not None and tells else None
            found[sender_of(name[0]) if isinstance(name, tuple) else ""] += 1
        return found

    async def _greet(self, connection: socket.socket, address: str) -> None:
        """Find out what a connection speaks, and hand it on."""
        doors, context = self._doors, self._doors.context()
        loop = asyncio.get_running_loop()
        server: Server = doors.main
        try:
            first = await _first_byte(connection)
            if context is not None and doors.plain is not None and first != _HANDSHAKE:
                context = None
                if not _is_ours(connection, address):
                    server = doors.plain
            await loop.connect_accepted_socket(
                server, connection, ssl=context, ssl_handshake_timeout=_FIRST_BYTE if context else None
            )
        except (OSError, TimeoutError):  # ssl.SSLError is an OSError: no common version, our authority unknown there
            self._counters.add("host_connections_failed")
            connection.close()
        except BaseException:
            connection.close()
            raise


def _is_ours(connection: socket.socket, address: str) -> bool:
    """Whether a connection comes from this machine: over the loopback interface, or from the address that it went to."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback or connection.getsockname()[0] == address


async def _first_byte(connection: socket.socket) -> int:
    """The first byte that comes, which stays where it is.

    :raises OSError: none comes any more.
    :raises TimeoutError: none comes in time.
    """
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        async with asyncio.timeout(_FIRST_BYTE):
            await readable.wait()
    finally:
        loop.remove_reader(connection)
    found = connection.recv(1, socket.MSG_PEEK)
    if not found:
        raise ConnectionResetError("closed without a word")
    return found[0]
