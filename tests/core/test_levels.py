"""dBov, meters, who speaks, and the fixed places of the bar."""

import math

import numpy as np
import pytest

from appliance.core.levels import Smoother, Speaking, dbov
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
    assert speaking.update(-50.0, 1.0)


def test_speaking_goes_on_down_to_off_and_ends_a_hold_after_the_last_sound() -> None:
    speaking = Speaking(on=-50.0, off=-56.0, hold=1.5)
    speaking.update(-40.0, 0.0)
    assert speaking.update(-56.0, 1.0)
    assert speaking.update(-56.1, 2.49)
    assert not speaking.update(-56.1, 2.5)
    assert not speaking.update(-56.0, 2.6), "to begin again takes the higher level"


def test_off_above_on_is_refused() -> None:
    with pytest.raises(ValueError, match="off must not be above on"):
        Speaking(on=-56.0, off=-50.0)
    Speaking(on=-50.0, off=-50.0)
