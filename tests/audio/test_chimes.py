"""The chimes: how they sound, and that they disturb nobody."""

import tracemalloc
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.audio.chimes import LONGEST, ROOM, SCORES, Chimes, loudness, make
from appliance.audio.limiter import CEILING, Limiter
from appliance.audio.volume import Volume, gain_of
from appliance.core.chimes import Chime
from appliance.core.units import BLOCK, RATE, Block

LEVEL = -30.0
LOUDEST = -24.0


def spectrum(sound: Block) -> NDArray[np.float64]:
    """Its power by frequency, 1 Hz a bin; it is all of the sound."""
    power = np.abs(np.fft.rfft(sound.astype(np.float64), RATE)) ** 2
    return np.asarray(power / power.sum())


@pytest.mark.parametrize("chime", list(Chime))
def test_short_as_loud_as_asked_and_without_a_click(chime: Chime) -> None:
    sound = make(chime, LEVEL)
    assert len(sound) % BLOCK == 0 and len(sound) <= LONGEST * RATE < 0.61 * RATE
    assert sound.dtype == np.float32
    assert loudness(sound) == pytest.approx(LEVEL, abs=0.05)
    assert sound[0] == sound[-1] == 0
    power = spectrum(sound)
    assert 10 * np.log10(power[6000:].sum()) < -80, "a click is heard above everything that rings"
    assert 10 * np.log10(power[:250].sum()) < -20, "a small loudspeaker would only be bent by it"
    assert np.abs(make(chime, LOUDEST)).max() < ROOM / 2, "two at once have room"
    assert np.array_equal(sound, make(chime, LEVEL)), "every start makes the same"


def test_all_have_a_score_and_are_told_apart() -> None:
    assert set(SCORES) == set(Chime)

    def image(chime: Chime) -> NDArray[np.float64]:
        sound = make(chime, LEVEL)[: RATE // 2]
        padded = np.zeros(RATE // 2)
        padded[: len(sound)] = sound
        pieces = np.abs(np.fft.rfft(padded.reshape(10, -1) * np.hanning(2400)))[:, :200] ** 0.5
        return np.asarray(pieces / np.linalg.norm(pieces))

    images = {chime: image(chime) for chime in Chime}
    alike = {pair: float((images[pair[0]] * images[pair[1]]).sum()) for pair in combinations(Chime, 2)}
    assert max(alike.values()) < 0.9, alike


def rings(chimes: Chimes, blocks: int, out: Block | None = None) -> Iterator[Block]:
    """What is heard over ``out`` (silence)."""
    for _ in range(blocks):
        chimes.volume.begin()
        block = np.zeros(BLOCK, np.float32) if out is None else out.copy()
        chimes.mix(block)
        yield block


def heard(*arguments: object) -> Block:
    return np.concatenate(list(rings(*arguments)))  # type: ignore[arg-type]


def test_rings_once_from_beginning_to_end() -> None:
    chimes = Chimes(LEVEL)
    chimes.ring(Chime.KNOCK)
    sound = make(Chime.KNOCK, LEVEL)
    expected = np.zeros(80 * BLOCK, np.float32)
    expected[: len(sound)] = sound
    assert np.array_equal(heard(chimes, 80), expected)


def test_without_a_level_nothing_rings() -> None:
    chimes = Chimes()
    chimes.ring(Chime.OPEN)
    assert not heard(chimes, 5).any()


def test_what_is_not_rung_over_is_left_as_it_is() -> None:
    voice = np.full(BLOCK, 1.5, np.float32)
    assert np.array_equal(heard(Chimes(LEVEL), 1, voice), voice)


@pytest.mark.parametrize("older", list(Chime))
def test_the_newer_replaces_the_older_without_a_click(older: Chime) -> None:
    chimes = Chimes(LEVEL)
    chimes.ring(older)
    before = heard(chimes, 3)
    chimes.ring(Chime.CLOSED)
    sound = np.concatenate([before, heard(chimes, 60)])
    alone = make(Chime.CLOSED, LEVEL)
    assert np.array_equal(sound[4 * BLOCK : 3 * BLOCK + len(alone)], alone[BLOCK:]), "after a block nothing is left"
    steps = [float(np.abs(np.diff(make(chime, LEVEL))).max()) for chime in (older, Chime.CLOSED)]
    assert np.abs(np.diff(sound)).max() < sum(steps) + 1e-3


def test_a_tick_of_the_volume_replaces_only_another() -> None:
    chimes = Chimes(LEVEL)
    chimes.ring(Chime.OPEN)
    chimes.ring(Chime.VOLUME)
    sound = make(Chime.OPEN, LEVEL)
    assert np.array_equal(heard(chimes, 1), sound[:BLOCK]), "what waits is not replaced"
    chimes.ring(Chime.VOLUME)
    assert np.array_equal(heard(chimes, 1), sound[BLOCK : 2 * BLOCK]), "nor what rings"
    heard(chimes, 60)
    tick = make(Chime.VOLUME, LEVEL)
    for _ in range(3):
        chimes.ring(Chime.VOLUME)
        assert np.array_equal(heard(chimes, 1), tick[:BLOCK])
        heard(chimes, len(tick) // BLOCK)


def test_hushed_it_fades_and_nothing_rings_until_it_may_again() -> None:
    chimes = Chimes(LEVEL)
    chimes.ring(Chime.WARNING)
    heard(chimes, 20)
    chimes.hush(True)
    fading = heard(chimes, 1)
    assert np.abs(fading[-10:]).max() < 2e-3 < np.abs(fading).max()
    chimes.ring(Chime.OPEN)
    assert not heard(chimes, 10).any()
    chimes.hush(False)
    assert not heard(chimes, 10).any(), "what was asked for meanwhile is old"
    chimes.ring(Chime.OPEN)
    assert heard(chimes, 10).any()


def test_a_chime_never_makes_the_limiter_do_anything() -> None:
    assert 0.5 < ROOM < 0.9 * CEILING, "below its knee, and hardly ever in the way of a voice"
    random = np.random.default_rng(6)
    volume = Volume(6)
    chimes = Chimes(LOUDEST, volume)
    alone, together = Limiter(), Limiter()
    for turn in range(600):
        if turn % 7 == 0:
            chimes.ring(list(Chime)[turn % len(Chime)])
        if turn % 50 == 0:
            volume.set(int(random.integers(-2, 3)) * 3)
        volume.begin()
        loud = np.float32(random.uniform(0.0, 1.1))
        voice = (loud * random.uniform(-1, 1, BLOCK)).astype(np.float32)
        volume.scale(voice)
        both = voice.copy()
        chimes.mix(both)
        assert np.all(np.abs(both) <= np.maximum(np.abs(voice), ROOM + 1e-6))
        alone.limit(voice)
        together.limit(both)
        assert (alone._gain, alone.limited) == (together._gain, together.limited)
        assert np.abs(both).max() < 0.8 + 1e-6
    assert 0 < alone.limited < 600


def test_the_volume_is_that_of_chimes_too() -> None:
    chimes = Chimes(LEVEL, Volume(-12))
    chimes.ring(Chime.OPEN)
    sound = heard(chimes, 40)
    assert loudness(sound) == pytest.approx(LEVEL - 12, abs=0.05)


def test_turning_the_volume_moves_within_a_block() -> None:
    volume = Volume()
    flat = np.ones(BLOCK, np.float32)
    volume.begin()
    volume.scale(flat)
    assert set(flat) == {1}
    volume.set(-6)
    volume.begin()
    for _ in range(2):  # voice and chime in the same block
        moving = np.ones(BLOCK, np.float32)
        volume.scale(moving)
        assert np.abs(np.diff(moving, prepend=1)).max() < 0.002
        assert moving[-1] == pytest.approx(gain_of(-6))
    volume.begin()
    flat = np.ones(BLOCK, np.float32)
    volume.scale(flat)
    assert set(flat) == {np.float32(gain_of(-6))}


def test_mixing_allocates_nothing() -> None:
    volume, out = Volume(-3), np.zeros(BLOCK, np.float32)
    chimes = Chimes(LEVEL, volume)

    def turns() -> None:
        for turn in range(90):
            if turn % 30 == 0:
                chimes.ring(Chime.OPEN)
                volume.set(turn % 9 - 3)
            out.fill(0.1)
            volume.begin()
            volume.scale(out)
            chimes.mix(out)

    turns()
    tracemalloc.start()
    try:
        turns()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < out.nbytes, "not even one block"
