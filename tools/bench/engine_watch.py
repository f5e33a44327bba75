"""When sound left an engine at the last point that is ours (UX.md, mute rule 6), seen beside the proof of mute.

It looks at what the proof is asked about: packets of Opus where the engine sends them itself, blocks where it hands them to a
library. Telegram's blocks are handed over in a process of its own; there engine_child.py looks, and writes it down.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from appliance.core.levels import dbov
from appliance.core.units import BLOCK, RATE
from appliance.media import red
from appliance.media.opus import Decoder
from appliance.rooms.contract import Engine
from appliance.rooms.proof import AUDIBLE

LEFT = "KONTOR_BENCH_LEFT"
"""The file in which the other process writes when sound left it: one time a line."""


class Watch:
    """Of the engines that are made while it is open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left: list[tuple[float, Any, bool]] = []
        os.environ[LEFT] = str(path)

    def close(self) -> None:
        """No more."""
        os.environ.pop(LEFT, None)

    def look_at(self, engine: Engine) -> None:
        """From now on. Engines of Telegram have another process, which looks for itself since it was started."""
        proof = getattr(engine, "_proof", None)
        if proof is not None:
            proof.leaving = self._beside(proof.leaving)

    def _beside(self, leaving: Callable[..., bool]) -> Callable[..., bool]:
        def looked(what: Any, *, redundant: bool = False) -> bool:
            kept = what.copy() if isinstance(what, np.ndarray) else bytes(what)
            may = leaving(what, redundant=redundant) if redundant else leaving(what)
            if may:
                self._left.append((time.monotonic(), kept, redundant))
            return may

        return looked

    def last_sound(self) -> float | None:
        """When the last block over -80 dBov left, since it was asked last; None: none did."""
        left, self._left = self._left, []
        own = next((at for at, what, redundant in reversed(left) if audible(what, redundant=redundant)), None)
        try:
            told = self._path.read_text().split()
        except FileNotFoundError:
            told = []
        return max([at for at in (own,) if at is not None] + [float(at) for at in told[-1:]], default=None)


def watch(path: Path) -> Watch:
    """Watch what engines let out that are made from now on."""
    return Watch(path)


def audible(what: Any, *, redundant: bool = False) -> bool:
    """Whether a listener hears something of it: int16 samples, a packet of Opus, or one with earlier ones in it."""
    if isinstance(what, np.ndarray):
        return bool(what.any()) and dbov(what) > AUDIBLE
    frames = [bytes(frame.payload) for frame in red.split(what)] if redundant else [what]
    return any(_loud(frame) for frame in frames)


def _loud(frame: bytes) -> bool:
    pcm = np.zeros(RATE // 1000 * 120, np.int16)
    size = Decoder().decode(frame, pcm)
    return any(dbov(pcm[at : at + BLOCK]) > AUDIBLE for at in range(0, size, BLOCK))
