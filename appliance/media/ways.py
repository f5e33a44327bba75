"""Ways to the host: sockets that carry media for the exchange thread, and all else for the loop (RFC 7983)."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Protocol

from appliance.media.polled import PolledSocket

Address = tuple[str, int]
OnMedia = Callable[[bytes | memoryview], None]
OnOther = Callable[["Way", bytes], None]


class Way(Protocol):
    """One way to the host. The loop's, but for :meth:`send` and :meth:`poll`."""

    @property
    def relayed(self) -> bool:
        """Whether a relay stands between."""

    @property
    def own(self) -> str:
        """This device's address that it leaves from."""

    @property
    def towards(self) -> Address:
        """Where it first leads: the host, or the relay."""

    def send(self, packet: memoryview | bytes) -> None:
        """Send media, from any thread. Raises OSError when it did not leave."""

    def tell(self, data: bytes) -> None:
        """Send anything else; what does not leave is sent again by who needs it."""

    def poll(self) -> None:
        """Read what has come, on the calling thread."""

    def close(self) -> None:
        """End it."""

    async def closed(self) -> None:
        """Wait until it has ended, at most a second."""


def own_address(host: str, port: int) -> str | None:
    """The own address that the kernel would send from to ``host``; sends nothing. None: there is no way there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((host, port))
            return str(probe.getsockname()[0])
    except OSError:  # also of a system without IPv6, or out of descriptors
        return None


class Direct:
    """A socket of our own, connected: the kernel keeps the route, and drops what comes from anybody but the host.

    :raises OSError: there is no way to ``place``.
    """

    relayed = False

    def __init__(self, place: Address, on_media: OnMedia, on_other: OnOther) -> None:
        self.towards = place
        self._on_media, self._on_other = on_media, on_other
        self._loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET6 if ":" in place[0] else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.connect(place)
            self.own = str(sock.getsockname()[0])
            self._socket = PolledSocket(sock, self._take)
        except OSError:
            sock.close()
            raise
        self.send = self._socket.send
        self.poll = self._socket.poll
        self.close = self._socket.close

    def tell(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._socket.send(data)

    async def closed(self) -> None:
        """It ends at once."""

    def _take(self, datagram: memoryview, on_loop: bool) -> None:
        if 128 <= datagram[0] <= 191:  # RFC 7983: media goes the short way
            self._on_media(datagram)
        elif on_loop:
            self._on_other(self, bytes(datagram))
        else:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._on_other, self, bytes(datagram))
