"""A USB device that is a program of ours: QEMU's ``usb-redir`` speaks to it as to a device on another machine.

Source: usb-redirection-protocol.md of usbredir, version 0.7; only what an isochronous device needs. All is little-endian.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

HELLO, CONNECT, DISCONNECT, RESET, INTERFACES, ENDPOINTS = 0, 1, 2, 3, 4, 5
SET_CONFIGURATION, GET_CONFIGURATION, CONFIGURATION_STATUS = 6, 7, 8
SET_ALTERNATE, GET_ALTERNATE, ALTERNATE_STATUS = 9, 10, 11
START_ISO, STOP_ISO, ISO_STATUS = 12, 13, 14
CANCEL, DISCONNECT_ACK = 21, 24
CONTROL, ISO = 100, 102

OK, STALL = 0, 4
FULL_SPEED = 1
ISOCHRONOUS, CONTROL_KIND, NO_ENDPOINT = 1, 0, 255
_CAPABILITIES = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6
"""connect_device_version, ep_info_max_packet_size, 64bits_ids and 32bits_bulk_length: what QEMU's xHCI insists on."""
_ENDPOINTS = 32
_FIRST = struct.Struct("<III")
_HEADER = struct.Struct("<IIQ")
"""Kind, size and number; in the two messages that say hello, the number is a short one."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came: its kind, its number and what follows."""

    kind: int
    number: int
    body: bytes


class Wire:
    """Messages over a stream socket. Raises EOFError when QEMU is gone."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = bytearray()
        self._header = _FIRST

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, kind: int, body: bytes, number: int = 0) -> None:
        """Send one message."""
        try:
            header = _FIRST if kind == HELLO else _HEADER
            self._socket.sendall(header.pack(kind, len(body), number) + body)
        except OSError as error:
            raise EOFError("QEMU is gone") from error

    def receive(self) -> list[Message]:
        """All messages that are there; waits for some bytes at least."""
        try:
            chunk = self._socket.recv(1 << 16)
        except OSError as error:
            raise EOFError("QEMU is gone") from error
        if not chunk:
            raise EOFError("QEMU is gone")
        self._buffer += chunk
        messages = []
        while len(self._buffer) >= self._header.size:
            kind, size, number = self._header.unpack_from(self._buffer)
            start, end = self._header.size, self._header.size + size
            if len(self._buffer) < end:
                break
            messages.append(Message(kind, number, bytes(self._buffer[start:end])))
            del self._buffer[:end]
            self._header = _HEADER
        return messages


def hello() -> bytes:
    """What each end says first."""
    return b"kontor".ljust(64, b"\0") + struct.pack("<I", _CAPABILITIES)


def connect(vendor: int, product: int) -> bytes:
    """A full-speed device whose classes are told by its interfaces."""
    return struct.pack("<BBBBHHH", FULL_SPEED, 0, 0, 0, vendor, product, 0x0100)


def interfaces(classes: dict[int, tuple[int, int, int]]) -> bytes:
    """Class, subclass and protocol of each interface, by its number."""
    columns = [bytes(classes), *(bytes(row[column] for row in classes.values()) for column in range(3))]
    return struct.pack("<I", len(classes)) + b"".join(column.ljust(32, b"\0") for column in columns)


def endpoints(streams: dict[int, tuple[int, int]]) -> bytes:
    """Interface and largest packet of each isochronous endpoint, by its address."""
    kinds, intervals, owners, sizes = [NO_ENDPOINT] * 32, [0] * 32, [0] * 32, [0] * 32
    for at in (0, 16):
        kinds[at], sizes[at] = CONTROL_KIND, 64
    for address, (owner, size) in streams.items():
        at = (address & 0x80) >> 3 | address & 0x0F
        kinds[at], intervals[at], owners[at], sizes[at] = ISOCHRONOUS, 1, owner, size
    return bytes(kinds) + bytes(intervals) + bytes(owners) + struct.pack(f"<{_ENDPOINTS}H", *sizes)
