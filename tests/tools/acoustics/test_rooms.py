"""Simulated rooms: where things are and when they are heard."""

import numpy as np
import pytest

from tests.support import need

for module in ("scipy", "pyroomacoustics"):
    need(f"module:{module}", "simulated rooms are for who benches and trains: make judges")

from tools.acoustics.array import MICROPHONES  # noqa: E402
from tools.acoustics.rooms import _PLANS, DISTANCES, Plan, _drawn, _places, _responses  # noqa: E402

SPEED = 343.0


def test_the_direct_sound_comes_from_where_the_source_is() -> None:
    plan = Plan((5.0, 4.0, 2.7), 0.3, (2.0, 2.0, 0.8), (0.3, 0.0))
    source = np.array(plan.array) + np.array([1.2, 0.0, 0.0])
    taps = _responses(plan, 0.9, [source])[0]
    first = np.argmax(np.abs(taps), axis=1)
    away = np.linalg.norm(np.array(plan.array) + MICROPHONES - source, axis=1)
    assert first - first.min() == pytest.approx((away - away.min()) / SPEED * 48000, abs=1)
    assert taps.shape == (4, 28800)


@pytest.mark.parametrize("name", [*_PLANS, "drawn"])
def test_everything_is_inside_and_nobody_sits_where_the_loudspeaker_is(name: str) -> None:
    random = np.random.default_rng(5)
    plan = _PLANS[name] if name in _PLANS else _drawn(random)
    places = _places(plan, random)
    for place in places.values():
        at = np.array(plan.array) + place
        assert np.all(at > 0)
        assert np.all(at < np.array(plan.size))
    for metres in ("1m", "1m5", "2m"):
        assert np.linalg.norm(places[f"{metres}_a"]) == pytest.approx(DISTANCES[metres], abs=0.15)
    assert 0.25 <= plan.rt60 <= 0.65


def test_the_same_name_is_the_same_room() -> None:
    one, other = (_places(_PLANS["r2"], np.random.default_rng(7)) for _ in range(2))
    assert one == other
    plan = _PLANS["r1"]
    source = np.array(plan.array) + np.array(one["loudspeaker"])
    first, again = (_responses(plan, 0.5, [source])[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
