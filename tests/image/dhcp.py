"""A DHCP server with one address to give (RFC 2131): ``python -m tests.image.dhcp INTERFACE SERVER ADDRESS``.

Each answer is a line: its kind (2 offer, 5 acknowledgement), the device's address in the Ethernet, the name that it goes by.
It names a router and no DNS server: what the room needs has a number.
"""

from __future__ import annotations

import socket
import struct
import sys

_HEAD = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
_COOKIE = b"\x63\x82\x53\x63"
_DISCOVER, _OFFER, _REQUEST, _ACK = 1, 2, 3, 5
_MASK, _ROUTER, _NAME, _LEASE, _KIND, _SERVER, _END = 1, 3, 12, 51, 53, 54, 255
_SECONDS = 3600


def options(data: bytes) -> dict[int, bytes]:
    """The options of a message, by number."""
    found, at = {}, _HEAD.size
    while at < len(data) and data[at] != _END:
        if data[at] == 0:
            at += 1
            continue
        size = data[at + 1]
        found[data[at]] = data[at + 2 : at + 2 + size]
        at += 2 + size
    return found


def answer(data: bytes, server: bytes, address: bytes) -> bytes | None:
    """What is sent for a message; None: nothing."""
    if len(data) < _HEAD.size or data[0] != 1 or data[_HEAD.size - 4 : _HEAD.size] != _COOKIE:
        return None
    told = options(data)
    kind = {_DISCOVER: _OFFER, _REQUEST: _ACK}.get(told.get(_KIND, b"\0")[0])
    if kind is None:
        return None
    _, hardware, length, _, transaction, _, flags, *_, mac, _, _, _ = _HEAD.unpack_from(data)
    head = (
        2,
        hardware,
        length,
        0,
        transaction,
        0,
        flags,
        bytes(4),
        address,
        server,
        bytes(4),
        mac,
        bytes(64),
        bytes(128),
    )
    given = {
        _KIND: bytes([kind]),
        _SERVER: server,
        _LEASE: struct.pack("!I", _SECONDS),
        _MASK: b"\xff\xff\xff\0",
        _ROUTER: server,
    }
    rest = b"".join(bytes([number, len(value)]) + value for number, value in given.items())
    return _HEAD.pack(*head, _COOKIE) + rest + bytes([_END])


def main(interface: str, server: str, address: str) -> None:
    """Serve until killed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        ours.bind(("", 67))
        while True:
            data = ours.recv(2048)
            if sent := answer(data, socket.inet_aton(server), socket.inet_aton(address)):
                ours.sendto(sent, ("255.255.255.255", 68))
                name = options(data).get(_NAME, b"").decode(errors="replace")
                print(f"{options(sent)[_KIND][0]} {data[28:34].hex(':')} {name}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
