"""The way up to LiveKit's library: gated blocks from the exchange thread, handed over on the loop, each proven.

The library takes blocks in a coroutine, which returns when a thread of its own has answered: on a busy machine that takes longer
than a block lasts. So blocks wait, a few at most and none once the gate has closed, and all that wait are handed over together.
What the library does then (it encodes, and has a queue of 60 ms) is behind the last point that is ours; closing empties that
queue too.
While nothing comes the library feeds its encoder silence, so that nothing of before is in what follows.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import numpy as np

from appliance.core.counters import Counters
from appliance.core.units import Pcm
from appliance.rooms.block_proof import BlockProof

_MOST_WAITING = 6
"""Blocks that wait; who comes later than that has lost them."""
_MOST_AT_ONCE = 4
"""Blocks that are handed over together: what fits the library's queue beside what is in it."""


class Source(Protocol):
    """Where blocks are handed over."""

    def take(self, sound: Pcm) -> Awaitable[object]:
        """Take some blocks in a row, int16, before this returns; what is given back ends when more are taken.

        :raises Lost: none are taken, where that is awaited.
        """

    def empty(self) -> None:
        """Throw away what was not yet encoded."""


class BlockUplink:
    """:meth:`take` and :meth:`check` belong to the exchange thread, the rest to the loop."""

    def __init__(self, proof: BlockProof, counters: Counters) -> None:
        self._proof = proof
        self._counters = counters
        self._waiting: deque[Pcm] = deque()
        self._attached: tuple[Callable[[], None], Callable[[], None]] | None = None
        """What the exchange thread calls: blocks wait; the gate has closed."""
        self._came = asyncio.Event()
        self._open = False

    async def run(self, source: Source) -> None:
        """Hand over to ``source`` until cancelled."""
        loop = asyncio.get_running_loop()
        self._attached = lambda: _soon(loop, self._came.set), lambda: _soon(loop, source.empty)
        try:
            while True:
                await self._came.wait()
                self._came.clear()
                while (taken := self._hand_over(source)) is not None:
                    await taken
        finally:
            self._attached = None

    def detach(self) -> None:
        """Nothing leaves any more."""
        self._attached = None

    def take(self, pcm: Pcm | None) -> None:
        """Take one gated block, shape (480,), or None: the gate is closed."""
        attached = self._attached
        block = pcm if attached is not None else None
        with self._proof.lock:
            self._proof.entered(block)
            closes, self._open = block is None and self._open, block is not None
            if block is None:
                self._close()
            else:
                self._put(block.copy())
        if attached is not None and (closes or block is not None):
            attached[1 if closes else 0]()

    def check(self) -> None:
        """Look, while the gate is closed, that nothing of before waits here and that the proof still works."""
        with self._proof.lock:
            self._proof.check(kept=bool(self._waiting))

    def _put(self, block: Pcm) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.popleft()
            self._counters.add("blocks_late")
        self._waiting.append(block)

    def _close(self) -> None:
        self._waiting.clear()

    def _hand_over(self, source: Source) -> Awaitable[object] | None:
        """Hand over what may leave, and the library's answer; None: nothing may.

        A gate that closes meanwhile waits for that, and empties the library's queue then: nothing is handed over after it.
        """
        blocks: list[Pcm] = []
        with self._proof.lock:
            while len(blocks) < _MOST_AT_ONCE and (block := self._next()) is not None:
                blocks.append(block)
            if not blocks:
                return None
            self._counters.add("blocks_sent", len(blocks))
            return source.take(np.concatenate(blocks))

    def _next(self) -> Pcm | None:
        """The next block that may be handed over now."""
        with self._proof.lock:
            while self._waiting and not self._proof.closed:
                block = self._waiting.popleft()
                if self._proof.leaving(block):
                    return block
                self._counters.add("blocks_withheld")
        return None


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)
