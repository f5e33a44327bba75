"""A mark is quiet, found below voices, and not in anything else."""

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.core.levels import dbov
from appliance.core.marks import FAINT, LEVEL, MARKS, SECONDS, Ear, mark
from appliance.core.units import BLOCK, RATE

Sound = NDArray[np.float32]


def ear_with(sound: Sound) -> Ear:
    ear = Ear()
    for block in sound.reshape(-1, BLOCK):
        ear.hear(block)
    return ear


def said(number: int, before: float = 1.2, after: float = 1.0) -> Sound:
    quiet = [np.zeros(int(seconds * RATE), np.float32) for seconds in (before, after)]
    return np.concatenate((quiet[0], *mark(number), quiet[1]))


def voice(size: int, level: float = -25.0, seed: int = 0) -> Sound:
    """Voiced syllables: harmonics of a pitch that moves, louder and softer."""
    rng = np.random.default_rng(seed)
    pitch = np.cumsum(np.repeat(rng.uniform(90, 220, -(-size // 9600)), 9600)[:size]) / RATE
    sound = sum(np.sin(2 * np.pi * n * pitch) / n for n in range(1, 16))
    sound = sound * np.repeat(rng.uniform(0, 1, -(-size // 9600)), 9600)[:size]
    scaled: Sound = (sound * 10 ** (level / 20) / np.sqrt((sound**2).mean())).astype(np.float32)
    return scaled


def test_it_is_quiet_and_as_long_as_it_says() -> None:
    blocks = mark(0)
    assert len(blocks) == SECONDS * RATE / BLOCK
    assert abs(dbov(np.concatenate(blocks)) - LEVEL) < 1
    assert max(float(np.abs(block).max()) for block in blocks) < 0.2
    assert all(block.shape == (BLOCK,) and block.dtype == np.float32 for block in blocks)


@pytest.mark.parametrize("number", range(MARKS))
def test_each_is_found_and_no_other(number: int) -> None:
    ear = ear_with(said(number))
    assert [other for other in range(MARKS) if ear.finds((other,))] == [number]
    assert ear.finds(range(MARKS))


@pytest.mark.parametrize("number", range(MARKS))
def test_another_bridges_mark_after_silence_is_not_taken_for_the_own_one(number: int) -> None:
    others = [other for other in range(MARKS) if other != number]
    assert not ear_with(said(number, before=1.9, after=0.2)).finds(others, FAINT)


def test_it_is_found_below_a_voice_and_stretched() -> None:
    sound = said(3)
    at = sound.size // 2
    shifted = np.concatenate([sound[:at], sound[at - 240 : -240]])  # the receive buffer has added 5 ms
    assert ear_with((shifted + voice(sound.size)).astype(np.float32)).finds((3,))


@pytest.mark.parametrize("seed", range(5))
def test_voices_noise_and_tones_are_none(seed: int) -> None:
    size = 5 * RATE
    noise = np.random.default_rng(100 + seed).normal(0, 0.05, size).astype(np.float32)
    tone = np.sin(2 * np.pi * 440 * np.arange(size) / RATE).astype(np.float32)
    for sound in (voice(size, seed=seed), noise, tone, np.zeros(size, np.float32)):
        assert not ear_with(sound).finds(range(MARKS))


def test_what_is_forgotten_is_not_found_and_too_little_tells_nothing() -> None:
    ear = ear_with(said(1))
    ear.forget()
    assert not ear.finds((1,))
    for block in mark(1)[:40]:
        ear.hear(block)
    assert not ear.finds(range(MARKS))
    assert not Ear().finds((1,))


def test_one_that_is_being_said_is_found_by_what_was_said_of_it() -> None:
    ear = Ear()
    for block in mark(1)[:80]:
        ear.hear(block)
    assert [number for number in range(MARKS) if ear.finds((number,))] == [1]


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0])
def test_little_sound_is_no_part_of_a_mark(seconds: float) -> None:
    size = int(seconds * RATE) // BLOCK * BLOCK
    noise = np.random.default_rng(7).normal(0, 0.05, size).astype(np.float32)
    for sound in (voice(size, seed=3), noise, np.concatenate((np.zeros(size, np.float32), noise[: 10 * BLOCK]))):
        assert not ear_with(sound).finds(range(MARKS), FAINT)
