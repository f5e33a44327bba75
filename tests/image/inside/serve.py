"""Does what the host asks for, over a virtio-serial port or a serial adapter on USB: ``python3 -m tests.image.inside.serve``."""

from __future__ import annotations

import os
import time
import tty
from pathlib import Path

from tools.kernel.agent import JOBS, port, run
from tools.kernel.channel import Channel

_ADAPTER = Path("/dev/ttyUSB0")


def opened() -> int:
    """The line to the host; waits until there is one."""
    while True:
        if Path("/sys/class/virtio-ports").is_dir() and any(Path("/sys/class/virtio-ports").iterdir()):
            return port(JOBS)
        if _ADAPTER.exists():
            fd = os.open(_ADAPTER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
            tty.setraw(fd)
            return fd
        time.sleep(0.2)


def main() -> None:
    """Serve for ever. Raises EOFError when the host is gone."""
    jobs = Channel(opened())
    jobs.send({"ready": os.uname().release})
    while order := jobs.receive():
        jobs.send(run(order, jobs))


if __name__ == "__main__":
    main()
