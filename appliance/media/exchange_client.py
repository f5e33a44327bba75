"""Link's end of the exchange (see exchange.py): what link needs, and nothing of what sound does."""

import contextlib
import os
import socket
import struct
import time
from collections import deque
from dataclasses import asdict, dataclass

from appliance.media.exchange_messages import (
    MAX_MESSAGE,
    Downlink,
    Uplink,
    UplinkReader,
    encode_downlink,
    repeat_downlink,
)
from appliance.media.waiting import Waiting

_MOST_DRAINED = 64


class ExchangeClosed(ConnectionError):
    """Sound is gone, or a newer link has taken the place."""


@dataclass(slots=True)
class ClientCounts:
    """What happened at link's end since it connected."""

    received: int = 0
    sent: int = 0
    unsent: int = 0
    """Answers that sound's queue had no room for."""
    stale: int = 0
    """Uplinks thrown away after a stall: from before the gate closed."""

    def as_dict(self) -> dict[str, int]:
        """All counts by name."""
        return asdict(self)


def _connect(path: str, wait: float) -> socket.socket:
    end = time.monotonic() + wait
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            sock.connect(path)
        except OSError as error:
            sock.close()
            not_there_yet = isinstance(error, FileNotFoundError | ConnectionRefusedError)
            if not not_there_yet or time.monotonic() >= end:
                raise
            time.sleep(0.02)
        else:
            return sock


class Client:
    """Link's end. ``receive``, ``send`` and ``close`` belong to one thread; ``stop`` may be called from any.

    :param timeout: seconds that ``receive`` waits at most.
    :param wait: seconds to wait for sound to listen.
    :raises OSError: nobody listens at ``path``, or it may not be used.
    """

    def __init__(self, path: str | os.PathLike[str], timeout: float = 1.0, wait: float = 0.0) -> None:
        self._socket = _connect(os.fspath(path), wait)
        # A timeout in the kernel costs nothing per block; Python's own is a poll() before each call.
        seconds, rest = divmod(timeout, 1.0)
        self._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", int(seconds), int(rest * 1e6))
        )
        self._pending: deque[Uplink] = deque()
        self._waiting = Waiting()
        self._says: Downlink | None = None
        self._reader = UplinkReader()
        self._out = bytearray(MAX_MESSAGE)
        self._in = bytearray(MAX_MESSAGE + 1)
        self._in_view = memoryview(self._in)
        self.counts = ClientCounts()

    def receive(self) -> Uplink | None:
        """The next uplink to work on and to answer; None when none came in time.

        After a stall there are several (the listener's window bounds them); all from before the newest close are thrown
        away, so that nothing of open time leaves after it.

        :raises ExchangeJunk: sound sent something that is no message.
        :raises ExchangeClosed: sound is gone, a newer link has taken the place, or ``stop`` was called.
        """
        if not self._pending:
            message = self._read(0)
            if message is None:
                return None
            self._pending.append(message)
        while len(self._pending) < _MOST_DRAINED and self._waiting.at(self._socket):
            message = self._read(socket.MSG_DONTWAIT)
            if message is None:
                break
            self._pending.append(message)
        self._forget_closed()
        return self._pending.popleft()

    def _forget_closed(self) -> None:
        pending, epoch = self._pending, self._pending[-1].epoch
        while pending[0].epoch != epoch:
            pending.popleft()
            self.counts.stale += 1

    def _read(self, flags: int) -> Uplink | None:
        try:
            size = self._socket.recv_into(self._in, 0, flags)
        except BlockingIOError:
            return None
        except OSError as error:
            raise ExchangeClosed("the connection to sound is broken") from error
        if size == 0:
            raise ExchangeClosed("sound has closed the connection")
        self.counts.received += 1
        return self._reader.read(self._in_view[:size])

    def send(self, message: Downlink) -> bool:
        """Answer without waiting, stamped with the time. False: sound's queue is full, the answer is dropped.

        :raises ValueError: the block has not 960 bytes, or there are more than three speakers.
        :raises ExchangeClosed: sound is gone, or a newer link has taken the place.
        """
        return self.answer(message.seq, message.block, message)

    def answer(self, seq: int, block: bytes | memoryview | None, says: Downlink) -> bool:
        """Send ``says`` with this number and block. As long as it is the same object it is encoded only once.

        :raises ValueError: the block has not 960 bytes, or there are more than three speakers.
        :raises ExchangeClosed: sound is gone, or a newer link has taken the place.
        """
        if says is not self._says:
            encode_downlink(says._replace(block=None), self._out)
            self._says = says
        size = repeat_downlink(seq, block, self._out, time.monotonic_ns())
        try:
            self._socket.send(memoryview(self._out)[:size], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            self.counts.unsent += 1
            return False
        except OSError as error:
            raise ExchangeClosed("the connection to sound is broken") from error
        self.counts.sent += 1
        return True

    def stop(self) -> None:
        """Wake a waiting ``receive``, which then raises ExchangeClosed. Any thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
