"""The host's end of one presence socket: messages out, in order, without ever waiting for a slow reader."""

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Mapping

from aiohttp import web

from appliance.core.counters import Counters
from appliance.core.protocol import Claims, CloseCode, Who, dump, levels_changed

_LINGER = 2.0
"""Seconds in which a closed socket may say goodbye before it is cut off."""


class Levels:
    """Changed levels (dBov) and who speaks. Its text is made once for all who get it."""

    def __init__(self, levels: Mapping[str, float], speaking: frozenset[str]) -> None:
        self.levels = levels
        self.speaking = speaking

    @functools.cached_property
    def text(self) -> str:
        """The message."""
        return dump(levels_changed(self.levels, self.speaking))

    def after(self, earlier: "Levels") -> "Levels":
        """One message for both: a level that only the earlier one tells must not be lost."""
        return Levels({**earlier.levels, **self.levels}, self.speaking)


class Watcher:
    """One presence socket after its hello."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        abort: Callable[[], None],
        claims: Claims,
        counters: Counters,
        most_waiting: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.claims = claims
        self.pong_at = self._loop.time()
        """When it last showed that it lives."""
        self._socket = socket
        self._abort = abort
        self._counters = counters
        self._most_waiting = most_waiting
        self._waiting: deque[str | None] = deque()  # None is a ping
        self._levels: Levels | None = None
        self._wake = asyncio.Event()
        self._code: int | None = None
        self._cut: asyncio.TimerHandle | None = None

    @property
    def who(self) -> Who:
        """Whoever watches, as messages tell of them."""
        return Who(self.claims.identity, self.claims.name)

    @property
    def closing(self) -> bool:
        """It gets no messages any more."""
        return self._code is not None

    def send(self, text: str) -> None:
        """Queue a message; a reader that is too slow loses its socket."""
        if self.closing:
            return
        if len(self._waiting) >= self._most_waiting:
            self._counters.add("host_messages_dropped", len(self._waiting))
            self._waiting.clear()
            self.close(CloseCode.TRY_AGAIN)  # whoever reads too slowly comes back and gets a fresh welcome
            return
        self._waiting.append(text)
        self._wake.set()

    def send_levels(self, levels: Levels) -> None:
        """Send levels when there is time; those that still wait become one message with these."""
        self._levels = levels if self._levels is None else levels.after(self._levels)
        self._wake.set()

    def ping(self) -> None:
        """Ask for a sign of life."""
        if not self.closing and None not in self._waiting:
            self._waiting.append(None)
            self._wake.set()

    def close(self, code: int) -> None:
        """Close with ``code`` once what waits has been sent; whoever does not read is cut off 2 s later."""
        if not self.closing:
            self._code = code
            self._cut = self._loop.call_later(_LINGER, self._abort)
            self._wake.set()

    async def run(self) -> None:
        """Write until closed. Ends by itself after :meth:`close`, or when the other end is gone."""
        try:
            while self._code is None:
                await self._wake.wait()
                self._wake.clear()
                await self._write()
            await self._write()
            await self._socket.close(code=self._code)
        except (ConnectionError, RuntimeError):
            return  # gone: the reading side notices too
        finally:
            if self._cut is not None:
                self._cut.cancel()

    async def _write(self) -> None:
        while self._waiting:
            text = self._waiting.popleft()
            if text is None:
                await self._socket.ping()
            else:
                await self._socket.send_str(text)
        if self._levels is not None:
            levels, self._levels = self._levels, None
            await self._socket.send_str(levels.text)
