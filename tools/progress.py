"""Progress of a download and an installation, told by what has arrived on the disk."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

LINE_EVERY = 5.0
"""Seconds between lines where the output is no terminal."""


def watch(process: subprocess.Popen[bytes], downloads: Path, to_fetch: int, venv: Path, to_install: int) -> None:
    """Show progress until the process ends; interrupted, take it along."""
    terminal = sys.stdout.isatty()
    before = weight(venv)
    fetched = 0
    told = time.monotonic()
    try:
        while process.poll() is None:
            time.sleep(0.5)
            fetched = max(fetched, weight(downloads))
            if terminal or time.monotonic() - told > LINE_EVERY:
                told = time.monotonic()
                tell(phase(fetched, to_fetch, weight(venv) - before, to_install), terminal)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    finally:
        if terminal:
            print("\r\033[K", end="", flush=True)


def phase(fetched: int, to_fetch: int, installed: int, to_install: int) -> str:
    """One line: how far it is."""
    mib = 1024 * 1024
    if installed < mib:
        return f"fetching: {min(fetched, to_fetch) // mib} of {to_fetch // mib} MiB"
    return f"installing: {min(99, 100 * installed // max(1, to_install))} %"


def tell(text: str, terminal: bool) -> None:
    """Over the last line on a terminal, else as a line of its own."""
    print(f"\r\033[Kkontor: {text}" if terminal else f"kontor: {text}", end="" if terminal else "\n", flush=True)


def weight(directory: Path) -> int:
    """Bytes of all files below; files that vanish while we look do not count."""
    total = 0
    for path, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_size  # noqa: PTH118  # thousands of files, twice a second
            except OSError:
                continue
    return total
