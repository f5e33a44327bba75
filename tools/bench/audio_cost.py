"""Instructions that the front end takes for a block, counted by valgrind's callgrind.

The same scene (both ends talk) is run twice, once for longer, by a process that does nothing else; the difference is the steady
state alone: without Python's start, imports, and the first seconds in which two cancellers run beside each other. It is the
same to the third digit on every x86 machine; valgrind knows AVX2 and no AVX-512, as small devices know no wider vectors either.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tools.acoustics.rooms import room
from tools.acoustics.scenes import Scenario, build
from tools.acoustics.speech import voices
from tools.bench.audio_child import CHAINS, KINDS
from tools.bench.audio_figures import figure
from tools.measurements import Figure

SHORT, LONG = 900, 1300
"""Blocks. Both talk from the sixth second on."""


def figures(short: int = SHORT, long: int = LONG) -> list[Figure]:
    """Both rows; empty, with a line that says why, where valgrind is not installed."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Path(folder) / "scene.npz"
        _write(scene)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            counts = {
                (name, blocks): pool.submit(_counted, name, blocks, scene)
                for name in CHAINS
                for blocks in (long, short)
            }
        try:
            known = {key: count.result() for key, count in counts.items()}
        except FileNotFoundError:
            print("kontor: instructions are not counted; type: sudo apt-get install valgrind", file=sys.stderr)
            return []
    note = f"callgrind, x86; {long - short} blocks in which both ends talk"
    return [
        figure(
            f"audio.instructions_per_block_{name}",
            round((known[name, long] - known[name, short]) / (long - short)),
            "instructions",
            note,
        )
        for name in CHAINS
    ]


def _write(path: Path) -> None:
    """What the child needs of a scene."""
    known = voices("reported")
    made = build(Scenario("cost", near=(6.0, 20.0), seconds=LONG / 100 + 1), room("r2"), (known[2], known[0]), 1)
    calls = [(KINDS.index(call.kind), call.block, call.position, call.time) for call in made.calls]
    np.savez(path, allow_pickle=False, microphones=made.microphones, reference=made.reference, calls=np.array(calls))


def _counted(name: str, blocks: int, scene: Path) -> int:
    """Instructions of a whole child. Raises FileNotFoundError without valgrind."""
    command = [
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        sys.executable,
        "-m",
        "tools.bench.audio_child",
    ]
    quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [*command, name, str(blocks), str(scene)],
        env=os.environ | quiet,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found:
        raise RuntimeError(f"valgrind ended with {done.returncode}: {done.stderr[-2000:]}")
    return int(found[1])
