"""The socket between sound and link: one message each way per block, over Unix SOCK_SEQPACKET.

Sound has the :class:`Listener`, link the :class:`Client`. Link is not trusted: whatever it sends, does not send or
floods, :class:`Listener` neither blocks nor raises; it counts, and closes the connection of whoever sends junk.

The queue towards link is kept short by a window: while link has not answered :data:`WINDOW` uplinks, no further one is
sent. A link that was stopped therefore finds at most 40 ms of old sound, and :class:`Client` throws that away when the
gate has closed meanwhile: the message that tells of a close passes the window.

Each end belongs to one thread (sound's clock, link's exchange thread). Counts and turnaround may be read from others.
"""

import contextlib
import errno
import os
import select
import socket
import stat
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass

from appliance.media.exchange_client import Client, ClientCounts, ExchangeClosed
from appliance.media.exchange_messages import (
    BLOCK_BYTES,
    CLOSED_BYTES,
    MAX_MESSAGE,
    Downlink,
    DownlinkReader,
    ExchangeJunk,
    Speaker,
    Uplink,
    decode_downlink,
    decode_uplink,
    encode_downlink,
    encode_uplink,
)
from appliance.media.histogram import Histogram
from appliance.media.waiting import Waiting

__all__ = [
    "BLOCK_BYTES",
    "CLOSED_BYTES",
    "MAX_MESSAGE",
    "Client",
    "ClientCounts",
    "Downlink",
    "ExchangeBusy",
    "ExchangeClosed",
    "ExchangeJunk",
    "Listener",
    "ListenerCounts",
    "Speaker",
    "Uplink",
    "decode_downlink",
    "decode_uplink",
    "encode_downlink",
    "encode_uplink",
]

WINDOW = 4
"""Unanswered uplinks after which no more are sent, but for one that tells of a close."""
MOST_UNANSWERED = 16
"""Unanswered uplinks after which nothing at all is sent."""
MOST_READ = 8
"""Messages of link that are read per block; more is a flood."""
_MOST_ACCEPTED = 4
_PATH_MODE = 0o660


class ExchangeBusy(RuntimeError):
    """Another process listens at the path, or something that is no socket of ours stands there."""


@dataclass(slots=True)
class ListenerCounts:
    """What happened at sound's end since its start."""

    accepted: int = 0
    replaced: int = 0
    """Connections that a newer one ended."""
    lost: int = 0
    """Connections that link ended."""
    junk: int = 0
    """Connections closed because of a message that was none, or an answer to nothing."""
    floods: int = 0
    """Connections closed because link sent too much."""
    sent: int = 0
    held_back: int = 0
    """Uplinks not sent because link does not answer."""
    withheld: int = 0
    """Blocks that were not sent because the gate is closed: none, unless something is broken."""
    received: int = 0
    skipped: int = 0
    """Downlinks that a newer one overtook: their block was not played."""
    missing: int = 0
    """Blocks for which link had no answer in time."""
    odd_stamps: int = 0
    """Answers whose claimed time cannot be."""

    def as_dict(self) -> dict[str, int]:
        """All counts by name."""
        return asdict(self)


def _listens(path: str) -> bool:
    """Whether a process listens at ``path``, found out without disturbing it."""
    # A stream socket cannot connect to a SEQPACKET one: EPROTOTYPE means alive, and asking replaces nobody's link.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        code = probe.connect_ex(path)
    return code not in (errno.ECONNREFUSED, errno.ENOENT)


def _bind(path: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(path, follow_symlinks=False).st_mode):
            raise ExchangeBusy(f"{path} is no socket; move it away or choose another runtime folder")
        if _listens(path):
            raise ExchangeBusy(f"another process listens at {path}; is sound running already?")
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        # The mode before bind (less the umask) closes the moment in which the path would be open to all.
        os.fchmod(sock.fileno(), _PATH_MODE)
        sock.bind(path)
        os.chmod(path, _PATH_MODE)
        sock.listen(_MOST_ACCEPTED)
    except BaseException:
        sock.close()
        raise
    return sock


def _adopt(fd: int) -> socket.socket:
    """The listening socket that systemd opened.

    :raises ValueError: it is of another kind.
    """
    sock = socket.socket(fileno=fd)
    listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if sock.family != socket.AF_UNIX or sock.type != socket.SOCK_SEQPACKET or not listening:
        sock.detach()
        raise ValueError(
            "the socket handed over is no listening Unix SEQPACKET socket; see ListenSequentialPacket= of its unit"
        )
    sock.set_inheritable(False)
    return sock


class Listener:
    """Sound's end. ``poll``, ``send``, ``receive`` and ``close`` belong to one thread.

    None of them blocks, but for the patience that ``receive`` is given.

    :param path: where to listen; a stale socket there is removed. The path gets mode 0660.
    :param fd: instead of ``path``: a listening socket from systemd, whose path stays when this closes.
    :raises ExchangeBusy: somebody listens at ``path`` already, or it is no socket.
    :raises ValueError: ``fd`` is of another kind.
    :raises OSError: the path cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, fd: int | None = None) -> None:
        if (path is None) == (fd is None):
            raise ValueError("give either a path or a socket")
        self._path = os.fspath(path) if path is not None else None
        self._socket = _adopt(fd) if fd is not None else _bind(self._path or "")
        self._socket.setblocking(False)
        self._inode = os.stat(self._path).st_ino if self._path is not None else 0
        self._link: socket.socket | None = None
        self._epoch = 0
        self._unanswered: deque[tuple[int, int]] = deque()
        self._kept: deque[Downlink] = deque()
        self._out = bytearray(MAX_MESSAGE)
        # One byte more than the largest message: what is too long does not pass as one that fits.
        self._in = bytearray(MAX_MESSAGE + 1)
        self._in_view = memoryview(self._in)
        self._waiting = Waiting()
        self._poll = select.poll()
        self._reader = DownlinkReader()
        self.may_pass: Callable[[int, bool], bool] = lambda _epoch, _block: True
        """Asked about every message that is about to leave: its epoch, and whether it has a block. A block that may not pass
        stays here, and link is told that the gate is closed."""
        self.counts = ListenerCounts()
        self.turnaround = Histogram()
        """From the sending of an uplink to the sending of its answer."""

    @property
    def connected(self) -> bool:
        """Whether a link is connected."""
        return self._link is not None

    def poll(self) -> bool:
        """Accept whoever waits; a newer link replaces the one before. True: there is a new one."""
        new = False
        for _ in range(_MOST_ACCEPTED):
            try:
                link, _address = self._socket.accept()
            except OSError:  # nobody there, or out of descriptors: next block
                break
            link.setblocking(False)
            if self._link is not None:
                self.counts.replaced += 1
            self._drop()
            self._link = link
            self.counts.accepted += 1
            new = True
        return new

    def send(self, message: Uplink) -> bool:
        """Send without waiting. False: nobody is there, link lags, or the connection just ended.

        :raises ValueError: the block has not 960 bytes.
        """
        link = self._link
        if link is None:
            return False
        unanswered = len(self._unanswered)
        if unanswered >= (WINDOW if message.epoch == self._epoch else MOST_UNANSWERED):
            self.counts.held_back += 1
            return False
        size = encode_uplink(message, self._out)
        if not self.may_pass(message.epoch, size > CLOSED_BYTES):
            self.counts.withheld += 1
            size = encode_uplink(message._replace(block=None), self._out)
        try:
            link.send(memoryview(self._out)[:size], socket.MSG_NOSIGNAL)
        except BlockingIOError:
            self.counts.held_back += 1
            return False
        except OSError:
            self._lose()
            return False
        self._epoch = message.epoch
        self._unanswered.append((message.seq, time.monotonic_ns()))
        self.counts.sent += 1
        return True

    def receive(self, patience: float = 0.0, keep: int = 0) -> Downlink | None:
        """The next answer that has come; None: there is none. Once per block.

        Without ``patience`` nothing is waited for, and this comes before ``send``. With it, it comes after, and the answer
        to what was sent last is waited for, so many seconds at most.

        :param keep: so many of the newest wait for the next times; of the others the newest is given, the rest skipped.
        """
        link = self._link
        if link is None:
            return None
        self._drain(link, keep)
        if patience:
            end = time.monotonic() + patience
            while self._unanswered and self._wait(link, end - time.monotonic()):
                self._drain(link, keep)
        if self._kept:
            return self._kept.popleft()
        if self._unanswered:
            self.counts.missing += 1
        return None

    @property
    def waiting(self) -> int:
        """Answers that wait for the next times."""
        return len(self._kept)

    def _wait(self, link: socket.socket, seconds: float) -> bool:
        if seconds <= 0 or self._link is not link:
            return False
        self._poll.register(link, select.POLLIN)
        try:
            return bool(self._poll.poll(seconds * 1000))
        finally:
            self._poll.unregister(link)

    def _drain(self, link: socket.socket, keep: int) -> None:
        """Read what is there."""
        for _ in range(MOST_READ):
            message = self._read(link)
            if message is None:
                return
            self._kept.append(message)
            if len(self._kept) > keep + 1:
                self._kept.popleft()
                self.counts.skipped += 1
            if not self._waiting.at(link):
                return
        self.counts.floods += 1
        self._drop()

    def _read(self, link: socket.socket) -> Downlink | None:
        """One message, or None: nothing there or the connection is closed."""
        try:
            size = link.recv_into(self._in)
        except BlockingIOError:
            return None
        except OSError:
            size = 0
        if size == 0:
            self._lose()
            return None
        try:
            message = self._reader.read(self._in_view[:size])
            self._settle(message)
        except ExchangeJunk:
            self.counts.junk += 1
            self._drop()
            return None
        self.counts.received += 1
        return message

    def _settle(self, message: Downlink) -> None:
        """Everything up to the uplink that this answers is answered."""
        while self._unanswered:
            seq, sent = self._unanswered.popleft()
            if seq == message.seq:
                took = message.answered - sent
                if took < 0 or message.answered > time.monotonic_ns():
                    self.counts.odd_stamps += 1
                else:
                    self.turnaround.add(took)
                return
        raise ExchangeJunk("the downlink answers nothing that was sent")

    def _lose(self) -> None:
        self.counts.lost += 1
        self._drop()

    def _drop(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None
        self._unanswered.clear()
        self._kept.clear()

    def close(self) -> None:
        """Close everything and remove the path, if it is still ours."""
        self._drop()
        self._socket.close()
        if self._path is not None:
            with contextlib.suppress(OSError):
                if os.stat(self._path).st_ino == self._inode:
                    os.unlink(self._path)
