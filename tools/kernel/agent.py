"""The guest's first process: runs what the host asks for, and powers off when the host is gone."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tools.kernel import ticks
from tools.kernel.channel import Channel, readable

JOBS = "kontor.jobs"
ASKS = "kontor.asks"
"""Names of the virtio-serial ports: the host's orders, and what a job asks of the host."""
RESULT = Path("/run/kontor-result.json")
_POWER_OFF = 0x4321FEDC
_LOOK = 0.1


def port(name: str) -> int:
    """Open the virtio-serial port of that name; there is no udev here that would link it."""
    for path in Path("/sys/class/virtio-ports").iterdir():
        if (path / "name").read_text().strip() == name:
            return os.open(f"/dev/{path.name}", os.O_RDWR | os.O_CLOEXEC)
    raise FileNotFoundError(f"no virtio-serial port is named {name}")


def run(order: dict[str, Any], jobs: Channel) -> dict[str, Any]:
    """Run one command; what it says goes to the host as it comes. Raises EOFError when the host is gone meanwhile."""
    RESULT.unlink(missing_ok=True)
    with subprocess.Popen(
        order["run"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=order["cwd"],
        start_new_session=True,
    ) as process:
        try:
            in_time = _follow(process, jobs, time.monotonic() + order["seconds"])
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    result = RESULT.read_text() if RESULT.exists() else None
    return {"ended": process.returncode, "in_time": in_time, "result": result}


def _follow(process: subprocess.Popen[bytes], jobs: Channel, end: float) -> bool:
    """Until the process has ended; False when its time is up."""
    pipe = process.stdout.fileno() if process.stdout else -1
    ended = False
    while time.monotonic() < end:
        ready = readable([pipe, jobs.fileno()], _LOOK)
        if jobs.fileno() in ready:
            jobs.receive(0)  # the host says nothing while a job runs: it is gone
        if pipe in ready:
            data = os.read(pipe, 1 << 16)
            if data:
                jobs.send({"output": data.decode(errors="replace")})
                continue
            process.wait()
            return True
        if ended:  # a child of it that lives on holds the pipe
            return True
        ended = process.poll() is not None
    return False


def _prepare(root: str) -> None:
    """What a system's start does: modules where the kernel looks for them, loopback, configfs."""
    modules, release = Path("/lib/modules"), os.uname().release
    modules.mkdir(parents=True, exist_ok=True)
    if not (modules / release).exists():
        (modules / release).symlink_to(f"{root}/usr/lib/modules/{release}")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for command in (
        ["modprobe", "-a", "configfs"],
        ["mount", "-t", "configfs", "configfs", "/sys/kernel/config"],
        ["ip", "link", "set", "lo", "up"],
    ):
        with contextlib.suppress(FileNotFoundError):  # iproute2 may be missing
            subprocess.run(command, check=False, **quiet)  # type: ignore[call-overload]


def _keep_ticking() -> None:
    """Start the clock of the host's devices, if there are any."""
    try:
        fd = port(ticks.PORT)
    except FileNotFoundError:
        return
    if os.fork() == 0:
        ticks.run(fd)
        os._exit(0)
    os.close(fd)


def main(arguments: list[str]) -> None:
    """Serve until the host is gone."""
    try:
        _prepare(arguments[0])
        _keep_ticking()
        jobs = Channel(port(JOBS))
        jobs.send({"ready": os.uname().release})
        while order := jobs.receive():
            jobs.send(run(order, jobs))
    except EOFError:
        pass  # the host has closed its end: done
    finally:
        ctypes.CDLL(None).sync()
        ctypes.CDLL(None).reboot(_POWER_OFF)


if __name__ == "__main__":
    main(sys.argv[1:])
