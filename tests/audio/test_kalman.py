"""The adaptive filter finds the way from loudspeaker to microphones, keeps it while two talk, and finds it again."""

import numpy as np
import pytest

from appliance.audio.kalman import KalmanCanceller
from appliance.audio.references import References
from appliance.core.units import BLOCK, RATE, Blocks
from tests.audio.synthetic import decibels, noise, path, talk, through


def cancel(canceller: KalmanCanceller, microphones: Blocks, reference: Blocks) -> tuple[Blocks, Blocks]:
    """Errors and echoes of a whole recording."""
    errors, echoes = np.zeros_like(microphones), np.zeros_like(microphones)
    error, echo = np.zeros((len(microphones), BLOCK), np.float32), np.zeros((len(microphones), BLOCK), np.float32)
    for at in range(0, reference.size, BLOCK):
        part = slice(at, at + BLOCK)
        canceller.process(np.ascontiguousarray(microphones[:, part]), reference[part], error, echo)
        errors[:, part], echoes[:, part] = error, echo
    return errors, echoes


@pytest.mark.parametrize("microphones", range(1, 9))
def test_the_echo_of_a_room_goes_and_the_estimate_is_it(microphones: int) -> None:
    reference = talk(1, 4)
    echo = through(reference, path(2, microphones))
    errors, echoes = cancel(KalmanCanceller(microphones), echo + noise(3, microphones, reference.size), reference)
    settled = slice(2 * RATE, None)
    for channel in range(microphones):
        assert decibels(echo[channel, settled], errors[channel, settled]) > 22
        assert decibels(echo[channel, settled], echo[channel, settled] - echoes[channel, settled]) > 22


def test_it_learns_in_a_second() -> None:
    reference = talk(4, 2)
    echo = through(reference, path(5))
    canceller = KalmanCanceller(1)
    errors, _ = cancel(canceller, echo + noise(6, 1, reference.size), reference)
    assert decibels(echo[:, RATE:], errors[:, RATE:]) > 15
    assert canceller.converged > 10


def test_somebody_near_does_not_spoil_it_and_gets_through() -> None:
    reference = talk(7, 8)
    echo = through(reference, path(8, 2))
    near = through(talk(9, 8, 0.1), path(10, 2))
    near[:, : 4 * RATE] = 0
    errors, _ = cancel(KalmanCanceller(2), echo + near + noise(11, 2, reference.size), reference)
    both = slice(4 * RATE, None)
    assert decibels(echo[:, both], (errors - near)[:, both]) > 20


def test_a_device_that_is_moved_is_learnt_anew() -> None:
    reference = talk(12, 8)
    before, after = through(reference, path(13)), through(reference, path(14))
    echo = np.concatenate([before[:, : 4 * RATE], after[:, 4 * RATE :]], axis=1)
    canceller = KalmanCanceller(1)
    errors, _ = cancel(canceller, echo + noise(15, 1, reference.size), reference)
    late = slice(7 * RATE, None)
    assert decibels(echo[:, late], errors[:, late]) > 20


@pytest.mark.parametrize("samples", [480, 97, -120])
def test_a_known_jump_moves_the_filter_instead_of_losing_it(samples: int) -> None:
    reference = talk(16, 5)
    echo = through(reference, path(17, delay=600))
    canceller = KalmanCanceller(1)
    half = 4 * RATE
    cancel(canceller, echo[:, :half], reference[:half])
    moved = np.roll(echo, samples, axis=1)
    canceller.shift(samples)
    after = slice(half, half + RATE // 5)
    errors, _ = cancel(canceller, moved[:, after], reference[after])
    assert decibels(moved[:, after], errors) > 15


def test_a_second_jump_right_after_a_known_one_goes_on_from_that() -> None:
    reference = talk(16, 5)
    echo = through(reference, path(17, delay=600))
    canceller = KalmanCanceller(1)
    first, second = 4 * RATE, 4 * RATE + 10 * BLOCK
    cancel(canceller, echo[:, :first], reference[:first])
    canceller.shift(300)
    cancel(canceller, np.roll(echo, 300, axis=1)[:, first:second], reference[first:second])
    canceller.shift(300)
    after = slice(second, second + RATE // 5)
    moved = np.roll(echo, 600, axis=1)[:, after]
    errors, _ = cancel(canceller, moved, reference[after])
    assert decibels(moved, errors) > 15


def test_a_jump_beyond_the_filter_forgets_the_room() -> None:
    reference = talk(18, 1)
    canceller = KalmanCanceller(1)
    cancel(canceller, through(reference, path(19)), reference)
    canceller.shift(RATE)
    quiet = np.zeros((1, BLOCK), np.float32)
    errors, echoes = cancel(canceller, quiet, np.zeros(BLOCK, np.float32))
    assert not echoes.any()
    assert not errors.any()
    assert canceller.converged < 0.1


def test_doubt_keeps_the_room() -> None:
    reference = talk(20, 4)
    echo = through(reference, path(21))
    canceller = KalmanCanceller(1)
    cancel(canceller, echo[:, : 3 * RATE], reference[: 3 * RATE])
    canceller.doubt()
    assert canceller.converged == 0
    errors, _ = cancel(canceller, echo[:, 3 * RATE :], reference[3 * RATE :])
    assert decibels(echo[:, 3 * RATE :], errors) > 15


@pytest.mark.parametrize("junk", [np.nan, np.inf, -np.inf, 1e30, 3e38])
def test_junk_is_silence_and_stays_nowhere(junk: float) -> None:
    reference = talk(22, 4)
    echo = through(reference, path(23, 2))
    microphones = echo.copy()
    microphones[1, 2 * RATE + 5] = junk
    wrong = reference.copy()
    wrong[2 * RATE + 10 * BLOCK] = junk
    canceller = KalmanCanceller(2)
    with np.errstate(over="ignore", invalid="ignore"):
        errors, echoes = cancel(canceller, microphones, wrong)
    assert canceller.junk == 2
    assert np.isfinite(errors).all() and np.isfinite(echoes).all()
    assert decibels(echo[:, 3 * RATE :], errors[:, 3 * RATE :]) > 15


def test_silence_and_full_scale_noise_do_no_harm() -> None:
    canceller = KalmanCanceller(2)
    silence = np.zeros((2, 50 * BLOCK), np.float32)
    errors, _ = cancel(canceller, silence, silence[0])
    assert not errors.any()
    loud = np.random.default_rng(24).uniform(-1, 1, (3, 50 * BLOCK)).astype(np.float32)
    cancel(canceller, loud[:2], loud[2])
    reference = talk(25, 4)
    echo = through(reference, path(26, 2))
    errors, _ = cancel(canceller, echo, reference)
    assert np.isfinite(errors).all()
    assert decibels(echo[:, 3 * RATE :], errors[:, 3 * RATE :]) > 15


def test_a_filter_that_adds_echo_is_thrown_away() -> None:
    reference = talk(27, 3, 0.3)
    echo = through(reference, path(28))
    canceller = KalmanCanceller(1)
    cancel(canceller, echo, reference)
    silent = np.zeros_like(echo)  # the loudspeaker was unplugged
    loud = talk(29, 3, 0.3)
    errors, _ = cancel(canceller, silent, loud)
    assert canceller.divergences <= 1
    assert decibels(echo, errors[:, -RATE:]) > 30


def test_without_a_far_end_everything_passes() -> None:
    near = talk(30, 1)[np.newaxis]
    errors, echoes = cancel(KalmanCanceller(1), near, np.zeros(near.size, np.float32))
    np.testing.assert_array_equal(errors, near)
    assert not echoes.any()


def test_a_reset_forgets() -> None:
    reference = talk(31, 1)
    echo = through(reference, path(32))
    canceller = KalmanCanceller(1)
    first, _ = cancel(canceller, echo, reference)
    canceller.reset()
    again, _ = cancel(canceller, echo, reference)
    np.testing.assert_allclose(again, first, atol=1e-5)


def test_clocks_that_drift_are_followed() -> None:
    reference = talk(33, 10)
    echo = through(reference, path(34))
    at = np.arange(echo.shape[1]) * (1 - 50e-6)
    drifting = np.interp(at, np.arange(echo.shape[1]), echo[0])[np.newaxis].astype(np.float32)
    errors, _ = cancel(KalmanCanceller(1), drifting + noise(35, 1, reference.size), reference)
    late = slice(6 * RATE, None)
    assert decibels(drifting[:, late], errors[:, late]) > 13


def test_what_was_learnt_before_a_jump_was_told_is_taken_back() -> None:
    reference = talk(36, 6)
    echo = through(reference, path(37))
    canceller = KalmanCanceller(1)
    cancel(canceller, echo[:, : 4 * RATE], reference[: 4 * RATE])
    wrong = slice(4 * RATE, 4 * RATE + 10 * BLOCK)
    cancel(canceller, np.roll(echo, 3000, axis=1)[:, wrong], reference[wrong])
    canceller.shift(0)
    after = slice(4 * RATE + 10 * BLOCK, None)
    errors, _ = cancel(canceller, echo[:, after], reference[after])
    assert decibels(echo[:, after], errors) > 18


def test_nothing_played_costs_nothing_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reference, pause = talk(1, 3), np.zeros(2 * RATE, np.float32)
    played = np.concatenate([reference, pause, reference])
    heard = through(played, path(2, 2)) + noise(3, 2, played.size)
    resting = KalmanCanceller(2)
    errors, echoes = cancel(resting, heard, played)
    monkeypatch.setattr(References, "empty", False)
    always, estimates = cancel(KalmanCanceller(2), heard, played)
    np.testing.assert_array_equal(errors, always)
    np.testing.assert_array_equal(echoes, estimates)
    silent = slice(int(4.5 * RATE), 5 * RATE)
    assert not echoes[:, silent].any()


def test_it_is_known_when_nothing_is_left_of_what_was_played() -> None:
    references = References((4, 2, 2), 100)
    assert not references.empty
    block = talk(1, 1)[:BLOCK]
    for _ in range(20):
        references.push(np.zeros(BLOCK, np.float32))
    assert references.empty
    references.push(block)
    seen = []
    for _ in range(20):
        seen.append((references.empty, bool(references.history.any())))
        references.push(np.zeros(BLOCK, np.float32))
    assert (True, True) not in seen
    assert references.empty
    references.reset()
    assert not references.empty
