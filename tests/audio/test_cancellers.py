"""Full duplex, AEC3, half duplex and an array's own canceller behind one interface."""

from typing import NoReturn

import numpy as np
import pytest

from appliance.audio import cancellers as ways
from appliance.audio.aec3 import Aec3
from appliance.audio.cancellers import cancellers, full_duplex
from appliance.audio.echo import EchoCanceller
from appliance.audio.full_duplex import FullDuplex
from appliance.audio.half_duplex import HalfDuplex
from appliance.audio.hardware import Hardware
from appliance.audio.residual import ResidualWeightsError
from appliance.audio.rule_gain import RuleGain
from appliance.audio.spectra import Gains, Spectra, Spectrum
from appliance.core.arrays import ARRAYS, MONO
from appliance.core.counters import HELP
from appliance.core.units import BLOCK, RATE, Block, Blocks
from appliance.settings.model import Echo
from tests.audio.synthetic import Samples, decibels, noise, path, talk, through
from tests.support.need import need


@pytest.fixture(autouse=True)
def _library() -> None:
    need("module:pywebrtc_audio", "AEC3 comes with pywebrtc-audio: python3 -m tools.bootstrap dev")


def run(canceller: EchoCanceller, microphones: Blocks, reference: Block) -> Block:
    out = np.zeros(reference.size, np.float32)
    for at in range(0, reference.size, BLOCK):
        part = slice(at, at + BLOCK)
        canceller.process(np.ascontiguousarray(microphones[:, part]), reference[part], out[part])
    return out


def scene(
    seed: int, seconds: float, microphones: int, *, near_from: float
) -> tuple[Samples, Samples, Samples, Samples]:
    """Reference, echo, near and all of it."""
    reference = talk(seed, seconds)
    echo = through(reference, path(seed + 1, microphones))
    near = through(talk(seed + 2, seconds, 0.1), path(seed + 3, microphones, milliseconds=10, delay=0))
    near[:, : int(near_from * RATE)] = 0
    return reference, echo, near, echo + near + noise(seed + 4, microphones, reference.size)


def delayed(sound: Samples) -> Samples:
    return np.concatenate([np.zeros(BLOCK, np.float32), sound[:-BLOCK]])


@pytest.mark.parametrize("microphones", [1, 2, 4, 8])
def test_full_duplex_takes_echo_and_lets_near_talkers_through(microphones: int) -> None:
    reference, echo, near, heard = scene(1, 6, microphones, near_from=4)
    canceller = FullDuplex(microphones)
    out = run(canceller, heard, reference)
    alone, both = slice(2 * RATE, 4 * RATE), slice(int(4.5 * RATE), 6 * RATE)
    assert decibels(echo[0, alone], out[alone]) > 30
    wanted = delayed(near[0])[both]
    assert np.corrcoef(wanted, out[both])[0, 1] > 0.85
    assert canceller.near_talks
    assert canceller.direction is None


def test_it_is_helped_at_the_start_only_and_counted() -> None:
    reference, _, _, heard = scene(10, 3, 1, near_from=3)
    canceller = FullDuplex(1)
    run(canceller, heard[:, : RATE // 4], reference[: RATE // 4])
    assert canceller.name == "full duplex, helped by AEC3"
    run(canceller, heard[:, RATE // 4 :], reference[RATE // 4 :])
    assert canceller.name == "full duplex"
    assert canceller.counts == {"echo_fallback_start": 1, "echo_fallback_jump": 0, "echo_fallback_divergence": 0}
    assert set(canceller.counts) <= set(HELP)


def test_without_a_far_end_nobody_helps() -> None:
    near = talk(20, 1)[np.newaxis]
    canceller = FullDuplex(1)
    out = run(canceller, near, np.zeros(near.size, np.float32))
    assert canceller.counts["echo_fallback_start"] == 0
    late = slice(RATE // 2, None)
    assert decibels(near[0, late], out[late] - delayed(near[0])[late]) > 12


def test_a_jump_of_unknown_size_is_bridged_and_learnt_anew() -> None:
    reference, echo, _, heard = scene(30, 8, 1, near_from=8)
    jump = 4 * RATE
    heard[:, jump:] = np.roll(heard, 700, axis=1)[:, jump:]
    canceller = FullDuplex(1)
    run(canceller, heard[:, :jump], reference[:jump])
    canceller.jumped(None)
    bridged = run(canceller, heard[:, jump : jump + RATE], reference[jump : jump + RATE])
    assert canceller.counts["echo_fallback_jump"] == 1
    assert decibels(echo[0], bridged[RATE // 2 :]) > 10
    out = run(canceller, heard[:, jump + RATE :], reference[jump + RATE :])
    assert canceller.name == "full duplex"
    assert decibels(echo[0], out[-RATE:]) > 25


def test_a_known_jump_needs_no_help() -> None:
    reference, echo, _, heard = scene(40, 6, 1, near_from=6)
    jump = 4 * RATE
    heard[:, jump:] = np.roll(heard, 240, axis=1)[:, jump:]
    canceller = FullDuplex(1)
    run(canceller, heard[:, :jump], reference[:jump])
    canceller.jumped(240)
    canceller.jumped(0)
    out = run(canceller, heard[:, jump:], reference[jump:])
    assert canceller.counts["echo_fallback_jump"] == 0
    assert decibels(echo[0], out[RATE:]) > 25


def test_another_room_is_noticed_without_being_told() -> None:
    reference, echo, _, heard = scene(50, 8, 1, near_from=8)
    moved = 4 * RATE
    heard[:, moved:] = through(reference, path(99))[:, moved:]
    canceller = FullDuplex(1)
    out = run(canceller, heard, reference)
    assert canceller.counts["echo_fallback_divergence"] >= 1
    assert decibels(echo[0], out[-RATE:]) > 25


@pytest.mark.parametrize("make", [FullDuplex, lambda _: Aec3(), lambda _: HalfDuplex(), lambda _: Hardware()])
@pytest.mark.parametrize("junk", [np.nan, np.inf])
def test_junk_in_a_block_does_not_stay(make: type[FullDuplex], junk: float) -> None:
    reference, _, _, heard = scene(60, 3, 2, near_from=0)
    heard[:, RATE] = junk
    reference[RATE + 3000] = junk
    with np.errstate(invalid="ignore", over="ignore"):
        out = run(make(2), heard, reference)
    assert np.isfinite(out[RATE + 3 * BLOCK :]).all()
    assert np.abs(out[2 * RATE :]).max() > 1e-3


def test_silence_stays_silent() -> None:
    silent = np.zeros((2, RATE), np.float32)
    for canceller in (FullDuplex(2), Aec3(), HalfDuplex(), Hardware()):
        assert np.abs(run(canceller, silent, silent[0])).max() < 1e-4


def test_aec3_is_safe_and_half_duplex() -> None:
    reference, echo, _, heard = scene(70, 5, 1, near_from=5)
    canceller = Aec3()
    out = run(canceller, heard, reference)
    assert decibels(echo[0, 3 * RATE :], out[3 * RATE :]) > 20
    assert not canceller.near_talks
    canceller.jumped(None)
    voice = talk(71, 1)[np.newaxis]
    run(canceller, voice, np.zeros(voice.size, np.float32))
    assert canceller.near_talks


def test_half_duplex_turns_the_microphone_down_while_the_far_end_talks() -> None:
    reference, echo, near, _ = scene(80, 4, 1, near_from=0)
    reference[2 * RATE :] = 0
    echo[:, 2 * RATE :] = 0
    canceller = HalfDuplex()
    out = run(canceller, echo, reference)
    assert decibels(echo[0, RATE : 2 * RATE], out[RATE : 2 * RATE]) > 45
    assert canceller.counts["echo_ducked"] > 100
    assert set(canceller.counts) <= set(HELP)
    canceller.jumped(None)
    assert canceller.near_talks
    out = run(canceller, near, np.zeros(near.shape[1], np.float32))
    assert decibels(near[0, RATE:], out[RATE:]) < 3


def test_who_insists_breaks_in() -> None:
    reference, _, near, _ = scene(90, 4, 1, near_from=0)
    canceller = HalfDuplex()
    out = run(canceller, near * 10, reference * 0.05)  # much louder than any echo
    assert canceller.near_talks
    assert 6 < decibels(near[0, 3 * RATE :] * 10, out[3 * RATE :]) < 20


def test_hardware_passes_its_finished_channel() -> None:
    heard = noise(91, 2, RATE, 0.1)
    canceller = Hardware()
    canceller.jumped(3)
    np.testing.assert_array_equal(run(canceller, heard, heard[1]), heard[0])
    assert canceller.counts == {} and canceller.near_talks and canceller.direction is None


class _Beam:
    """The mean; remembers where it was told to look."""

    def __init__(self) -> None:
        self.looks: list[float | None] = []
        self.learnt = 0

    def steer(self, azimuth: float | None) -> None:
        self.looks.append(azimuth)

    def learn(self, echo: Spectra) -> None:
        assert echo.any()
        self.learnt += 1

    def apply(self, spectra: Spectra, out: Spectrum) -> None:
        np.mean(spectra, axis=0, out=out)


class _Finder:
    """Adds up how much it was told of somebody near."""

    direction: float | None = 42.0

    def __init__(self) -> None:
        self.weights: list[float] = []

    def update(self, spectra: Spectra, weight: float, echo: Spectra) -> None:
        assert spectra.shape == echo.shape == (3, BLOCK + 1)
        self.weights.append(weight)


def test_the_beam_looks_where_somebody_talks_and_not_at_the_loudspeaker() -> None:
    reference, _, _, heard = scene(100, 4, 3, near_from=3)
    beam, finder = _Beam(), _Finder()
    canceller = FullDuplex(3, beam=beam, finder=finder)
    run(canceller, heard, reference)
    assert set(beam.looks) == {42.0}
    assert 200 < beam.learnt < 400
    assert canceller.direction == 42.0
    alone, both = np.mean(finder.weights[150:300]), np.mean(finder.weights[320:])
    assert alone < 0.3 < both


class _Broken:
    """A gain that cannot."""

    def gain(self, _error: Spectrum, _echo: Spectrum, _reference: Spectrum, _out: Gains) -> float:
        raise ArithmeticError("no weights")

    def gain_alone(self, _error: Spectrum, _out: Gains) -> float:
        raise ArithmeticError("no weights")


def test_what_a_part_raises_reaches_whoever_can_do_something_about_it() -> None:
    with pytest.raises(ArithmeticError):
        run(FullDuplex(1, gain=_Broken()), np.zeros((1, BLOCK), np.float32), np.zeros(BLOCK, np.float32))


def test_the_setting_says_which_and_auto_asks_the_array() -> None:
    cancels = next(array for array in ARRAYS if array.cancels)
    names = {
        (echo, array.cancels): [make().name for make in cancellers(echo, array)][:2]
        for echo in Echo
        for array in (MONO, cancels)
    }
    assert names[Echo.AUTO, False] == ["full duplex", "aec3"] == names[Echo.FULL_DUPLEX, True]
    assert names[Echo.AUTO, True] == ["hardware"] == names[Echo.HARDWARE, False]
    assert names[Echo.SAFE, False][:1] == ["aec3"]
    assert names[Echo.HALF_DUPLEX, False][:1] == ["half duplex"]
    assert names[Echo.OFF, False] == []


def test_an_array_gets_a_beam_and_without_weights_the_gain_is_by_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    array = next(array for array in ARRAYS if len(array.microphones) == 4)
    canceller = full_duplex(array)
    assert canceller._beam and canceller._finder

    def missing() -> NoReturn:
        raise ResidualWeightsError("no file")

    monkeypatch.setattr(ways, "ResidualGain", missing)
    assert isinstance(full_duplex(MONO)._gain, RuleGain)
