"""Getting through to the server: its name, its addresses, and short attempts side by side.

A SYN that is lost in a cut of the network would be sent again after 1, 3 and 7 seconds, a name that is asked for without an
answer after 5: whoever waits for those comes back late. So an attempt starts every fraction of a second while the earlier
ones go on, at the addresses known before and at those that a new look-up finds.
"""

import asyncio
import contextlib
import errno
import ipaddress
import random
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from appliance.core.reconnect import probe_pause
from appliance.media import names
from appliance.media.ways import Address, own_address

_ATTEMPT = 3.0
"""Seconds that one attempt may take: the longest way round the world and one lost packet."""
_LOOK_UP_AGAIN = 1.0
"""Seconds after which a name is looked up once more, whatever became of the last time."""
_MOST_LOOK_UPS = 8
_MOST_ADDRESSES = 4
_MOST_ATTEMPTS = 24
_TROUBLE = 0.5
"""Seconds without getting through that are worth telling."""
_CONNECT = 1.5
"""Seconds for a connection of a request, right after an attempt got through."""

LookUp = Callable[[str, int], Awaitable[list[Address]]]
Connect = Callable[[Address], Awaitable[None]]


class Reach:
    """One server, for as long as the engine lives. Loop only.

    :param proxy: where an http proxy is that leads to it; then it is the proxy that is reached.
    :param look_up: the addresses of a name. Raises OSError.
    :param connect: tries one address, and lets it go again. Raises OSError.
    """

    def __init__(
        self,
        url: URL,
        tls: ssl.SSLContext | None,
        look_up: LookUp | None = None,
        connect: Connect | None = None,
        rng: Callable[[], float] = random.random,
        proxy: URL | None = None,
    ) -> None:
        self._host, self._port = (proxy or url).host or "", (proxy or url).port or 0
        self._proxy = proxy
        self._tls = tls
        self._look_up, self._connect, self._rng = look_up or names.look_up, connect or _connect, rng
        self._known: list[Address] = []
        self._poked = asyncio.Event()
        with contextlib.suppress(ValueError):
            self._known = [(str(ipaddress.ip_address(self._host)), self._port)]
        self._named = not self._known
        self.place: Address | None = None
        """Where it was reached last."""

    def own(self) -> str | None:
        """This device's address on the way there; None while there is no way, or none was found yet."""
        return own_address(*self.place) if self.place is not None else None

    def poke(self) -> None:
        """The network is another: attempts of before tell nothing, the next starts at once."""
        self._poked.set()

    async def arrive(self, trouble: Callable[[str], None]) -> None:
        """Return as soon as the server takes a connection, however long that is.

        :param trouble: told after each round of attempts, with one sentence, once it has not for half a second.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        round_ = _Round()
        try:
            while True:
                now = loop.time()
                self._start(round_, now)
                until = now + probe_pause(now - began, self._rng())
                while (left := until - loop.time()) > 0 and not self._poked.is_set():
                    await self._first(round_, left)
                    place = round_.collect()
                    if place is not None:
                        self._arrived(place)
                        return
                    if round_.news and not round_.attempts:
                        break
                self._poked.clear()
                if loop.time() - began >= _TROUBLE:
                    trouble(round_.why)
        finally:
            await round_.end()

    def _start(self, round_: "_Round", now: float) -> None:
        """Look the name up when it is time to, and try every address that is known."""
        round_.news = False
        if self._named and now - round_.looked >= _LOOK_UP_AGAIN and len(round_.look_ups) < _MOST_LOOK_UPS:
            round_.looked = now
            round_.look_ups.add(asyncio.create_task(self._find(), name="look-up"))
        round_.make_room(len(self._known))
        for place in self._known:
            round_.attempts[asyncio.create_task(self._try(place), name="reach")] = place

    async def _first(self, round_: "_Round", seconds: float) -> None:
        """Wait for the first of what runs to end, or for a poke."""
        poked: asyncio.Task[Any] = asyncio.create_task(self._poked.wait())
        try:
            running: set[asyncio.Task[Any]] = {*round_.look_ups, *round_.attempts, poked}
            await asyncio.wait(running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            poked.cancel()

    async def _find(self) -> None:
        """Look the name up: what is found takes the place of what was known."""
        found = await self._look_up(self._host, self._port)
        if found:
            self._known = list(dict.fromkeys(found))[:_MOST_ADDRESSES]

    async def _try(self, place: Address) -> None:
        async with asyncio.timeout(_ATTEMPT):
            await self._connect(place)

    def _arrived(self, place: Address) -> None:
        self.place = place
        self._known.sort(key=lambda known: known != place)

    def session(self) -> aiohttp.ClientSession:
        """A client session whose connections go where :meth:`arrive` got through, and are of now."""
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(self), ssl=self._tls if self._tls is not None else True, use_dns_cache=False
        )
        timeout = aiohttp.ClientTimeout(sock_connect=_CONNECT)
        return aiohttp.ClientSession(trust_env=False, connector=connector, timeout=timeout, proxy=self._proxy)


class _Round:
    """What runs in one arrival."""

    def __init__(self) -> None:
        self.look_ups: set[asyncio.Task[None]] = set()
        self.attempts: dict[asyncio.Task[None], Address] = {}
        self.looked = float("-inf")
        self.news = False
        """A look-up has found something since the last attempts."""
        self.why = "The server does not answer."

    def make_room(self, places: int) -> None:
        """The oldest attempts give way: where there are many addresses, they must not keep newer ones from starting."""
        for task in list(self.attempts)[: max(0, len(self.attempts) + places - _MOST_ATTEMPTS)]:
            del self.attempts[task]
            task.cancel()

    def collect(self) -> Address | None:
        """Look at what has ended: the address that took us, if one did."""
        for task in [task for task in self.look_ups if task.done()]:
            self.look_ups.discard(task)
            self._note(task)
            self.news = self.news or task.exception() is None
        for task in [task for task in self.attempts if task.done()]:
            place = self.attempts.pop(task)
            if task.exception() is None:
                return place
            self._note(task)
        return None

    def _note(self, task: asyncio.Task[None]) -> None:
        error = task.exception()
        if error is not None:
            self.why = _words(error)

    async def end(self) -> None:
        """Leave nothing running."""
        tasks = [*self.look_ups, *self.attempts]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Resolver(AbstractResolver):
    """Gives the address that was reached: no second look-up, which might take its time."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002
    ) -> list[ResolveResult]:
        if self._reach.place is None:
            raise OSError(errno.EHOSTUNREACH, "the server was not reached yet")
        address = self._reach.place[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Nothing is kept."""


async def _connect(place: Address) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET6 if ":" in place[0] else socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, place)


def _words(error: BaseException) -> str:
    match error:
        case socket.gaierror():
            return "The server's name is not found."
        case ConnectionRefusedError():
            return "Nothing listens at the server's address: it may be starting."
        case OSError(errno=errno.ENETUNREACH | errno.EHOSTUNREACH | errno.EADDRNOTAVAIL):
            return "There is no network that leads to the server."
        case _:
            return "The server does not answer."
