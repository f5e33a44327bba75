"""Whether the card runs: both sides of it, as one answer.

A room that is heard and does not hear is worse than one that is silent: nobody in it would know. So a lost loudspeaker counts
as a lost card too, and closes the gate (docs/adr/0085).
"""

import threading
import time
from collections.abc import Callable

from appliance.audio.port import Side

_FIRST, _MOST = 0.1, 2.0
_STEADY = 2.0


class Presence:
    """Joins what the two threads find; each call may come from any thread."""

    def __init__(self, changed: Callable[[bool], None]) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._up = dict.fromkeys(Side, False)
        self._told: bool | None = None
        self.running = False
        """Whether both sides run; True from when that was told until before it is told that they no longer do."""
        self._problems = dict.fromkeys(Side, "")

    @property
    def problem(self) -> str:
        """Why the card does not run, one sentence; empty: it does, or is just being opened."""
        return "; ".join(problem for problem in self._problems.values() if problem)

    def up(self, side: Side) -> None:
        """This side runs."""
        with self._lock:
            self._up[side] = True
            self._problems[side] = ""
            if all(self._up.values()):
                self._tell(True)

    def down(self, side: Side, why: str) -> None:
        """This side is lost, or is not there yet."""
        with self._lock:
            self._up[side] = False
            self._problems[side] = why
            self._tell(False)

    def _tell(self, running: bool) -> None:
        if running is not self._told:
            self._told = running
            self.running = self.running and running
            self._changed(running)
            self.running = running


class Retry:
    """When to try again: soon at first, then less and less often, at most every two seconds."""

    def __init__(self) -> None:
        self._next = _FIRST

    def pause(self) -> float:
        """Seconds to wait this time."""
        pause = self._next
        self._next = min(2 * pause, _MOST)
        return pause

    def reset(self) -> None:
        """What was missing has come."""
        self._next = _FIRST

    def ran(self, began: float) -> None:
        """It ran since ``began``, monotonic seconds. Unless that was for a moment only, begin from the start."""
        if time.monotonic() - began > _STEADY:
            self.reset()
