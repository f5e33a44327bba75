"""What the other processes of this device say of themselves: asked over their status sockets, seldom, and never waited for.

Link asks sound and provision for metrics and for what the server is told; provision asks sound and link for its look-out.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from appliance.health.status import LONGEST, parse

EVERY = 2.0
"""Seconds for which an answer is not asked for again."""
PATIENCE = 1.0
"""Seconds within which a healthy process answers."""
_LARGEST = 16 * LONGEST

Said = Mapping[str, Any]


class Neighbours:
    """Asks ``PART.status`` in ``runtime``; whoever asks within :data:`EVERY` seconds of another gets the same answer.

    :param clock: seconds that only grow.
    """

    def __init__(self, runtime: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._runtime, self._clock = runtime, clock
        self._answers: dict[str, tuple[float, Said]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def ask(self, part: str) -> Said:
        """What "sound", "link" or "provision" answers to ``status``; empty when it does not. Never raises."""
        async with self._locks.setdefault(part, asyncio.Lock()):
            asked, said = self._answers.get(part, (-EVERY, {}))
            if self._clock() - asked < EVERY:
                return said
            said = await self.tell(part, {"do": "status"})
            self._answers[part] = self._clock(), said
            return said

    async def tell(self, part: str, request: Mapping[str, object]) -> Said:
        """One request of another kind, not kept; empty when nobody answers. Never raises."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._exchange(self._runtime / f"{part}.status", request)
        except (OSError, ValueError):  # TimeoutError is an OSError
            return {}

    @staticmethod
    async def _exchange(path: Path, request: Mapping[str, object]) -> Said:
        reader, writer = await asyncio.open_unix_connection(path, limit=_LARGEST)
        try:
            writer.write(json.dumps(request).encode() + b"\n")
            await writer.drain()
            return parse(await reader.readline())
        finally:
            writer.close()
