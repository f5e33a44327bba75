"""Joining sound without a click: one sound turns into another, rises from silence or dies away.

All work on int16 at 48 kHz and write in place.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.core.units import Pcm

OVERLAP = 240
"""Samples over which one sound turns into another: 5 ms."""

_RISE: NDArray[np.float32] = ((np.arange(OVERLAP) + 0.5) / OVERLAP).astype(np.float32)
_FALL = _RISE[::-1].copy()


def cross_fade(old: Pcm, new: Pcm, out: Pcm) -> None:
    """Turn ``old`` into ``new`` over OVERLAP samples; ``out`` may be one of them."""
    out[:] = np.rint(old * _FALL + new * _RISE)


def fade_in(pcm: Pcm) -> None:
    """Let ``pcm`` begin from silence."""
    size = min(OVERLAP, pcm.size)
    pcm[:size] = pcm[:size] * _RISE[:: OVERLAP // max(1, size)][:size]


def fade_out(pcm: Pcm) -> None:
    """Let ``pcm`` (at most OVERLAP samples) end in silence."""
    pcm[:] = pcm * _FALL[OVERLAP - pcm.size :]


def add_falling(tail: Pcm, pcm: Pcm) -> None:
    """Let ``tail`` (OVERLAP samples) die away over the beginning of ``pcm``."""
    size = min(OVERLAP, pcm.size)
    pcm[:size] = np.clip(pcm[:size] + tail[:size] * _FALL[:size], -32768, 32767)
