"""Hold one thread of a process, as a driver that never comes back would: ``python -m tests.systemd.stall PID audio|panel|loop``.

A thread that is traced and interrupted (ptrace(2)) stands still while all others go on; SIGSTOP would stop them all. It says
"held" and keeps the thread until the process has been killed.
"""

import ctypes
import os
import sys
import time
from pathlib import Path

_SEIZE, _INTERRUPT = 0x4206, 0x4207
_ALL = 0x40000000
"""__WALL of waitpid(2): threads too."""
_LOOK = 1.0


def switches(pid: int) -> dict[int, int]:
    """How often each thread has waited for something."""
    found = {}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        lines = (thread / "status").read_text().splitlines()
        found[int(thread.name)] = int(next(line for line in lines if line.startswith("voluntary_")).split()[1])
    return found


def find(pid: int, which: str) -> int:
    """The thread of audio wakes up a hundred times a second, that of the panel four times; the loop is the main thread.

    :raises LookupError: there is no such thread.
    """
    if which == "loop":
        return pid
    before = switches(pid)
    time.sleep(_LOOK)
    rates = {thread: (count - before.get(thread, count)) / _LOOK for thread, count in switches(pid).items()}
    least, most = {"audio": (50, 1000), "panel": (2, 30)}[which]
    fitting = [thread for thread, rate in rates.items() if thread != pid and least <= rate <= most]
    if not fitting:
        raise LookupError(f"no thread of {pid} looks like {which}: {rates}")
    return max(fitting, key=lambda thread: rates[thread])


def hold(thread: int) -> None:
    """Stop ``thread``, and stay until it is no more.

    :raises OSError: it cannot be traced.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for request in (_SEIZE, _INTERRUPT):
        if libc.ptrace(request, thread, None, None):
            raise OSError(ctypes.get_errno(), f"ptrace of {thread}")
    os.waitpid(thread, _ALL)
    sys.stdout.write("held\n")
    sys.stdout.flush()
    while True:
        _, status = os.waitpid(thread, _ALL)
        if os.WIFSIGNALED(status) or os.WIFEXITED(status):
            return


if __name__ == "__main__":
    hold(find(int(sys.argv[1]), sys.argv[2]))
