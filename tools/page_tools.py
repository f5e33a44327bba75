"""What checks the page: ``python3 -m tools.page_tools [geckodriver]``.

npm puts what tests/page/package-lock.json names into .cache/page, checked by the hashes in it: a type checker, a linter, rules
of accessibility, and what the page's size is compared with. With ``geckodriver`` cargo builds Firefox's driver into
.cache/geckodriver (minutes, once). Nothing of it is part of the product. What cannot be had is said; what needs it skips,
and fails in CI.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tools import outside

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "tests" / "page"
FOLDER = ROOT / ".cache" / "page"
MODULES = FOLDER / "node_modules"
GECKODRIVER = ROOT / ".cache" / "geckodriver" / "bin" / "geckodriver"
VERSION = "0.37.1"
"""Of geckodriver; ``--locked`` takes the versions and hashes that its own lock file names."""


def install_checkers() -> None:
    """Type checker, linter and axe-core, unless they are there."""
    if outside.is_fresh(LIST, FOLDER):
        return
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        print("kontor: without node and npm the checks of the page skip.", flush=True)
        return
    print("kontor: installing what checks the page.", flush=True)
    if outside.install(npm, LIST, FOLDER):
        print("kontor: npm could not install it; the checks of the page skip.", flush=True)


def build_geckodriver() -> None:
    """Firefox's driver, unless it is there in this version."""
    if GECKODRIVER.exists() and VERSION in _said(str(GECKODRIVER), "--version"):
        return
    cargo = shutil.which("cargo")
    if cargo is None:
        print("kontor: without cargo there is no geckodriver, and the tests in Firefox skip.", flush=True)
        return
    print("kontor: building geckodriver (minutes, once).", flush=True)
    command = [cargo, "install", "geckodriver", "--version", VERSION, "--locked", "--quiet", "--force"]
    if subprocess.run([*command, "--root", str(GECKODRIVER.parent.parent)], check=False).returncode:
        print("kontor: cargo could not build geckodriver; the tests in Firefox skip.", flush=True)


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def main(arguments: list[str]) -> int:
    """Install what is missing; nothing that cannot be had is a failure here."""
    install_checkers()
    if "geckodriver" in arguments:
        build_geckodriver()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
