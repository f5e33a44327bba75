"""Beams pass the talker and take out the rest; directions are found in a free field."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.audio.beamformer import Beamformer, superdirective
from appliance.audio.direction import DirectionFinder
from appliance.audio.spectra import BINS, Spectra
from appliance.audio.steering import SOUND, diffuse, frequencies, on_a_line, steering
from appliance.core.arrays import ARRAYS, Position, by_name, parse_geometry

SQUARE = by_name("respeaker_usb_4").positions
ARRAYS_OF_MANY = [array.positions for array in ARRAYS if len(array.positions) > 1]
PAIR = parse_geometry("-30,0; 30,0")


def plane_wave(positions: Sequence[Position], azimuth: float, elevation: float = 15.0) -> NDArray[np.complex64]:
    """Phases at the microphones by the way that sound goes, shape (n, 481)."""
    angle, height = np.deg2rad(azimuth), np.deg2rad(elevation)
    towards = np.array([np.cos(angle) * np.cos(height), np.sin(angle) * np.cos(height), np.sin(height)])
    delays = -(np.array(positions) @ towards) / SOUND
    hertz = np.arange(BINS) * 50.0
    made: NDArray[np.complex64] = np.exp(-2j * np.pi * hertz * delays[:, np.newaxis]).astype(np.complex64)
    return made


def talking(
    positions: Sequence[Position], azimuths: Sequence[float], blocks: int, seed: int = 1, noise: float = 0.03
) -> list[Spectra]:
    """Spectra of talkers, one after the other direction in each block if there are several."""
    random = np.random.default_rng(seed)

    def gauss(*shape: int) -> NDArray[np.complex128]:
        return random.standard_normal(shape) + 1j * random.standard_normal(shape)

    waves = [plane_wave(positions, azimuth) for azimuth in azimuths]
    frames = []
    for _ in range(blocks):
        frame = gauss(len(positions), BINS) * noise
        for wave in waves:
            frame += wave * gauss(1, BINS)
        frames.append(frame.astype(np.complex64))
    return frames


def steered(positions: Sequence[Position], azimuth: float) -> Beamformer:
    beam = Beamformer(positions)
    for _ in range(60):
        beam.steer(azimuth)
    return beam


def through(beam: Beamformer, spectra: Spectra) -> NDArray[np.complex64]:
    out = np.zeros(BINS, np.complex64)
    beam.apply(spectra, out)
    return out


def test_one_microphone_passes_through() -> None:
    beam = Beamformer([(0.0, 0.0, 0.0)])
    beam.steer(90)
    frame = talking([(0.0, 0.0, 0.0)], [0], 1)[0]
    np.testing.assert_array_equal(through(beam, frame), frame[0])
    assert beam.azimuth is None


@pytest.mark.parametrize("positions", [*ARRAYS_OF_MANY, PAIR])
def test_the_talker_passes_unchanged_and_diffuse_sound_does_not(positions: Sequence[Position]) -> None:
    beam = steered(positions, 40)
    assert beam.azimuth == 40
    np.testing.assert_allclose(np.abs(through(beam, plane_wave(positions, 40))), 1, atol=1e-3)
    weights = beam._weights.astype(np.complex128).T
    hertz = frequencies()
    left = np.einsum("fi,fij,fj->f", weights, diffuse(positions, hertz), weights.conj()).real
    speech = (hertz > 500) & (hertz < 6000)
    assert 10 * np.log10(left[speech].mean()) < (-1.5 if len(positions) == 2 else -4)
    white = np.sum(np.abs(weights) ** 2, axis=1)
    assert (white <= 10**0.8 + 1e-3).all(), "the microphones' own noise is amplified"


def test_another_direction_is_taken_out() -> None:
    beam = steered(SQUARE, 0)
    speech = slice(10, 80)
    other = np.abs(through(beam, plane_wave(SQUARE, 180)))[speech]
    assert 20 * np.log10(np.sqrt(np.mean(other**2))) < -8


def test_turning_is_smooth() -> None:
    beam = steered(SQUARE, 0)
    wave, before, steps = plane_wave(SQUARE, 0), None, []
    for _ in range(60):
        beam.steer(180)
        now = through(beam, wave)
        if before is not None:
            steps.append(float(np.abs(now - before).max()))
        before = now
    assert max(steps) < 0.5
    assert steps[-1] < 1e-6
    assert beam.azimuth == 180


def test_a_trembling_direction_does_not_move_the_beam() -> None:
    beam = steered(SQUARE, 42)
    weights = beam._weights.copy()
    for azimuth in (46, 38, 46.5, 34, None):
        beam.steer(azimuth)
    np.testing.assert_allclose(beam._weights, weights, atol=1e-5)


def test_before_anybody_talked_it_is_the_first_microphone() -> None:
    beam = Beamformer(SQUARE)
    beam.steer(None)
    frame = talking(SQUARE, [70], 1)[0]
    np.testing.assert_allclose(through(beam, frame), frame[0], atol=1e-6)


def test_weights_hold_the_white_noise_gain() -> None:
    hertz = frequencies()
    wanted = steering(SQUARE, [30.0], hertz)[:, 0]
    for least in (0.1, 0.5, 1.0):
        weights = superdirective(diffuse(SQUARE, hertz), wanted, least)
        assert (1 / np.sum(np.abs(weights) ** 2, axis=1) >= least - 1e-3).all()


def test_the_loudspeaker_is_taken_out_once_it_is_known() -> None:
    beam, speech = steered(SQUARE, 0), slice(10, 160)
    loudspeaker = plane_wave(SQUARE, 60)
    before = np.abs(through(beam, loudspeaker))[speech]
    for frame in talking(SQUARE, [60], 300):
        beam.steer(0)
        beam.learn(frame)
    after = np.abs(through(beam, loudspeaker))[speech]
    assert 20 * np.log10(np.sqrt(np.mean(after**2)) / np.sqrt(np.mean(before**2))) < -6
    np.testing.assert_allclose(np.abs(through(beam, plane_wave(SQUARE, 0)))[speech], 1, atol=1e-2)
    assert (np.sum(np.abs(beam._weights) ** 2, axis=0) <= 10**0.8 * 1.05).all()


def test_a_loudspeaker_behind_the_talker_does_not_take_out_the_talker() -> None:
    beam = steered(SQUARE, 0)
    for frame in talking(SQUARE, [2], 300):
        beam.steer(0)
        beam.learn(frame)
    np.testing.assert_allclose(np.abs(through(beam, plane_wave(SQUARE, 0)))[10:160], 1, atol=1e-2)
    assert (np.sum(np.abs(beam._weights) ** 2, axis=0) <= 10**0.8 * 1.05).all()


@pytest.mark.parametrize("more", [0, 1, 2])
def test_a_beam_that_turns_while_the_far_end_is_silent_takes_the_loudspeaker_out_too(more: int) -> None:
    beam, speech = steered(SQUARE, 0), slice(10, 160)
    loudspeaker = plane_wave(SQUARE, 60)
    for frame in talking(SQUARE, [60], 300 + more):
        beam.steer(0)
        beam.learn(frame)
    plain = np.abs(through(steered(SQUARE, 180), loudspeaker))[speech]
    for _ in range(300):
        beam.steer(180)
    after = np.abs(through(beam, loudspeaker))[speech]
    assert np.sqrt(np.mean(after**2)) < 0.7 * np.sqrt(np.mean(plain**2))


def test_nothing_learnt_from_silence() -> None:
    beam = steered(SQUARE, 0)
    weights = beam._weights.copy()
    for _ in range(300):
        beam.steer(0)
        beam.learn(np.zeros((4, BINS), np.complex64))
    np.testing.assert_allclose(beam._weights, weights, atol=1e-5)


@pytest.mark.parametrize("positions", ARRAYS_OF_MANY)
@pytest.mark.parametrize("azimuth", [3.0, 88.5, 201.0, 357.0])
def test_a_talker_is_found(positions: Sequence[Position], azimuth: float) -> None:
    finder = DirectionFinder(positions)
    for frame in talking(positions, [], 10) + talking(positions, [azimuth], 40):
        finder.update(frame, 1.0)
    assert finder.direction is not None
    assert abs((finder.direction - azimuth + 180) % 360 - 180) < 2


@pytest.mark.parametrize("azimuth", [20.0, 90.0, 150.0])
def test_in_front_of_a_line(azimuth: float) -> None:
    finder = DirectionFinder(PAIR)
    for frame in talking(PAIR, [], 10) + talking(PAIR, [azimuth], 60):
        finder.update(frame, 1.0)
    assert finder.direction == pytest.approx(azimuth, abs=6)
    assert DirectionFinder([(0.0, 0.03, 0.0), (0.0, -0.03, 0.0)])._azimuths.min() == -90


def test_one_microphone_knows_no_direction() -> None:
    finder = DirectionFinder([(0.0, 0.0, 0.0)])
    finder.update(talking([(0.0, 0.0, 0.0)], [0], 1)[0], 1.0)
    assert finder.direction is None


def test_echo_says_nothing_and_silence_forgets() -> None:
    finder = DirectionFinder(SQUARE)
    for frame in talking(SQUARE, [], 10) + talking(SQUARE, [120], 40):
        finder.update(frame, 1.0)
    for frame in talking(SQUARE, [300], 100):
        finder.update(frame, 0.0)
    assert finder.direction == pytest.approx(120, abs=3)
    for frame in talking(SQUARE, [], 150):
        finder.update(frame, 1.0)
    assert finder.direction is None


def test_what_the_echo_drowns_says_nothing() -> None:
    finder = DirectionFinder(SQUARE)
    loud = [frame * np.float32(3) for frame in talking(SQUARE, [300], 50)]
    for frame in talking(SQUARE, [], 10):
        finder.update(frame, 1.0, loud[0])
    for frame, echo in zip(talking(SQUARE, [120], 50), loud, strict=True):
        finder.update(frame, 1.0, echo)
    assert finder.direction is None
    for frame, echo in zip(talking(SQUARE, [120], 50), loud, strict=True):
        finder.update(frame, 1.0, echo / 3)
    assert finder.direction == pytest.approx(120, abs=3)


def test_echo_that_is_left_does_not_lead_to_the_loudspeaker() -> None:
    finder = DirectionFinder(SQUARE)
    echoes = talking(SQUARE, [300], 120, seed=5, noise=0.1)
    for frame in talking(SQUARE, [], 10):
        finder.update(frame, 1.0)
    for talker, echo in zip(talking(SQUARE, [120], 120), echoes, strict=True):
        finder.update(talker * np.float32(0.8) + echo, 1.0, echo)
    assert finder.direction == pytest.approx(120, abs=5)


def test_whoever_talks_from_behind_the_loudspeaker_is_found() -> None:
    finder = DirectionFinder(SQUARE)
    for frame in talking(SQUARE, [], 10):
        finder.update(frame, 1.0)
    for talker, echo in zip(talking(SQUARE, [120], 120), talking(SQUARE, [120], 120, seed=5), strict=True):
        finder.update(talker, 1.0, echo * np.float32(0.5))
    assert finder.direction == pytest.approx(120, abs=8)


def test_another_talker_is_followed_within_a_second_but_not_at_a_cough() -> None:
    finder = DirectionFinder(SQUARE)
    for frame in talking(SQUARE, [], 10) + talking(SQUARE, [120], 60):
        finder.update(frame, 1.0)
    for frame in talking(SQUARE, [300], 8):
        finder.update(frame, 1.0)
    assert finder.direction == pytest.approx(120, abs=3)
    for frame in talking(SQUARE, [300], 92):
        finder.update(frame, 1.0)
    assert finder.direction == pytest.approx(300, abs=3)


def test_frequencies_that_were_silent_once_are_heard_again() -> None:
    finder = DirectionFinder(SQUARE)
    low = np.arange(BINS) < 60
    for frame in talking(SQUARE, [], 10):
        finder.update(frame, 1.0)
    for frame in talking(SQUARE, [120], 40, noise=0.0):
        finder.update(frame * low, 1.0)
    for frame in talking(SQUARE, [], 250):
        finder.update(frame, 0.0)
    for frame in talking(SQUARE, [300], 40):
        finder.update(frame * ~low, 1.0)
    assert finder.direction == pytest.approx(300, abs=3)
    assert finder._vector.any(axis=0).all()


def test_nobody_talks() -> None:
    finder = DirectionFinder(SQUARE)
    assert finder.direction is None
    for frame in talking(SQUARE, [], 50, noise=1e-4):
        finder.update(frame, 1.0)
    assert finder.direction is None


def test_a_line_is_a_line() -> None:
    assert on_a_line(PAIR)
    assert on_a_line(parse_geometry("0,0;10,10;20,20"))
    assert not on_a_line(SQUARE)
