"""Comfort noise is like the background it goes on from."""

import numpy as np
import pytest

from appliance.core.levels import dbov
from appliance.core.units import BLOCK, Pcm
from appliance.media.comfort import SEEN, Comfort

PAST = 2 * SEEN


def background(colour: int, level: float, seconds: float = 1.0) -> Pcm:
    """Noise whose spectrum falls off from about 48 kHz / ``colour`` on."""
    noise = np.random.default_rng(colour).standard_normal(int(seconds * 48_000))
    noise = np.convolve(noise, np.hanning(colour + 2), "same")
    noise *= 10 ** (level / 20) * 32_768 / noise.std()
    return noise.astype(np.int16)


def made(comfort: Comfort, blocks: int = 100) -> Pcm:
    out = np.zeros(blocks * BLOCK, np.int16)
    for block in out.reshape(-1, BLOCK):
        comfort.make(block)
    return out


def bands(pcm: Pcm) -> list[float]:
    power = np.abs(np.fft.rfft(pcm[:48_000].astype(float))) ** 2
    return [10 * np.log10(power[begin : begin * 2].mean()) for begin in (200, 400, 800, 1600, 3200, 6400)]


@pytest.mark.parametrize("colour", [1, 8, 40])
@pytest.mark.parametrize("level", [-45.0, -60.0])
def test_level_and_spectrum_fit(colour: int, level: float) -> None:
    comfort, sound = Comfort(), background(colour, level)
    for at in range(0, 40_000, 4000):
        comfort.learn(sound[at : at + PAST])
    noise = made(comfort)
    assert dbov(noise) == pytest.approx(dbov(sound), abs=1.5)
    audible = [
        (one, other) for one, other in zip(bands(sound), bands(noise), strict=True) if one > max(bands(sound)) - 30
    ]
    assert all(abs(one - other) < 4 for one, other in audible)


def test_it_does_not_repeat_itself_and_has_no_seams() -> None:
    comfort = Comfort()
    comfort.learn(background(8, -45)[:PAST])
    noise = made(comfort).astype(float)
    blocks = noise.reshape(-1, BLOCK)
    likeness = np.corrcoef(blocks)
    assert np.abs(likeness[np.triu_indices(100, 1)]).max() < 0.6
    inside = np.diff(blocks, axis=1).std()
    across = (blocks[1:, 0] - blocks[:-1, -1]).std()
    assert across < 1.3 * inside
    assert blocks.std(axis=1).max() < 2 * blocks.std(axis=1).min()


def test_what_is_loud_is_no_background_and_silence_is_none() -> None:
    comfort = Comfort()
    comfort.learn(background(8, -20)[:PAST])
    comfort.learn(np.zeros(PAST, np.int16))
    comfort.learn(background(8, -50)[: SEEN - 1])
    assert not comfort.known
    comfort.learn(background(8, -50)[:PAST])
    assert comfort.known
    comfort.learn(background(8, -10)[:PAST])
    assert dbov(made(comfort)) < -47
    comfort.forget()
    assert not comfort.known
