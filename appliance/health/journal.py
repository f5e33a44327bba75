"""Writes events out: to systemd's journal with a field for each value, else one line each to standard error.

The journal's own protocol is one datagram of ``NAME=value`` lines (systemd.io/JOURNAL_NATIVE_PROTOCOL); it is spoken when
standard error leads to the journal, which systemd tells in ``JOURNAL_STREAM`` (systemd.exec(5)). So ``journalctl
KONTOR_EVENT=gate_closed`` finds every closing, and MESSAGE is the line that anybody else reads.
"""

import logging
import os
import re
import socket
import sys
import time
from pathlib import Path
from typing import TextIO

from appliance.core.events import Event, EventName, RateLimiter, Severity, format_line, words

NATIVE = Path("/run/systemd/journal/socket")
_NO_NAME = re.compile("[^A-Z0-9_]")


class Journal:
    """Every part reports here; what comes too often is counted and told with the next line of its kind.

    :param native: the journal's socket; None finds out whether there is one to be used, as long as ``out`` is not given.
    """

    def __init__(
        self, part: str, out: TextIO | None = None, least: Severity = Severity.INFO, native: Path | None = None
    ) -> None:
        self._part, self._out = part, out or sys.stderr
        self._native = native or (NATIVE if out is None and leads_to_journal(self._out) else None)
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
        if self._native and _sent(self._native, datagram(self._part, event, suppressed)):
            return
        try:
            self._out.write(f"{self._part}: {format_line(event, suppressed)}\n")
            self._out.flush()
        except OSError:
            self._limits = RateLimiter()


def leads_to_journal(stream: TextIO) -> bool:
    """Whether what is written to ``stream`` goes to the journal."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no file, or a closed one
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def datagram(part: str, event: Event, suppressed: int = 0) -> bytes:
    """``event`` as the journal takes it. No value has a line break: :func:`words` makes all of them harmless."""
    lines = [
        f"MESSAGE={format_line(event, suppressed)}",
        f"PRIORITY={int(event.severity)}",
        f"SYSLOG_IDENTIFIER=kontor-{part}",
        f"KONTOR_PART={part}",
        *(f"KONTOR_{_NO_NAME.sub('_', key.upper())[:50]}={text}" for key, text in words(event, suppressed)),
    ]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _sent(path: Path, message: bytes) -> bool:
    """One datagram, on a socket of its own: events are rare, and there is nothing to look after."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as journal:
            journal.sendto(message, os.fspath(path))
    except OSError:  # there is no journal, or it does not keep up
        return False
    return True


def quiet_libraries(level: int = logging.WARNING) -> None:
    """Libraries log through the standard module; only warnings and errors of theirs are ours to see."""
    logging.basicConfig(level=level, format="%(name)s: %(message)s", stream=sys.stderr)
