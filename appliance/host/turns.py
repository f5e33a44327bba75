"""Who writes when many have something to write: a few at a time, so that the media port is read in between.

A message to one presence socket costs some 90 µs. Without this, what is told to hundreds at once would hold up every packet
until the last of them is told: the loop looks at its sockets only when all that is ready has run.
"""

import asyncio

AT_ONCE = 8
"""Sockets written to in one turn of the loop."""


class Turns:
    """Wakes those who asked, in their order. One for all rooms of a process; belongs to the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._asked: dict[asyncio.Event, None] = {}

    def ask(self, wake: asyncio.Event) -> None:
        """Set ``wake`` when it is its turn; one that waits already stays where it is."""
        if not self._asked:
            self._loop.call_soon(self._go)
        self._asked[wake] = None

    def _go(self) -> None:
        for wake in list(self._asked)[:AT_ONCE]:
            del self._asked[wake]
            wake.set()
        if self._asked:
            self._loop.call_soon(self._go)
