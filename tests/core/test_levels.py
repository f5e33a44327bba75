"""dBov, meters, who speaks, and the fixed places of the bar."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.levels import Bar, BarPlace, Smoother, Speaking, dbov
from appliance.core.units import BLOCK, RATE, SILENCE, Block, Pcm


def sine(amplitude: float, hertz: float = 1000.0) -> Block:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(BLOCK) / RATE)).astype(np.float32)


def to_pcm(block: Block) -> Pcm:
    pcm: Pcm = np.clip(block * 32768.0, -32768, 32767).astype(np.int16)
    return pcm


def test_a_full_scale_square_wave_is_the_overload_point() -> None:
    square = np.where(np.arange(BLOCK) % 2 == 0, 1.0, -1.0).astype(np.float32)
    assert dbov(square) == pytest.approx(0.0, abs=1e-5)
    assert dbov(np.full(BLOCK, -32768, np.int16)) == pytest.approx(0.0, abs=1e-5)


def test_a_full_scale_sine_is_3_db_below_it() -> None:
    assert dbov(sine(1.0)) == pytest.approx(-3.01, abs=0.01)
    assert dbov(to_pcm(sine(1.0))) == pytest.approx(-3.01, abs=0.01)


def test_a_tenth_is_20_db_less_in_both_formats() -> None:
    assert dbov(sine(0.1)) == pytest.approx(-23.01, abs=0.01)
    assert dbov(to_pcm(sine(0.1))) == pytest.approx(-23.01, abs=0.01)


def test_one_step_of_int16_is_its_quietest_sound() -> None:
    assert dbov(np.ones(BLOCK, np.int16)) == pytest.approx(-90.31, abs=0.01)


def test_silence_is_minus_127() -> None:
    assert dbov(np.zeros(BLOCK, np.float32)) == SILENCE
    assert dbov(np.zeros(BLOCK, np.int16)) == SILENCE
    assert dbov(np.zeros(0, np.float32)) == SILENCE
    assert dbov(np.full(BLOCK, 1e-8, np.float32)) == SILENCE
    assert dbov(np.full(BLOCK, np.nan, np.float32)) == SILENCE


def test_beyond_full_scale_is_still_0() -> None:
    assert dbov(np.full(BLOCK, 5.0, np.float32)) == 0.0


def test_loud_int16_does_not_overflow() -> None:
    assert dbov(np.full(BLOCK, 20_000, np.int16)) == pytest.approx(20 * math.log10(20_000 / 32_768), abs=1e-3)


def test_the_first_level_is_taken_as_it_is() -> None:
    assert Smoother(0.1, 1.0).update(-40.0, 5.0) == -40.0


def test_it_rises_with_attack_and_falls_with_release() -> None:
    meter = Smoother(attack_s=0.1, release_s=1.0)
    meter.update(-60.0, 0.0)
    risen = meter.update(-20.0, 0.1)
    assert risen == pytest.approx(-20.0 - 40.0 / math.e)
    fallen = meter.update(-60.0, 1.1)
    assert fallen == pytest.approx(-60.0 + (risen + 60.0) / math.e)


def test_smoothing_does_not_depend_on_how_often_it_is_asked() -> None:
    coarse, fine = Smoother(0.1, 0.5), Smoother(0.1, 0.5)
    coarse.update(-60.0, 0.0)
    fine.update(-60.0, 0.0)
    for tick in range(1, 10):
        fine.update(-20.0, tick * 0.01)
    assert fine.update(-20.0, 0.1) == pytest.approx(coarse.update(-20.0, 0.1))


def test_a_time_constant_of_0_follows_at_once() -> None:
    meter = Smoother(0.0, 0.0)
    meter.update(-60.0, 0.0)
    assert meter.update(-20.0, 0.0) == -20.0
    assert meter.update(-80.0, 0.0) == -80.0


def test_a_clock_that_steps_back_leaves_the_meter_where_it_is() -> None:
    meter = Smoother(0.1, 0.1)
    meter.update(-60.0, 10.0)
    assert meter.update(-20.0, 9.0) == -60.0


def test_speaking_begins_at_on_and_not_below() -> None:
    speaking = Speaking()
    assert not speaking.update(-50.1, 0.0)
    assert (speaking.since, speaking.last) == (None, -math.inf)
    assert speaking.update(-50.0, 1.0)
    assert (speaking.since, speaking.last) == (1.0, 1.0)


def test_speaking_goes_on_down_to_off_and_ends_a_hold_after_the_last_sound() -> None:
    speaking = Speaking(on=-50.0, off=-56.0, hold=1.5)
    speaking.update(-40.0, 0.0)
    assert speaking.update(-56.0, 1.0)
    assert speaking.update(-56.1, 2.49)
    assert (speaking.since, speaking.last) == (0.0, 1.0)
    assert not speaking.update(-56.1, 2.5)
    assert (speaking.since, speaking.last) == (None, 1.0)
    assert not speaking.update(-56.0, 2.6), "to begin again takes the higher level"


def test_off_above_on_is_refused() -> None:
    with pytest.raises(ValueError, match="off must not be above on"):
        Speaking(on=-56.0, off=-50.0)
    Speaking(on=-50.0, off=-50.0)


def ids(places: tuple[BarPlace | None, ...]) -> list[str | None]:
    return [place.id if place else None for place in places]


def test_the_bar_is_empty_until_somebody_speaks() -> None:
    bar = Bar()
    assert bar.update({}, 0.0) == (None, None, None)
    assert bar.update({"a": -70.0}, 0.1) == (None, None, None)


def test_a_place_tells_level_and_speaking() -> None:
    bar = Bar()
    assert bar.update({"a": -20.0}, 3.0)[0] == BarPlace("a", -20.0, True, 3.0)
    assert bar.update({}, 4.0)[0] == BarPlace("a", SILENCE, True, 3.0), "kept through a pause"
    assert bar.update({"a": -60.0}, 4.5)[0] == BarPlace("a", SILENCE, False, 3.0)


def test_who_begins_takes_an_empty_place_first_then_the_one_quiet_longest() -> None:
    bar = Bar()
    for second, who in enumerate("abc"):
        bar.update({who: -20.0}, float(second))
    assert ids(bar.update({}, 10.0)) == ["a", "b", "c"]
    assert ids(bar.update({"a": -20.0}, 11.0)) == ["a", "b", "c"], "it returns to its own place"
    bar.update({}, 13.0)
    assert ids(bar.update({"d": -20.0}, 14.0)) == ["a", "d", "c"]
    assert ids(bar.update({"d": -20.0, "b": -20.0}, 15.0)) == ["a", "d", "b"]


def test_of_two_who_begin_together_the_louder_is_seated_first() -> None:
    assert ids(Bar().update({"a": -40.0, "b": -20.0, "c": -40.0}, 0.0)) == ["b", "a", "c"]
    assert ids(Bar(size=1).update({"a": -40.0, "b": -20.0}, 0.0)) == ["b"]


def test_when_all_places_speak_a_further_one_waits() -> None:
    bar = Bar()
    talk = dict.fromkeys("abc", -30.0)
    bar.update(talk, 0.0)
    assert ids(bar.update({**talk, "d": -5.0}, 1.0)) == ["a", "b", "c"]
    assert ids(bar.update({"a": -30.0, "c": -30.0, "d": -5.0}, 2.5)) == ["a", "d", "c"]


def test_beyond_a_minute_nothing_of_who_spoke_is_kept() -> None:
    bar = Bar()
    bar.update({"a": -20.0}, 0.0)
    assert ids(bar.update({}, 59.9)) == ["a", None, None]
    assert ids(bar.update({}, 60.0)) == [None, None, None]
    assert not bar._speaking


def test_whoever_never_spoke_leaves_no_trace() -> None:
    bar = Bar()
    bar.update({f"m{n}": -90.0 for n in range(1000)}, 0.0)
    assert not bar._speaking


def test_whoever_left_is_gone_from_the_bar() -> None:
    bar = Bar()
    bar.update({"a": -20.0, "b": -30.0}, 0.0)
    bar.forget("a")
    bar.forget("nobody")
    assert ids(bar.update({"b": -30.0}, 0.1)) == [None, "b", None]


talks = st.lists(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([-20.0, -53.0, -127.0])), max_size=60)


@given(talks)
def test_places_never_swap_and_nobody_stands_twice(talk: list[Mapping[str, float]]) -> None:
    bar = Bar()
    before: tuple[BarPlace | None, ...] = (None, None, None)
    for tick, levels in enumerate(talk):
        places = bar.update(levels, tick * 0.4)
        taken = [place.id for place in places if place]
        assert len(taken) == len(set(taken))
        assert len(places) == 3
        for old, new in zip(before, places, strict=True):
            stays = old is not None and new is not None and old.id == new.id
            if old and old.speaking and tick * 0.4 - old.last_spoke < 1.5:
                assert stays, "whoever speaks keeps the place"
            if old and not stays:
                assert old.id not in taken, "a place is lost to somebody else, never swapped"
        before = places
