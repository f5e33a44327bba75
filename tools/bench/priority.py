"""Before the machine's other work: what is measured, ours and its peer alike."""

import contextlib
import os
from pathlib import Path

_LOWEST = 1
_NICE = -15


def prefer() -> str:
    """Give this process, and those that it starts from now on, the lowest real-time priority, or else a better nice value.

    Returns what came of it, in words. Nice values are compared within a session only where the kernel groups by session
    (sched(7), autogroup), so the session gets one too.
    """
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_LOWEST))
        return "all of it at real time"
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
        Path("/proc/self/autogroup").write_text(str(_NICE))
        return f"all of it at nice {_NICE}"
    return "all of it at ordinary priority"
