"""The whole test suite as two pytest processes at once: ``python -m tools.suites``.

Half of its time the suite waits: for browsers, networks and sound that lasts as long as it lasts. So what waits and what
computes run side by side, each as it would alone and with a leak check of its own. The half that computes is printed
as it goes, the second when it has ended, and one closing line counts both. Ends with the first status that is not 0.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WAITING = ("acme", "audio", "commands", "contract", "e2e", "host", "outside", "page", "rooms")
"""Folders of tests/ in which sound or a browser runs in real time, and which mostly wait; everything else computes."""
_COMPUTING = ("nice", "-n", "5")
"""What computes gives way to what has to be in time."""

_CLOSING = re.compile(r"^kontor: (\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)


def halves(tests: Path = ROOT / "tests") -> tuple[list[str], list[str]]:
    """The folders of both halves, what waits first: together every folder that has tests, each once."""
    names = sorted(folder.name for folder in tests.iterdir() if folder.is_dir() and any(folder.rglob("test_*.py")))
    return [f"tests/{name}" for name in names if name in WAITING], [
        f"tests/{name}" for name in names if name not in WAITING
    ]


def closing_line(outputs: list[str]) -> str:
    """One closing line of the last one in each output."""
    counts = [_CLOSING.findall(output)[-1] for output in outputs if _CLOSING.search(output)]
    passed, failed, skipped = (sum(int(count[at]) for count in counts) for at in range(3))
    return f"kontor: {passed} passed, {failed} failed, {skipped} skipped"


def _printed(process: "subprocess.Popen[str]") -> Iterator[str]:
    for line in process.stdout or ():
        if not _CLOSING.match(line):  # whoever adds such lines up must find one
            print(line, end="", flush=True)
        yield line


def main() -> int:
    """Run both halves, branch coverage of core counted over both."""
    command = [sys.executable, "-m", "coverage", "run", "--parallel-mode", "--source=appliance.core", "-m", "pytest"]
    waiting, computing = halves()
    with tempfile.TemporaryFile("w+") as later:
        second = subprocess.Popen([*command, *waiting], cwd=ROOT, stdout=later, stderr=subprocess.STDOUT)
        first = subprocess.Popen(
            [*_COMPUTING, *command, *computing], cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace"
        )
        outputs = ["".join(_printed(first)), ""]
        statuses = [first.wait(), second.wait()]
        later.seek(0)
        outputs[1] = later.read()
    print(_CLOSING.sub("", outputs[1]))
    print(closing_line(outputs))
    return next((abs(status) for status in statuses if status), 0)


if __name__ == "__main__":
    raise SystemExit(main())
