"""Chromium for the browser tests: Debian's own, where we may install it. Without it those tests skip with the reason."""

from __future__ import annotations

import shutil
import sys

from tools import debian

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """Path of an installed Chromium."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


def main() -> int:
    """Install it if it is missing and we may; its absence is no failure here."""
    if find() is None:
        if debian.available() and debian.elevation() is not None:
            print(
                "kontor: installing Debian's chromium for the browser tests (about 90 MiB with what it needs).",
                flush=True,
            )
            debian.install("chromium")
        if find() is None:
            print(
                "kontor: no chromium, so the browser tests will skip; type: sudo apt-get install chromium", flush=True
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
