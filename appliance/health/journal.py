"""Writes events out: one line each to standard error, where the journal (or the demo's terminal) takes them."""

import logging
import sys
import time
from typing import TextIO

from appliance.core.events import Event, EventName, RateLimiter, Severity, format_line


class Journal:
    """Every part reports here; what comes too often is counted and told with the next line of its kind."""

    def __init__(self, part: str, out: TextIO | None = None, least: Severity = Severity.INFO) -> None:
        self._part, self._out = part, out or sys.stderr
        self.least = least
        """The least grave event that is still written."""
        self._limits = RateLimiter()

    def tell(self, name: EventName, /, **fields: object) -> None:
        """Write one event. Never raises: a full disk must not stop a room."""
        self.write(Event(name, time.monotonic(), fields))

    def write(self, event: Event) -> None:
        """Write an event that a part made itself."""
        if event.severity > self.least:
            return
        admitted, suppressed = self._limits.admit(event)
        if not admitted:
            return
        try:
            self._out.write(f"{self._part}: {format_line(event, suppressed)}\n")
            self._out.flush()
        except OSError:
            self._limits = RateLimiter()


def quiet_libraries(level: int = logging.WARNING) -> None:
    """Libraries log through the standard module; only warnings and errors of theirs are ours to see."""
    logging.basicConfig(level=level, format="%(name)s: %(message)s", stream=sys.stderr)
