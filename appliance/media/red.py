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

Data = bytes | bytearray | memoryview


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
    """The newest frame alone, a part of ``payload``; None when :func:`split` finds none. Never raises."""
    at, size, earlier = 0, len(payload), 0
    while at + 3 < size and at < MOST_BLOCKS * _BLOCK.size and payload[at] & _MORE:
        earlier += (payload[at + 2] & 0x03) << 8 | payload[at + 3]
        at += _BLOCK.size
    begin = at + 1 + earlier
    if at >= size or payload[at] & _MORE or begin > size:
        return None
    return payload[begin:]


def size(newest: Data, earlier: Sequence[tuple[int, Data]] = ()) -> int:
    """Bytes that :func:`build_into` needs for these frames."""
    total = 1 + len(newest)
    for _, data in earlier:
        total += _BLOCK.size + len(data)
    return total


def build_into(
    buffer: bytearray | memoryview,
    at: int,
    payload_type: int,
    newest: Data,
    earlier: Sequence[tuple[int, Data]] = (),
) -> int:
    """Write a redundant payload into ``buffer`` from ``at`` on, and return where it ends.

    :param payload_type: that of the frames themselves, 0 to 127.
    :param earlier: frames before ``newest``, oldest first, each with its offset in samples.
    :raises ValueError: ``buffer`` is too small, or a frame is longer or older than RFC 2198 can say.
    """
    data_at = at + _BLOCK.size * len(earlier) + 1
    if at + size(newest, earlier) > len(buffer):
        raise ValueError(f"the payload has {size(newest, earlier)} bytes, the buffer {len(buffer) - at} left")
    for offset, data in earlier:
        length = len(data)
        if not 0 < offset <= MOST_OFFSET or length > MOST_LENGTH:
            raise ValueError(f"a frame of {length} bytes, {offset} samples ago, cannot be sent again")
        _BLOCK.pack_into(buffer, at, (_MORE | payload_type) << 24 | offset << 10 | length)
        at += _BLOCK.size
        buffer[data_at : data_at + length] = data
        data_at += length
    buffer[at] = payload_type
    end = data_at + len(newest)
    buffer[data_at:end] = newest
    return end


def build(payload_type: int, newest: Data, earlier: Sequence[tuple[int, Data]] = ()) -> bytes:
    """A redundant payload of ``newest`` and of ``earlier`` frames, oldest first, each with its offset in samples.

    Frames that RFC 2198 cannot carry, too long or too old, are left out.
    """
    kept = [(offset, data) for offset, data in earlier if 0 < offset <= MOST_OFFSET and len(data) <= MOST_LENGTH]
    buffer = bytearray(size(newest, kept))
    build_into(buffer, 0, payload_type, newest, kept)
    return bytes(buffer)
