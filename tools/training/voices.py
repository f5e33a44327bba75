"""The tuning voices as phrases at 16 kHz: every recording of them, not only what the acoustics keep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray
from scipy import signal

from tools.acoustics import speech
from tools.training.recipe import CACHE, HELD_OUT, RATE

Samples = NDArray[np.float32]
Random = np.random.Generator
LEVEL = 10 ** (-26 / 20)
_BLOCK = 160
_CLEAN = 26.0
"""dB between loud and quiet blocks of a recording that is used as a near voice: others would teach that noise is speech."""


class Phrases(NamedTuple):
    """A voice's recordings, one after the other: ``pcm`` int16 at 16 kHz, ``starts`` and ``stops`` of each."""

    name: str
    pcm: NDArray[np.int16]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    clean: NDArray[np.bool_]

    def speak(self, random: Random, count: int, *, clean: bool) -> Samples:
        """Phrases in random order with random pauses, at -26 dBov while active; a little faster or slower. (count,)."""
        pace = int(random.integers(88, 115))
        wanted = count * pace // 100 + _BLOCK
        usable = np.flatnonzero(self.clean) if clean and self.clean.any() else np.arange(len(self.starts))
        parts: list[Samples] = []
        left = wanted
        while left > 0:
            chosen = int(random.choice(usable))
            phrase = self.pcm[self.starts[chosen] : self.stops[chosen]].astype(np.float32) / np.float32(32768)
            pause = np.zeros(int(RATE * random.exponential(0.25)), np.float32)
            parts += [phrase * np.float32(10 ** (random.normal(0, 2) / 20)), pause]
            left -= phrase.size + pause.size
        spoken = np.concatenate(parts)[:wanted]
        return np.asarray(signal.resample_poly(spoken, 100, pace), np.float32)[:count]


def bank(*, held_out: bool) -> list[Phrases]:
    """The voices of one side, decoded once into .cache/training."""
    speech.voices("tuning")  # fetches what is missing
    sources = [source for source in speech.SOURCES if not source.reported]
    return [_phrases(source) for source in sources if (source.name in HELD_OUT) == held_out and _files(source)]


def _files(source: speech.Source) -> list[Path]:
    for root in (speech.UNPACKED, Path("/")):
        found = sorted((root / source.folder).glob(source.pattern))
        if found:
            return found
    return []


def _phrases(source: speech.Source) -> Phrases:
    kept = CACHE / "voices" / f"{source.name}.npz"
    if not kept.exists():
        print(f"kontor: decoding {source.name} for training", file=sys.stderr, flush=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        phrases = [phrase for path in _files(source) if (phrase := _phrase(path)) is not None]
        sizes = np.array([samples.size for samples, _ in phrases])
        np.savez(
            kept,
            pcm=(np.clip(np.concatenate([samples for samples, _ in phrases]), -1, 1) * 32767).astype(np.int16),
            starts=np.cumsum(sizes) - sizes,
            stops=np.cumsum(sizes),
            clean=np.array([clean for _, clean in phrases]),
        )
    with np.load(kept) as stored:
        return Phrases(source.name, stored["pcm"], stored["starts"], stored["stops"], stored["clean"])


def _phrase(path: Path) -> tuple[Samples, bool] | None:
    """A recording without silence around it, its own noise taken down, and whether it is clean; None if there is no speech."""
    if path.name.startswith(("tt-", "beep", "dir-", "silence", "ascending", "descending", "confbridge-")):
        return None
    try:
        samples = np.asarray(signal.resample_poly(speech.decode(path), 1, 3), np.float32)
    except (av.FFmpegError, ValueError):
        return None
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    if loud.size < RATE // 20 or loud[-1] - loud[0] < 0.35 * RATE:
        return None
    samples = samples[max(0, loud[0] - RATE // 20) : loud[-1] + RATE // 10]
    energy = np.square(samples[: samples.size // _BLOCK * _BLOCK].reshape(-1, _BLOCK)).mean(axis=1) + 1e-12
    active = energy[energy >= 1e-3 * energy.max()].mean()
    below = 10 * np.log10(active / np.percentile(energy, 4))
    bright = _bright(samples)
    return _denoised(samples) * np.float32(LEVEL / np.sqrt(active)), bool(below > _CLEAN and bright)


def _bright(samples: Samples) -> bool:
    """Whether it goes on above 4 kHz: telephone recordings do not."""
    _, power = signal.welch(samples, RATE, nperseg=512)
    return bool(power[140:230].mean() > 1e-5 * power[4:120].mean())


def _denoised(samples: Samples) -> Samples:
    """Wiener gain against the quietest blocks' spectrum, 15 dB at most: what stays counts as speech."""
    _, _, spectra = signal.stft(samples, RATE, nperseg=512, noverlap=384)
    power = np.square(np.abs(spectra))
    frames = power.sum(axis=0)
    quiet = power[:, frames <= np.percentile(frames, 8)].mean(axis=1, keepdims=True)
    if quiet.sum() < 1e-4 * frames.mean():
        smooth = signal.lfilter([0.4], [1, -0.6], power, axis=1)
        gain = np.clip(1 - 2 * quiet / (smooth + 1e-12), 10 ** (-15 / 20), 1)
        _, samples_out = signal.istft(spectra * gain, RATE, nperseg=512, noverlap=384)
        return np.asarray(samples_out[: samples.size], np.float32)
    return samples
