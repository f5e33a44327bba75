"""The product itself in the guest: the process that has the card."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appliance.app.sound import VIRTUAL_PANEL
from tests.kernel.inside.listener import until
from tests.kernel.inside.usb import present
from tools.kernel import guest

_FOLDER = Path("/run/kontor-bench")
_SETTINGS = f"""schema = 1
[device]
name = "Bench"
id = "bench"
state_dir = "{_FOLDER}/state"
runtime_dir = "{_FOLDER}"
[room]
url = "http://127.0.0.1:9"
id = "bench"
[audio]
backend = "alsa"
capture = "auto"
playback = "auto"
[panel]
kind = "virtual"
"""
_UP = 60.0
"""Seconds for a process to come up, on a processor that is emulated."""


def _config() -> Path:
    (_FOLDER / "state").mkdir(parents=True, exist_ok=True)
    path = _FOLDER / "kontor.toml"
    path.write_text(_SETTINGS)
    return path


def _kontor(*words: str) -> list[str]:
    return [sys.executable, "-m", "appliance", *words, "--config", str(_config())]


_ENVIRONMENT = {**os.environ, VIRTUAL_PANEL: "1"}


class _Journal:
    """What the process that has the card writes, each line with the time at which it came."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.lines: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._read, name="journal")
        self._thread.start()

    def _read(self) -> None:
        for line in self._process.stderr or ():
            self.lines.append((time.monotonic(), line.rstrip()))

    def when(self, event: str, since: float) -> float:
        """When ``event`` was told first after ``since``; waits for it."""
        found: list[float] = []

        def looked() -> bool:
            found.extend(at for at, line in list(self.lines) if at >= since and event in line)
            return bool(found)

        try:
            until(looked, _UP, event)
        except TimeoutError as error:
            told = "\n".join(line for _at, line in self.lines)
            raise TimeoutError(f"{event} was not told within {_UP:g} s; the journal:\n{told}") from error
        return found[0]

    def close(self) -> None:
        self._thread.join()


@contextlib.contextmanager
def _sound() -> Iterator[_Journal]:
    """``kontor sound`` with the array, muted as it starts."""
    with subprocess.Popen(_kontor("sound"), env=_ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        journal = _Journal(process)
        try:
            yield journal
        finally:
            process.terminate()
            process.wait()
            journal.close()


def replugs(times: int) -> dict[str, Any]:
    """The whole process with its front end while the array goes and comes: seconds until its journal says so."""
    present()
    rows = []
    guest.let_card_hear("array", "hum")  # nothing is played, and zeros would be a fault
    with _sound() as journal:
        journal.when("audio_found", 0.0)
        for _ in range(times):
            time.sleep(1)
            pulled = time.monotonic()
            guest.unplug_card("array")
            lost = journal.when("audio_lost", pulled)
            time.sleep(0.5)
            gone = time.monotonic()
            guest.plug_card("array")
            rows.append({"noticed": lost - pulled, "back": journal.when("audio_found", gone) - gone})
        lines = [line for _at, line in journal.lines]
    return {"rows": rows, "journal": lines}
