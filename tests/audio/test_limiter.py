"""The limiter: what is not too loud is not touched, what is too loud stays below the ceiling."""

import numpy as np
import pytest

from appliance.audio.limiter import CEILING, Limiter
from appliance.core.units import BLOCK, RATE


def tone(seconds: float, peak: float, frequency: float = 440) -> np.ndarray:
    return (peak * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def limited(sound: np.ndarray, limiter: Limiter | None = None) -> np.ndarray:
    limiter, out = limiter or Limiter(), sound.copy()
    for block in out.reshape(-1, BLOCK):
        limiter.limit(block)
    return out


def test_what_is_not_too_loud_is_not_touched() -> None:
    limiter, sound = Limiter(), tone(1, 0.7 * CEILING)
    assert np.array_equal(limited(sound, limiter), sound)
    assert limiter.limited == 0


@pytest.mark.parametrize("peak", [0.8, 1.0, 2.0, 30.0])
@pytest.mark.parametrize("frequency", [60, 440, 5_000])
def test_nothing_is_louder_than_the_ceiling(peak: float, frequency: float) -> None:
    quiet_then_loud = np.concatenate([tone(0.1, 0.1, frequency), tone(0.3, peak, frequency)])
    assert np.abs(limited(quiet_then_loud)).max() <= CEILING * 1.00001


def test_a_loud_tone_stays_a_tone() -> None:
    sound = limited(tone(1, 1.5))[BLOCK * 10 :]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size))) ** 2
    peak = int(np.argmax(spectrum))
    inside = spectrum[peak - 3 : peak + 4].sum()
    assert 10 * np.log10((spectrum.sum() - inside) / inside) < -40, "cut off, it would be -15 dB"


def test_the_gain_comes_back_slowly_and_without_a_step() -> None:
    limiter = Limiter()
    limited(tone(0.2, 3.0), limiter)
    after = limited(np.full(3 * RATE, 0.5, np.float32), limiter)
    assert after[0] < 0.2
    assert after[-1] == np.float32(0.5)
    assert np.abs(np.diff(after)).max() < 1e-3


def test_what_is_no_number_is_silence() -> None:
    block = np.full(BLOCK, np.nan, np.float32)
    Limiter().limit(block)
    assert not block.any()
    block[3] = np.inf
    Limiter().limit(block)
    assert not block.any()
