"""Scenes through the real canceller, as files of what the network sees and shall give: ``python -m tools.training.corpus``.

A file holds ``PER_FILE * VARIANTS`` mixtures: ``inputs`` (mixtures, frames, INPUTS); ``early`` and ``near``
(mixtures, frames, BANDS), near speech with little of the room and with all of it, float16 on the network's logarithmic scale;
and ``talks`` (mixtures, frames).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from appliance.audio import residual
from appliance.audio.kalman import KalmanCanceller
from appliance.audio.spectra import LOW
from appliance.core.units import BLOCK
from tools.training import recipe
from tools.training.rooms import Room
from tools.training.scene import Channels, Random, Scene, scene
from tools.training.voices import Phrases, bank

Frames = NDArray[np.complex64]
"""Shape (channels, frames, 161)."""
Mono = NDArray[np.complex64]
"""Shape (frames, 161)."""
_SOUND = 343.0
_WINDOW = np.sin(np.pi * np.arange(recipe.WINDOW) / recipe.WINDOW).astype(np.float32)


class Mixture(NamedTuple):
    """What is stored of one variant."""

    inputs: NDArray[np.float16]
    early: NDArray[np.float16]
    near: NDArray[np.float16]
    talks: NDArray[np.bool_]


class Parts(NamedTuple):
    """A scene behind the canceller, in spectra: its error is ``left + near + noise``."""

    left: Frames
    near: Frames
    target: Frames
    noise: Frames
    echo: Frames
    reference: Mono


def spectra(channels: Channels) -> Frames:
    """Those of :mod:`appliance.audio.spectra` up to 8 kHz, from samples at 16 kHz: the same bins, three times as small."""
    padded = np.pad(channels, ((0, 0), (recipe.HOP, 0)))
    blocks = np.lib.stride_tricks.sliding_window_view(padded, recipe.WINDOW, axis=1)[:, :: recipe.HOP]
    return (3 * np.fft.rfft(blocks * _WINDOW)).astype(np.complex64)


def cancelled(one: Scene) -> Parts:
    """The scene through the canceller, which runs at 48 kHz as it does in the device."""
    used = one.microphones_used
    microphones = _upsampled((one.echo + one.near + one.noise)[:used])
    reference = _upsampled(one.reference[None])[0]
    canceller = KalmanCanceller(used)
    echoes = np.zeros_like(microphones)
    errors = np.zeros((used, BLOCK), np.float32)
    for start in range(0, reference.size, BLOCK):
        block = slice(start, start + BLOCK)
        echo = np.zeros((used, BLOCK), np.float32)
        canceller.process(microphones[:, block], reference[block], errors, echo)
        echoes[:, block] = microphones[:, block] - errors  # not ``echo``: a diverged filter is skipped
    estimate = spectra(_downsampled(echoes))
    parts = (spectra(channels[:used]) for channels in (one.echo, one.near, one.target, one.noise))
    echo_spectra, near, target, noise = parts
    return Parts(echo_spectra - estimate, near, target, noise, estimate, spectra(one.reference[None])[0])


def _upsampled(channels: Channels) -> Channels:
    return np.ascontiguousarray(signal.resample_poly(channels, 3, 1, axis=1), np.float32)


def _downsampled(channels: Channels) -> Channels:
    return np.ascontiguousarray(signal.resample_poly(channels, 1, 3, axis=1), np.float32)


def beam(place: Room, azimuth: float, loading: float, null: float) -> NDArray[np.complex64]:
    """Superdirective weights, shape (4, 161), with diagonal loading, and ``null`` times the loudspeaker as a noise."""
    microphones = place.microphones
    frequencies = 50.0 * np.arange(LOW)
    angle, up = np.deg2rad(azimuth), np.deg2rad(15)
    ahead = np.array([np.cos(angle) * np.cos(up), np.sin(angle) * np.cos(up), np.sin(up)])
    towards = np.exp(2j * np.pi * frequencies[:, None] * (microphones @ ahead) / _SOUND)  # (161, 4)
    apart = np.linalg.norm(microphones[:, None] - microphones[None], axis=-1)
    noise = np.sinc(2 * frequencies[:, None, None] * apart / _SOUND) + loading * np.eye(4)
    away = np.linalg.norm(place.loudspeaker - microphones, axis=1)
    disturbing = np.exp(-2j * np.pi * frequencies[:, None] * away / _SOUND) / away * away.mean()
    noise = noise + null * disturbing[:, :, None] * disturbing[:, None, :].conj()
    solved = np.linalg.solve(noise, towards[..., None])[..., 0]
    weights = solved / np.sum(towards.conj() * solved, axis=1, keepdims=True)
    return np.ascontiguousarray(weights.conj().T, np.complex64)


def mixtures(random: Random, one: Scene) -> list[Mixture]:
    """VARIANTS of the scene."""
    parts = cancelled(one)
    return [_mixture(random, one, parts) for _ in range(recipe.VARIANTS)]


def _mixture(random: Random, one: Scene, parts: Parts) -> Mixture:
    left, near, target, noise, echo = _one_channel(random, one, parts)
    level = 10 ** (random.uniform(-8, 8) / 20)
    colour = _colour(random) * np.float32(level)
    near_gain = np.float32(10 ** (random.uniform(-3, 3) / 20))
    noise_gain = np.float32(10 ** (random.uniform(-12, 6) / 20))
    error = (left + near * near_gain + noise * noise_gain) * colour
    reference = parts.reference * (_colour(random) * np.float32(10 ** (random.uniform(-6, 6) / 20)))
    early, whole = (
        residual.logarithm(_power(part * (near_gain * colour)) @ residual.NARROW.T) for part in (target, near)
    )
    return Mixture(
        inputs(error, echo * colour, reference).astype(np.float16),
        early.astype(np.float16),
        whole.astype(np.float16),
        one.talks,
    )


def _one_channel(random: Random, one: Scene, parts: Parts) -> list[Mono]:
    channels = (parts.left, parts.near, parts.target, parts.noise, parts.echo)
    if one.microphones_used == 1 or random.random() < 0.2:
        chosen = int(random.integers(one.microphones_used))
        return [part[chosen] for part in channels]
    azimuth = one.azimuth + random.normal(0, 6) if random.random() < 0.9 else random.uniform(0, 360)
    loading = 10 ** random.uniform(-2.5, -0.5)
    weights = beam(one.room, azimuth, loading, random.choice([0, 0, 1, 10]))
    return [np.einsum("mtf,mf->tf", part, weights) for part in channels]


def _colour(random: Random) -> NDArray[np.float32]:
    knots = np.array([0, 3, 10, 30, 70, 160])
    decibels = np.interp(np.arange(LOW), knots, random.normal(0, 2, knots.size))
    return np.asarray(10 ** (decibels / 20), np.float32)


def _power(frames: Mono) -> NDArray[np.float32]:
    return np.asarray(frames.real**2 + frames.imag**2, np.float32)


def inputs(error: Mono, echo: Mono, reference: Mono) -> NDArray[np.float32]:
    """What :class:`appliance.audio.residual.Features` gives block by block, for a whole stream: shape (frames, INPUTS)."""
    powers = [_power(frames) for frames in (error, echo, reference)]
    cross, kept_error, kept_echo = (
        signal.lfilter([1 - residual.KEPT], [1, -residual.KEPT], frames, axis=0)
        for frames in (error * echo.conj(), powers[0], powers[1])
    )
    return np.concatenate(
        [
            residual.logarithm(powers[0] @ residual.NARROW.T),
            residual.logarithm(powers[1] @ residual.NARROW.T),
            residual.logarithm(powers[2] @ residual.WIDE.T),
            (_power(cross) @ residual.WIDE.T / ((kept_error * kept_echo) @ residual.WIDE.T + residual.LEAST_COHERENT)),
        ],
        axis=1,
    )


def write(corpus: recipe.Corpus, number: int, voices: list[Phrases]) -> Path:
    """Render one file, unless it is there."""
    path = recipe.CACHE / corpus.name / f"{number:03}.npz"
    if path.exists():
        return path
    made: list[Mixture] = []
    for index in range(recipe.PER_FILE):
        random = np.random.default_rng([corpus.seed, number, index])
        made += mixtures(random, scene(random, voices))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    with unfinished.open("wb") as file:
        columns: dict[str, Any] = {name: np.stack([getattr(one, name) for one in made]) for name in Mixture._fields}
        np.savez(file, **columns)
    unfinished.replace(path)
    return path


def main() -> int:
    """Render what is missing; ``--share 0/2`` and ``1/2`` in two processes do it in half the time."""
    parser = argparse.ArgumentParser(description="render the corpus that the residual gain is trained on")
    parser.add_argument("--share", default="0/1", help="which part of the files: K/N")
    parser.add_argument("--files", type=int, default=recipe.TRAIN.files, help="how many files for training")
    wanted = parser.parse_args()
    part, parts = (int(number) for number in wanted.share.split("/"))
    jobs = [(recipe.VALID, number) for number in range(recipe.VALID.files)]
    jobs += [(recipe.TRAIN, number) for number in range(wanted.files)]
    banks = {held_out: bank(held_out=held_out) for held_out in (False, True)}
    for corpus, number in jobs[part::parts]:
        began = time.monotonic()
        path = write(corpus, number, banks[corpus.held_out])
        print(f"{path.parent.name}/{path.name}: {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main())
