"""A network of the tests' own: libwebrtc and Janus offer no address of the loopback, so servers and engines get another.

It has no name and no way out, and is gone with the last process and thread in it. A thread inherits the network of the one
that made it, a process too: whatever is started inside stays inside. Libraries keep their threads for as long as the process
lives, so all tests of a process share one such network.
"""

import ctypes
import functools
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.support import need

ADDRESS = "10.77.0.1"
"""Of everything in it: of servers as of members."""

_CLONE_NEWNET = 0x40000000
_OWN = "/proc/thread-self/ns/net"
_lock = threading.Lock()
_kept: list[int] = []
"""The network, as a file that keeps it, once there is one."""


@contextmanager
def apart() -> Iterator[str]:
    """This thread, what it starts and the sockets that it makes are in it meanwhile; gives :data:`ADDRESS`.

    It may be entered again from inside. Skips where it cannot be made.
    """
    before = _open()
    try:
        _enter()
        yield ADDRESS
    finally:
        _setns(before)
        os.close(before)


def _enter() -> None:
    with _lock:
        if _kept:
            _setns(_kept[0])
            return
        need(os.geteuid() == 0, "networks of their own are made by root")
        need("ip", "Debian's iproute2 gives a network its cables")
        try:
            _check(_libc().unshare(_CLONE_NEWNET), "unshare")
        except PermissionError:
            need(False, "this machine lets nobody make a network")
        for command in (
            "link set lo up",
            "link add near type veth peer name far",
            f"address add {ADDRESS}/24 dev near",
            "link set near up",
            "link set far up",
        ):
            subprocess.run(["ip", *command.split()], check=True, timeout=10, capture_output=True)
        with suppress(OSError):  # no IPv6 here: nothing to wait for
            subprocess.run(["sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=1"], check=False, timeout=10)
        _kept.append(_open())


def _open() -> int:
    return os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)


def _setns(namespace: int) -> None:
    _check(_libc().setns(namespace, _CLONE_NEWNET), "setns")


def _check(failed: int, what: str) -> None:
    if failed:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
