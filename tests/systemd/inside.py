"""The same guest on a kernel of its own (tools/kernel): that one enforces limits, and has sound cards and lines.

These functions run in the machine that QEMU emulates; the guest is a container in it, as it is one on this machine.
"""

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.systemd.conftest import SETTINGS
from tests.systemd.guest import Guest
from tests.systemd.test_sandbox import body
from tools.kernel.guest import modprobe, write

_CGROUPS = Path("/sys/fs/cgroup")
_PATIENCE = 240.0
"""Seconds of an emulated processor."""
_HOG = "block = bytearray(512 << 20)"
_CROWD = (
    "import threading, time; threads = [threading.Thread(target=time.sleep, args=(1,)) for _ in range(300)]; "
    "[thread.start() for thread in threads]"
)
_OPEN = """import errno, os
try:
    os.open("{place}", os.O_RDWR)
except OSError as error:
    if error.errno not in (errno.ENXIO, errno.ENODEV):  # those say that nobody drives it, and nobody forbade it
        raise
"""
_KINDS = {"alsa": "/dev/snd/controlC0", "gpiochip": "/dev/gpiochip0", "spi": "/dev/spidev0.0"}


def _prepare() -> None:
    """What a systemd outside would have done."""
    _CGROUPS.mkdir(exist_ok=True)
    if not (_CGROUPS / "cgroup.controllers").exists():
        subprocess.run(["mount", "-t", "cgroup2", "cgroup2", str(_CGROUPS)], check=True)
    write(str(_CGROUPS / "cgroup.subtree_control"), "+memory +pids +cpu")
    for module in ("snd-dummy", "gpio-sim", "spidev"):
        modprobe(module)


def _outcome(guest: Guest, part: str, program: str, without: str) -> str:
    """How a program ends in the place of a service: "success", "oom-kill", "exit-code"."""
    guest.path("/run/program.py").write_text(program)
    unit = f"[Service]\nType=oneshot\n{body(part, without)}\nExecStart=/usr/bin/guest-python /run/program.py\n"
    guest.path("/run/systemd/system/probe.service").write_text(unit)
    guest.run("systemctl daemon-reload; systemctl start probe.service", check=False, seconds=_PATIENCE)
    return guest.show("probe.service", "Result")["Result"]


def _devices(guest: Guest) -> Mapping[str, str]:
    """Which kinds of devices sound may open: with its unit, and with one that does not name the kind."""
    lines = Path("/proc/devices").read_text().split("Block")[0].splitlines()
    majors = {words[1]: int(words[0]) for words in map(str.split, lines) if words and words[0].isdigit()}
    found = {}
    for kind, place in _KINDS.items():
        guest.run(f"mkdir -p /dev/snd; rm -f {place}; mknod -m 666 {place} c {majors[kind]} 0")
        program = _OPEN.format(place=place)
        for word, without in (("with", "$^"), ("without", f"DeviceAllow=char-{kind}")):
            found[f"{kind} {word}"] = _outcome(guest, "sound", program, without)
    return found


def limits() -> dict[str, Any]:
    """What the kernel enforces of our units, each with and without the line that asks for it; and how sound runs."""
    _prepare()
    told: dict[str, Any] = {}
    guest = Guest(SETTINGS, _PATIENCE)
    guest.put(
        "usr/lib/systemd/system/kontor-sound.service.d/panel.conf",
        "[Service]\nEnvironment=KONTOR_VIRTUAL_PANEL=1\nWatchdogSec=60\nTimeoutStartSec=240\n",
    )
    with guest:
        for name, part, program, option in (
            ("memory", "link", _HOG, "MemoryMax="),
            ("memory of sound", "sound", _HOG, "MemoryMax="),
            ("tasks", "link", _CROWD, "TasksMax="),
        ):
            told[name] = [_outcome(guest, part, program, without) for without in ("$^", option)]
        told["devices"] = _devices(guest)
        guest.run("systemctl start kontor-sound.service", seconds=_PATIENCE)
        _wait(lambda: bool(guest.pid("sound")))
        own = Path(f"/proc/{guest.pid('sound')}")
        told["oom_score_adj"] = int((own / "oom_score_adj").read_text())
        told["locked"] = "locked=yes" in guest.journal("sound")
        told["locked kB"] = next(
            int(line.split()[1]) for line in (own / "status").read_text().splitlines() if line.startswith("VmLck:")
        )
    return told


def _wait(met: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not met():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.2)
