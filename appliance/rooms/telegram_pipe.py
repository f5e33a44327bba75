"""What passes between link and the process that holds ntgcalls (telegram_child.py): three sockets that keep messages apart.

*Control*, both ways: JSON, one a second. *Up*: one byte that says what it is, and with a block when it was sent and 960 bytes
of sound; closing the gate is a message of its own and cannot overtake or be overtaken. *Down*: one message for 10 ms, with the
sound of each who is heard behind its source. Nobody waits for the other end: what does not fit is dropped and counted by whoever
sends.
"""

import contextlib
import json
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from appliance.core.units import BLOCK, Pcm

CLOSED, BLOCK_OF_SOUND, FORBIDDEN, ALLOWED, CHECK = b"\0", b"\1", b"\2", b"\3", b"\4"
"""First byte of a message up: the gate is closed; a gated block; a reason to close holds, or none does; look behind the gate."""

BLOCK_BYTES = 2 * BLOCK
MOST_HEARD = 16
"""Members in one message down; ntgcalls gives eleven."""
STALE = 0.15
"""Seconds after which a block is not handed over any more: that was held up, and the gate may be closed by now."""
MOST_CONTROL = 131_072
"""Bytes of the longest message of control: what Telegram's server answers to a join has about 3,000, a piece of sound 20,000."""
MOST_PIECE = 90_000
"""Bytes of the longest piece: as text it is a third longer."""

_SOURCE, _WHEN = struct.Struct("=I"), struct.Struct("=q")
_ONE = _SOURCE.size + BLOCK_BYTES
_UP_BUFFER, _DOWN_BUFFER = 16_384, 131_072
"""Bytes that the kernel keeps: about 6 blocks up and 100 ms of eleven members down."""


class PipeJunk(Exception):
    """The other end sent something that is no message."""


def pair(buffer: int) -> tuple[socket.socket, socket.socket]:
    """Two ends, neither of which waits."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    return ends


def pairs() -> tuple[tuple[socket.socket, socket.socket], ...]:
    """Control, up and down, each with our end first."""
    return pair(MOST_CONTROL * 2), pair(_UP_BUFFER), pair(_DOWN_BUFFER)


def send(sock: socket.socket, message: bytes | memoryview) -> bool:
    """Whether it was sent: the other end is there, and has room."""
    try:
        sock.send(message, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    except OSError:
        return False
    return True


def receive(sock: socket.socket, size: int) -> bytes | None:
    """The next message, b"" when the other end is gone, None when there is none."""
    try:
        return sock.recv(size, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def block(pcm: Pcm) -> bytes:
    """A message up: a gated block, shape (480,), as it is sent now."""
    return BLOCK_OF_SOUND + _WHEN.pack(time.monotonic_ns()) + pcm.tobytes()


def fresh(body: bytes) -> Pcm | None:
    """The block in what follows the first byte; None when it is too old, or none."""
    if len(body) != _WHEN.size + BLOCK_BYTES:
        return None
    [sent] = _WHEN.unpack_from(body)
    late = time.monotonic_ns() - sent > STALE * 1e9
    return None if late else np.frombuffer(body, np.int16, BLOCK, _WHEN.size)


def tell(sock: socket.socket, what: str, **fields: Any) -> bool:
    """Send a message of control."""
    return send(sock, json.dumps({"is": what, **fields}).encode())


def told(message: bytes) -> Mapping[str, Any]:
    """A message of control.

    :raises PipeJunk: it is none.
    """
    with contextlib.suppress(ValueError):
        found = json.loads(message)
        if isinstance(found, dict) and isinstance(found.get("is"), str):
            return found
    raise PipeJunk("a message of control that is none")


def heard(frames: Sequence[tuple[int, bytes]]) -> bytes:
    """A message down: who is heard, by source, and 960 bytes each."""
    return b"".join(_SOURCE.pack(source) + pcm for source, pcm in frames[:MOST_HEARD] if len(pcm) == BLOCK_BYTES)


def each_heard(message: memoryview) -> Iterator[tuple[int, Pcm]]:
    """What such a message holds; the samples are a view of it."""
    for at in range(0, len(message) - _ONE + 1, _ONE):
        [source] = _SOURCE.unpack_from(message, at)
        yield source, np.frombuffer(message, np.int16, BLOCK, at + _SOURCE.size)


MOST_DOWN = MOST_HEARD * _ONE
"""Bytes of the longest message down."""
MOST_UP = 1 + _WHEN.size + BLOCK_BYTES
