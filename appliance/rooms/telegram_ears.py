"""Whether anything still comes to the sockets of a library that does not tell: asked of Linux, not of the library.

ntgcalls says nothing of its connection once it had one (docs/adr/0228). Checks of ICE go both ways every few seconds for as
long as there is a way (RFC 7675), whether anybody speaks or not; and Linux knows when a socket's last packet came
(SIOCGSTAMP, socket(7)). It keeps that only for sockets that do not want the time with each packet: libwebrtc does, so that is
switched off (SO_TIMESTAMP), and it goes by its own clock, as it does on systems without.
"""

import contextlib
import fcntl
import os
import socket
import struct
import time

_SIOCGSTAMP = 0x8906
_STAMP = struct.Struct("@ll")
"""A timeval: seconds and microseconds of Unix time."""
_SO_TIMESTAMP = 29
"""socket.SO_TIMESTAMP of later versions of Python."""
_INTERNET = (socket.AF_INET, socket.AF_INET6)


def heard_ago() -> float | None:
    """Seconds since the last datagram came to this process; None: none ever did, or it was before the first question."""
    ages = [age for number in os.listdir("/proc/self/fd") if (age := _age(int(number))) is not None]
    return min(ages, default=None)


def _stamp(answer: bytes) -> tuple[int, int]:
    seconds, micros = _STAMP.unpack(answer)
    return seconds, micros


def _age(number: int) -> float | None:
    """Of one descriptor: None when it is no socket of UDP, or nothing came."""
    with contextlib.suppress(OSError):  # it may be closed meanwhile
        ours = os.dup(number)
        try:
            if not os.readlink(f"/proc/self/fd/{ours}").startswith("socket:"):
                return None
            with socket.socket(fileno=os.dup(ours)) as sock:
                if sock.type != socket.SOCK_DGRAM or sock.family not in _INTERNET:
                    return None
                if sock.getsockopt(socket.SOL_SOCKET, _SO_TIMESTAMP):
                    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMP, 0)
            seconds, micros = _stamp(fcntl.ioctl(ours, _SIOCGSTAMP, bytes(_STAMP.size)))
            return max(0.0, time.time() - float(seconds) - micros / 1e6)
        finally:
            os.close(ours)
    return None
