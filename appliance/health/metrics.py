"""Answers Prometheus: one page over plain HTTP, on an address of its own, made by the official client.

Only ``GET /metrics`` is understood. It never takes a room away: an address that cannot be had is told and tried again, and
whoever asks often is shown the page of a second ago.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from appliance.core.events import EventName
from appliance.health.journal import Journal

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

Families: TypeAlias = "Iterable[Metric]"
"""Figures, each with its help and its samples."""
Collect = Callable[[], Awaitable[Families]]
_LONGEST_HEAD = 8192
_PATIENCE = 5.0
_MOST_CLIENTS = 8
_KEPT = 1.0
"""Seconds for which a page is not made again."""
_AGAIN = 10.0
"""Seconds between two tries to have the address."""


class Metrics:
    """Serves from :meth:`run` until cancelled.

    :param listen: "192.0.2.7:9464".
    :param collect: gathers the figures; asked once a second at most.
    """

    def __init__(self, listen: str, collect: Collect, journal: Journal) -> None:
        host, _, port = listen.rpartition(":")
        self._host, self._port, self._collect, self._journal = host, int(port), collect, journal
        self._clients = 0
        self._lock = asyncio.Lock()
        self._made = -_KEPT
        self._page: bytes = b""
        self.address: tuple[str, int] | None = None
        """Where it listens, once it does."""

    async def run(self) -> None:
        """Listen and answer. Ends by being cancelled only."""
        told = ""
        while True:
            try:
                server = await asyncio.start_server(self._accept, self._host, self._port, limit=_LONGEST_HEAD)
            except OSError as error:
                why = error.strerror or str(error)
                if why != told:
                    self._journal.tell(EventName.METRICS_FAILED, listen=f"{self._host}:{self._port}", why=why)
                told = why
                await asyncio.sleep(_AGAIN)
                continue
            async with server:
                self.address = server.sockets[0].getsockname()
                await server.serve_forever()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            if self._clients <= _MOST_CLIENTS:
                # A slow or broken client is no event: whoever reaches the port could make any number of them.
                with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                    async with asyncio.timeout(_PATIENCE):
                        await self._answer(reader, writer)
        finally:
            self._clients -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if words[:1] != [b"GET"] or len(words) != 3:  # method, target, version
            writer.write(_response("405 Method Not Allowed", b"only GET\n"))
        elif words[1].split(b"?")[0] != b"/metrics":
            writer.write(_response("404 Not Found", b"the figures are at /metrics\n"))
        else:
            writer.write(_response("200 OK", await self._figures()))
        await writer.drain()

    async def _figures(self) -> bytes:
        async with self._lock:
            if time.monotonic() - self._made >= _KEPT:
                self._page = text(await self._collect())
                self._made = time.monotonic()
            return self._page


def text(families: "Iterable[Metric]") -> bytes:
    """The figures in Prometheus's text format, version 0.0.4."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - only where somebody asks

    class Once:
        """A collector of what was gathered already."""

        def collect(self) -> "Iterator[Metric]":
            yield from families

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Once())
    return generate_latest(registry)


def _response(status: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
