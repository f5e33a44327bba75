"""The servers of a LiveKit room, in the order of preference: which of them is reached, and when to go to the next."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence

from yarl import URL

from appliance.rooms.reach import Reach
from appliance.rooms.staying import first_of

_HEAD_START = 0.7
"""Seconds that a server has to answer before others are asked too."""
_PORTS = {"ws": 80, "wss": 443}


class Servers(Reach):
    """All of them, as one that is reached. Loop only."""

    def __init__(self, urls: Sequence[str], rng: Callable[[], float] = random.random) -> None:
        self._urls = [URL(url) for url in urls]
        self._reaches = [_reach(url, rng) for url in self._urls]
        self._at = 0

    @property
    def url(self) -> str:
        """The one that is gone to."""
        return str(self._urls[self._at])

    def next(self) -> None:
        """This one did not let us in: begin with another the next time."""
        self._at = (self._at + 1) % len(self._urls)

    def own(self) -> str | None:
        return self._reaches[self._at].own()

    def poke(self) -> None:
        for reach in self._reaches:
            reach.poke()

    async def arrive(self, trouble: Callable[[str], None], head_start: float = _HEAD_START) -> None:
        """Return as soon as one takes a connection, however long that is; :attr:`url` is that one.

        :param head_start: seconds for the one of :attr:`url`, and then for each that follows.
        """
        await first_of(*(self._one(turn, trouble, head_start) for turn in range(len(self._urls))))

    async def _one(self, turn: int, trouble: Callable[[str], None], head_start: float) -> None:
        at = (self._at + turn) % len(self._urls)
        await asyncio.sleep(turn * head_start)
        await self._reaches[at].arrive(trouble if turn == 0 else _ignore)
        self._at = at


def _reach(url: URL, rng: Callable[[], float]) -> Reach:
    port = url.explicit_port or _PORTS[url.scheme]
    return Reach(url.with_port(port), None, rng=rng)


def _ignore(_why: str) -> None:
    """The first one's troubles are told."""


async def silent(seconds: float, ended: asyncio.Event) -> bool:
    """Whether ``ended`` is not set within so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ended.wait()
            return False
    return True
