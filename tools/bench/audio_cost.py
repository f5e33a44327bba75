"""Instructions that the front end takes for a block: valgrind's callgrind on x86, qemu-user on arm64.

The same scene (both ends talk) is run twice, once for longer, by a process that does nothing else; the difference is the steady
state alone: without Python's start, imports, and the first seconds in which two cancellers run beside each other. valgrind knows
AVX2 and no AVX-512, as small devices know no wider vectors either.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tools.acoustics.rooms import room
from tools.acoustics.scenes import Scenario, build
from tools.acoustics.speech import voices
from tools.bench import arm64
from tools.bench.audio_child import CHAINS, KINDS
from tools.bench.audio_figures import figure
from tools.measurements import Figure

SHORT, LONG = 900, 1300
"""Blocks. Both talk from the sixth second on."""
_CALLGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable)


def figures(short: int = SHORT, long: int = LONG) -> list[Figure]:
    """Of both machines; what cannot be counted is left out, with a line that says why."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Path(folder) / "scene.npz"
        _write(scene)
        found = []
        if shutil.which("valgrind"):
            found += _counted(_CALLGRIND, "", "callgrind, x86", (short, long), scene)
        else:
            print("kontor: instructions are not counted; type: sudo apt-get install valgrind", file=sys.stderr)
        try:
            found += _counted(arm64.command(), "_arm64", f"qemu-user, {arm64.CORE}", (short, long), scene)
        except arm64.Missing as missing:
            print(f"kontor: instructions of arm64 are not counted: {missing}", file=sys.stderr)
    return found


def _counted(command: Sequence[str], suffix: str, how: str, lengths: tuple[int, int], scene: Path) -> list[Figure]:
    """One figure for one microphone and one for four."""
    short, long = lengths
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {
            (name, blocks): pool.submit(_child, command, name, blocks, scene)
            for blocks in (long, short)
            for name in CHAINS
        }
    known = {key: run.result() for key, run in runs.items()}
    return [
        figure(
            f"audio.instructions_per_block_{name}{suffix}",
            round((known[name, long] - known[name, short]) / (long - short)),
            "instructions",
            f"{how}; {long - short} blocks in which both ends talk",
        )
        for name in CHAINS
    ]


def _write(path: Path) -> None:
    """What the child needs of a scene."""
    known = voices("reported")
    made = build(Scenario("cost", near=(6.0, 20.0), seconds=LONG / 100 + 1), room("r2"), (known[2], known[0]), 1)
    calls = [(KINDS.index(call.kind), call.block, call.position, call.time) for call in made.calls]
    np.savez(path, allow_pickle=False, microphones=made.microphones, reference=made.reference, calls=np.array(calls))


def _child(command: Sequence[str], name: str, blocks: int, scene: Path) -> int:
    """Instructions of a whole process."""
    quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [*command, "-m", "tools.bench.audio_child", name, str(blocks), str(scene)],
        env=os.environ | quiet,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return int(found[1])
