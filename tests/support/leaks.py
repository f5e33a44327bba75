"""What is alive in this process and below it, and what of it has no business to be."""

import gc
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

GRACE = 2.0
"""Seconds for threads and processes that are ending to end."""

_MARK = f"KONTOR_TEST_RUN_{os.getpid()}"

KNOWN_THREADS: dict[str, str] = {}
"""Beginnings of thread names that may stay, each with its reason."""


@dataclass(frozen=True)
class Alive:
    """One look: threads, direct children by process id, sockets by inode."""

    threads: frozenset[threading.Thread] = frozenset()
    children: frozenset[int] = frozenset()
    sockets: frozenset[str] = frozenset()

    def __or__(self, other: "Alive") -> "Alive":
        return Alive(self.threads | other.threads, self.children | other.children, self.sockets | other.sockets)

    def __sub__(self, other: "Alive") -> "Alive":
        return Alive(self.threads - other.threads, self.children - other.children, self.sockets - other.sockets)

    def __bool__(self) -> bool:
        return bool(self.threads or self.children or self.sockets)

    def names(self) -> list[str]:
        """One line for each leak, telling enough to find who made it."""
        threads = [f"thread {t.name!r} ({'daemon' if t.daemon else 'not daemon'})" for t in self.threads]
        children = [f"process {pid}: {_command(pid)}" for pid in sorted(self.children)]
        return sorted(threads) + children + sorted(_socket_name(inode) for inode in self.sockets)


PEERS: set[object] = set()
"""Addresses of servers to which a library keeps connections for a while: those belong to whoever owns the server."""
_kept: list[Alive] = []


@contextmanager
def kept() -> Iterator[None]:
    """What a library starts here it keeps for as long as the process lives: that is no leak."""
    before = look()
    yield
    _kept.append(look() - before)


def look() -> Alive:
    """Everything alive now, but for what is :func:`kept`."""
    known = tuple(KNOWN_THREADS)
    threads = frozenset(
        thread
        for thread in threading.enumerate()
        if thread is not threading.main_thread()
        and not isinstance(thread, threading._DummyThread)  # a foreign library's own thread
        and not (known and thread.name.startswith(known))
    )
    alive = Alive(threads, frozenset(_children()), frozenset(_sockets()))
    for kept_by_libraries in _kept:
        alive -= kept_by_libraries
    return alive


def leaks_since(before: Alive) -> Alive:
    """What is alive now and was not before, after the grace time."""
    deadline = time.monotonic() + GRACE
    while leaked := look() - before:
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    return leaked


def end_processes(leaked: Alive) -> None:
    """End the children of one leak, so that the next test does not meet them."""
    for pid in leaked.children:
        try:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            continue  # it went by itself meanwhile


@dataclass
class Unseen:
    """Exceptions that finalisers raised while :func:`collecting`; ResourceWarnings are among them."""

    lines: list[str] = field(default_factory=list)


@contextmanager
def collecting() -> Iterator[Unseen]:
    """Collect garbage on leaving, and note what finalisers complain about."""
    unseen = Unseen()

    def note(unraisable: "sys.UnraisableHookArgs") -> None:
        unseen.lines.append(f"{unraisable.err_msg or 'in a finaliser'}: {unraisable.exc_value!r}")

    yield unseen
    hook, sys.unraisablehook = sys.unraisablehook, note
    try:
        gc.collect()
    finally:
        sys.unraisablehook = hook


def mark_descendants() -> None:
    """Put a word of this run into the environment, by which even an orphaned grandchild is known."""
    os.environ[_MARK] = "1"


def _children() -> Iterator[int]:
    """Our children and all who inherited our mark. The dead do not count: the ResourceWarning of Popen tells of those."""
    me, mark = str(os.getpid()).encode(), f"{_MARK}=1".encode()
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            state, parent = _read(f"/proc/{entry}/stat").rpartition(b")")[2].split(None, 2)[:2]
            if state != b"Z" and (parent == me or mark in _read(f"/proc/{entry}/environ").split(b"\0")):
                yield int(entry)
        except OSError:
            continue  # it ended while we looked, or it is another user's


def _read(path: str) -> bytes:
    """All of a small file of /proc: plain calls, since every test reads hundreds."""
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, 1 << 17)
    finally:
        os.close(file)


def _sockets() -> Iterator[str]:
    for entry in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{entry}")
        except OSError:
            continue
        if target.startswith("socket:") and not (PEERS and _peer(int(entry)) in PEERS):
            yield target


def _peer(fd: int) -> object:
    try:
        with socket.socket(fileno=os.dup(fd)) as sock:
            return sock.getpeername()
    except OSError:
        return None  # it has none, or was closed meanwhile


def _socket_name(inode: str) -> str:
    for entry in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{entry}") != inode:
                continue
            with socket.socket(fileno=os.dup(int(entry))) as copy:
                return f"socket fd {entry}, {copy.family.name} {copy.type.name} at {copy.getsockname()!r}"
        except OSError:
            continue
    return inode


def _command(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return command[:200] or Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "(gone)"
