"""Scenes: levels, clocks, and a card's calls that agree with what is heard."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from appliance.core.units import BLOCK, RATE
from tests.support import need

for module in ("scipy", "pyroomacoustics"):
    need(f"module:{module}", "simulated rooms are for who benches and trains: make judges")

from tools.acoustics.rooms import Room  # noqa: E402
from tools.acoustics.scenes import SCENARIOS, Scenario, Scene, build  # noqa: E402
from tools.acoustics.signals import active_rms  # noqa: E402
from tools.acoustics.speech import Voice  # noqa: E402

Pair = tuple[Voice, Voice]
SHORT = Scenario("short", drive=0, far=(0.0, 5.0), near=(2.0, 6.0), seconds=6.0)


def level(samples: np.ndarray) -> float:
    return float(20 * np.log10(active_rms(samples)))


def lag(early: np.ndarray, late: np.ndarray) -> int:
    size = 1 << 18
    cross = np.fft.irfft(np.fft.rfft(late, size) * np.conj(np.fft.rfft(early, size)), size)
    return int(np.argmax(np.abs(cross[: size // 2])))


def test_levels_are_those_of_the_scenario(bare: Room, pair: Pair) -> None:
    made = build(replace(SHORT, snr=15), bare, pair, 1)
    assert level(made.near[0]) == pytest.approx(-30, abs=0.1)
    assert level(made.echo[0]) == pytest.approx(-20, abs=0.1)
    assert 10 * np.log10(np.mean(made.noise[0] ** 2)) == pytest.approx(-45, abs=0.1)
    np.testing.assert_allclose(made.microphones, made.echo + made.near + made.noise)
    assert np.abs(made.reference).max() <= 0.7
    assert np.abs(made.near[:, : 2 * RATE]).max() < 1e-6
    assert np.abs(made.reference[5 * RATE :]).max() < 1e-6
    assert 100 < np.count_nonzero(made.spoken()) < 400


def test_a_seed_makes_the_same_scene_again(bare: Room, pair: Pair) -> None:
    short = replace(SHORT, jumps=4)
    one, again, other = (build(short, bare, pair, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.microphones, again.microphones)
    assert list(one.calls) == list(again.calls)
    assert not np.array_equal(one.reference, other.reference)


def test_a_capture_clock_that_is_fast_hears_everything_later_and_later(bare: Room, pair: Pair) -> None:
    made = build(replace(SHORT, ppm=400, near=None), bare, pair, 1)
    lags = [lag(made.reference[part], made.echo[0][part]) for part in (slice(0, RATE), slice(4 * RATE, 5 * RATE))]
    assert lags[0] == pytest.approx(0.04 * RATE + 48, abs=5)
    assert lags[1] - lags[0] == pytest.approx(4 * 400e-6 * RATE, abs=2)
    captured = [call for call in made.calls if call.kind == "captured"]
    assert captured[-1].time == pytest.approx(6 / 1.0004, abs=0.01)


def heard_at(made: Scene) -> dict[int, float]:
    """When each block is heard, by what the card says of it; of blocks that a jump has thrown away: nothing."""
    found: dict[int, float] = {}
    for call in made.calls:
        if call.kind == "played":
            found[call.block] = call.time
        elif call.kind == "jumped":
            found = {block: time for block, time in found.items() if time < call.time}
    return found


def test_what_the_card_says_is_what_is_heard(bare: Room, pair: Pair) -> None:
    made = build(replace(SCENARIOS["jumps"], drive=0, near=None), bare, pair, 3)
    assert sum(call.kind == "jumped" for call in made.calls) == 4
    positions = [call.position for call in made.calls if call.kind == "played"]
    assert sum(later <= earlier for earlier, later in pairwise(positions)) == 4
    times = heard_at(made)
    late = []
    for block in range(50, 1900, 37):
        said = made.reference[block * BLOCK : (block + 1) * BLOCK]
        if block in times and active_rms(said) > 0.05:
            at = round(times[block] * RATE)
            around = made.echo[0][at - 480 : at + 2400]
            cross = np.correlate(around, said, "valid")
            late.append((int(np.argmax(np.abs(cross))) - 480 - 48) / RATE)
    assert len(late) > 20
    assert np.median(late) == pytest.approx(0.00325, abs=0.003)  # what the hardware adds and nobody tells
    assert np.percentile(np.abs(np.array(late) - np.median(late)), 80) < 0.001


def test_somebody_who_walks_is_heard_from_where_he_is(bare: Room, pair: Pair) -> None:
    made = build(replace(SHORT, talker="walk"), bare, pair, 1)
    first = bare.azimuths["walk_0"]
    assert made.azimuths[200] == pytest.approx(first, abs=0.1)
    assert made.azimuths[-1] == pytest.approx(first + 80, abs=0.2)
    assert np.all(np.diff(made.azimuths[200:]) >= 0)
    still = build(SHORT, bare, pair, 1)
    assert set(still.azimuths.tolist()) <= {bare.azimuths["1m5_a"], bare.azimuths["1m5_b"]}
    assert np.isnan(build(replace(SHORT, near=None), bare, pair, 1).azimuths).all()


def test_cheap_microphones_are_not_alike(bare: Room, pair: Pair) -> None:
    alike, cheap = (build(replace(SHORT, mismatch=mismatch), bare, pair, 1) for mismatch in (0.0, 1.5))
    np.testing.assert_allclose(cheap.echo[0], alike.echo[0], atol=1e-4)
    gains = [level(cheap.echo[number]) - level(alike.echo[number]) for number in range(1, 4)]
    assert 0.3 < np.abs(gains).mean() < 4
