"""What ntgcalls is given to send: it is emptied when the gate closes, given silence, muted, and handed block by block.

ntgcalls sends packets of 60 ms and keeps what does not fill one. So when the gate closes it is muted for a moment, which throws
away what it holds, packets that wait for their turn on the network included (docs/adr/0229). For half a minute it is then given
digital silence, as a microphone would, and only after that it stays muted: its timestamps stand still meanwhile, and to whoever
listens a packet after a pause of up to two seconds is one that is so late, for which they wait from then on (docs/adr/0238).
What is not known to have succeeded counts as not done, and nothing is handed over until it is.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import numpy as np

from appliance.core.units import BLOCK, BLOCK_SECONDS, Pcm

QUEUE = 6
"""Blocks that wait for ntgcalls at most; more than that is a stall, and old sound is worth nothing."""
PACKET = 6
"""Blocks in a packet of ntgcalls."""
SILENT = 30.0
"""Seconds for which silence is sent after the gate has closed."""
_LATE = 0.2
"""Seconds after which silence that was not sent in time is not sent any more."""
_AGAIN = 0.05
"""Seconds after which what has failed is tried again."""
_MOST_FAILURES = 40
"""So often in a row, in two seconds: it will not come right."""
_ZEROS = np.zeros(BLOCK, np.int16)


class Library(Protocol):
    """What of ntgcalls is used here, for its one call. Each raises what the library raises."""

    def mute(self) -> Awaitable[object]:
        """Send nothing, and throw away what was not sent."""

    def unmute(self) -> Awaitable[object]:
        """Send what is given from now on."""

    def send(self, pcm: Pcm) -> Awaitable[object]:
        """Take a block, shape (480,)."""


class Proof(Protocol):
    """See block_proof.py."""

    def entered(self, pcm: Pcm | None) -> None:
        """A block came in, or the gate is closed."""

    def leaving(self, pcm: Pcm) -> bool:
        """Whether a block may leave."""


class Mouth:
    """Loop only.

    :param given_up: called when the library does not do what it is told for two seconds.
    """

    def __init__(self, library: Library, proof: Proof, given_up: Callable[[], None]) -> None:
        self._library, self._proof, self._given_up = library, proof, given_up
        self._queue: deque[Pcm] = deque(maxlen=QUEUE)
        self._wake = asyncio.Event()
        self._begun = False
        """There is a call that takes blocks."""
        self._open = False
        self._muted: bool | None = None
        """Whether the library is; None while that is not known."""
        self._to_empty = 0
        """Closings after which the library was not emptied yet."""
        self._held = 0
        """Blocks that the library has of a packet that is not full."""
        self._silent_until = self._next_silence = 0.0
        """When it is muted, and when it is given the next block of silence; by the loop's clock."""
        self._failed = 0
        """Failures in a row."""
        self.dropped = self.failures = 0

    # ---- what is told

    def begin(self) -> None:
        """There is a call, and a new one: it holds nothing."""
        self._begun, self._muted, self._to_empty, self._silent_until = True, None, 0, 0.0
        self._wake.set()

    def end(self) -> None:
        """The call is over."""
        self._begun = False

    def take(self, pcm: Pcm) -> None:
        """A gated block, shape (480,)."""
        self._proof.entered(pcm)
        self._open = True
        self.dropped += len(self._queue) == QUEUE
        self._queue.append(pcm)
        self._wake.set()

    def close(self) -> None:
        """The gate is closed: nothing of before leaves any more."""
        self._to_empty += self._open
        self._open = False
        self._queue.clear()
        self._proof.entered(None)
        self._wake.set()

    @property
    def keeps(self) -> bool:
        """Whether something waits."""
        return bool(self._queue)

    # ---- what is done about it

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._wake.clear()
            try:
                pause = await self._step()
                self._failed = 0
            except Exception:  # noqa: BLE001 - the library's own, of many kinds
                pause = self._failure()
            if pause != 0.0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    def _failure(self) -> float:
        self.failures += 1
        self._failed += 1
        if self._failed > _MOST_FAILURES:
            self._given_up()
        return _AGAIN

    async def _step(self) -> float | None:
        """Do the next thing; seconds until there is another, None: not before something is told."""
        if not self._begun:
            return None
        if self._to_empty:
            await self._empty()
        elif self._open and self._muted is not False:
            await self._mute(False)
        elif self._queue:
            await self._send(self._queue.popleft())
        elif self._open or self._muted:
            return None
        elif self._now() >= self._silent_until:
            await self._mute(True)
        else:
            return await self._say_silence()
        return 0.0

    async def _empty(self) -> None:
        """Let it throw away what it holds, and begin with the silence that comes instead."""
        closings, thrown = self._to_empty, self._held
        await self._mute(True)
        await self._mute(False)
        self._to_empty = max(0, self._to_empty - closings)
        self._next_silence = self._now() - thrown * BLOCK_SECONDS  # as much at once: the packets keep their rhythm
        self._silent_until = self._now() + SILENT

    async def _say_silence(self) -> float:
        """Give it a block of silence if one is due; seconds until the next is."""
        wait = self._next_silence - self._now()
        if wait > 0:
            return wait
        self._next_silence += BLOCK_SECONDS if wait > -_LATE else -wait
        await self._send(_ZEROS)
        return 0.0

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _mute(self, muted: bool) -> None:
        self._muted, self._held = None, 0
        await (self._library.mute() if muted else self._library.unmute())
        self._muted = muted

    async def _send(self, pcm: Pcm) -> None:
        if self._proof.leaving(pcm):
            self._held = (self._held + 1) % PACKET
            await self._library.send(pcm)
