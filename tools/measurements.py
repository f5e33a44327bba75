"""Figures that benchmarks measured: written as they came, one file a benchmark, and a page made of them.

A benchmark calls :func:`write`; ``make measurements`` makes docs/measurements/README.md from what lies there.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.documents import write_or_check

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY = ROOT / "docs" / "measurements"
TARGET = DIRECTORY / "README.md"
HEAD = """# Measurements

Made by `make measurements` from the files beside this page; each is written by the command that measured it
(`make bench-…`), as it came. A goal that is missed says why in its note. A peer is what the figure is compared with.
Machines are shared and loaded: trust ratios more than absolutes.
"""

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": lambda value, goal: value <= goal,
    ">=": lambda value, goal: value >= goal,
    "==": lambda value, goal: value == goal,
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. ``goal`` is "", or an operator and a number: "<= 5"."""

    name: str
    value: float
    unit: str
    goal: str = ""
    peer: str = ""
    peer_value: float | None = None
    note: str = ""

    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if not self.goal:
            return None
        operator, number = self.goal.split()
        return COMPARE[operator](self.value, float(number))


def write(bench: str, figures: Iterable[Figure], directory: Path = DIRECTORY) -> Path:
    """Write ``bench``.json, make the page anew, print the figures as a table. Raises ValueError for an unreadable goal."""
    rows = list(figures)
    print(table(rows))
    document = {
        "bench": bench,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "commit": commit(),
        "figures": [asdict(figure) for figure in rows],
    }
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{bench}.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    (directory / TARGET.name).write_text(render(directory))
    return path


def machine() -> str:
    """The kind of machine, without its name."""
    try:
        release = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        release = platform.system()
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores {platform.machine()}, {release}, Python {platform.python_version()}"


def commit() -> str:
    """The commit measured, with + when the tree had changes."""
    done = subprocess.run(
        ["git", "describe", "--always", "--abbrev=10", "--dirty=+", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def table(figures: Sequence[Figure]) -> str:
    """Markdown that reads well in a terminal too."""
    rows = [("figure", "value", "unit", "goal", "", "compared with", "note")]
    for figure in figures:
        peer = f"{figure.peer}: {number(figure.peer_value)}" if figure.peer_value is not None else figure.peer
        met = {None: "", True: "met", False: "MISSED"}[figure.met()]
        rows.append((figure.name, number(figure.value), figure.unit, figure.goal, met, peer, figure.note))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    rule = "-|-".join("-" * width for width in widths)
    return "\n".join(f"| {line} |" for line in (lines[0], rule, *lines[1:]))


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == int(value):
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def read(path: Path) -> tuple[dict[str, Any], list[Figure]]:
    """A file that :func:`write` made."""
    document: dict[str, Any] = json.loads(path.read_text())
    return document, [Figure(**figure) for figure in document["figures"]]


def render(directory: Path = DIRECTORY) -> str:
    """The page of all figures."""
    parts = [HEAD]
    for path in sorted(directory.glob("*.json")):
        document, figures = read(path)
        told = f"{document['date']}, commit {document['commit']}, {document['machine']}."
        parts.append(f"## {document['bench']}\n\n{told}\n\n{table(figures)}\n")
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` return 1 when it is not current."""
    return write_or_check(TARGET, render(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
