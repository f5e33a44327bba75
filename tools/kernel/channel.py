"""Messages between host and guest: JSON, one a line, over a virtio-serial port that is a socket on the host's side.

Neither end has threads: both look with :func:`select.poll`. Imported in the guest too: the standard library alone.
"""

from __future__ import annotations

import json
import os
import select
import time
from typing import Any

_CHUNK = 1 << 16


class Channel:
    """One end. The file descriptor is its own: :meth:`close` closes it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = bytearray()

    def fileno(self) -> int:
        return self._fd

    def send(self, message: dict[str, Any]) -> None:
        """Send one message. Raises OSError when the other end is gone."""
        left = memoryview(json.dumps(message).encode() + b"\n")
        while left:
            left = left[os.write(self._fd, left) :]

    def receive(self, seconds: float | None = None) -> dict[str, Any] | None:
        """The next message; None when none comes within ``seconds``. Raises EOFError when the other end is gone."""
        end = None if seconds is None else time.monotonic() + seconds
        while (message := self._next()) is None:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not readable([self._fd], left):
                return None
            chunk = os.read(self._fd, _CHUNK)
            if not chunk:
                raise EOFError("the other end is gone")
            self._buffer += chunk
        return message

    @property
    def waits(self) -> bool:
        """Whether a whole message has been read already and not been asked for."""
        return b"\n" in self._buffer

    def close(self) -> None:
        os.close(self._fd)

    def _next(self) -> dict[str, Any] | None:
        line, newline, rest = self._buffer.partition(b"\n")
        if not newline:
            return None
        self._buffer = rest
        message: dict[str, Any] = json.loads(line)
        return message


def readable(fds: list[int], seconds: float | None) -> list[int]:
    """Those that have something to read, or whose other end is gone, within ``seconds``."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return [fd for fd, _events in poll.poll(None if seconds is None else seconds * 1000)]
