"""How late and how well something was heard: delay by cross-correlation, PESQ (ITU-T P.862.2) by the pesq package."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

from appliance.core.units import RATE, Block

_WINDOW = 2 * RATE
_HOP = RATE // 2
_LATEST = RATE
"""Delays that are looked for, samples."""
_SEGMENT = 8 * RATE
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
    """One for each segment of 8 s."""


def _weighted(said: npt.NDArray[np.float64], heard: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cross-correlation whitened between 150 Hz and 7 kHz (GCC-PHAT, less strict where there is little energy)."""
    size = 1 << (len(heard) + len(said)).bit_length()
    cross = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size))
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    cross[(frequency < 150) | (frequency > 7000)] = 0
    cross /= np.abs(cross) ** 0.6 + 1e-9
    return np.abs(np.fft.irfft(cross)[:_LATEST])


def delays(said: Block, heard: Block) -> Iterator[tuple[int, float | None]]:
    """Start of each window (samples) and its delay in ms, None where it was not found. Windows of silence are left out."""
    for start in range(0, len(said) - _WINDOW - _LATEST, _HOP):
        words = said[start : start + _WINDOW].astype(float)
        if np.sqrt(np.mean(words**2)) < _QUIET:
            continue
        likeness = _weighted(words, heard[start : start + _WINDOW + _LATEST].astype(float))
        peak = int(np.argmax(likeness))
        sure = likeness[peak] > _SURE * (np.median(likeness) + 1e-12)
        yield start, peak * 1000 / RATE if sure else None


def _at_16k(samples: Block) -> npt.NDArray[np.float64]:
    """A third of the rate; the upper part of the spectrum is cut off."""
    spectrum = np.fft.rfft(samples.astype(float))
    third = len(samples) // 3
    return np.fft.irfft(spectrum[: third // 2 + 1], third) / 3


def _pesq(said: Block, heard: Block, found: list[tuple[int, float]]) -> Iterator[float]:
    from pesq import NoUtterancesError, pesq  # noqa: PLC0415 - the one thing here that is not in the core

    overall = median(delay for _, delay in found)
    for start in range(0, len(said) - _SEGMENT - _LATEST, _SEGMENT):
        near = [delay for at, delay in found if start <= at < start + _SEGMENT - _WINDOW]
        late = int(median(near or [overall]) * RATE / 1000)
        original, copy = said[start : start + _SEGMENT], heard[start + late : start + late + _SEGMENT]
        try:
            yield float(pesq(16_000, _at_16k(original), _at_16k(copy), "wb"))
        except NoUtterancesError:
            continue


def judge(said: Block, heard: Block, skip: float) -> Heard:
    """Judge one direction; its first ``skip`` seconds do not count."""
    first = int(skip * RATE)
    said, heard = said[first:], heard[first:]
    windows = list(delays(said, heard))
    found = [(start, delay) for start, delay in windows if delay is not None]
    scores = tuple(_pesq(said, heard, found)) if found else ()
    return Heard(tuple(delay for _, delay in found), len(windows) - len(found), scores)
