"""How soon the services of a device are ready: ``make bench-start``, a minute. No sound card, no network, a virtual panel.

Each is started alone, again and again, until it tells its service manager READY. With ``--before FOLDER``, a checkout of another
commit, that one is measured in turns with this, and is what the figures are compared with.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.app.panels import VIRTUAL_PANEL
from tools.measurements import ROOT, Figure, table, write

PARTS = ("sound", "link", "provision")
TIMES = 9
_PATIENCE = 60.0
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Start:
    """One start, up to READY."""

    seconds: float
    cpu: float
    """Seconds of one core."""


def start(part: str, house: Path, folder: Path) -> Start:
    """Start one service of the checkout ``house`` in a fresh device below ``folder``.

    :raises RuntimeError: it ends, or is not ready within a minute.
    """
    (folder / "etc/kontor").mkdir(parents=True)
    for own in PARTS:
        (folder / "state" / own).mkdir(parents=True)
    (folder / "run").mkdir()
    (folder / "etc/kontor/kontor.toml").write_text(
        f'schema = 1\n[device]\nstate_dir = "{folder}/state"\nruntime_dir = "{folder}/run"\n[panel]\nkind = "virtual"\n'
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(folder / "notify"))
        told.settimeout(_PATIENCE)
        env = os.environ | {"KONTOR_ROOT": str(folder), "NOTIFY_SOCKET": str(folder / "notify"), VIRTUAL_PANEL: "1"}
        env |= {"PYTHONPATH": str(house), "OPENBLAS_NUM_THREADS": "1"}
        begun = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "appliance", part], env=env, cwd=folder, stderr=subprocess.DEVNULL
        )
        try:
            while b"READY=1" not in told.recv(_LONGEST):
                pass
            return Start(time.monotonic() - begun, _cpu(process.pid))
        except TimeoutError:
            raise RuntimeError(f"kontor {part} of {house} was not ready within {_PATIENCE:.0f} s") from None
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def _cpu(pid: int) -> float:
    """What all threads have had of a core (Documentation/scheduler/sched-stats.rst of Linux): finer than ticks."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def middle(part: str, houses: Sequence[Path], times: int) -> list[Start]:
    """The medians of ``times`` starts of each checkout, taken in turns: what else the machine does meets all alike."""
    seen: list[list[Start]] = [[] for _ in houses]
    for _ in range(times + 1):
        for house, mine in zip(houses, seen, strict=True):
            with tempfile.TemporaryDirectory() as folder:
                mine.append(start(part, house, Path(folder)))
    # The first one has written the bytecode.
    return [
        Start(statistics.median(each.seconds for each in mine[1:]), statistics.median(each.cpu for each in mine[1:]))
        for mine in seen
    ]


def figures(before: Path | None, times: int) -> list[Figure]:
    """What is written down, in milliseconds."""
    houses = [ROOT, *([before] if before else [])]
    found = {part: middle(part, houses, times) for part in PARTS}
    rows = []
    for part, each in found.items():
        rows.append(_row(f"start.{part}_ready_ms", [house.seconds for house in each]))
        rows.append(_row(f"start.{part}_cpu_ms", [house.cpu for house in each]))
    return rows


def _row(name: str, seconds: Sequence[float]) -> Figure:
    """:param seconds: of this checkout, and of the one before, if there is one."""
    now, *before = (round(1000 * each, 1) for each in seconds)
    return Figure(name, now, "ms", peer="before" if before else "", peer_value=before[0] if before else None)


def main(arguments: Sequence[str]) -> int:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="a checkout of another commit")
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--dry", action="store_true", help="print the figures, write nothing")
    given = parser.parse_args(arguments)
    rows = figures(given.before and given.before.resolve(), given.times)
    if given.dry:
        print(table(rows))
    else:
        write("start", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
