"""What a device sends: ``python -m tests.image.sniffer INTERFACE MAC``; each kind of packet is a line, the first time it comes.

``udp4 68 > 255.255.255.255:67``, ``tcp4 > 10.77.0.1:8443``, ``icmp6 type 133``, ``ether 0806``.
"""

from __future__ import annotations

import socket
import struct
import sys

_ALL, _IPV4, _IPV6 = 0x0003, 0x0800, 0x86DD
_TCP, _UDP, _HOP_BY_HOP = 6, 17, 0
_OTHERS = {1: "icmp4", 2: "igmp", 58: "icmp6"}


def told(frame: bytes) -> str:
    """An Ethernet frame in one line."""
    (kind,) = struct.unpack_from("!H", frame, 12)
    body = frame[14:]
    if kind == _IPV4:
        return _transport(4, body[9], socket.inet_ntoa(body[16:20]), body[(body[0] & 15) * 4 :])
    if kind == _IPV6:
        protocol, rest = body[6], body[40:]
        while protocol == _HOP_BY_HOP:
            protocol, rest = rest[0], rest[(rest[1] + 1) * 8 :]
        return _transport(6, protocol, socket.inet_ntop(socket.AF_INET6, body[24:40]), rest)
    return f"ether {kind:04x}"


def _transport(version: int, protocol: int, to: str, data: bytes) -> str:
    if protocol in (_TCP, _UDP):
        source, target = struct.unpack_from("!HH", data)
        return (
            f"udp{version} {source} > {to}:{target}" if protocol == _UDP else f"tcp{version} {source} > {to}:{target}"
        )
    name = _OTHERS.get(protocol, f"protocol {protocol}")
    return f"{name} type {data[0]} > {to}"


def main(interface: str, mac: str) -> None:
    """Tell until killed."""
    seen = set()
    device = bytes.fromhex(mac.replace(":", ""))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL)) as ours:
        ours.bind((interface, 0))
        while True:
            frame = ours.recv(2048)
            if frame[6:12] == device and (line := told(frame)) not in seen:
                seen.add(line)
                print(line, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
