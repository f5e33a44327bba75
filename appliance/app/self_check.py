"""Sound's own look at the mute: that nothing is behind a closed gate, and that none of its blocks reaches the exchange.

It stands at the two ends of the way from the gate to link. The last function before the socket asks :meth:`SelfCheck.may_pass`
about every message: a block that must not leave is not sent, and counted. Four times a second :meth:`SelfCheck.look` looks into
the gate. Neither knows time: what a block may do follows from the epoch that it carries, and nothing that is slow or stopped
for a while is a violation (docs/proof.md).
"""

import asyncio
import time
from collections.abc import Callable

from appliance.audio.gate import Gate
from appliance.core.state import ProofState

EVERY = 0.25
"""Seconds between two looks into the gate."""

LEFT = "a block was about to leave sound while the gate was closed"
LEFT_LATE = "a block of before was about to leave sound after it had told that the gate is closed"
HELD = "blocks wait behind the gate, though it is closed"
TAKEN = "a block was taken from the gate while it was closed"
"""What can be wrong, as status and journal say it."""


class SelfCheck:
    """:meth:`may_pass` belongs to the thread that sends, the rest to the loop."""

    def __init__(self, gate: Gate, clock: Callable[[], float] = time.monotonic) -> None:
        self._gate, self._clock = gate, clock
        self._newest = 0
        """The newest epoch that was told to link."""
        self._why = ""
        self._refused = self._found = self._passed = self._checks = 0
        self._checked_at: float | None = None

    @property
    def state(self) -> ProofState:
        """What was seen so far."""
        ago = None if self._checked_at is None else round(self._clock() - self._checked_at, 1)
        return ProofState(self._refused + self._found, self._why, self._passed, 0, self._checks, ago)

    def may_pass(self, epoch: int, block: bool) -> bool:
        """Whether a message of ``epoch`` may leave, with a ``block`` or without; it is told to link then.

        A block is of the time since the gate closed for the ``epoch``-th time. So it must not leave while the gate is closed
        since then, and not after link was told of a later closing.
        """
        if not block:
            self._newest = max(self._newest, epoch)
            return True
        if epoch < self._newest:
            return self._refuse(LEFT_LATE)
        if self._gate.is_closed_since(epoch):
            return self._refuse(LEFT)
        self._newest = epoch
        self._passed += 1
        return True

    def look(self) -> None:
        """Look into the gate."""
        held, taken = self._gate.left_behind()
        if held or taken:
            self._found += 1
            self._why = HELD if held else TAKEN
        self._checks += 1
        self._checked_at = self._clock()

    async def watch(self) -> str:
        """Look, until something is found; what it is, in words."""
        while not (found := self.state).violations:
            await asyncio.sleep(EVERY)
            self.look()
        return found.why

    def _refuse(self, why: str) -> bool:
        self._refused += 1
        self._why = why
        return False
