"""The proof of mute (UX.md, mute rule 6) for engines that hand blocks of sound to a library, which encodes them.

The last point that is ours is the hand-over. At the entrance the proof hears each block, or that the gate is closed; at the
hand-over it gets the block that is about to leave. Between the two it trusts nothing. Two things are proven:

- After the gate has closed, no sound leaves: blocks over -80 dBov are counted. Digital silence passes, for libraries that have
  to be fed.
- While it is open, what leaves is what came in since it opened, each block once and in its order. A block that is none of
  those and is heard, or is heard a second time, is counted: a queue that was not emptied shows here.

What is counted does not leave, and nothing leaves after it: :meth:`BlockProof.leaving` says so. Closing takes the proof's lock,
and so does a hand-over: whoever asks and hands over within :attr:`BlockProof.lock` cannot be overtaken by a gate that closes.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from appliance.core.levels import dbov
from appliance.core.state import ProofState
from appliance.core.units import BLOCK, RATE, Pcm
from appliance.rooms.proof import AUDIBLE, DEAF, KEPT, LEFT_CLOSED, LEFT_OPEN

_REMEMBERED = 32
"""Blocks that came in and may still leave: more than any queue between the two ends holds."""
_TONE, _LOUD = 1000.0, 8000.0
"""Hz and amplitude of what a check lets the proof hear: -15 dBov."""


class BlockProof:
    """Counts blocks that must not leave, and says whether a block may. Any thread.

    :param on_violation: told the level of each block that was counted, dBov, and 0 for what is no sound.
    :param grace: blocks that may still leave after closing: 1 where another process hands over, else 0.
    :param clock: seconds, of which :attr:`state` tells when was looked last.
    """

    def __init__(
        self,
        on_violation: Callable[[float], None] = lambda _: None,
        grace: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lock = threading.RLock()
        """Held while something is asked or told here."""
        self.violations = 0
        self._why = ""
        self._looked = self._checks = self._left_closed = 0
        self._checked_at: float | None = None
        self._clock = clock
        self._on_violation = on_violation
        self._grace = grace
        self._entered: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._closed = True
        self._forbidden = False
        self._late = 0
        """Blocks that left since the gate closed, or since it is forbidden."""
        self._tone = (np.sin(2 * np.pi * _TONE * np.arange(BLOCK) / RATE) * _LOUD).astype(np.int16)
        self._silence = np.zeros(BLOCK, np.int16)

    def entered(self, pcm: Pcm | None) -> None:
        """A block came in, shape (480,), or None: the gate is closed. Call it first of all."""
        with self.lock:
            if pcm is None:
                if not self._closed:
                    self._closed, self._late = True, 0
                    self._entered.clear()
                return
            self._closed = False
            self._entered.append(pcm.tobytes())

    def forbid(self, forbidden: bool) -> None:
        """What else is known of the gate: a reason to close it holds, whatever comes in.

        From its second call on, blocks that leave although it is closed count; the first one may be of a moment before.
        """
        with self.lock:
            if forbidden and not self._forbidden:
                self._late = 0
            self._forbidden = forbidden

    @property
    def closed(self) -> bool:
        """Whether nothing but silence may leave."""
        return self._closed

    @property
    def state(self) -> ProofState:
        """What was seen so far."""
        ago = None if self._checked_at is None else round(self._clock() - self._checked_at, 1)
        return ProofState(self.violations, self._why, self._looked, self._left_closed, self._checks, ago)

    def leaving(self, pcm: Pcm) -> bool:
        """A block is about to be handed over, int16, any length; whether it may be.

        Not when it was counted, and nothing may after that.
        """
        with self.lock:
            if self._closed or self._forbidden:
                self._leaves_closed(pcm)
            else:
                self._leaves_open(pcm)
            return not self.violations

    def check(self, *, kept: bool) -> None:
        """Look, while the gate is closed, that this proof still hears, and nothing in silence.

        :param kept: whether the engine found sound of before that waits in its own queues: a violation.
        """
        with self.lock:
            if kept:
                self.found(KEPT)
            if not _audible(self._tone) or _audible(self._silence):
                self.found(DEAF)
            self._checks += 1
            self._checked_at = self._clock()

    def found(self, why: str, level: float = 0.0) -> None:
        """Count what is wrong, ``why`` in words, with the level of a block that was about to leave."""
        with self.lock:
            self.violations += 1
            self._why = why
            self._on_violation(level)

    def _leaves_closed(self, pcm: Pcm) -> None:
        self._late += 1
        self._left_closed += 1
        grace = self._grace if self._closed else max(1, self._grace)
        if self._late > grace:
            self._looked += 1
            if _audible(pcm):
                self.found(LEFT_CLOSED, dbov(pcm))

    def _leaves_open(self, pcm: Pcm) -> None:
        self._looked += 1
        block = pcm.tobytes()
        if block in self._entered:
            while self._entered.popleft() != block:
                pass  # what was dropped on its way does not leave any more
        elif _audible(pcm):
            self.found(LEFT_OPEN, dbov(pcm))


def _audible(pcm: Pcm) -> bool:
    return bool(pcm.any()) and dbov(pcm) > AUDIBLE
