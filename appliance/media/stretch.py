"""Less or more delay without another pitch: a piece of sound is taken out, or put in twice, where the wave repeats itself.

That is WSOLA (Verhelst and Roelands, 1993) one splice at a time: the lag at which the sound is most like itself is found by
normalised cross-correlation, and the two are joined over 5 ms. int16 at 48 kHz.
"""

from typing import NamedTuple

import numpy as np

from appliance.core.units import Pcm
from appliance.media.splice import OVERLAP, cross_fade

SHORTEST = 120
"""Samples of the shortest piece: 2.5 ms."""
LONGEST = 600
"""Samples of the longest: 12.5 ms, a period of the lowest voices."""
NEEDED = OVERLAP + LONGEST
"""Samples that :func:`match` looks at."""
_AS_GOOD = 0.001


class Match(NamedTuple):
    """Where sound repeats itself."""

    lag: int
    """After how many samples."""
    likeness: float
    """Normalised correlation, 1: exactly."""


def match(pcm: Pcm) -> Match:
    """After how many samples (120 to 600) the beginning of ``pcm`` repeats itself; the longest of equally good lags.

    :param pcm: at least NEEDED samples.
    """
    wave = pcm[:NEEDED].astype(np.float32)
    products = np.correlate(wave[SHORTEST:], wave[:OVERLAP], "valid")
    energy = np.concatenate(([0.0], np.cumsum(np.square(wave, dtype=np.float64))))
    behind = energy[SHORTEST + OVERLAP :] - energy[SHORTEST:-OVERLAP]
    likeness = products / np.sqrt((behind + 1.0) * (energy[OVERLAP] + 1.0))
    best = float(likeness.max())
    good = np.flatnonzero(likeness >= best - abs(best) * _AS_GOOD)
    lag = int(good[-1])
    return Match(SHORTEST + lag, float(likeness[lag]))


def shorten(pcm: Pcm, lag: int) -> None:
    """Make ``pcm[lag:]`` follow what was before ``pcm``: the first ``lag`` samples are to be thrown away."""
    cross_fade(pcm[:OVERLAP], pcm[lag : lag + OVERLAP], pcm[lag : lag + OVERLAP])


def lengthen(pcm: Pcm, lag: int, out: Pcm) -> None:
    """Write into ``out[:lag]`` what is to be played before ``pcm``, whose beginning is changed so that all joins."""
    out[:lag] = pcm[:lag]
    cross_fade(pcm[lag : lag + OVERLAP].copy(), pcm[:OVERLAP], pcm[:OVERLAP])
