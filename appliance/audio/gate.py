"""The gate: the one place where the microphone is silenced.

It sits between the front end and the exchange and holds at most :data:`DEPTH` blocks that were let through. Closing is one
short locked step that any thread may take, needs no event loop, and empties what waits behind the gate; after
:meth:`Gate.close` has returned, no sample captured before or after it can be taken (UX.md, mute rules 1 and 2).

Opening belongs to the loop alone, and is refused while a closing by hand waits to be decided on: a press that the loop has
not seen yet always wins.
"""

import threading
import time
from collections.abc import Callable

import numpy as np

from appliance.core.units import BLOCK, Block, Pcm

DEPTH = 3
"""Blocks that may wait between capture and exchange; two clocks may drift apart by one block each way."""

_REACTION = 0.5
"""Seconds from deciding to press to the press: a lamp that changed in this time was not seen."""

_FULL_SCALE = np.float32(32767.0)


class Gate:
    """Starts closed. All methods may be called from any thread, and none blocks for longer than a block's copy."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._closed_at = -_REACTION
        self._lock = threading.Lock()
        self._open = False
        self._undecided = 0
        self._epoch = 0
        self._ring = np.zeros((DEPTH, BLOCK), np.int16)
        self._scratch = np.zeros(BLOCK, np.float32)
        self._fade_in = np.linspace(0.0, 1.0, BLOCK, dtype=np.float32)
        self._first = 0
        self._count = 0
        self._fresh = False
        self.behind = 0
        """Blocks offered after an opening that are not let through: whoever offers is so far behind, and they hold sound that was
        captured while the gate was closed."""
        self._before = 0
        self._taken = self._taken_before = 0
        self.dropped = 0
        """Blocks that the exchange did not fetch in time."""

    @property
    def is_open(self) -> bool:
        """Whether the microphone passes."""
        return self._open

    @property
    def epoch(self) -> int:
        """How often the gate has closed; it grows with every closing."""
        return self._epoch

    @property
    def waiting(self) -> int:
        """Blocks that were let through and not yet fetched."""
        return self._count

    def is_closed_since(self, epoch: int) -> bool:
        """Whether the gate is closed, and that was its ``epoch``-th closing (or it was never open): no block of it can be."""
        with self._lock:
            return not self._open and self._epoch == epoch

    def left_behind(self) -> tuple[bool, bool]:
        """Whether a closed gate holds anything, and whether something was taken since it closed: neither can be."""
        with self._lock:
            if self._open:
                return False, False
            return self._count > 0 or bool(self._ring.any()), self._taken != self._taken_before

    def close(self) -> bool:
        """Close, and forget what was let through and not yet fetched. Returns whether the gate was open."""
        with self._lock:
            was_open = self._close()
            if was_open:
                self._closed_at = self._clock()
            return was_open

    def close_by_hand(self) -> bool:
        """Close from the panel's thread. Returns whether the gate was open when the hand began to move.

        If it was, it stays shut until the loop has decided on the press and called :meth:`decided`. A gate that something
        else closed just now counts as open: whoever pressed wanted to mute, and must not open it instead.
        """
        with self._lock:
            was_open = self._close() or self._clock() - self._closed_at < _REACTION
            if was_open:
                self._undecided += 1
            return was_open

    def stay_closed(self) -> None:
        """Close, and stay so until :meth:`decided`, as after a closing by hand that found it open."""
        with self._lock:
            self._close()
            self._undecided += 1

    def decided(self) -> None:
        """The loop has taken one closing by hand into its controls."""
        with self._lock:
            self._undecided = max(0, self._undecided - 1)

    def open(self) -> bool:
        """Open, if no closing by hand is undecided. Returns whether the gate is open now. Loop only."""
        with self._lock:
            if not self._undecided and not self._open:
                self._open = self._fresh = True
                self._before = self.behind
            return self._open

    def put(self, block: Block) -> None:
        """Offer one captured block, shape (480,) float32. A closed gate ignores it. Capture thread."""
        if not self.is_open:
            return
        np.multiply(block, _FULL_SCALE, out=self._scratch)
        # Two ufuncs: np.clip is one of Python, and costs more than both.
        np.maximum(self._scratch, -_FULL_SCALE, out=self._scratch)
        np.minimum(self._scratch, _FULL_SCALE, out=self._scratch)
        with self._lock:
            if not self._open:
                return
            if self._before:
                self._before -= 1
                return
            if self._fresh:  # no click at the start of what is heard
                np.multiply(self._scratch, self._fade_in, out=self._scratch)
                self._fresh = False
            if self._count == DEPTH:  # the newest sound counts, as everywhere in a live room
                self._first = (self._first + 1) % DEPTH
                self._count -= 1
                self.dropped += 1
            self._ring[(self._first + self._count) % DEPTH] = self._scratch
            self._count += 1

    def take(self, out: Pcm) -> bool:
        """Fetch the oldest block that was let through into ``out``, shape (480,) int16. False: there is none."""
        with self._lock:
            if not self._count:
                return False
            np.copyto(out, self._ring[self._first])
            self._first = (self._first + 1) % DEPTH
            self._count -= 1
            self._taken += 1
            return True

    def _close(self) -> bool:
        was_open = self._open
        self._open = self._fresh = False
        self._count = 0
        if was_open:
            self._epoch += 1
            self._taken_before = self._taken
            self._ring.fill(0)
            self._scratch.fill(0)
        return was_open
