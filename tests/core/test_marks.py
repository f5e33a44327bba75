"""A mark is quiet, found below voices, and not in anything else."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.core.levels import dbov
from appliance.core.marks import FAINT, LEVEL, MARKS, PLAIN, SECONDS, Ear, mark
from appliance.core.units import BLOCK, RATE

Sound = NDArray[np.float32]


def ear_with(sound: Sound) -> Ear:
    ear = Ear()
    for block in sound.reshape(-1, BLOCK):
        ear.hear(block)
    return ear


def found(ear: Ear, least: float = PLAIN) -> list[int]:
    """Which marks are in what it has heard."""
    return [number for number, like in ear.likeness().items() if like > least]


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
    assert found(ear_with(said(number))) == [number]


@pytest.mark.parametrize("number", range(MARKS))
def test_another_bridges_mark_after_silence_is_not_taken_for_the_own_one(number: int) -> None:
    assert found(ear_with(said(number, before=1.9, after=0.2)), FAINT) == [number]


def test_it_is_found_below_a_voice_and_stretched() -> None:
    sound = said(3)
    at = sound.size // 2
    shifted = np.concatenate([sound[:at], sound[at - 240 : -240]])  # the receive buffer has added 5 ms
    assert found(ear_with((shifted + voice(sound.size)).astype(np.float32))) == [3]


@pytest.mark.parametrize("seed", range(5))
def test_voices_noise_and_tones_are_none(seed: int) -> None:
    size = 5 * RATE
    noise = np.random.default_rng(100 + seed).normal(0, 0.05, size).astype(np.float32)
    tone = np.sin(2 * np.pi * 440 * np.arange(size) / RATE).astype(np.float32)
    for sound in (voice(size, seed=seed), noise, tone, np.zeros(size, np.float32)):
        assert not found(ear_with(sound))


def test_what_is_forgotten_is_not_found_and_too_little_tells_nothing() -> None:
    ear = ear_with(said(1))
    ear.forget()
    assert not ear.likeness()
    for block in mark(1)[:40]:
        ear.hear(block)
    assert not ear.likeness()
    assert not Ear().likeness()


def test_one_that_is_being_said_is_found_by_what_was_said_of_it() -> None:
    ear = Ear()
    for block in mark(1)[:80]:
        ear.hear(block)
    assert found(ear) == [1]


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0])
def test_little_sound_is_no_part_of_a_mark(seconds: float) -> None:
    size = int(seconds * RATE) // BLOCK * BLOCK
    noise = np.random.default_rng(7).normal(0, 0.05, size).astype(np.float32)
    for sound in (voice(size, seed=3), noise, np.concatenate((np.zeros(size, np.float32), noise[: 10 * BLOCK]))):
        assert not found(ear_with(sound), FAINT)


def test_who_asks_often_hears_the_same_as_who_asks_once() -> None:
    sound = (said(5, before=2.0) + voice(5 * RATE, -30.0)).astype(np.float32)
    seldom, often = ear_with(sound), Ear()
    for at, block in enumerate(sound.reshape(-1, BLOCK)):
        often.hear(block)
        if at % 37 == 0:
            often.likeness()
    assert often.likeness() == pytest.approx(seldom.likeness(), rel=0.01)
    assert found(often) == [5]


def test_one_of_more_than_five_seconds_ago_is_over_however_often_somebody_asks() -> None:
    quiet = np.random.default_rng(3).normal(0, 0.01, 6 * RATE).astype(np.float32)
    seldom, often = ear_with(said(2)), ear_with(said(2))
    for at, block in enumerate(quiet.reshape(-1, BLOCK)):
        seldom.hear(block)
        often.hear(block)
        if at % 25 == 0:
            often.likeness()
    assert found(seldom) == found(often) == []


def test_what_was_searched_is_not_searched_again_and_the_first_time_is_as_cheap_as_any() -> None:
    """A bridge asks four times a second on its loop: that may cost what is new, and not all five seconds."""
    sound = np.random.default_rng(9).normal(0, 0.05, 5 * RATE).astype(np.float32)
    blocks, took = sound.reshape(-1, BLOCK), [0.0, 0.0]
    ear = ear_with(sound)
    made = mark.cache_info().misses
    ear.likeness()
    for _ in range(10):
        whole = ear_with(sound)
        for block in blocks[:50]:
            ear.hear(block)
        for at, one in enumerate((ear, whole)):
            began = time.process_time()
            one.likeness()
            took[at] += time.process_time() - began
    assert took[0] < took[1] / 2
    assert mark.cache_info().misses == made
