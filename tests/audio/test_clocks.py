"""Straight lines through times that are mostly right."""

import numpy as np
import pytest

from appliance.audio.clocks import Clock, Line, Points, fit_clock, fitted
from appliance.core.units import BLOCK, RATE


def noted(ppm: float, seconds: float, seed: int = 1, epoch: float = 5e4) -> Clock:
    random, clock = np.random.default_rng(seed), Clock(RATE)
    for block in range(int(seconds * 100)):
        late = random.exponential(3e-3) if random.random() < 0.02 else 0.0
        clock.note(block * BLOCK, epoch + block * 0.01 / (1 + ppm * 1e-6) + random.normal(0, 1e-4) + late)
    return clock


@pytest.mark.parametrize("ppm", [-80.0, 0.0, 50.0])
def test_a_clock_is_known_to_a_ppm_after_twenty_seconds(ppm: float) -> None:
    errors = []
    for seed in range(8):
        line = fit_clock(noted(ppm, 20, seed).points(), Line())
        errors.append(-line.slope * 1e6 - ppm)
        assert abs(errors[-1]) < 6 * line.error * 1e6 + 0.1
    assert np.sqrt(np.mean(np.square(errors))) < 1


def test_the_last_minute_counts() -> None:
    clock = noted(0, 70)
    x, y = clock.points()
    assert len(x) == 600
    assert (np.diff(x) > 0).all()
    assert x[-1] - x[0] == pytest.approx(60 * RATE, rel=0.01)
    assert np.isfinite(y).all()


def test_a_new_stream_keeps_the_slope_until_it_tells_its_own() -> None:
    clock = Clock(RATE)
    clock.note(0, 1.0)
    line = fit_clock(clock.points(), Line(slope=40e-6))
    assert (line.slope, line.points) == (40e-6, 1)
    assert line.at(0) == pytest.approx(RATE)


def test_beats_make_a_slope_unsure() -> None:
    """A card that counts in milliseconds, which beat slowly with ours: the error says so."""
    x: Points = np.arange(200, dtype=np.float64) * 4800.0
    random = np.random.default_rng(0)
    white = fitted(x, random.normal(0, 14, 200))
    beating = fitted(x, (x / 3e5 % 1 - 0.5) * 48)
    assert beating.error > 3 * white.error
    assert abs(beating.slope) < 4 * beating.error


def test_a_step_is_noticed_and_an_outlier_is_not() -> None:
    clock = noted(0, 5)
    line = fit_clock(clock.points(), Line())
    assert not clock.stepped(line)
    for block in range(500, 510):
        clock.note(block * BLOCK, 5e4 + block * 0.01 + 0.02)
    assert not clock.stepped(line)
    for block in range(510, 530):
        clock.note(block * BLOCK, 5e4 + block * 0.01 + 0.02)
    assert clock.stepped(line)
    after = fit_clock(clock.points(), line)
    assert after.points == 3
    assert after.at(530 * BLOCK) - line.at(530 * BLOCK) == pytest.approx(0.02 * RATE, abs=10)
