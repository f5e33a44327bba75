"""A small room of noise: an echo path, a far end and somebody near, without simulating anything for long."""

import numpy as np
from numpy.typing import NDArray

from appliance.core.units import BLOCK, RATE

Samples = NDArray[np.float32]


def path(seed: int, microphones: int = 1, *, milliseconds: float = 60, delay: int = 150) -> Samples:
    """Impulse responses that decay by 60 dB, shape (n, samples); the first arrives after ``delay`` samples."""
    rng = np.random.default_rng(seed)
    length = int(milliseconds * RATE / 1000)
    decay = 10 ** (-3 * np.arange(length) / length)
    taps = rng.standard_normal((microphones, length)) * decay
    taps *= 0.5 / np.linalg.norm(taps, axis=1, keepdims=True)
    return np.concatenate([np.zeros((microphones, delay)), taps], axis=1).astype(np.float32)


def talk(seed: int, seconds: float, level: float = 0.1, *, pause: float = 0.3) -> Samples:
    """Noise below 4 kHz in syllables with pauses, whole blocks."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE) // BLOCK * BLOCK
    spectrum = np.fft.rfft(rng.standard_normal(n))
    hertz = np.fft.rfftfreq(n, 1 / RATE)
    spectrum *= (hertz > 100) * (hertz < 4000) / np.maximum(hertz, 300)
    sound = np.fft.irfft(spectrum, n)
    syllables = np.repeat(np.where(rng.random(n // 4800 + 1) < pause, 0.05, rng.uniform(0.5, 1, n // 4800 + 1)), 4800)[
        :n
    ]
    syllables = np.convolve(syllables, np.ones(480) / 480, "same")
    sound *= syllables
    made: Samples = (sound * level / np.sqrt(np.mean(sound**2))).astype(np.float32)
    return made


def through(sound: Samples, paths: Samples) -> Samples:
    """What microphones hear of a sound, shape (n, samples)."""
    length = sound.size + paths.shape[1]
    spectrum = np.fft.rfft(sound, length) * np.fft.rfft(paths, length, axis=-1)
    heard: Samples = np.fft.irfft(spectrum, length, axis=-1)[:, : sound.size].astype(np.float32)
    return heard


def noise(seed: int, microphones: int, samples: int, level: float = 1e-4) -> Samples:
    """White noise."""
    return (level * np.random.default_rng(seed).standard_normal((microphones, samples))).astype(np.float32)


def decibels(loud: Samples, quiet: Samples) -> float:
    """By how much the one is louder than the other."""
    return float(10 * np.log10((np.mean(loud**2) + 1e-20) / (np.mean(quiet**2) + 1e-20)))
