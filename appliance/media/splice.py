"""Joining sound without a click: fades, and taking out or putting in a few ms where the wave repeats itself.

All work on int16 at 48 kHz and write in place.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.core.units import Pcm

OVERLAP = 240
"""Samples over which one sound turns into another: 5 ms."""
LONGEST = 600
"""Samples of the longest period looked for: 12.5 ms, that of the lowest voices."""
NEEDED = OVERLAP + LONGEST
"""Samples that :func:`period` looks at."""
_SHORTEST = 120  # 2.5 ms
_AS_GOOD = 0.001

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


def period(pcm: Pcm) -> int:
    """After how many samples (120 to 600) the beginning of ``pcm`` repeats itself; the longest of equally good ones.

    :param pcm: at least NEEDED samples.
    """
    wave = pcm[:NEEDED].astype(np.float32)
    products = np.correlate(wave[_SHORTEST:], wave[:OVERLAP], "valid")
    energy = np.concatenate(([0.0], np.cumsum(np.square(wave[_SHORTEST:], dtype=np.float64))))
    likeness = products / np.sqrt(energy[OVERLAP:] - energy[:-OVERLAP] + 1.0)
    best = float(likeness.max())
    good = np.flatnonzero(likeness >= best - abs(best) * _AS_GOOD)
    return _SHORTEST + int(good[-1])


def shorten(pcm: Pcm) -> int:
    """Take one period out of the beginning of ``pcm``; how many samples.

    What is left begins that much later in ``pcm``, and follows what was before without a jump.
    """
    taken = period(pcm)
    cross_fade(pcm[:OVERLAP], pcm[taken : taken + OVERLAP], pcm[taken : taken + OVERLAP])
    return taken


def lengthen(pcm: Pcm, out: Pcm) -> int:
    """Write into ``out`` (LONGEST samples) a period to be played before ``pcm``; how many samples.

    The beginning of ``pcm`` is changed so that all joins without a jump.
    """
    added = period(pcm)
    out[:added] = pcm[:added]
    cross_fade(pcm[added : added + OVERLAP].copy(), pcm[:OVERLAP], pcm[:OVERLAP])
    return added
