"""What a sandbox lets through, tried from inside: ``guest-python probe.py NAME…`` prints one JSON object, a word for each.

The word is "let through", or the error that the kernel gave. It imports nothing of ours: it runs in the place of our services.
"""

import ctypes
import errno
import json
import mmap
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_ADDR_NO_RANDOMIZE, _NEWUSER = 0x0040000, 0x10000000


def _call(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _write(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    os.unlink(path)


def _read(path: str) -> Callable[[], object]:
    return lambda: Path(path).read_bytes()[:1]


def _set_user_id_bit() -> None:
    path = Path("/tmp/probe")
    path.touch()
    try:
        path.chmod(0o4755)
    finally:
        path.unlink()


def _inside_namespace() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0 if _LIBC.unshare(_NEWUSER) == 0 else ctypes.get_errno())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, os.strerror(code))


def _sees_others() -> None:
    # PID 1 is root's, and so is what is told of it.
    os.listdir("/proc/1")


def _listen(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        pass


def _send(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", (address, 9))


def _mode_of_new_file() -> None:
    handle = os.open("/tmp/new", os.O_CREAT | os.O_WRONLY, 0o666)
    mode = os.fstat(handle).st_mode & 0o777
    os.close(handle)
    os.unlink("/tmp/new")
    if not mode & 0o077:
        raise OSError(errno.EACCES, "nobody else may read it")


def _real_time() -> None:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def _core() -> None:
    import resource

    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:  # the soft one is 0 anyway, and anybody may raise it
        raise OSError(errno.EFBIG, "no memory is written down")


def _other_users() -> None:
    if "4294967295" not in Path("/proc/self/uid_map").read_text():
        raise OSError(errno.EPERM, "other users are nobody")


PROBES: dict[str, Callable[[], object]] = {
    "AF_INET": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
    "AF_NETLINK": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close(),
    "AF_VSOCK": lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close(),
    "port 443": lambda: _listen(443),
    "send": lambda: _send("127.0.0.1"),
    "reach out": lambda: _send("192.0.2.2"),
    "sound card": lambda: os.close(os.open("/dev/snd/controlC0", os.O_RDWR)),
    "another device": lambda: os.close(os.open("/dev/forbidden", os.O_RDWR)),
    "write /etc": lambda: _write("/etc/kontor/probe"),
    "home": lambda: os.listdir("/home/somebody"),
    "shared /tmp": _read("/tmp/of-somebody"),
    "writable and executable memory": lambda: mmap.mmap(
        -1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    ),
    "own processors": lambda: os.sched_setaffinity(0, os.sched_getaffinity(0)),
    "trace": lambda: _call(_LIBC.ptrace(0, 0, None, None)),
    "personality": lambda: _call(_LIBC.personality(_ADDR_NO_RANDOMIZE)),
    "namespace": _inside_namespace,
    "set-user-id": _set_user_id_bit,
    "other processes": _sees_others,
    "/proc beside processes": _read("/proc/cpuinfo"),
    "modules": lambda: os.listdir("/usr/lib/modules"),
    "open to others": _mode_of_new_file,
    "real time": _real_time,
    "core": _core,
    "other users": _other_users,
    "token": _read(os.environ.get("CREDENTIALS_DIRECTORY", "/nowhere") + "/kontor.room-token"),
    "token itself": _read("/etc/credstore/kontor.room-token"),
}


def tried(probe: Callable[[], object]) -> str:
    """What comes of it. A device without a driver says ENXIO or ENODEV, but only to whoever may open it."""
    try:
        probe()
    except OSError as error:
        return "let through" if error.errno == errno.ENXIO else errno.errorcode.get(error.errno or 0, str(error))
    return "let through"


if __name__ == "__main__":
    found = {}
    for name in sys.argv[1:]:
        found[name] = tried(PROBES[name] if name in PROBES else _read(name))
    sys.stdout.write(json.dumps(found) + "\n")
