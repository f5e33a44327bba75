"""The doctor's measurements on rooms whose figures are known: delay, level, ringing, drift, distortion, and the channels."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.core.array_check import arrivals, fit, inverted, same
from appliance.core.arrays import by_name
from appliance.core.chirp import Chirp, delay_between
from appliance.core.echo_path import Take, channel, drift_ppm, on_one_axis, path
from appliance.core.units import RATE

CHIRP = Chirp(seconds=0.5)
WAIT = RATE
Response = NDArray[np.float64]


def room(delay: int = 300, gain: float = 0.3, ringing: float = 0.4, reverberation: float = 0.3) -> Response:
    """A direct sound and noise that decays by 60 dB in ``reverberation`` seconds."""
    response = np.zeros(RATE // 2)
    response[delay] = gain
    tail = np.arange(len(response) - delay - 100)
    noise = np.random.default_rng(2).standard_normal(len(tail)) * 10 ** (-3 * tail / RATE / reverberation)
    response[delay + 100 :] += gain * ringing * noise / np.sqrt(np.sum(noise**2))
    return response


def take(*rooms: Response, noise: float = 1e-4, chirps: int = 3, drift: float = 0.0, bend: float = 0.0) -> Take:
    """Chirps played into rooms, one microphone in each."""
    quiet, period = RATE // 2, CHIRP.samples + WAIT
    starts = tuple(quiet + number * period for number in range(chirps))
    played = np.zeros(quiet + chirps * period)
    for start in starts:
        played[start : start + CHIRP.samples] = CHIRP.make()
    played += bend * played**2
    size, rng = 1 << int(np.ceil(np.log2(len(played) + RATE // 2))), np.random.default_rng(1)
    heard = [np.fft.irfft(np.fft.rfft(played, size) * np.fft.rfft(one, size), size)[: len(played)] for one in rooms]
    if drift:
        time = np.arange(len(played))
        heard = [np.interp(time * (1 - drift * 1e-6), time, one) for one in heard]
    sound = np.array(heard) + noise * rng.standard_normal((len(rooms), len(played)))
    return Take(sound.astype(np.float32), quiet, starts, starts, CHIRP, WAIT)


def test_a_chirp_is_bounded_and_begins_and_ends_softly() -> None:
    sound = CHIRP.make()
    assert sound.shape == (CHIRP.samples,) and sound.dtype == np.float32
    assert np.abs(sound).max() <= 0.2
    assert abs(sound[0]) < 1e-4 and abs(sound[-1]) < 1e-2


def test_a_path_that_changes_nothing_is_an_impulse() -> None:
    response = CHIRP.response(np.concatenate([CHIRP.make(), np.zeros(RATE // 10, np.float32)]), before=100)
    assert np.argmax(np.abs(response)) == 100
    assert response[100] == pytest.approx(2 / 3, abs=0.03), "what lies beyond 16 of 24 kHz is not in it"


@pytest.mark.parametrize("late", [0.0, 7.0, -3.0, 0.4])
def test_the_delay_between_two_responses(late: float) -> None:
    spectrum = np.fft.rfft(room())
    turn = np.exp(-2j * np.pi * np.arange(len(spectrum)) * late / (RATE // 2))
    band = np.arange(len(spectrum)) < len(spectrum) // 2
    one, other = np.fft.irfft(spectrum * band), np.fft.irfft(spectrum * turn * band)
    assert delay_between(one, other) == pytest.approx(late, abs=0.1)


def test_delay_level_and_ringing_of_a_room() -> None:
    heard = channel(take(room(delay=300, gain=0.3)), 0)
    assert heard.path is not None
    assert heard.path.delay == pytest.approx(300, abs=2)
    assert heard.path.gain_db == pytest.approx(20 * np.log10(0.3 * np.sqrt(1 + 0.4**2)), abs=1)
    assert heard.path.reverberation_s == pytest.approx(0.3, abs=0.05)
    assert heard.path.distortion_db is None
    assert heard.quiet_db == pytest.approx(-80, abs=1)
    assert heard.chirp_db > heard.quiet_db + 30
    assert (heard.clipped, heard.frozen) == (0.0, False)


def test_a_room_that_rings_longer_says_what_the_canceller_leaves() -> None:
    short, long = (path(t, t.sound[0]) for t in (take(room()), take(room(reverberation=1.2, ringing=1.0))))
    assert short is not None and long is not None
    assert long.length_ms > 2 * short.length_ms > 0
    assert short.late_db < -30 < long.late_db < -5
    assert long.reverberation_s == pytest.approx(1.2, abs=0.25)


def test_without_a_room_there_is_nothing_that_rings() -> None:
    made = take(room(ringing=1e-6))
    heard = path(made, made.sound[0])
    assert heard is not None and heard.reverberation_s is None and heard.length_ms < 10


@pytest.mark.parametrize("drift", [-120.0, 0.0, 50.0])
def test_drift_between_the_clocks(drift: float) -> None:
    made = take(room(), drift=drift)
    assert drift_ppm(made, made.sound[0]) == pytest.approx(drift, abs=3)
    heard = path(made, made.sound[0])
    assert heard is not None and heard.gain_db == pytest.approx(-10, abs=1.5), "the chirps are moved onto each other"


def test_time_stamps_that_follow_the_drift_do_not_hide_it() -> None:
    made = take(room(), drift=50)
    followed = tuple(round(start * (1 + 50e-6)) for start in made.starts)
    assert drift_ppm(replace(made, starts=followed), made.sound[0]) == pytest.approx(50, abs=3)


def test_drift_is_not_told_of_one_chirp_nor_over_a_jump() -> None:
    one = take(room(), chirps=1)
    assert drift_ppm(one, one.sound[0]) is None
    made = take(room())
    sound = made.sound.copy()
    sound[:, made.starts[2] - 1000 :] = np.roll(sound, 2000, axis=1)[:, made.starts[2] - 1000 :]
    assert drift_ppm(made, sound[0]) is None


def test_noise_alone_is_no_path() -> None:
    made = take(np.zeros(RATE // 2), noise=0.01)
    assert channel(made, 0).path is None
    faint = take(room(gain=0.003), noise=0.002)
    assert channel(faint, 0).path is not None, "a chirp that is 40 dB below the noise of a second is found"


def test_dead_clipped_and_shifted_channels() -> None:
    made = take(room(), np.zeros(RATE // 2), room(), noise=1e-4)
    made.sound[1] = 0.25
    made.sound[2] = np.clip(made.sound[2] * 40, -1, 1) + 0.05
    dead, clipped = channel(made, 1), channel(made, 2)
    assert dead.frozen and dead.path is None and dead.quiet_db < -100 and dead.dc == pytest.approx(0.25)
    assert clipped.clipped > 0.1 and clipped.dc == pytest.approx(0.05, abs=0.01) and clipped.path is not None
    assert clipped.quiet_db == pytest.approx(-48, abs=1), "without the DC"


def test_a_loudspeaker_that_bends_the_wave() -> None:
    mild, strong = (channel(take(room(), bend=bend), 0).path for bend in (0.2, 1.0))
    assert mild is not None and strong is not None
    assert mild.distortion_db is not None and strong.distortion_db is not None
    assert strong.distortion_db - mild.distortion_db == pytest.approx(14, abs=2), "five times the bend"


def square(source: tuple[float, float, float]) -> list[Response]:
    """Responses to the four microphones of a known array, as far as direct sound goes, in a room that rings."""
    positions = np.array(by_name("respeaker_usb_4").positions)
    distances = np.linalg.norm(positions - np.array(source), axis=1)
    spectrum, frequencies = np.fft.rfft(room(delay=200)), np.fft.rfftfreq(RATE // 2, 1 / RATE)
    return [np.fft.irfft(spectrum * np.exp(-2j * np.pi * frequencies * way / 343.0)) for way in distances]


@pytest.mark.parametrize("source", [(0.36, 0.0, 0.0), (0.1, 0.3, -0.05), (1.5, 1.0, 0.4)])
def test_microphones_where_the_settings_say(source: tuple[float, float, float]) -> None:
    found = fit(arrivals(square(source)), by_name("respeaker_usb_4").positions)
    assert found.agrees and found.exchanged is None
    assert found.error < 0.001
    assert found.widest <= found.possible + 0.001


@pytest.mark.parametrize("pair", [(0, 1), (2, 3), (1, 2)])
def test_exchanged_microphones_are_named(pair: tuple[int, int]) -> None:
    heard = square((0.3, 0.1, 0.0))
    heard[pair[0]], heard[pair[1]] = heard[pair[1]], heard[pair[0]]
    found = fit(arrivals(heard), by_name("respeaker_usb_4").positions)
    assert not found.agrees
    assert found.exchanged in {pair, tuple(sorted({0, 1, 2, 3} - set(pair)))}, (
        "or the two opposite: a square is symmetric"
    )


def test_a_geometry_of_another_array_does_not_agree() -> None:
    small = tuple((x / 2, y / 2, z / 2) for x, y, z in by_name("respeaker_usb_4").positions)
    found = fit(arrivals(square((0.3, 0.1, 0.0))), small)
    assert not found.agrees and found.exchanged is None
    assert found.widest > found.possible


def test_inverted_channels_are_those_that_differ_from_most() -> None:
    heard = square((0.3, 0.1, 0.0))
    assert inverted(heard) == []
    assert inverted([heard[0], -heard[1], heard[2], heard[3]]) == [1]
    assert inverted([-heard[0], heard[1], heard[2], heard[3]]) == [0]
    assert inverted([heard[0], -heard[1]]) == [1]


def test_paths_on_one_axis_tell_who_hears_it_later() -> None:
    made = take(room(delay=300), room(delay=340))
    one, other = (path(made, sound) for sound in made.sound)
    assert one is not None and other is not None
    assert other.begin - one.begin == 40
    late = arrivals(on_one_axis([one, other]))
    assert late == pytest.approx([0, 40 / RATE * 343], abs=0.001)


def test_channels_with_the_same_sound() -> None:
    sound = np.random.default_rng(0).standard_normal((5, 100)).astype(np.float32)
    sound[2], sound[3], sound[4] = sound[0], 0, 0
    assert same(sound, range(5)) == [(0, 2)]
    assert same(sound, [1, 2, 3]) == []


def test_an_echo_that_comes_after_all_waiting_is_none() -> None:
    made = take(room())
    early = tuple(start - WAIT + RATE // 10 for start in made.starts[1:])
    assert path(replace(made, starts=early), made.sound[0]) is None
