"""Facts about the machine and about this process: what is not to be had here, or hidden by a sandbox, is left out.

Nothing needs a right: sysfs, sysinfo(2) and this process's own entry in /proc, so the same works in a unit that sees no other
process and no /proc/stat.
"""

import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

THROTTLED = {0: "under_voltage", 1: "frequency_capped", 2: "throttled", 3: "hot"}
"""Bits of ``get_throttled`` that hold now; 16 higher: since the start (Raspberry Pi documentation, vcgencmd)."""
_SINCE_START = 16
_FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
_SECTOR = 512
_WRITTEN = 6
"""Sectors written, in a line of ``stat`` (kernel documentation, block/stat)."""
_LIFE_STEP = 0.1
"""An eMMC tells its wear in tenths (JEDEC eMMC 5.1, EXT_CSD 268 and 269)."""


class _SysInfo(ctypes.Structure):
    """``struct sysinfo`` (sysinfo(2))."""

    _fields_ = [
        ("uptime", ctypes.c_long),
        ("loads", ctypes.c_ulong * 3),
        ("totalram", ctypes.c_ulong),
        ("freeram", ctypes.c_ulong),
        ("sharedram", ctypes.c_ulong),
        ("bufferram", ctypes.c_ulong),
        ("totalswap", ctypes.c_ulong),
        ("freeswap", ctypes.c_ulong),
        ("procs", ctypes.c_ushort),
        ("pad", ctypes.c_ushort),
        ("totalhigh", ctypes.c_ulong),
        ("freehigh", ctypes.c_ulong),
        ("mem_unit", ctypes.c_uint),
        ("_f", ctypes.c_char * 64),
    ]


@dataclass(frozen=True, slots=True)
class Machine:
    """None or nothing: not to be had here."""

    uptime: float
    """Seconds since the machine started, sleep included."""
    load: float | None = None
    """Threads that ran or waited for a processor, averaged over a minute."""
    memory_free: int | None = None
    """Bytes that nobody uses."""
    temperature: float | None = None
    """Of the hottest sensor, °C."""
    throttled: tuple[str, ...] = ()
    """Why the processor runs slower than it could, now."""
    throttled_before: tuple[str, ...] = ()
    """The same at any time since the start."""
    tells_throttling: bool = False
    """Whether this machine can tell."""
    life_used: dict[str, float] = field(default_factory=dict)
    """Part of its life that each storage has behind it, 0 to 1.1, for storage that tells."""
    written: int | None = None
    """Bytes written since the start to where the state is kept."""
    free: int | None = None
    """Bytes that are free there."""


def machine(state: Path, root: Path = Path("/")) -> Machine:
    """How the machine is.

    :param state: a folder on the storage that is written to.
    :param root: where ``sys`` is.
    """
    load, memory = _load_and_memory()
    now, before = throttling(root)
    return Machine(
        uptime=time.clock_gettime(time.CLOCK_BOOTTIME),
        load=load,
        memory_free=memory,
        temperature=max(_temperatures(root), default=None),
        throttled=now or (),
        throttled_before=before or (),
        tells_throttling=now is not None,
        life_used=dict(_life_used(root)),
        written=_written(state, root),
        free=_free(state),
    )


def throttling(root: Path = Path("/")) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Why the processor is slowed down now, and at any time since the start; None where the machine does not tell.

    The Raspberry Pi kernel tells all reasons; a mainline kernel tells low voltage alone, by its hwmon.
    """
    with suppress(OSError, ValueError):
        bits = int((root / _FIRMWARE).read_text(), 16)
        return _reasons(bits), _reasons(bits >> _SINCE_START)
    for sensor in sorted((root / "sys/class/hwmon").glob("*")):
        with suppress(OSError, ValueError):
            if (sensor / "name").read_text().strip() == "rpi_volt":
                low = int((sensor / "in0_lcrit_alarm").read_text())
                return (("under_voltage",) if low else ()), ()
    return None, None


def _reasons(bits: int) -> tuple[str, ...]:
    return tuple(name for bit, name in THROTTLED.items() if bits >> bit & 1)


def _temperatures(root: Path) -> Iterator[float]:
    for zone in (root / "sys/class/thermal").glob("thermal_zone*/temp"):
        with suppress(OSError, ValueError):
            yield int(zone.read_text()) / 1000


def _life_used(root: Path) -> Iterator[tuple[str, float]]:
    for told in sorted((root / "sys/block").glob("*/device/life_time")):
        with suppress(OSError, ValueError):
            steps = max(int(word, 16) for word in told.read_text().split())
            if steps:  # 0: the storage does not say
                yield told.parent.parent.name, round(steps * _LIFE_STEP, 1)


def _written(state: Path, root: Path) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        device = state.stat().st_dev
        stat = root / f"sys/dev/block/{os.major(device)}:{os.minor(device)}/stat"
        return int(stat.read_text().split()[_WRITTEN]) * _SECTOR
    return None


def _free(state: Path) -> int | None:
    with suppress(OSError):
        found = os.statvfs(state)
        return found.f_bavail * found.f_frsize
    return None


def _load_and_memory() -> tuple[float | None, int | None]:
    found = _SysInfo()
    if ctypes.CDLL(None).sysinfo(ctypes.byref(found)) != 0:
        return None, None
    return found.loads[0] / 65536, (found.freeram + found.bufferram) * found.mem_unit


def own_process() -> dict[str, object]:
    """This process, ready for its status: its number, the processor time it took (s) and what it has in memory (bytes)."""
    facts: dict[str, object] = {"pid": os.getpid(), "cpu_s": round(time.process_time(), 2)}
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        facts["rss_bytes"] = pages * os.sysconf("SC_PAGE_SIZE")
    return facts
