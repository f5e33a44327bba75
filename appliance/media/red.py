"""Redundant audio data (RFC 2198): a packet that carries earlier frames once more beside its own.

A payload of it is a header of four bytes for each earlier frame, one byte for the newest, and then the frames themselves, in
the same order. Reading takes any bytes and never raises.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

_BLOCK = struct.Struct("!I")
_MORE = 0x80
MOST_OFFSET = (1 << 14) - 1
"""Samples that an earlier frame may lie before the newest."""
MOST_LENGTH = (1 << 10) - 1
"""Bytes of an earlier frame."""
MOST_BLOCKS = 8
"""Frames in one payload that are still read; more is junk."""

Data = bytes | memoryview


class Frame(NamedTuple):
    """One frame of a redundant payload."""

    payload_type: int
    offset: int
    """Samples before the newest frame; 0 is the newest itself."""
    payload: Data
    """A part of what was read, not a copy."""


def split(payload: Data) -> tuple[Frame, ...]:
    """The frames in ``payload``, oldest first, the newest last; empty when it is no such payload. Never raises."""
    heads: list[tuple[int, int, int]] = []
    at, size = 0, len(payload)
    while at < size and payload[at] & _MORE:
        if at + _BLOCK.size > size or len(heads) == MOST_BLOCKS:
            return ()
        (head,) = _BLOCK.unpack_from(payload, at)
        heads.append((head >> 24 & 0x7F, head >> 10 & MOST_OFFSET, head & MOST_LENGTH))
        at += _BLOCK.size
    if at >= size:
        return ()
    newest = payload[at] & 0x7F
    at += 1
    frames = []
    for kind, offset, length in heads:
        if at + length > size:
            return ()
        frames.append(Frame(kind, offset, payload[at : at + length]))
        at += length
    return (*frames, Frame(newest, 0, payload[at:]))


def primary(payload: Data) -> Data | None:
    """The newest frame alone, a part of ``payload``; None when it is no such payload. Never raises."""
    at, size, earlier = 0, len(payload), 0
    while at + 3 < size and payload[at] & _MORE:
        earlier += (payload[at + 2] & 0x03) << 8 | payload[at + 3]
        at += _BLOCK.size
    begin = at + 1 + earlier
    if at >= size or payload[at] & _MORE or begin > size:
        return None
    return payload[begin:]


def build(payload_type: int, newest: Data, earlier: Sequence[tuple[int, Data]] = ()) -> bytes:
    """A redundant payload of ``newest`` and of ``earlier`` frames, oldest first, each with its offset in samples.

    Frames that RFC 2198 cannot carry, too long or too old, are left out.
    """
    kept = [(offset, data) for offset, data in earlier if 0 < offset <= MOST_OFFSET and len(data) <= MOST_LENGTH]
    heads = [_BLOCK.pack((_MORE | payload_type) << 24 | offset << 10 | len(data)) for offset, data in kept]
    return b"".join((*heads, bytes((payload_type,)), *(data for _, data in kept), newest))
