"""A connected datagram socket that a thread with a clock of its own reads, instead of the loop.

The exchange thread wakes every 10 ms anyway, and needs what has come just then: a loop that wakes for each packet besides
costs more than reading it. While the thread polls, the loop does not watch the socket; when the thread has stopped polling,
the loop takes over again within :data:`IDLE` seconds, so that checks of the connection are answered in any case.
"""

import asyncio
import socket
import threading
from collections.abc import Callable

from appliance.media.waiting import Waiting

IDLE = 0.2
"""Seconds without a poll after which the loop reads again."""
_MOST = 32
"""Datagrams read in one turn; the rest waits for the next."""
_LARGEST = 2048
_RECEIVE_BUFFER = 1 << 18
"""Bytes asked of the kernel: a second of many talkers, should the thread stand still."""
_MOST_BLANKS = 10
"""Looks at an empty queue after which it is read all the same, which costs an exception."""


class PolledSocket:
    """Made on the loop, which reads it from then on; :meth:`poll` belongs to one other thread.

    :param sock: connected to one peer; it is closed here.
    :param on_datagram: gets each datagram, and whether the loop has read it; the memory is used again after the call.
    """

    def __init__(self, sock: socket.socket, on_datagram: Callable[[memoryview, bool], None]) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._socket: socket.socket | None = sock
        self._loop = asyncio.get_running_loop()
        self._on_datagram = on_datagram
        self._buffer = bytearray(_LARGEST)
        self._view = memoryview(self._buffer)
        self._waiting = Waiting()
        self._lock = threading.RLock()  # what a datagram leads to may close the socket
        self._blanks = 0
        self._polls = False
        self._polled = False
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(sock, self._readable)

    def send(self, data: bytes | memoryview) -> None:
        """Send one datagram; any thread.

        :raises OSError: it did not leave: closed, full, or the network is away.
        """
        sock = self._socket
        if sock is None:
            raise OSError("the socket is closed")
        sock.send(data)

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
                if not self._read(sock, on_loop=False):
                    return

    def _readable(self) -> None:
        with self._lock:
            for _ in range(_MOST):
                sock = self._socket
                if sock is None or not self._read(sock, on_loop=True):
                    return

    def _read(self, sock: socket.socket, *, on_loop: bool) -> bool:
        """Read one datagram; False when there is none. The lock is held."""
        try:
            size = sock.recv_into(self._buffer)
        except OSError:  # the other side was faster, or an ICMP error: the watchdog tells what lasts
            return False
        if size:
            self._on_datagram(self._view[:size], on_loop)
        return True

    def _reads_anyway(self) -> bool:
        """An empty datagram looks like none, and all others wait behind it: now and then it is read away."""
        self._blanks += 1
        if self._blanks < _MOST_BLANKS:
            return False
        self._blanks = 0
        return True

    def close(self) -> None:
        """Read and send nothing any more. Loop."""
        with self._lock:
            sock, self._socket = self._socket, None
        if sock is not None:
            self._loop.remove_reader(sock)
            sock.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _take_over(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._timer = self._loop.call_later(IDLE, self._look)

    def _look(self) -> None:
        if self._polled:
            self._polled = False
            self._timer = self._loop.call_later(IDLE, self._look)
            return
        with self._lock:
            self._polls = False
        if self._socket is not None:
            self._loop.add_reader(self._socket, self._readable)
