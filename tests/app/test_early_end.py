"""Ctrl-C of somebody who thinks better of it: ``kontor demo`` ends at any moment as it ends later, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import wait_for

PROGRAM = """
import sys
from appliance.__main__ import main
print("begins", flush=True)
sys.exit(main())
"""


def begin(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A program of ours in a session of its own, as a terminal starts it, once its first line is run."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(folder)},
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    return process


def naming(folder: Path) -> list[str]:
    """Processes that were started for this folder and have not ended."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if f"XDG_RUNTIME_DIR={folder}\0" in (entry / "environ").read_text(errors="replace"):
                    found.append(entry.name)
            except OSError:
                continue
    return found


@pytest.mark.parametrize("after", [0.05, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0])
def test_an_early_ctrl_c_ends_the_demo_without_a_traceback(short_dir: Path, free_port: int, after: float) -> None:
    """From its first modules over the speech that is prepared to its device that comes into the room."""
    with begin(short_dir, "demo", "--port", str(free_port)) as process:
        time.sleep(after)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all that were not given a session of their own
        _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (0, "")
    wait_for(lambda: not naming(short_dir))
    left = [path for path in (short_dir / "kontor-demo").rglob("*") if path.is_dir()]
    assert not left, "the folder of the demo is gone"


@pytest.mark.parametrize("arguments", [["status"], ["host", "state"]])
def test_a_command_that_does_not_stay_ends_as_a_signal_does(short_dir: Path, arguments: list[str]) -> None:
    """Whoever waits for it to do something must not think that it did."""
    with begin(short_dir, *arguments) as process:
        time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "Traceback" not in said
