"""How much faster the talker's clock is: from arrivals and pulls that come late, never early."""

import random

import pytest

from appliance.media.drift import Drift


def run(
    seconds: float,
    *,
    talker: float = 0.0,
    loudspeaker: float = 0.0,
    jitter: float = 0.0,
    pulls: float = 0.0,
    seed: int = 1,
) -> Drift:
    """Clocks that are so many ppm fast; packets up to ``jitter`` ms and pulls up to ``pulls`` ms late."""
    drift, rng = Drift(), random.Random(seed)
    packets = [(n * 20 / (1 + talker * 1e-6) + rng.random() * jitter, n * 20.0) for n in range(round(seconds * 50))]
    asked = [n * 10 / (1 + loudspeaker * 1e-6) + 3 + rng.random() * pulls for n in range(round(seconds * 100))]
    events = sorted([*((at, place) for at, place in packets), *((at, None) for at in asked)], key=lambda e: e[0])
    for at, place in events:
        if place is None:
            drift.pulled(at)
        else:
            drift.arrived(at, place)
    return drift


@pytest.mark.parametrize("ppm", [300, 100, 20, -20, -300])
def test_a_fast_or_slow_talker_is_told_exactly_on_a_good_network(ppm: float) -> None:
    assert run(60, talker=ppm).ppm == pytest.approx(ppm, abs=1)


@pytest.mark.parametrize("ppm", [200, -200])
def test_the_listeners_own_clock_counts_as_much(ppm: float) -> None:
    assert run(60, loudspeaker=ppm).ppm == pytest.approx(-ppm, abs=1)
    assert run(60, talker=ppm, loudspeaker=ppm).ppm == pytest.approx(0, abs=1)


@pytest.mark.parametrize("seed", range(5))
def test_jitter_of_the_network_and_of_the_pulls_does_not_matter(seed: int) -> None:
    assert run(180, talker=150, jitter=60, pulls=5, seed=seed).ppm == pytest.approx(150, abs=20)


@pytest.mark.parametrize("seed", range(5))
def test_equal_clocks_are_left_alone(seed: int) -> None:
    assert abs(run(180, jitter=60, pulls=5, seed=seed).ppm) < 20


def test_nothing_is_said_before_it_is_known() -> None:
    assert run(11, talker=300).ppm == 0
    assert run(13, talker=300).ppm == pytest.approx(300, abs=3)


def test_more_than_clocks_can_differ_is_not_followed() -> None:
    assert run(60, talker=2000).ppm == 0  # 8 ms in 4 s: something else
    assert run(60, talker=500).ppm == 300


def test_another_way_through_the_network_is_no_drift() -> None:
    drift = Drift()
    for n in range(6000):
        now = n * 20.0
        drift.pulled(now)
        drift.pulled(now + 10)
        drift.arrived(now + (40 if n > 3000 else 0), n * 20.0)
    assert drift.ppm == 0


def test_when_nobody_pulls_nothing_is_measured() -> None:
    drift = Drift()
    for n in range(5000):
        drift.arrived(n * 20.0, n * 20.02)
    assert drift.ppm == 0


def test_a_pause_of_the_pulls_is_no_drift_and_another_talker_is_another_clock() -> None:
    drift = Drift()
    for n in range(3000):
        now = n * 20.0 + (777.7 if n > 1500 else 0)
        drift.pulled(now)
        drift.pulled(now + 10)
        drift.arrived(now, n * 20.0 * (1 + 100e-6))
    assert drift.ppm == pytest.approx(100, abs=2)
    drift.forget()
    assert drift.ppm == 0
