"""One packet to many members: prepared rows, SRTP in place, one system call.

A row is one member's copy of a slot's packet. What never changes (SSRC, ids of header extensions, MID, address) is written
once; per packet numpy fills sequence number, timestamp, payload type, level and payload of all rows at a time, libsrtp
protects each row where it lies, and sendmmsg(2) hands them to the kernel together. That is 3 to 5 µs a packet
(docs/measurements), where a Python call a member costs 12 and more.

Rows lie sorted by what they agreed on: those that get plain Opus, then those that get one earlier frame beside each
(RFC 2198), then two. A payload is so written once for each of these groups, and the rows are still one loop for libsrtp and
one call for the kernel. Payload types, which each member chose for itself, are columns.

A row's sequence number is the slot's plus an offset of its own: rows of members that are not sent a packet (the talker itself)
stand still, and so no member sees a loss that is none.
"""

import ctypes
import errno
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from appliance.core.counters import Counters
from appliance.host.srtp import OVERHEAD, Outbound, Pointer, ffi, lib
from appliance.media import red

Address: TypeAlias = tuple[str, int]

HEADER = 20
"""Bytes before the payload: 12 of RTP and 8 of header extension."""

MOST_PAYLOAD = 1276
"""Bytes; the longest Opus packet of one frame has 1275 (RFC 6716, 3.2.1). Redundancy that does not fit is left out."""

MOST_REDUNDANCY = 2
"""Earlier frames that a packet carries at most."""

_STRIDE = -(-(HEADER + 1 + MOST_PAYLOAD + OVERHEAD) // 64) * 64  # 1: the head of the newest frame among redundant ones
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

# What is known of a row beside its header. ``plain`` is the payload type of Opus, ``outer`` that which the packet shows.
_ROW = np.dtype(
    [
        ("address", _SOCKADDR),
        ("packets", "u4"),
        ("octets", "u4"),
        ("offset", "u2"),
        ("outer", "u1"),
        ("plain", "u1"),
        ("level_mask", "u1"),
    ],
    align=True,
)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.sendmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]


@dataclass(frozen=True, slots=True)
class Stream:
    """What one member agreed on for one slot. Extensions it did not offer are None (RFC 8285, one-byte headers)."""

    ssrc: int
    payload_type: int
    """Of plain Opus."""
    first: int
    """The first sequence number. Below 2**15, so that losing it near the wrap costs nothing (RFC 3711, 3.3.1)."""
    level_id: int | None = None
    mid_id: int | None = None
    mid: str = ""
    red: int | None = None
    """Payload type of redundant audio (RFC 2198); None: it gets plain Opus."""

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
    earlier: Sequence[tuple[int, bytes]] = ()
    """Frames before it, oldest first, each with its distance in samples; for members that agreed on redundancy."""


@dataclass(slots=True)
class _Paused:
    """The row that stands still because its member talks, and its last sequence number."""

    who: str
    seq: int


class FanOut:
    """The rows of one slot, in groups: those with 0, 1 and 2 earlier frames. Within a group they have no order."""

    def __init__(self, descriptor: int, counters: Counters) -> None:
        self._descriptor = descriptor
        self._counters = counters
        self._members: list[tuple[str, Outbound]] = []
        self._srtp: list[Pointer] = []
        self._row: dict[str, int] = {}
        self._ends = [0] * (MOST_REDUNDANCY + 1)
        self._seq: int | None = None
        self._paused: _Paused | None = None
        self._full_at = 0
        self._rows = np.zeros((0, _STRIDE), np.uint8)
        self._columns = np.zeros(0, _ROW)
        self._allot(_FIRST_ROWS)

    def __len__(self) -> int:
        return len(self._members)

    @property
    def _last(self) -> int:
        """The newest sequence number of the slot; 0 before its first packet."""
        return self._seq or 0

    def __contains__(self, who: str) -> bool:
        return who in self._row

    # ---- rows come, move and go

    def add(self, who: str, outbound: Outbound, stream: Stream, address: Address) -> None:
        """Give ``who`` a row; an older row of the same member goes."""
        self.remove(who)
        if len(self) == len(self._columns):
            self._allot(2 * len(self))
        row = self._open(0 if stream.red is None else 1)
        self._members[row] = (who, outbound)
        self._srtp[row] = outbound.srtp
        self._row[who] = row
        # Payload type, sequence number and timestamp are filled for each packet.
        head = struct.pack("!BBHII", 0x90, 0, 0, 0, stream.ssrc) + stream.extension()
        self._rows[row, :HEADER] = np.frombuffer(head, np.uint8)
        columns = self._columns[row]
        columns["packets"] = columns["octets"] = 0
        columns["offset"] = (stream.first - 1 - self._last) & 0xFFFF
        columns["plain"] = stream.payload_type
        columns["outer"] = stream.payload_type if stream.red is None else stream.red
        columns["level_mask"] = 0 if stream.level_id is None else 0x7F
        self.move(who, address)

    def move(self, who: str, address: Address) -> None:
        """Send the row of ``who`` to another IPv4 address from now on."""
        host, port = address
        row = self._columns["address"][self._row[who]]
        row["family"], row["port"] = socket.AF_INET, port
        row["address"] = np.frombuffer(socket.inet_aton(host), np.uint8)

    def remove(self, who: str) -> int | None:
        """Take the row of ``who`` away, if there is one; gives the sequence number that it would have had next."""
        row = self._row.pop(who, None)
        if row is None:
            return None
        following = (self._last + int(self._columns["offset"][row]) + 1) & 0xFFFF
        if self._paused is not None and self._paused.who == who:
            following = (self._paused.seq + 1) & 0xFFFF
            self._paused = None
        self._close(row)
        return following

    def protect_by(self, who: str, blocks: int) -> None:
        """Give ``who`` 1 or 2 earlier frames beside each from now on, if it agreed on any."""
        row, group = self._row.get(who), max(1, min(MOST_REDUNDANCY, blocks))
        if row is None or self._group(row) in {0, group}:
            return
        header, columns = self._rows[row, :HEADER].copy(), self._columns[row].copy()
        member, srtp = self._members[row], self._srtp[row]
        self._close(row)
        row = self._open(group)
        self._rows[row, :HEADER], self._columns[row] = header, columns
        self._members[row], self._srtp[row], self._row[who] = member, srtp, row

    def copies(self, who: str) -> int:
        """How many earlier frames ``who`` is given beside each; 0 also for whoever has no row."""
        row = self._row.get(who)
        return 0 if row is None else self._group(row)

    def sent(self, who: str) -> tuple[int, int]:
        """Packets and octets of payload that went to ``who`` so far (RFC 3550, 6.4.1)."""
        columns = self._columns[self._row[who]]
        return int(columns["packets"]), int(columns["octets"])

    def _open(self, group: int) -> int:
        """Make room for one more row at the end of ``group``: the first row of each later group becomes its last."""
        self._members.append(("", None))  # type: ignore[arg-type]  # filled by the caller
        self._srtp.append(None)
        for later in range(MOST_REDUNDANCY, group, -1):
            self._put(self._ends[later - 1], self._ends[later])
            self._ends[later] += 1
        self._ends[group] += 1
        return self._ends[group] - 1

    def _close(self, row: int) -> None:
        """Fill the place of ``row`` with the last of its group, that one's with the last of the next group, and so on."""
        for group in range(self._group(row), MOST_REDUNDANCY + 1):
            self._ends[group] -= 1
            self._put(self._ends[group], row)
            row = self._ends[group]
        self._members.pop()
        self._srtp.pop()

    def _group(self, row: int) -> int:
        return sum(row >= end for end in self._ends)

    def _put(self, source: int, target: int) -> None:
        if source == target:
            return
        self._rows[target, :HEADER] = self._rows[source, :HEADER]
        self._columns[target] = self._columns[source]
        self._members[target] = self._members[source]
        self._srtp[target] = self._srtp[source]
        self._row[self._members[target][0]] = target

    # ---- packets go

    def send(self, packet: Packet, talker: str | None = None) -> None:
        """Send ``packet`` to every row but that of ``talker``."""
        if self._seq is None:
            self._begin(packet.seq)
        self._pause(talker, packet.seq)
        if (packet.seq - self._last) & 0xFFFF < _HALF:
            self._seq = packet.seq
        if not self._members:
            return
        row = self._row.get(talker, -1) if talker is not None else -1
        self._fill_all(packet)
        if row < 0:
            self._send_rows(0, len(self))
        else:
            self._send_rows(0, row)
            self._send_rows(row + 1, len(self))

    def send_extra(self, who: str, timestamp: int, payload: bytes) -> None:
        """Send one packet of silence to ``who`` alone; its row goes one ahead of the others."""
        row = self._row.get(who)
        if row is None or self._seq is None:
            return
        self._columns["offset"][row] = (int(self._columns["offset"][row]) + 1) & 0xFFFF
        packet = Packet(self._last, timestamp, marker=False, level=127, payload=payload)
        self._fill(row, row + 1, packet, 0 if row < self._ends[0] else 1)
        self._send_rows(row, row + 1)

    def _begin(self, seq: int) -> None:
        """The slot's first packet decides what the offsets count from."""
        self._seq = (seq - 1) & 0xFFFF
        self._columns["offset"] -= np.uint16(self._seq)

    def _pause(self, talker: str | None, seq: int) -> None:
        """Let the talker's row stand still, and the one that stood still go on where it was."""
        paused, offset = self._paused, self._columns["offset"]
        if paused is not None and paused.who != talker:
            offset[self._row[paused.who]] = (paused.seq + 1 - seq) & 0xFFFF
            self._paused = paused = None
        if paused is None and talker is not None and talker in self._row:
            self._paused = _Paused(talker, (self._last + int(offset[self._row[talker]])) & 0xFFFF)

    def _send_rows(self, begin: int, end: int) -> None:
        for first, last in self._protect(begin, end) if begin < end else ():
            # Where the socket was full is where the next packet begins: it must not always be the same who miss it.
            middle = self._full_at if first < self._full_at < last else first
            if self._flush(middle, last):
                self._flush(first, middle)
            else:
                self._counters.add("host_packets_dropped", middle - first)

    def _fill_all(self, packet: Packet) -> None:
        begin = 0
        for group, end in enumerate(self._ends):
            if begin < end:
                self._fill(begin, end, packet, group)
            begin = end

    def _fill(self, begin: int, end: int, packet: Packet, group: int) -> None:
        """Write ``packet`` into the rows of one group, or some of them."""
        rows, columns = self._rows[begin:end], self._columns[begin:end]
        if group == 0:
            payload, earlier = packet.payload, 0
        else:
            payload, earlier = _redundant(packet, group)
        size = HEADER + len(payload)
        rows[:, 1] = columns["outer"] | (0x80 if packet.marker else 0)
        self._words[begin:end, 1] = columns["offset"] + np.uint16(packet.seq)
        self._longs[begin:end, 1] = packet.timestamp
        rows[:, 19] = columns["level_mask"] & packet.level
        rows[:, HEADER:size] = np.frombuffer(payload, np.uint8)
        if group:  # each frame is headed by the row's own payload type of Opus
            for head in range(earlier):
                rows[:, HEADER + 4 * head] = columns["plain"] | 0x80
            rows[:, HEADER + 4 * earlier] = columns["plain"]
        self._lengths[begin:end] = size

    def _protect(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Protect rows in place; give the spans that may be sent. One refused row does not hold back the others."""
        columns = self._columns[begin:end]
        columns["packets"] += 1
        columns["octets"] += self._lengths[begin:end].view(np.uint32) - np.uint32(HEADER)
        srtp, pointers, lengths = self._srtp[begin:end], self._pointers[begin:end], self._length_pointers[begin:end]
        codes = list(map(lib.srtp_protect, srtp, pointers, lengths))
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

    def _flush(self, begin: int, end: int) -> bool:
        """Hand rows to the kernel without waiting; whether it had room for all."""
        while begin < end:
            count = min(end - begin, _MOST_AT_ONCE)
            taken = _libc.sendmmsg(self._descriptor, self._messages_at + begin * _MMSGHDR.itemsize, count, 0)
            if taken <= 0:
                if ctypes.get_errno() in (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM):
                    self._counters.add("host_packets_dropped", end - begin)  # full: what is late is worth nothing
                    self._full_at = begin
                    return False
                self._counters.add("host_packets_dropped")  # refused (no route, filtered): the next may pass
                taken = 1
            else:
                self._counters.add("host_packets_out", taken)
            begin += taken
        return True

    def _allot(self, capacity: int) -> None:
        """Make room for ``capacity`` rows, keeping those there are."""
        kept = len(self)
        rows = np.zeros((capacity, _STRIDE), np.uint8)
        rows[:kept, :HEADER] = self._rows[:kept, :HEADER]
        columns = np.zeros(capacity, _ROW)
        columns[:kept] = self._columns[:kept]
        self._rows, self._columns = rows, columns
        self._words = rows.view(">u2")
        self._longs = rows.view(">u4")
        self._lengths = np.zeros(capacity, np.int32)
        self._link(capacity)

    def _link(self, capacity: int) -> None:
        """Point the kernel's and libsrtp's structures at the rows."""
        index = np.arange(capacity, dtype=np.uint64)
        self._vectors = np.zeros(capacity, _IOVEC)
        self._vectors["base"] = self._rows.ctypes.data + index * _STRIDE
        self._messages = np.zeros(capacity, _MMSGHDR)
        self._messages["name"] = self._columns.ctypes.data + index * _ROW.itemsize  # the address comes first
        self._messages["name_length"] = _SOCKADDR.itemsize
        self._messages["vectors"] = self._vectors.ctypes.data + index * _IOVEC.itemsize
        self._messages["vector_count"] = 1
        self._messages_at = self._messages.ctypes.data
        first_row = ffi.cast("char *", ffi.from_buffer(self._rows))
        first_length = ffi.cast("int *", ffi.from_buffer(self._lengths))
        self._pointers: list[Pointer] = [first_row + row * _STRIDE for row in range(capacity)]
        self._length_pointers: list[Pointer] = [first_length + row for row in range(capacity)]


def _redundant(packet: Packet, most: int) -> tuple[bytes, int]:
    """The payload with up to ``most`` earlier frames, payload types still 0, and how many it has."""
    earlier = packet.earlier[-most:]
    room = MOST_PAYLOAD - len(packet.payload)
    while earlier and sum(4 + len(data) for _, data in earlier) > room:
        earlier = earlier[1:]
    return red.build(0, packet.payload, earlier), len(earlier)
