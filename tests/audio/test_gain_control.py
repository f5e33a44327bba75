"""Gain control: speech comes to one loudness, and nothing but speech moves the gain."""

import numpy as np
import pytest

from appliance.audio.gain_control import LEAST, MOST, NOISE_MOST, TARGET, GainControl
from appliance.core.levels import dbov
from appliance.core.units import BLOCK


def noise(seconds: float, level: float, seed: int = 1) -> np.ndarray:
    """White noise of a level in dBov, shape (blocks, 480)."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((int(seconds * 100), BLOCK)) * 10 ** (level / 20)).astype(np.float32)


def through(control: GainControl, blocks: np.ndarray, speech: bool) -> np.ndarray:
    out = blocks.copy()
    for block in out:
        control.process(block, speech)
    return out


@pytest.mark.parametrize("level", [-40.0, -30.0, -20.0, -15.0])
def test_speech_comes_to_one_loudness(level: float) -> None:
    control = GainControl()
    through(control, noise(1, -90), speech=False)
    out = through(control, noise(12, level), speech=True)
    assert dbov(out[-100:].ravel()) == pytest.approx(TARGET, abs=0.5)


@pytest.mark.parametrize(("level", "bound"), [(-70.0, MOST), (-3.0, LEAST)])
def test_the_gain_is_bounded(level: float, bound: float) -> None:
    control = GainControl()
    through(control, noise(1, -95), speech=False)
    through(control, noise(20, level), speech=True)
    assert control.gain_db == pytest.approx(bound, abs=0.01)


def test_noise_and_echo_move_nothing() -> None:
    control = GainControl()
    loud = noise(5, -20)
    assert np.array_equal(through(control, loud, speech=False), loud)
    assert control.gain_db == 0


def test_a_noisy_room_is_not_brought_up() -> None:
    control = GainControl()
    through(control, noise(20, -64), speech=False)
    through(control, noise(10, -45), speech=True)
    assert 0 <= control.gain_db <= NOISE_MOST + 64 + 0.5


def test_it_moves_slowly_and_without_a_step() -> None:
    control = GainControl()
    through(control, noise(1, -90), speech=False)
    constant = np.full((300, BLOCK), 0.01, np.float32)
    out = through(control, constant, speech=True).ravel()
    assert out[100 * BLOCK] / 0.01 == pytest.approx(10 ** (6 / 20), rel=0.02), "6 dB in a second"
    assert np.abs(np.diff(out)).max() < 2e-6
    control.process(block := np.full(BLOCK, 0.5, np.float32), True)
    assert block[-1] > 0.5 * 10 ** (13 / 20), "one loud block does not turn it down at once"
