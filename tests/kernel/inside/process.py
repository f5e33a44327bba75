"""The product itself in the guest: ``kontor sound`` as a process, and what its journal says."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from appliance.app.panels import VIRTUAL_PANEL
from tests.kernel.inside.listener import until

FOLDER = Path("/run/kontor-bench")
_DEVICE = f"""schema = 1
[device]
name = "Bench"
id = "bench"
state_dir = "{FOLDER}/state"
runtime_dir = "{FOLDER}"
[room]
url = "http://127.0.0.1:9"
id = "bench"
"""
_UP = 60.0
"""Seconds for a process to come up, on a processor that is emulated."""


class Journal:
    """What the process writes, each line with the time at which it came."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._read, name="journal")
        self._thread.start()

    def _read(self) -> None:
        for line in self.process.stderr or ():
            self.lines.append((time.monotonic(), line.rstrip()))

    @property
    def text(self) -> str:
        """All that it wrote so far."""
        return "\n".join(line for _at, line in list(self.lines))

    def when(self, words: str, since: float = 0.0) -> float:
        """When a line with ``words`` was written first after ``since``; waits for it. Raises TimeoutError with all of it."""
        found: list[float] = []

        def looked() -> bool:
            found.extend(at for at, line in list(self.lines) if at >= since and words in line)
            return bool(found)

        try:
            until(looked, _UP, words)
        except TimeoutError as error:
            raise TimeoutError(f"{words} was not told within {_UP:g} s; the journal:\n{self.text}") from error
        return found[0]

    def close(self) -> None:
        self._thread.join()


def command(sections: str, *words: str) -> list[str]:
    """A command of ours, with these sections of settings ([audio], [panel])."""
    (FOLDER / "state").mkdir(parents=True, exist_ok=True)
    config = FOLDER / "kontor.toml"
    config.write_text(_DEVICE + sections)
    return [sys.executable, "-m", "appliance", *words, "--config", str(config)]


@contextlib.contextmanager
def sound(sections: str) -> Iterator[Journal]:
    """``kontor sound`` with these sections of settings; ended in the end, and in order if it still runs.

    What it stored stays for the next; :func:`forget` it.
    """
    run, environment = command(sections, "sound"), {**os.environ, VIRTUAL_PANEL: "1"}
    with subprocess.Popen(run, env=environment, stderr=subprocess.PIPE, text=True) as process:
        journal = Journal(process)
        try:
            yield journal
        finally:
            process.terminate()
            process.wait()
            journal.close()


def forget() -> None:
    """As a device that was never started."""
    shutil.rmtree(FOLDER / "state", ignore_errors=True)
