"""The WHIP and WHEP clients of others that tests/outside runs: ``python3 -m tools.outside``.

npm puts what tests/outside/package-lock.json names into .cache/outside, checked by the hashes in it. Nothing of it is part of
the product. Without npm it says so, and what needs it skips.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "tests" / "outside"
FOLDER = ROOT / ".cache" / "outside"
_FILES = ("package.json", "package-lock.json")


def is_fresh(wanted: Path = LIST, folder: Path = FOLDER) -> bool:
    """Whether ``folder`` has everything in the lock file of ``wanted``, from exactly this lock file."""
    stamp = folder / "installed"
    return stamp.exists() and stamp.read_bytes() == (wanted / "package-lock.json").read_bytes()


def install(npm: str, wanted: Path = LIST, folder: Path = FOLDER) -> int:
    """Install with ``npm`` what the lock file of ``wanted`` names into ``folder``; gives its status."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        shutil.copyfile(wanted / name, folder / name)
    # No package runs anything while it is installed.
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    status = subprocess.run(command, cwd=folder, check=False).returncode
    if status == 0:
        shutil.copyfile(wanted / "package-lock.json", folder / "installed")
    return status


def main() -> int:
    """Install what is missing. Neither npm nor a registry that cannot be reached is a failure: the tests skip then."""
    if is_fresh():
        return 0
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        print("kontor: without node and npm the tests of outside browser clients skip.", flush=True)
        return 0
    print("kontor: installing the outside clients of tests/outside.", flush=True)
    if install(npm):
        print("kontor: npm could not install them; their tests skip.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
