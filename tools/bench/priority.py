"""Before the machine's other work: what is measured, ours and its peer alike, runs at a better nice value."""

import contextlib
import os
from pathlib import Path

NICE = -15


def _parents() -> dict[int, int]:
    """The parent of each process."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
    return parents


def family() -> list[int]:
    """This process and all that descend from it."""
    parents, found = _parents(), [os.getpid()]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def prefer() -> None:
    """For this process, what descends from it, and what those start later; nothing where it is not allowed.

    Nice values are compared within a session only where the kernel groups by session (sched(7), autogroup): so the
    sessions get one too.
    """
    for pid in family():
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, NICE)
            Path(f"/proc/{pid}/autogroup").write_text(str(NICE))
