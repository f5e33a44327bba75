"""What was played and what a loudspeaker makes of it, block after block."""

from itertools import pairwise

import numpy as np

from appliance.audio.kalman import KalmanCanceller
from appliance.audio.references import References
from appliance.core.units import BLOCK, RATE
from tests.audio.synthetic import decibels, noise, path, talk, through

BINS = 161


def test_the_newest_block_is_first_in_each_and_nothing_is_lost_when_memory_wraps() -> None:
    references = References((4, 3, 2), BINS)
    sound = talk(1, 1, 0.2)
    seen = []
    for at in range(0, sound.size, BLOCK):
        assert references.push(sound[at : at + BLOCK])
        seen.append(references.history.copy())
        np.testing.assert_allclose(references.powers, np.abs(references.history) ** 2, rtol=1e-4, atol=1e-6)
        if at:
            whole = np.fft.rfft(sound[at - BLOCK : at + BLOCK])[:BINS]
            np.testing.assert_allclose(references.history[0], whole, atol=1e-3)
    for before, after in pairwise(seen):
        for first, last in ((0, 4), (4, 7), (7, 9)):
            np.testing.assert_array_equal(after[first + 1 : last], before[first : last - 1])


def test_silence_and_junk_teach_nothing() -> None:
    references = References((2, 2, 2), BINS)
    assert not references.push(np.zeros(BLOCK, np.float32))
    with np.errstate(invalid="ignore"):
        assert not references.push(np.full(BLOCK, np.nan, np.float32))
    assert references.junk == 1
    assert not references.history.any()
    references.push(talk(2, 0.1)[:BLOCK])
    references.reset()
    assert not references.history.any() and not references.powers.any()


def test_a_loudspeaker_that_clips_is_followed() -> None:
    played = talk(3, 6, 0.2)
    clipped = np.tanh(3 * (played + 0.03)) / 3
    echo = through((clipped - clipped.mean()).astype(np.float32), path(4))
    heard = echo + noise(5, 1, played.size)
    canceller, error, estimate = KalmanCanceller(1), np.zeros((1, BLOCK), np.float32), np.zeros((1, BLOCK), np.float32)
    left = np.zeros_like(heard)
    for at in range(0, played.size, BLOCK):
        part = slice(at, at + BLOCK)
        canceller.process(np.ascontiguousarray(heard[:, part]), played[part], error, estimate)
        left[:, part] = error
    late = slice(4 * RATE, None)
    room = np.vdot(played, clipped) / np.vdot(played, played)
    linear = decibels(clipped, (clipped - room * played).astype(np.float32))
    assert decibels(echo[:, late], left[:, late]) > linear + 5
