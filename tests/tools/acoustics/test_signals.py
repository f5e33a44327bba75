"""Levels, clocks and loudspeakers of simulated scenes."""

import numpy as np
import pytest

from appliance.core.units import RATE
from tests.support import need

for module in ("scipy", "pyroomacoustics"):
    need(f"module:{module}", "simulated rooms are for who benches and trains: make judges")

from tools.acoustics.signals import active_rms, convolved, db, loudspeaker, pink, read_at, typing  # noqa: E402


def sine(frequency: float, seconds: float = 1.0, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def test_pauses_do_not_count_for_the_level_of_speech() -> None:
    said = np.concatenate([sine(440), np.zeros(3 * RATE, np.float32)])
    assert active_rms(said) == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)
    assert active_rms(np.zeros(RATE, np.float32)) == pytest.approx(1e-9)
    assert db(-6) == pytest.approx(0.501, abs=1e-3)


def test_samples_between_the_samples() -> None:
    at = np.arange(1000, 20000) + 0.3
    assert read_at(sine(1000), at) == pytest.approx(0.5 * np.sin(2 * np.pi * 1000 * at / RATE), abs=2e-4)
    assert read_at(sine(1000), np.array([-100.0, 48100.0])) == pytest.approx([0, 0])


def test_every_microphone_has_its_own_response() -> None:
    taps = np.zeros((2, 100), np.float32)
    taps[0, 10], taps[1, 20] = 1.0, 0.5
    said = sine(300, 0.1)
    heard = convolved(said, taps)
    assert heard.shape == (2, said.size)
    assert heard[0, 10:] == pytest.approx(said[:-10], abs=1e-5)
    assert heard[1, 20:] == pytest.approx(said[:-20] / 2, abs=1e-5)


def harmonics(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples[RATE // 2 :] * np.hanning(RATE // 2)))
    return float(np.sqrt(np.sum(spectrum[900:8000] ** 2)) / spectrum.max())


def test_a_loudspeaker_distorts_as_much_as_it_is_driven() -> None:
    clean, mild, hard = (harmonics(loudspeaker(sine(1000), drive)) for drive in (0.0, 0.8, 3.0))
    assert clean < 1e-3
    assert 0.01 < mild < 0.1 < hard


def test_noises_have_the_spectra_that_they_should() -> None:
    random = np.random.default_rng(1)
    noise = pink(4 * RATE, random)
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [10 * np.log10(power[4 * f : 8 * f].mean()) for f in (250, 500, 1000, 2000, 4000)]
    assert np.diff(octaves) == pytest.approx([-3] * 4, abs=0.8)
    strokes = typing(4 * RATE, random)
    assert 0 < np.mean(np.abs(strokes) > 0.1) < 0.2
