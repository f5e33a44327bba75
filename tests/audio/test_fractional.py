"""Sound between its samples, and the delay between two sounds."""

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.audio.echo_delay import EchoDelay, Heard
from appliance.audio.fractional import FractionalReader, Played
from appliance.core.units import BLOCK, RATE


def written(blocks: int) -> tuple[Played, NDArray[np.float32]]:
    sound = np.arange(blocks * BLOCK, dtype=np.float32)
    played = Played()
    for block in sound.reshape(blocks, BLOCK):
        played.write(block)
    return played, sound


@pytest.mark.parametrize("blocks", [3, 274, 600])
def test_the_last_seconds_are_kept_across_the_ring_s_end(blocks: int) -> None:
    played, sound = written(blocks)
    out = np.zeros(511, np.float32)
    for first in range(max(0, len(sound) - (1 << 17)), len(sound) - len(out), 137):
        assert played.read(first, out)
        np.testing.assert_array_equal(out, sound[first : first + len(out)])


def test_it_is_known_where_silence_began() -> None:
    played, sound = written(3)
    assert not played.silent_from(len(sound) - 1)
    for _ in range(400):
        played.write(np.zeros(BLOCK, np.float32))
    assert played.silent_from(len(sound))
    assert not played.silent_from(len(sound) - 1)
    played.write(sound[:BLOCK])
    assert not played.silent_from(len(sound) + 100 * BLOCK)


def test_what_is_too_old_or_not_written_is_silence() -> None:
    played, sound = written(600)
    oldest = len(sound) - (1 << 17)
    out = np.ones(500, np.float32)
    assert not played.read(oldest - 500, out)
    assert not out.any()
    assert played.read(oldest - 100, out)
    assert not out[:100].any()
    np.testing.assert_array_equal(out[100:], sound[oldest : oldest + 400])
    assert played.read(len(sound) - 200, out)
    np.testing.assert_array_equal(out[:200], sound[-200:])
    assert not out[200:].any()
    assert not played.read(len(sound), out)
    fresh = np.ones(500, np.float32)
    assert not Played().read(-200, fresh)
    assert not fresh.any()


@pytest.mark.parametrize("hertz", [300.0, 3000.0, 8000.0, 14000.0])
@pytest.mark.parametrize("ppm", [0.0, 80.0, -500.0, 500.0])
def test_a_tone_between_samples_is_right_as_filters_are(hertz: float, ppm: float) -> None:
    reader, out = FractionalReader(), np.zeros(BLOCK, np.float32)
    for place in (1000.25, 2000.999, 3000.5, 4000.0):
        first = reader.first_of(place)
        at = first + np.arange(len(reader.sound))
        reader.sound[:] = np.sin(2 * np.pi * hertz / RATE * at)
        reader.make(place, ppm, out)
        wanted = np.sin(2 * np.pi * hertz / RATE * (place + np.arange(BLOCK) * (1 + ppm * 1e-6)))
        error = np.sqrt(2 * np.mean((out - wanted) ** 2))
        mixed = (2 * np.pi * hertz / RATE * BLOCK * ppm * 1e-6) ** 2 / 8  # of the filters at the block's two ends
        assert error < mixed + 2e-4, f"{20 * np.log10(error):.0f} dB"


def test_on_whole_samples_nothing_changes() -> None:
    reader, out = FractionalReader(), np.zeros(BLOCK, np.float32)
    reader.sound[:] = np.random.default_rng(1).standard_normal(len(reader.sound))
    reader.make(77.0, 0.0, out)
    np.testing.assert_array_equal(out, reader.sound[7 : 7 + BLOCK])


def looks(delay: int, gain: float, blocks: int = 120) -> list[Heard]:
    random = np.random.default_rng(3)
    sound = random.standard_normal(blocks * BLOCK).astype(np.float32) * np.float32(0.1)
    heard = np.roll(sound, delay) * np.float32(gain) + random.standard_normal(sound.size).astype(
        np.float32
    ) * np.float32(0.01)
    delays = EchoDelay()
    found = (delays.push(sound[at : at + BLOCK], heard[at : at + BLOCK], None) for at in range(0, sound.size, BLOCK))
    return [look for look in found if look]


@pytest.mark.parametrize("delay", [-1000, 0, 7, 5003, 15000])
def test_a_delay_is_found_to_a_tenth_of_a_sample(delay: int) -> None:
    found = looks(delay, 0.5)
    assert found
    for look in found:
        assert look.delay == pytest.approx(delay, abs=0.1)
        assert look.quality > 9


def test_strangers_have_no_peak() -> None:
    assert all(look.quality < 6 for look in looks(0, 0.0))


def test_silence_is_not_looked_at() -> None:
    delays, silence = EchoDelay(), np.zeros(BLOCK, np.float32)
    assert not any(delays.push(silence, silence, None) for _ in range(120))
