# ruff: noqa: SLF001  # the parts of asyncio's datagram transport that have no public name
"""A datagram socket of asyncio that a thread with a clock of its own reads, instead of the loop.

The exchange thread wakes every 10 ms anyway, and needs what has come just then: a loop that wakes for each packet besides
costs more than reading it. While the thread polls, the loop does not watch the socket; when the thread has stopped polling,
the loop takes over again within :data:`IDLE` seconds, so that checks of the connection are answered in any case.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

from appliance.media.waiting import Waiting

IDLE = 0.2
"""Seconds without a poll after which the loop reads again."""
_MOST = 32
"""Datagrams read in one poll; the rest waits for the next."""
_LARGEST = 2048
_MOST_BLANKS = 10
"""Looks at an empty queue after which it is read all the same, which costs an exception."""


class PolledSocket:
    """Made on the loop; :meth:`poll` belongs to one other thread.

    :param transport: the loop's datagram transport, connected in the kernel to one peer.
    :param on_datagram: gets each datagram that a poll has read; the memory is used again after the call.
    """

    def __init__(self, transport: asyncio.DatagramTransport, on_datagram: Callable[[memoryview], None]) -> None:
        shared = transport.get_extra_info("socket")
        self._transport: Any = transport
        self._loop: Any = asyncio.get_running_loop()
        self._fd = shared.fileno()
        self._socket: socket.socket | None = socket.fromfd(self._fd, shared.family, shared.type)
        self._socket.setblocking(False)
        self._on_datagram = on_datagram
        self._buffer = bytearray(_LARGEST)
        self._view = memoryview(self._buffer)
        self._waiting = Waiting()
        self._lock = threading.Lock()
        self._blanks = 0
        self._polls = False
        self._polled = False
        self._timer: asyncio.TimerHandle | None = None

    def poll(self) -> None:
        """Read what has come, and keep the loop from doing so for a while."""
        self._polled = True
        with self._lock:
            sock = self._socket
            if sock is None:
                return
            if not self._polls:
                self._polls = True
                self._loop.call_soon_threadsafe(self._take_over)
            for _ in range(_MOST):
                if not self._waiting.at(sock) and not self._reads_anyway():
                    return
                try:
                    size = sock.recv_into(self._buffer)
                except OSError:  # the loop was faster, or an ICMP error: the watchdog tells what lasts
                    return
                if size:
                    self._on_datagram(self._view[:size])

    def _reads_anyway(self) -> bool:
        """An empty datagram looks like none, and all others wait behind it: now and then it is read away."""
        self._blanks += 1
        if self._blanks < _MOST_BLANKS:
            return False
        self._blanks = 0
        return True

    def close(self) -> None:
        """Read nothing any more; the transport is its owner's to close. Loop."""
        with self._lock:
            sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()
        if self._timer is not None:
            self._timer.cancel()

    def _take_over(self) -> None:
        if self._socket is not None:
            self._loop._remove_reader(self._fd)
            self._timer = self._loop.call_later(IDLE, self._look)

    def _look(self) -> None:
        if self._polled:
            self._polled = False
            self._timer = self._loop.call_later(IDLE, self._look)
            return
        with self._lock:
            self._polls = False
        if self._socket is not None and not self._transport.is_closing():
            self._loop._add_reader(self._fd, self._transport._read_ready)
