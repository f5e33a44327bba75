"""The host's end of one presence socket: messages out, in order, without ever waiting for a slow reader.

What a slow reader has not read yet is bounded. Levels that wait become one message with the next ones; of members that change
meanwhile only the names are kept, and what they are is told when there is room again; whoever still lets other messages pile
up loses the socket, and gets a fresh welcome on the next one.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from aiohttp import web

from appliance.core.counters import Counters
from appliance.core.protocol import MOST_MEMBERS, Claims, CloseCode, Who, dump, levels_changed
from appliance.host.config import Limits
from appliance.host.turns import Turns

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


@dataclass(frozen=True, slots=True)
class Told:
    """What a watcher works with; ``tell`` gives the messages that bring it up to date about some members."""

    tell: Callable[[Collection[str]], Iterable[str]]
    counters: Counters
    limits: Limits
    turns: Turns


class Watcher:
    """One presence socket after its hello.

    :param claims: of its holder, as they hold on its way to us.
    :param listen_only: why its holder may only listen, or None.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        abort: Callable[[], None],
        claims: Claims,
        room: Told,
        listen_only: str | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.claims = claims
        self.listen_only = listen_only
        self.pong_at = self._loop.time()
        """When it last showed that it lives."""
        self._socket = socket
        self._abort = abort
        self._tell = room.tell
        self._counters = room.counters
        self._limits = room.limits
        self._turns = room.turns
        self._waiting: deque[str | None] = deque()  # None is a ping
        self._size = 0
        """Characters that wait."""
        self._owed: dict[str, None] = {}
        """Members whose news waits until the socket takes it."""
        self._levels: Levels | None = None
        self._is_writing = self._is_greeted = False
        self._wake = asyncio.Event()
        self._code: int | None = None
        self._why = ""
        self._cut: asyncio.TimerHandle | None = None

    @property
    def who(self) -> Who:
        """Whoever watches, as messages tell of them."""
        return Who(self.claims.identity, self.claims.name)

    @property
    def is_admin(self) -> bool:
        """Whether it may know what is for admins alone."""
        return self.claims.role == "admin"

    @property
    def closing(self) -> bool:
        """It gets no messages any more."""
        return self._code is not None

    def send(self, text: str) -> None:
        """Queue a message; a reader that is too slow loses its socket."""
        if self.closing:
            return
        full = self._waiting and self._size + len(text) > self._limits.queue_characters
        if full or len(self._waiting) >= self._limits.queue:
            self._give_up()
            return
        self._waiting.append(text)
        self._size += len(text)
        self._turns.ask(self._wake)

    def send_members(self, texts: Iterable[str], changed: Collection[str]) -> None:
        """Tell of ``changed`` members by ``texts``, or by what they are later when something waits still."""
        if self.closing:
            return
        if self._is_writing or self._waiting or self._owed:
            self._counters.add("host_updates_merged", len(changed))
            self._owed.update(dict.fromkeys(changed))
            if len(self._owed) > MOST_MEMBERS:
                self._give_up()
            self._turns.ask(self._wake)
            return
        for text in texts:
            self.send(text)

    def _give_up(self) -> None:
        """It reads too slowly: it comes back, and gets a fresh welcome."""
        self._counters.add("host_messages_dropped", len(self._waiting) + len(self._owed))
        self._waiting.clear()
        self._size = 0
        self._owed.clear()
        self._levels = None
        self.close(CloseCode.TRY_AGAIN)

    def send_levels(self, levels: Levels) -> None:
        """Send levels when there is time; those that still wait become one message with these."""
        if not self.closing:
            self._levels = levels if self._levels is None else levels.after(self._levels)
            self._turns.ask(self._wake)

    def ping(self) -> None:
        """Ask for a sign of life."""
        if not self.closing and None not in self._waiting:
            self._waiting.append(None)
            self._turns.ask(self._wake)

    def close(self, code: int, why: str = "") -> None:
        """Close with ``code`` once what waits has been sent; whoever does not read is cut off 2 s later."""
        if not self.closing:
            self._code, self._why = code, why
            self._cut = self._loop.call_later(_LINGER, self._abort)
            self._turns.ask(self._wake)

    async def run(self) -> None:
        """Write until closed. Ends by itself after :meth:`close`, or when the other end is gone."""
        try:
            while self._code is None:
                await self._wake.wait()
                self._wake.clear()
                await self._write()
            await self._write()
            await self._socket.close(code=self._code, message=self._why.encode())
        except (ConnectionError, RuntimeError):
            return  # gone: the reading side notices too
        finally:
            if self._cut is not None:
                self._cut.cancel()

    async def _write(self) -> None:
        self._is_writing = True
        try:
            while self._owed or self._waiting:
                if not self._is_greeted and self._waiting:
                    self._is_greeted = True  # the welcome comes first, whoever changes before it is written
                    await self._write_one(self._waiting.popleft())
                    continue
                # What members are now is true for whatever was said since; the other way round it need not be.
                owed, self._owed = self._owed, {}
                for text in self._tell(owed) if owed else ():
                    await self._socket.send_str(text)
                if self._waiting:
                    await self._write_one(self._waiting.popleft())
            if self._levels is not None:
                levels, self._levels = self._levels, None
                await self._socket.send_str(levels.text)
        finally:
            self._is_writing = False

    async def _write_one(self, text: str | None) -> None:
        if text is None:
            await self._socket.ping()
        else:
            self._size -= len(text)
            await self._socket.send_str(text)
