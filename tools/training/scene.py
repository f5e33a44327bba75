"""A scene: who talks when, how loud, through which room, and what loudspeaker, room and card do to it meanwhile."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from tools.acoustics.signals import PINK, read_at
from tools.training.recipe import RATE, SECONDS
from tools.training.rooms import Responses, Room, early, room
from tools.training.voices import Phrases

Random = np.random.Generator
Samples = NDArray[np.float32]
Channels = NDArray[np.float32]
"""Shape (4, n)."""
COUNT = SECONDS * RATE
_KINDS = {"both": 0.55, "far": 0.18, "near": 0.23, "nobody": 0.04}
_LOUDEST = 0.7


class Scene(NamedTuple):
    """What the microphones hear, apart; 16 kHz. ``reference`` is what was played."""

    room: Room
    reference: Samples
    echo: Channels
    near: Channels
    target: Channels
    noise: Channels
    talks: NDArray[np.bool_]  # per 10 ms, by the dry voice
    azimuth: float
    microphones_used: int


def scene(random: Random, voices: list[Phrases]) -> Scene:
    """Draw one."""
    place = room(random)
    kind = random.choice(list(_KINDS), p=list(_KINDS.values()))
    far_voice, near_voice = _two(random, voices)
    near_level = random.uniform(-45, -18)
    echo_level = min(near_level - random.uniform(-20, 10), -8)
    if kind == "far":
        echo_level = random.uniform(-42, -8)
    far = np.zeros(COUNT, np.float32)
    if kind in {"both", "far"} or random.random() < 0.3:
        far = _spoken(random, far_voice, clean=False) * _activity(random, random.uniform(0.5, 1.0))
        if kind in {"near", "nobody"}:  # somebody far has talked before, so the canceller knows the room
            far[int(random.uniform(3, 9) * RATE) :] = 0
    far = _levelled(far, random.uniform(-35, -14)) * _volume(random)
    near = np.zeros(COUNT, np.float32)
    if kind in {"both", "near"}:
        near = _spoken(random, near_voice, clean=True) * _activity(random, random.uniform(0.3, 0.95))
    talker = int(random.integers(len(place.talkers)))
    heard, target = _near(place.talkers[talker], near)
    scale = _scale(heard, near_level)
    echo = _echo(random, place, far)
    echo *= _scale(echo, echo_level)
    noise = _noise(random, place, voices)
    noise *= 10 ** ((near_level - random.uniform(5, 40)) / 20) / (np.sqrt(np.square(noise).mean()) + 1e-9)
    loudest = np.abs(heard * scale + echo + noise).max()
    fit = np.float32(min(1.0, _LOUDEST / loudest))
    return Scene(
        place,
        far,
        echo * fit,
        heard * scale * fit,
        target * scale * fit,
        noise * fit,
        _talks(near),
        place.azimuths[talker],
        int(random.choice([1, 4], p=[0.35, 0.65])),
    )


def _two(random: Random, voices: list[Phrases]) -> tuple[Phrases, Phrases]:
    """A voice for afar, and another, recorded well enough, for near. Long recordings more often."""
    clean = [voice for voice in voices if voice.clean.sum() >= 30]
    near = clean[int(random.choice(len(clean), p=_shares(clean)))]
    others = [voice for voice in voices if voice.name != near.name] or voices
    return others[int(random.choice(len(others), p=_shares(others)))], near


def _shares(voices: list[Phrases]) -> NDArray[np.float64]:
    sizes = np.sqrt([voice.clean.sum() + 1.0 for voice in voices])
    return np.asarray(sizes / sizes.sum())


def _spoken(random: Random, voice: Phrases, *, clean: bool) -> Samples:
    return coloured(random, voice.speak(random, COUNT, clean=clean), 4)


def coloured(random: Random, samples: Samples, decibels: float) -> Samples:
    """Through a random smooth equaliser: other microphones, other mouths."""
    frequencies = np.array([0, 150, 500, 1500, 3500, 8000])
    gains = 10 ** (random.normal(0, decibels / 2, frequencies.size) / 20)
    taps = signal.firwin2(129, frequencies, gains, fs=RATE)
    return np.asarray(signal.oaconvolve(samples, taps, mode="same"), np.float32)


def _activity(random: Random, share: float) -> Samples:
    """1 while somebody talks, about ``share`` of the time, in turns of 1 to 8 s, with edges of 20 ms."""
    gate = np.zeros(COUNT, np.float32)
    at, on = 0, random.random() < share
    while at < COUNT:
        turn = int(RATE * random.uniform(1, 8) * (share if on else 1 - share) * 2)
        gate[at : at + turn] = on
        at, on = at + max(turn, RATE // 5), not on
    edge = np.hanning(2 * RATE // 50)
    return np.asarray(signal.oaconvolve(gate, edge / edge.sum(), mode="same"), np.float32)


def active(samples: Samples) -> float:
    """RMS over the 10 ms blocks within 30 dB of the loudest."""
    energy = np.square(samples[: samples.size // 160 * 160].reshape(-1, 160)).mean(axis=1)
    return float(np.sqrt(energy[energy >= 1e-3 * energy.max()].mean())) + 1e-9


def _levelled(samples: Samples, level: float) -> Samples:
    if not samples.any():
        return samples
    levelled: Samples = np.clip(samples * np.float32(10 ** (level / 20) / active(samples)), -0.99, 0.99)
    return levelled


def _scale(channels: Channels, level: float) -> np.float32:
    return np.float32(10 ** (level / 20) / active(channels[0])) if channels.any() else np.float32(1)


def _volume(random: Random) -> Samples:
    """What somebody does to the far end's level meanwhile: once in five."""
    gain = np.ones(COUNT, np.float32)
    if random.random() < 0.2:
        gain[int(random.uniform(4, SECONDS - 2) * RATE) :] = 10 ** (random.uniform(-12, 6) / 20)
    return gain


def convolved(samples: Samples, responses: Responses) -> Channels:
    """Each response over the samples, cut to their length."""
    return np.asarray(signal.oaconvolve(samples[None], responses, axes=1)[:, : samples.size], np.float32)


def _near(responses: Responses, near: Samples) -> tuple[Channels, Channels]:
    if not near.any():
        silent = np.zeros((len(responses), COUNT), np.float32)
        return silent, silent
    return convolved(near, responses), convolved(near, early(responses))


def _echo(random: Random, place: Room, far: Samples) -> Channels:
    """Through the loudspeaker and the room, with what changes: its place, the delay, the clock."""
    if not far.any():
        return np.zeros((4, COUNT), np.float32)
    played = _loudspeaker(random, far)
    played = np.roll(played, int(RATE * random.uniform(0.002, 0.009)))
    if random.random() < 0.1:  # a jump that nobody was told of
        at, by = int(random.uniform(5, SECONDS - 3) * RATE), int(random.uniform(-0.008, 0.06) * RATE)
        played[at:] = np.roll(played, by)[at:]
    if random.random() < 0.25:
        played = _drifting(played, random.uniform(-4e-6, 4e-6))
    echo = convolved(played, place.loudspeakers[0])
    if random.random() < 0.2:
        at, edge = int(random.uniform(4, SECONDS - 3) * RATE), int(random.uniform(0.02, 0.5) * RATE)
        later = np.clip((np.arange(COUNT) - at) / edge, 0, 1).astype(np.float32)
        echo += later * (convolved(played, place.loudspeakers[1]) - echo)
    return echo


def _drifting(samples: Samples, ratio: float) -> Samples:
    """As a card plays whose clock differs by ``ratio``: what alignment has left."""
    return read_at(samples, np.arange(COUNT) * (1 + ratio))


def _loudspeaker(random: Random, samples: Samples) -> Samples:
    """Soft clipping, uneven (drive 0.3 to 3.5), or hard clipping, or none; then a small box's range."""
    peak, kind = float(np.abs(samples).max()), random.random()
    wide = signal.resample_poly(samples, 3, 1)
    if kind < 0.6:
        gain = random.uniform(0.3, 3.5) / peak
        wide = np.tanh(gain * (wide + random.uniform(0, 0.1) * peak)) / gain
    elif kind < 0.7:
        wide = np.clip(wide, -random.uniform(0.3, 0.9) * peak, random.uniform(0.3, 0.9) * peak)
    distorted = signal.resample_poly(wide, 1, 3)
    box = signal.butter(2, random.uniform(90, 350), "high", fs=RATE, output="sos")
    return coloured(random, np.asarray(signal.sosfilt(box, distorted), np.float32), 6)


def _pink(random: Random) -> Samples:
    return np.asarray(signal.lfilter(*PINK, random.standard_normal(COUNT)), np.float32)


def _noise(random: Random, place: Room, voices: list[Phrases]) -> Channels:
    """One or two kinds, each from its places, and the microphones' own."""
    total = np.zeros((4, COUNT), np.float32)
    for _ in range(1 + (random.random() < 0.4)):
        kind = random.choice(["fan", "pink", "keys", "babble", "hum"], p=[0.35, 0.25, 0.2, 0.1, 0.1])
        one = np.zeros((4, COUNT), np.float32)
        for response in place.noises[: 1 if kind == "keys" else 3]:
            one += convolved(_source(random, str(kind), voices), response)
        total += one * np.float32(random.uniform(0.3, 1) / (np.sqrt(np.square(one).mean()) + 1e-9))
    own = np.stack([random.standard_normal(COUNT) for _ in range(4)]).astype(np.float32)
    return total + own * np.float32(10 ** (random.uniform(-40, -10) / 20))


def _source(random: Random, kind: str, voices: list[Phrases]) -> Samples:
    if kind == "keys":
        return _keys(random)
    if kind == "babble":
        chosen = random.choice(len(voices), 3)
        talkers = [voices[int(index)].speak(random, COUNT, clean=False) for index in chosen]
        return np.asarray(np.sum(talkers, axis=0), np.float32)
    noise = coloured(random, _pink(random), 12 if kind == "pink" else 5)
    if kind == "fan":
        return np.asarray(signal.lfilter([1], [1, -random.uniform(0, 0.9)], noise), np.float32)
    if kind == "hum":
        time = np.arange(COUNT) / RATE
        tone = random.choice([50, 60, 100, 120, random.uniform(80, 400)])
        tones = sum(np.sin(2 * np.pi * tone * k * time + random.uniform(0, 6)) / k for k in range(1, 9))
        return np.asarray(tones * random.uniform(0.1, 1) + noise / noise.std() * 0.3, np.float32)
    return noise


def _keys(random: Random) -> Samples:
    """Key strokes, knocks and paper: short bursts, coloured."""
    samples = np.zeros(COUNT, np.float32)
    at = int(random.integers(RATE))
    while at < COUNT - RATE // 5:
        size = int(random.integers(80, 800))
        burst = random.standard_normal(size) * np.exp(-np.arange(size) / random.uniform(15, 120))
        samples[at : at + size] += (burst * 10 ** (random.uniform(-15, 0) / 20)).astype(np.float32)
        at += int(RATE * random.uniform(0.05, 0.4)) if random.random() < 0.9 else int(RATE * random.uniform(0.5, 4))
    return coloured(random, samples, 8)


def _talks(near: Samples) -> NDArray[np.bool_]:
    """Whether the dry voice is within 35 dB of its active level, held for 100 ms."""
    energy = np.square(near.reshape(-1, 160)).mean(axis=1)
    loud = energy > max(1e-10, 10 ** (-3.5) * active(near) ** 2)
    return np.asarray(np.convolve(loud, np.ones(11))[5:-5] > 0)
