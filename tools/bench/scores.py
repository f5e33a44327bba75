"""How heard speech is scored: PESQ (ITU-T P.862.2, wideband) against what was said, and PLCMOS without it.

Both take 8 s at a time, each piece aligned by itself, and give the mean.
"""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.core.units import Pcm

JUDGED = 16_000
"""Samples a second that both take."""
PIECE = 8
"""Seconds judged at once."""
_MOST_DELAY = 0.4
"""Seconds that sound may be heard after it was said."""

Signal = NDArray[np.float32]


def narrowed(pcm: Pcm) -> Signal:
    """int16 at 48 kHz as float32 in [-1, 1] at 16 kHz; what is above 8 kHz is cut off."""
    third = pcm.size // 3
    spectrum = np.fft.rfft(pcm[: 3 * third].astype(np.float64) / 32768)
    return np.asarray(np.fft.irfft(spectrum[: third // 2 + 1], third) / 3, np.float32)


def delay(said: Signal, heard: Signal) -> int:
    """How many samples ``heard`` is behind ``said``: the peak of their cross-correlation, whitened a little.

    :param heard: as long as ``said`` and at least the longest delay more.
    """
    size = 1 << (said.size + heard.size - 1).bit_length()
    cross = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size))
    cross /= np.abs(cross) ** 0.5 + 1e-9
    return int(np.argmax(np.fft.irfft(cross, size)[: int(_MOST_DELAY * JUDGED)]))


def pieces(said: Pcm, heard: Pcm, seconds: float = PIECE, start: float = 1.0) -> list[tuple[Signal, Signal, int]]:
    """Pairs of pieces at 16 kHz, what was said and what was heard of it, and how many samples later."""
    one, other = narrowed(said), narrowed(heard)
    size, more = int(seconds * JUDGED), int(_MOST_DELAY * JUDGED)
    found = []
    for at in range(int(start * JUDGED), min(one.size - size, other.size - size - more) + 1, size):
        piece = one[at : at + size]
        later = delay(piece, other[at : at + size + more])
        found.append((piece, other[at + later : at + later + size], later))
    return found


def pesq(said: Pcm, heard: Pcm) -> float:
    """Mean opinion score of PESQ wideband, 1.0 to 4.64."""
    from pesq import pesq as judge  # noqa: PLC0415 - installed for benchmarks only

    return float(np.mean([judge(JUDGED, one, other, "wb") for one, other, _ in pieces(said, heard)]))


@functools.cache
def _plcmos() -> Any:
    from speechmos import plcmos as model  # noqa: PLC0415 - installed for benchmarks only

    return model


def plcmos(said: Pcm, heard: Pcm) -> float:
    """Mean opinion score of PLCMOS version 2, 1 to 5: how much one hears of losses, without a reference."""
    scores = []
    for _, other, _ in pieces(said, heard):
        loud = other * np.float32(0.7 / max(float(np.abs(other).max()), 1e-6))
        scores.append(_plcmos().run(loud, JUDGED)["plcmos"])
    return float(np.mean(scores))


def delays_ms(said: Pcm, heard: Pcm, seconds: float = 1.0) -> list[float]:
    """How much later each piece of ``seconds`` was heard, ms; pieces that are nearly silent are left out."""
    spoken = [(one, later) for one, _, later in pieces(said, heard, seconds) if np.sqrt(np.mean(one**2)) > 3e-3]
    return [later * 1000 / JUDGED for _, later in spoken]
