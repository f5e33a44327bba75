"""The voice detector and the noise suppressors, over voice-like sound and noise that is none."""

import numpy as np
import pytest

from appliance.app.speech import synthetic
from appliance.audio.noise import FullBand, Narrow, Suppressor
from appliance.audio.voice import LOW_BLOCK, Decimator, VoiceDetector
from appliance.core.levels import dbov
from appliance.core.units import BLOCK, RATE

SECONDS = 8


def talk(level: float = -26) -> np.ndarray:
    """Phrases of 2.8 s with 1.2 s between, shape (blocks, 480)."""
    sound = synthetic(SECONDS)
    return (sound * 10 ** ((level - dbov(sound)) / 20)).astype(np.float32).reshape(-1, BLOCK)


def fan(level: float = -45) -> np.ndarray:
    white = np.random.default_rng(3).standard_normal(SECONDS * RATE)
    brown = np.convolve(white, np.hanning(32), "same")
    return (brown / np.std(brown) * 10 ** (level / 20)).astype(np.float32).reshape(-1, BLOCK)


def keys(level: float = -30) -> np.ndarray:
    """A key that is struck four times a second: 15 ms of noise each."""
    sound = np.zeros(SECONDS * RATE, np.float32)
    rng = np.random.default_rng(4)
    for start in range(RATE, sound.size - 1000, RATE // 4):
        sound[start : start + 720] = rng.standard_normal(720) * np.exp(-np.arange(720) / 150) * 10 ** (level / 20)
    return sound.reshape(-1, BLOCK)


def heard(blocks: np.ndarray) -> np.ndarray:
    """What the detector says behind the suppressor, where it stands in the chain."""
    detector, suppressor, told = VoiceDetector(), FullBand("medium"), []
    for block in blocks.copy():
        suppressor.process(block)
        told.append(detector.process(block))
    return np.array(told)


def test_a_voice_is_heard_and_its_end_too() -> None:
    told = heard(fan() + talk())
    assert told[50:280].mean() > 0.8
    assert not told[330:400].any(), "0.5 s after the phrase"


@pytest.mark.parametrize("noise", [fan(), fan(-30), keys(), np.zeros((500, BLOCK), np.float32)])
def test_noise_is_no_voice(noise: np.ndarray) -> None:
    assert heard(noise)[100:].mean() < 0.02


def test_what_was_heard_can_be_forgotten() -> None:
    detector = VoiceDetector()
    told = [detector.process(block) for block in talk()[:100]]
    assert told[-1]
    detector.forget()
    assert not detector.process(np.zeros(BLOCK, np.float32))


def test_every_third_sample_and_nothing_folded_down() -> None:
    def level_of(frequency: float) -> float:
        sound = np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE).astype(np.float32).reshape(-1, BLOCK)
        decimator, out = Decimator(), np.zeros((len(sound), LOW_BLOCK), np.float32)
        for block, low in zip(sound, out, strict=True):
            decimator.process(block, low)
        return dbov(out[10:].ravel()) + 3.01

    assert level_of(1_000) == pytest.approx(0, abs=0.1)
    assert level_of(6_000) == pytest.approx(0, abs=1)
    assert level_of(9_000) < -55
    assert level_of(15_000) < -55


def suppressors() -> list[type[FullBand] | type[Narrow]]:
    return [FullBand, Narrow]


@pytest.mark.parametrize("kind", suppressors())
def test_noise_goes_and_the_voice_stays(kind: type[FullBand] | type[Narrow]) -> None:
    suppressor: Suppressor = kind("medium")
    out = fan() + talk()
    before = out.copy()
    for block in out:
        suppressor.process(block)
    pauses = np.r_[300:400, 700:790]
    assert dbov(before[pauses].ravel()) - dbov(out[pauses].ravel()) > 10
    lag = max(range(600), key=lambda late: float(np.dot(out.ravel()[late : late + RATE], before.ravel()[:RATE])))
    delayed, voice = out.ravel()[lag:], before.ravel()[: out.size - lag]
    assert 0.005 < lag / RATE < 0.009
    assert np.corrcoef(delayed, voice)[0, 1] > 0.85


def test_levels_differ() -> None:
    left = []
    for level in ("low", "medium", "high"):
        suppressor, out = FullBand(level), fan()
        for block in out:
            suppressor.process(block)
        left.append(dbov(out[400:].ravel()))
    assert left[0] > left[1] + 2 > left[2] + 2
