"""What somebody in the same network can get at: every port of a device, tried from the office."""

from __future__ import annotations

import json
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from tests.image.office import GATEWAY, PORT, Office
from tools.kernel.fetch import ROOT

UNHINDERED = ("net.ipv4.icmp_ratelimit=0", "net.ipv4.icmp_msgs_per_sec=100000", "net.ipv4.icmp_msgs_burst=100000")
"""Linux says only once a second that a port is closed; what is open is the same without that."""
EXPECTED = (
    r"ether 0806",
    r"udp4 68 > (255\.255\.255\.255|10\.77\.0\.1):67",
    rf"tcp4 \d+ > {re.escape(GATEWAY)}:{PORT}",
    rf"udp4 \d+ > {re.escape(GATEWAY)}:{PORT}",
    r"icmp6 type (133|135|143) > ff02::.*",  # router and neighbour solicitation, multicast listener report
    r"icmp4 type 3 > 10\.77\.0\.1",  # a port is closed
    r"udp4 \d+ > 224\.0\.0\.251:5353",  # until its card has been read it has no room, and looks for one nearby
)
"""What a device sends that is in a room: its address, the room, its call. Without a name server it asks for no time."""
_DRAWN = range(32768, 61000)
"""net.ipv4.ip_local_port_range, as Linux has it. What listens for others (mDNS, LLMNR) stands below."""
_BATCH, _WAIT, _TRIES = 512, 1.0, 3


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports that took a connection; UDP ports of which the device did not say that they are closed."""

    tcp_open: list[int]
    udp_silent: list[int]


def scan(office: Office, address: str) -> Ports:
    """Try all 65,535 ports of both kinds."""
    words = office.command(sys.executable, "-m", "tests.image.outside", address)
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return Ports(**json.loads(done.stdout))


def allowed_udp(listening: Iterable[str]) -> set[int]:
    """UDP ports that may be open: DHCP's, and those of the call, which the device says it has: ports that its kernel draws."""
    ports = {int(line.split()[2]) for line in listening if line.startswith("udp")}
    return {68, *(port for port in ports if port in _DRAWN)}


def unexpected(sent: Iterable[str]) -> list[str]:
    """Kinds of packets that a device in a room has no reason to send."""
    return [line for line in sent if not any(re.fullmatch(pattern, line) for pattern in EXPECTED)]


def _open_tcp(address: str, ports: list[int]) -> list[int]:
    found = []
    with selectors.DefaultSelector() as waiting:
        for port in ports:
            one = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            one.connect_ex((address, port))
            waiting.register(one, selectors.EVENT_WRITE, port)
        end = time.monotonic() + _WAIT
        while waiting.get_map() and time.monotonic() < end:
            for key, _ in waiting.select(0.1):
                one = key.fileobj  # type: ignore[assignment]
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    found.append(int(key.data))
                waiting.unregister(one)
                one.close()
        for key in list(waiting.get_map().values()):
            waiting.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]
    return found


def _silent_udp(address: str, ports: list[int]) -> list[int]:
    """A closed port is told by an ICMP message, which the socket gets as an error."""
    left = dict.fromkeys(ports)
    for _ in range(_TRIES):
        with selectors.DefaultSelector() as waiting:
            sockets = []
            for port in left:
                one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
                one.connect((address, port))
                one.send(b"?")
                waiting.register(one, selectors.EVENT_READ, port)
                sockets.append(one)
            end = time.monotonic() + _WAIT
            while left and time.monotonic() < end:
                for key, _events in waiting.select(0.1):
                    waiting.unregister(key.fileobj)
                    try:
                        key.fileobj.recv(64)  # type: ignore[union-attr]
                    except ConnectionRefusedError:
                        left.pop(key.data, None)
            for one in sockets:
                one.close()
        if not left:
            break
    return list(left)


def main(address: str) -> None:
    """Tell which ports are open, as JSON."""
    tcp, udp = [], []
    for begin in range(1, 65536, _BATCH):
        ports = list(range(begin, min(begin + _BATCH, 65536)))
        tcp += _open_tcp(address, ports)
        udp += _silent_udp(address, ports)
    print(json.dumps(asdict(Ports(tcp, udp))))


if __name__ == "__main__":
    main(*sys.argv[1:])
