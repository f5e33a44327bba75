"""While nothing is played for long, full duplex leaves out what has to do with an echo: it must not be heard of it."""

from unittest.mock import Mock

import numpy as np
import pytest

from appliance.audio import full_duplex
from appliance.audio.full_duplex import FullDuplex
from appliance.audio.residual import ResidualGain
from appliance.audio.rule_gain import RuleGain
from appliance.audio.spectra import BINS
from appliance.audio.two_gains import TwoGains
from appliance.core.units import BLOCK

BLOCKS = 800
FAR = (slice(0, 100), slice(600, 800))
NEAR = (slice(50, 80), slice(450, 520), slice(580, 640))


def _noise(rng: np.random.Generator, blocks: slice, level: float) -> np.ndarray:
    size = (blocks.stop - blocks.start) * BLOCK
    swelling = np.abs(np.sin(np.arange(size) / 6000))
    return level * swelling * np.convolve(rng.standard_normal(size), np.ones(8) / 8, "same")


def _scene() -> tuple[np.ndarray, np.ndarray]:
    """Microphone and reference, shapes (blocks, 480): the far end, long silence, in which somebody near talks, both."""
    rng = np.random.default_rng(5)
    played, heard = np.zeros((BLOCKS, BLOCK)), np.zeros((BLOCKS, BLOCK))
    for blocks in FAR:
        played[blocks] = _noise(rng, blocks, 0.3).reshape(-1, BLOCK)
    for blocks in NEAR:
        heard[blocks] = _noise(rng, blocks, 0.2).reshape(-1, BLOCK)
    room = rng.standard_normal(1000) * np.exp(-np.arange(1000) / 200) * 0.05
    echo = np.convolve(played.ravel(), room)[: played.size].reshape(played.shape)
    office = 0.001 * rng.standard_normal(played.shape)
    return (heard + echo + office).astype(np.float32), played.astype(np.float32)


def _heard(learned: bool) -> tuple[np.ndarray, int]:
    """What comes out, shape (blocks, 480), and of how many blocks something was left out."""
    gain = TwoGains(ResidualGain()) if learned else RuleGain()
    alone = Mock(wraps=gain.gain_alone)
    gain.gain_alone = alone  # type: ignore[method-assign]
    device = FullDuplex(1, gain=gain)
    microphone, reference = _scene()
    out = np.zeros_like(microphone)
    for at in range(BLOCKS):
        device.process(microphone[at : at + 1], reference[at], out[at])
    return out, alone.call_count


@pytest.mark.parametrize("learned", [True, False])
def test_what_is_left_out_is_not_heard(monkeypatch: pytest.MonkeyPatch, learned: bool) -> None:
    spared, rested = _heard(learned)
    assert 150 < rested < 200
    monkeypatch.setattr(full_duplex, "_ALONE", BLOCKS)
    whole, rested = _heard(learned)
    assert not rested
    for blocks in (slice(400, 600), FAR[1]):
        off = np.mean((spared[blocks] - whole[blocks]) ** 2)
        assert off < 1e-9 * np.mean(whole[blocks] ** 2)  # 90 dB below
    np.testing.assert_array_equal(spared[:400], whole[:400])


@pytest.mark.parametrize("make", [RuleGain, ResidualGain, lambda: TwoGains(ResidualGain())])
def test_what_is_no_number_is_silenced_there_too(make: type[RuleGain]) -> None:
    gain, gains = make(), np.ones(BINS, np.float32)
    error = np.full(BINS, 0.1, np.complex64)
    gain.gain_alone(error, gains)
    assert gains.any()
    error[7] = np.nan
    with np.errstate(invalid="ignore"):
        assert gain.gain_alone(error, gains) == 0
    assert not gains.any()
