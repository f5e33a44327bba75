"""How late and how well something was heard: delay by cross-correlation, PESQ (ITU-T P.862.2) as scores.py has it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.core.units import RATE, Block, Pcm
from tools.bench import scores

_WINDOW = 2 * RATE
_HOP = RATE // 2
_LATEST = RATE
"""Delays that are looked for, samples."""
_PIECE = scores.PIECE * RATE
_STRETCH = _PIECE + 3 * RATE // 2
"""A piece, the second before it that scores.py leaves out, and the delay."""
_QUIET = 5e-3
_SURE = 25.0
"""How much the peak of the correlation must stand out of its median."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One direction of a call."""

    delays: tuple[float, ...]
    """ms, one for each window of 2 s in which somebody spoke."""
    lost: int
    """Windows in which what was said was not found."""
    pesq: tuple[float, ...]
    """One for each 8 s, 1.0 to 4.64."""


def _weighted(said: npt.NDArray[np.float64], heard: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cross-correlation whitened between 150 Hz and 7 kHz (GCC-PHAT, less strict where there is little energy)."""
    size = 1 << (len(heard) + len(said)).bit_length()
    cross = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size))
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    cross[(frequency < 150) | (frequency > 7000)] = 0
    cross /= np.abs(cross) ** 0.6 + 1e-9
    return np.abs(np.fft.irfft(cross)[:_LATEST])


def delays(said: Block, heard: Block) -> Iterator[float | None]:
    """The delay of each window in ms, None where it was not found. Windows of silence are left out."""
    for start in range(0, len(said) - _WINDOW - _LATEST, _HOP):
        words = said[start : start + _WINDOW].astype(float)
        if np.sqrt(np.mean(words**2)) < _QUIET:
            continue
        likeness = _weighted(words, heard[start : start + _WINDOW + _LATEST].astype(float))
        peak = int(np.argmax(likeness))
        sure = likeness[peak] > _SURE * (np.median(likeness) + 1e-12)
        yield peak * 1000 / RATE if sure else None


def _pcm(samples: Block) -> Pcm:
    return (np.clip(samples, -1, 1) * 32767).astype(np.int16)


def _pesq(said: Pcm, heard: Pcm) -> Iterator[float]:
    """Each stretch is judged by itself: what the machine does to one of them is not in the others."""
    for start in range(0, said.size - _STRETCH + 1, _PIECE):
        yield scores.pesq(said[start : start + _STRETCH], heard[start : start + _STRETCH])


def judge(said: Block, heard: Block, skip: float) -> Heard:
    """Judge one direction; its first ``skip`` seconds do not count."""
    first = int(skip * RATE)
    said, heard = said[first:], heard[first:]
    windows = list(delays(said, heard))
    found = [delay for delay in windows if delay is not None]
    return Heard(tuple(found), len(windows) - len(found), tuple(_pesq(_pcm(said), _pcm(heard))))
