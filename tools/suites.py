"""The whole test suite as two pytest processes at once: ``python -m tools.suites``.

Half of its time the suite waits: for browsers, networks and sound that lasts as long as it lasts. So what waits and what
computes run side by side, each as it would alone and with a leak check of its own. The half that computes is printed
as it goes, the second when it has ended. What failed beside the other half, if it is not much, is tried once more alone and
named (ADR 0234). One closing line counts all of it. Ends with the first status that is not 0.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "pytest"
WAITING = ("acme", "audio", "commands", "contract", "e2e", "host", "outside", "page", "rooms")
"""Folders of tests/ in which sound or a browser runs in real time, and which mostly wait; everything else computes."""
_COMPUTING = ("nice", "-n", "5")
"""What computes gives way to what has to be in time."""

_MOST_AGAIN = 6
"""Tests that are tried again alone. When more of them fail, it is not the machine."""
_SOME_FAILED = 1
"""pytest's status when it ran to its end and not all passed; whatever else is wrong with a run is not tried again."""
Counts = tuple[int, int, int]
"""Passed, failed, skipped."""

_CLOSING = re.compile(r"^kontor: (\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)


def halves(tests: Path = ROOT / "tests") -> tuple[list[str], list[str]]:
    """The folders of both halves, what waits first: together every folder that has tests, each once."""
    names = sorted(folder.name for folder in tests.iterdir() if folder.is_dir() and any(folder.rglob("test_*.py")))
    return [f"tests/{name}" for name in names if name in WAITING], [
        f"tests/{name}" for name in names if name not in WAITING
    ]


def counts_of(output: str) -> Counts:
    """What the last closing line in a run's output counts; nothing when it broke before that."""
    found = _CLOSING.findall(output)
    passed, failed, skipped = map(int, found[-1]) if found else (0, 0, 0)
    return passed, failed, skipped


def together(first: Counts, again: Counts) -> Counts:
    """A run, and another of what had failed in it."""
    return first[0] + again[0], again[1], first[2] + again[2]


def closing_line(counts: Sequence[Counts]) -> str:
    """One closing line of several runs'."""
    passed, failed, skipped = (sum(each) for each in zip(*counts, strict=True))
    return f"kontor: {passed} passed, {failed} failed, {skipped} skipped"


def command(half: str) -> list[str]:
    """Pytest with branch coverage of core, counted over all runs, and with a memory of its own of what failed."""
    coverage = [sys.executable, "-m", "coverage", "run", "--parallel-mode", "--source=appliance.core"]
    return [*coverage, "-m", "pytest", "-o", f"cache_dir={CACHE / half}"]


def _printed(process: "subprocess.Popen[str]") -> Iterator[str]:
    for line in process.stdout or ():
        if not _CLOSING.match(line):  # whoever adds such lines up must find one
            print(line, end="", flush=True)
        yield line


def _once_more(half: str, folders: list[str], status: int, counts: Counts) -> tuple[int, Counts]:
    """What failed in a half, alone: the status and counts that hold then."""
    if status != _SOME_FAILED or not 0 < counts[1] <= _MOST_AGAIN:
        return status, counts
    print(f"kontor: {counts[1]} failed beside the other half; once more, alone:", flush=True)
    alone = [*command(half), "--last-failed", "--last-failed-no-failures=none", "-v", *folders]
    with subprocess.Popen(alone, cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace") as again:
        found = counts_of("".join(_printed(again)))
    return again.returncode, together(counts, found)


def main() -> int:
    """Run both halves, and once more what failed in them."""
    shutil.rmtree(CACHE, ignore_errors=True)
    waiting, computing = halves()
    beside = [*_COMPUTING, *command("computing"), *computing]
    with (
        tempfile.TemporaryFile("w+") as later,
        subprocess.Popen([*command("waiting"), *waiting], cwd=ROOT, stdout=later, stderr=subprocess.STDOUT) as second,
        subprocess.Popen(beside, cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace") as first,
    ):
        outputs = ["".join(_printed(first)), ""]
        statuses = [first.wait(), second.wait()]
        later.seek(0)
        outputs[1] = later.read()
    print(_CLOSING.sub("", outputs[1]))
    ends = [
        _once_more(half, folders, status, counts_of(output))
        for half, folders, status, output in zip(
            ("computing", "waiting"), (computing, waiting), statuses, outputs, strict=True
        )
    ]
    print(closing_line([counts for _, counts in ends]))
    return next((abs(status) for status, _ in ends if status), 0)


if __name__ == "__main__":
    raise SystemExit(main())
