"""One packet to many members: prepared rows, SRTP in place, one system call.

A row is one member's copy of a slot's packet. What never changes (SSRC, ids of header extensions, MID, address) is written
once; per packet numpy fills sequence number, timestamp, payload type, level and payload of all rows at a time, libsrtp
protects each row where it lies, and sendmmsg(2) hands them to the kernel together. That is 3 to 5 µs a packet
(docs/measurements), where a Python call a member costs 12 and more.

A row's sequence number is the slot's plus an offset of its own: rows of members that are not sent a packet (the talker itself)
stand still, and so no member sees a loss that is none.
"""

import ctypes
import errno
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from appliance.core.counters import Counters
from appliance.host.srtp import OVERHEAD, Outbound, Pointer, ffi, lib

Address: TypeAlias = tuple[str, int]

HEADER = 20
"""Bytes before the payload: 12 of RTP and 8 of header extension."""

MOST_PAYLOAD = 1276
"""Bytes; the longest Opus packet of one frame has 1275 (RFC 6716, 3.2.1)."""

_STRIDE = -(-(HEADER + MOST_PAYLOAD + OVERHEAD) // 64) * 64
_FIRST_ROWS = 16
_MOST_AT_ONCE = 1024  # the kernel's own limit for one sendmmsg (UIO_MAXIOV)
_HALF = 1 << 15

# struct sockaddr_in, iovec and mmsghdr of 64-bit Linux, for x86_64 and aarch64 alike.
_SOCKADDR = np.dtype([("family", "u2"), ("port", ">u2"), ("address", "u1", 4), ("zero", "u1", 8)])
_IOVEC = np.dtype([("base", "u8"), ("length", "u8")])
_MMSGHDR = np.dtype(
    {
        "names": ["name", "name_length", "vectors", "vector_count"],
        "formats": ["u8", "u4", "u8", "u8"],
        "offsets": [0, 8, 16, 24],
        "itemsize": 64,
    }
)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.sendmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]


@dataclass(frozen=True, slots=True)
class Stream:
    """What one member agreed on for one slot. Extensions it did not offer are None (RFC 8285, one-byte headers)."""

    ssrc: int
    payload_type: int
    first: int
    """The first sequence number. Below 2**15, so that losing it near the wrap costs nothing (RFC 3711, 3.3.1)."""
    level_id: int | None = None
    mid_id: int | None = None
    mid: str = ""

    def extension(self) -> bytes:
        """The eight bytes of header extension: MID, then the level (to be filled), padding where one is not wanted.

        A MID of more than one character does not fit; the SSRC in the answer tells the section as well.
        """
        mid = bytes([self.mid_id << 4, ord(self.mid)]) if self.mid_id is not None and len(self.mid) == 1 else b"\0\0"
        level = bytes([self.level_id << 4, 0]) if self.level_id is not None else b"\0\0"
        return b"\xbe\xde\x00\x01" + mid + level


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet of a slot: what is alike in all rows."""

    seq: int
    timestamp: int
    marker: bool
    level: int
    """-dBov, 0 … 127 (RFC 6464)."""
    payload: bytes | memoryview


@dataclass(slots=True)
class _Paused:
    """The row that stands still because its member talks, and its last sequence number."""

    who: str
    seq: int


class FanOut:
    """The rows of one slot. Rows have no order: the last takes the place of one that is removed."""

    def __init__(self, descriptor: int, counters: Counters) -> None:
        self._descriptor = descriptor
        self._counters = counters
        self._members: list[tuple[str, Outbound]] = []
        self._srtp: list[Pointer] = []
        self._row: dict[str, int] = {}
        self._seq: int | None = None
        self._paused: _Paused | None = None
        self._rows = np.zeros((0, _STRIDE), np.uint8)
        self._offset = np.zeros(0, np.uint16)
        self._payload_type = np.zeros(0, np.uint8)
        self._level_mask = np.zeros(0, np.uint8)
        self._address = np.zeros(0, _SOCKADDR)
        self._allot(_FIRST_ROWS)

    def __len__(self) -> int:
        return len(self._members)

    @property
    def _last(self) -> int:
        """The newest sequence number of the slot; 0 before its first packet."""
        return self._seq or 0

    def __contains__(self, who: str) -> bool:
        return who in self._row

    def add(self, who: str, outbound: Outbound, stream: Stream, address: Address) -> None:
        """Give ``who`` a row; an older row of the same member goes."""
        self.remove(who)
        row = len(self)
        if row == len(self._offset):
            self._allot(2 * row)
        self._members.append((who, outbound))
        self._srtp.append(outbound.srtp)
        self._row[who] = row
        # Payload type, sequence number and timestamp are filled for each packet.
        head = struct.pack("!BBHII", 0x90, 0, 0, 0, stream.ssrc) + stream.extension()
        self._rows[row, :HEADER] = np.frombuffer(head, np.uint8)
        self._offset[row] = (stream.first - 1 - self._last) & 0xFFFF
        self._payload_type[row] = stream.payload_type
        self._level_mask[row] = 0 if stream.level_id is None else 0x7F
        self.move(who, address)

    def move(self, who: str, address: Address) -> None:
        """Send the row of ``who`` to another IPv4 address from now on."""
        host, port = address
        row = self._address[self._row[who]]
        row["family"], row["port"] = socket.AF_INET, port
        row["address"] = np.frombuffer(socket.inet_aton(host), np.uint8)

    def remove(self, who: str) -> None:
        """Take the row of ``who`` away, if there is one."""
        row = self._row.pop(who, None)
        if row is None:
            return
        if self._paused is not None and self._paused.who == who:
            self._paused = None
        last = len(self) - 1
        if row != last:
            self._rows[row, :HEADER] = self._rows[last, :HEADER]
            for column in (self._offset, self._payload_type, self._level_mask, self._address):
                column[row] = column[last]
            self._members[row] = self._members[last]
            self._srtp[row] = self._srtp[last]
            self._row[self._members[row][0]] = row
        self._members.pop()
        self._srtp.pop()

    def send(self, packet: Packet, talker: str | None = None) -> None:
        """Send ``packet`` to every row but that of ``talker``."""
        if self._seq is None:
            self._begin(packet.seq)
        self._pause(talker, packet.seq)
        if (packet.seq - self._last) & 0xFFFF < _HALF:
            self._seq = packet.seq
        row = self._row.get(talker, -1) if talker is not None else -1
        spans = ((0, len(self)),) if row < 0 else ((0, row), (row + 1, len(self)))
        for begin, end in spans:
            if begin < end:
                self._send_rows(begin, end, packet)

    def send_extra(self, who: str, timestamp: int, payload: bytes) -> None:
        """Send one packet of silence to ``who`` alone; its row goes one ahead of the others."""
        row = self._row.get(who)
        if row is None or self._seq is None:
            return
        self._offset[row] = (int(self._offset[row]) + 1) & 0xFFFF
        self._send_rows(row, row + 1, Packet(self._last, timestamp, marker=False, level=127, payload=payload))

    def _begin(self, seq: int) -> None:
        """The slot's first packet decides what the offsets count from."""
        self._seq = (seq - 1) & 0xFFFF
        self._offset -= np.uint16(self._seq)

    def _pause(self, talker: str | None, seq: int) -> None:
        """Let the talker's row stand still, and the one that stood still go on where it was."""
        paused = self._paused
        if paused is not None and paused.who != talker:
            self._offset[self._row[paused.who]] = (paused.seq + 1 - seq) & 0xFFFF
            self._paused = paused = None
        if paused is None and talker is not None and talker in self._row:
            self._paused = _Paused(talker, (self._last + int(self._offset[self._row[talker]])) & 0xFFFF)

    def _send_rows(self, begin: int, end: int, packet: Packet) -> None:
        self._fill(begin, end, packet)
        for first, last in self._protect(begin, end):
            self._counters.add("host_packets_out", self._flush(first, last))

    def _fill(self, begin: int, end: int, packet: Packet) -> None:
        rows = self._rows[begin:end]
        size = HEADER + len(packet.payload)
        rows[:, 1] = self._payload_type[begin:end] | (0x80 if packet.marker else 0)
        self._words[begin:end, 1] = self._offset[begin:end] + np.uint16(packet.seq)
        self._longs[begin:end, 1] = packet.timestamp
        rows[:, 19] = self._level_mask[begin:end] & packet.level
        rows[:, HEADER:size] = np.frombuffer(packet.payload, np.uint8)
        self._lengths[begin:end] = size

    def _protect(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Protect rows in place; give the spans that may be sent. One refused row does not hold back the others."""
        codes = list(
            map(
                lib.srtp_protect,
                self._srtp[begin:end],
                self._pointers[begin:end],
                self._length_pointers[begin:end],
            )
        )
        self._vectors["length"][begin:end] = self._lengths[begin:end]
        at = begin
        if any(codes):
            for row in (begin + i for i, code in enumerate(codes) if code):
                self._counters.add("host_packets_dropped")
                if at < row:
                    yield at, row
                at = row + 1
        if at < end:
            yield at, end

    def _flush(self, begin: int, end: int) -> int:
        """Hand rows to the kernel without waiting; give how many it took."""
        sent = 0
        while begin < end:
            count = min(end - begin, _MOST_AT_ONCE)
            taken = _libc.sendmmsg(self._descriptor, self._messages_at + begin * _MMSGHDR.itemsize, count, 0)
            if taken <= 0:
                if ctypes.get_errno() in (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM):
                    self._counters.add("host_packets_dropped", end - begin)  # full: what is late is worth nothing
                    return sent
                self._counters.add("host_packets_dropped")  # refused (no route, filtered): the next may pass
                taken = 1
            else:
                sent += taken
            begin += taken
        return sent

    def _allot(self, capacity: int) -> None:
        """Make room for ``capacity`` rows, keeping those there are."""
        kept = len(self)
        rows = np.zeros((capacity, _STRIDE), np.uint8)
        rows[:kept, :HEADER] = self._rows[:kept, :HEADER]
        self._rows = rows
        self._words = rows.view(">u2")
        self._longs = rows.view(">u4")
        self._offset = _grown(self._offset, capacity)
        self._payload_type = _grown(self._payload_type, capacity)
        self._level_mask = _grown(self._level_mask, capacity)
        self._address = _grown(self._address, capacity)
        self._lengths = np.zeros(capacity, np.int32)
        self._link(capacity)

    def _link(self, capacity: int) -> None:
        """Point the kernel's and libsrtp's structures at the rows."""
        index = np.arange(capacity, dtype=np.uint64)
        self._vectors = np.zeros(capacity, _IOVEC)
        self._vectors["base"] = self._rows.ctypes.data + index * _STRIDE
        self._messages = np.zeros(capacity, _MMSGHDR)
        self._messages["name"] = self._address.ctypes.data + index * _SOCKADDR.itemsize
        self._messages["name_length"] = _SOCKADDR.itemsize
        self._messages["vectors"] = self._vectors.ctypes.data + index * _IOVEC.itemsize
        self._messages["vector_count"] = 1
        self._messages_at = self._messages.ctypes.data
        first_row = ffi.cast("char *", ffi.from_buffer(self._rows))
        first_length = ffi.cast("int *", ffi.from_buffer(self._lengths))
        self._pointers: list[Pointer] = [first_row + row * _STRIDE for row in range(capacity)]
        self._length_pointers: list[Pointer] = [first_length + row for row in range(capacity)]


def _grown(column: NDArray[Any], capacity: int) -> NDArray[Any]:
    grown = np.zeros(capacity, column.dtype)
    grown[: len(column)] = column
    return grown
