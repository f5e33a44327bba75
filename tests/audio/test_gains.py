"""The gain by rule, and the one above what the filter estimates."""

import numpy as np
import pytest

from appliance.audio.high_band import FIRST, HighBand
from appliance.audio.residual import ResidualGain
from appliance.audio.rule_gain import RuleGain
from appliance.audio.spectra import BINS, LOW, Gains, Spectrum
from appliance.audio.two_gains import TwoGains


def sound(rng: np.random.Generator, level: float) -> Spectrum:
    bins = rng.standard_normal(BINS) + 1j * rng.standard_normal(BINS)
    return (level * rng.uniform(0.2, 1) * bins).astype(np.complex64)


def test_what_is_left_of_the_echo_goes_and_somebody_near_is_let_through() -> None:
    rng, rule, gains = np.random.default_rng(1), RuleGain(), np.zeros(BINS, np.float32)
    silent, near = np.zeros(BINS, np.complex64), 1.0
    for _ in range(200):
        echo = sound(rng, 10)
        near = rule.gain((0.1 * echo).astype(np.complex64), echo, silent, gains)
    assert near < 0.2
    assert gains.max() < 0.1
    for _ in range(30):
        echo, voice = sound(rng, 10), sound(rng, 10)
        near = rule.gain((0.1 * echo + voice).astype(np.complex64), echo, silent, gains)
    assert near > 0.8
    assert np.median(gains[:LOW]) > 0.6


def test_without_echo_nothing_is_taken() -> None:
    rng, rule, gains = np.random.default_rng(2), RuleGain(), np.zeros(BINS, np.float32)
    silent, near = np.zeros(BINS, np.complex64), 0.0
    for _ in range(20):
        near = rule.gain(sound(rng, 1), silent, silent, gains)
    assert near > 0.9
    np.testing.assert_allclose(gains, 1, atol=0.01)


@pytest.mark.parametrize("junk", [np.nan, np.inf])
def test_what_is_no_number_is_silenced_and_forgotten(junk: float) -> None:
    rng, rule, gains = np.random.default_rng(3), RuleGain(), np.ones(BINS, np.float32)
    silent = np.zeros(BINS, np.complex64)
    broken = sound(rng, 1)
    broken[7] = junk
    with np.errstate(invalid="ignore", over="ignore"):
        assert rule.gain(broken, silent, silent, gains) == 0
    assert not gains.any()
    for _ in range(30):
        rule.gain(sound(rng, 1), silent, silent, gains)
    assert gains.min() > 0.9


def _after(high: HighBand, rng: np.random.Generator, coupling: float, near: float, blocks: int) -> Gains:
    """Gains after some blocks of a far end, and of somebody near as loud as it plays."""
    gains = np.ones(BINS, np.float32)
    for _ in range(blocks):
        reference = sound(rng, 10)
        gains.fill(1)
        error = coupling * reference + near * sound(rng, 10)
        high.lower(error.astype(np.complex64), reference, float(near > 0), gains)
    return gains


def test_echo_above_the_filter_goes_and_a_loud_voice_stays() -> None:
    rng, high = np.random.default_rng(4), HighBand()
    gains = _after(high, rng, 0.2, 0.0, 300)
    assert gains[FIRST:].max() < 0.1
    np.testing.assert_array_equal(gains[:FIRST], 1)
    assert np.median(_after(high, rng, 0.2, 2.0, 30)[FIRST:]) > 0.5


def test_the_band_above_is_left_alone_while_nothing_is_played_there() -> None:
    rng, high, gains = np.random.default_rng(5), HighBand(), np.ones(BINS, np.float32)
    for _ in range(20):
        high.lower(sound(rng, 1), np.zeros(BINS, np.complex64), 1.0, gains)
    np.testing.assert_array_equal(gains, 1)


class _Learned(ResidualGain):
    """Says what it is told to."""

    def __init__(self, near: float) -> None:
        self.near = near

    def gain(self, error: Spectrum, echo: Spectrum, reference: Spectrum, out: Gains) -> float:
        out.fill(0.25)
        return self.near


@pytest.mark.parametrize(("near", "ruled"), [(1.0, True), (0.0, False)])
def test_the_rule_holds_while_somebody_near_talks_and_only_then(near: float, ruled: bool) -> None:
    rng, gain, gains = np.random.default_rng(6), TwoGains(_Learned(near)), np.zeros(BINS, np.float32)
    for _ in range(40):
        reference = sound(rng, 10)
        assert gain.gain(sound(rng, 10), (0.01 * reference).astype(np.complex64), reference, gains) == near
    assert (np.median(gains[:LOW]) > 0.9) == ruled
    if not ruled:
        np.testing.assert_allclose(gains, 0.25, atol=0.01)


def test_it_gives_way_again_when_the_near_talker_stops() -> None:
    rng, learned, gains = np.random.default_rng(7), _Learned(1.0), np.zeros(BINS, np.float32)
    gain = TwoGains(learned)
    for block in range(120):
        learned.near = float(block < 40)
        reference = sound(rng, 10)
        gain.gain(sound(rng, 10), (0.01 * reference).astype(np.complex64), reference, gains)
    np.testing.assert_allclose(gains, 0.25, atol=0.01)


def test_a_steady_noise_is_taken_down_and_a_voice_over_it_is_let_through() -> None:
    rng, rule, gains = np.random.default_rng(8), RuleGain(), np.zeros(BINS, np.float32)
    silent = np.zeros(BINS, np.complex64)
    for _ in range(200):
        rule.gain(sound(rng, 1), silent, silent, gains)
    assert 0.1 < np.median(gains) < 0.25
    for _ in range(10):
        rule.gain((sound(rng, 1) + sound(rng, 20)).astype(np.complex64), silent, silent, gains)
    assert np.median(gains) > 0.9
