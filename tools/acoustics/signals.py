"""Signals and small tools for them: levels, convolution, noise, a loudspeaker, clocks that differ. 48 kHz, float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from appliance.core.units import BLOCK, RATE, Block

Many = NDArray[np.float32]
"""Shape (channels, n)."""
Random = np.random.Generator
PINK = ([0.049922035, -0.095993537, 0.050612699, -0.004408786], [1, -2.494956002, 2.017265875, -0.522189400])
_LOUDSPEAKER = signal.butter(2, [150, 9000], "band", fs=RATE, output="sos")
_TAPS = 32


def db(value: float) -> float:
    """Amplitude factor of ``value`` decibels."""
    return float(10 ** (value / 20))


def active_rms(samples: Block) -> float:
    """RMS over the 10 ms blocks within 30 dB of the loudest; tiny for silence, never 0."""
    count = samples.size // BLOCK
    if not count:
        return float(np.sqrt(np.mean(np.square(samples)))) if samples.size else 1e-9
    energy = np.mean(np.square(samples[: count * BLOCK].reshape(count, BLOCK), dtype=np.float64), axis=1)
    return float(np.sqrt(energy[energy >= 1e-3 * energy.max()].mean())) + 1e-9


def convolved(samples: Block, responses: Many) -> Many:
    """Each response over the samples, cut to their length. Shape (responses, n)."""
    whole = signal.oaconvolve(samples[None], responses, axes=1)[:, : samples.size]
    return np.asarray(whole, np.float32)


def pink(count: int, random: Random) -> Block:
    """Noise that falls by 3 dB an octave, RMS 1."""
    white = random.standard_normal(count + RATE)
    noise = signal.lfilter(*PINK, white)[RATE:]
    return np.asarray(noise / np.std(noise), np.float32)


def typing(count: int, random: Random) -> Block:
    """Key strokes: short decaying bursts, 3 to 16 a second."""
    samples = np.zeros(count, np.float32)
    at = int(random.integers(0, RATE // 4))
    while at < count - RATE // 10:
        size = int(random.integers(300, 1200))
        decay = np.exp(-np.arange(size) / random.uniform(60, 200)) * random.uniform(0.4, 1)
        samples[at : at + size] += (random.standard_normal(size) * decay).astype(np.float32)
        at += int(random.integers(RATE // 16, RATE // 3))
    return samples


def loudspeaker(samples: Block, drive: float) -> Block:
    """What a small loudspeaker makes of it: an uneven soft clipping (tanh), 150 Hz to 9 kHz.

    :param drive: 0 is linear; 0.8 distorts mildly, 3 strongly (peaks 9.5 dB over the knee).
    """
    peak = float(np.abs(samples).max())
    if drive and peak:
        gain = drive / peak
        samples = np.tanh(gain * (samples + np.float32(0.05 * peak))) / np.float32(gain)
        samples = samples - samples.mean()
    return np.asarray(signal.sosfilt(_LOUDSPEAKER, samples), np.float32)


def read_at(samples: Block, positions: NDArray[np.floating[Any]]) -> Block:
    """The samples between the samples: windowed sinc of 32 taps, zero outside. ``positions`` in samples."""
    padded = np.pad(samples, _TAPS)
    whole = np.floor(positions).astype(np.int64)
    part = (positions - whole).astype(np.float32)
    inside = (whole >= -_TAPS // 2) & (whole < samples.size)
    out = np.zeros(positions.size, np.float32)
    for tap in range(-_TAPS // 2 + 1, _TAPS // 2 + 1):
        away = tap - part
        weight = np.sinc(away) * np.cos(np.pi * away / (_TAPS + 1)) ** 2
        out += weight * padded[np.where(inside, whole, 0) + tap + _TAPS]
    return np.where(inside, out, np.float32(0))
