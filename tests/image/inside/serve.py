"""Does what the host asks for, over a virtio-serial port or a serial adapter on USB: ``python3 -m tests.image.inside.serve``."""

from __future__ import annotations

import importlib
import json
import os
import time
import traceback
import tty
from pathlib import Path
from typing import Any

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


def call(place: str, arguments: list[Any]) -> dict[str, Any]:
    """Call a function in this very process: to start a Python takes a second here, which sound would lack."""
    module, _, name = place.partition(":")
    try:
        result = json.dumps(getattr(importlib.import_module(module), name)(*arguments))
    except Exception:  # noqa: BLE001 - whatever it raises is told to the host
        return {"ended": 1, "in_time": True, "result": None, "raised": traceback.format_exc()}
    return {"ended": 0, "in_time": True, "result": result}


def main() -> None:
    """Serve for ever. Raises EOFError when the host is gone."""
    jobs = Channel(opened())
    jobs.send({"ready": os.uname().release})
    while order := jobs.receive():
        jobs.send(call(*order["call"]) if "call" in order else run(order, jobs))


if __name__ == "__main__":
    main()
