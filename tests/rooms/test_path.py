"""What one says is what another hears, over a network that loses packets: with redundancy, with FEC, with neither."""

from collections.abc import Callable

import numpy as np
import pytest

from appliance.core import sdp
from appliance.core.levels import dbov
from appliance.core.units import BLOCK, RATE, Block, Pcm
from tests.rooms.path import Path
from tests.rooms.test_uplink import PLAIN, REDUNDANT, speech_like

NOISE = np.random.default_rng(1).normal(0, 10 ** (-55 / 20) * 32_768, (1200, BLOCK)).astype(np.int16)
"""The room, when nobody talks: -55 dBov."""
SPEECH = [block + noise for block, noise in zip(speech_like(8.0), NOISE, strict=False)]


def phrases(count: int) -> list[Pcm]:
    """Two seconds of speech, two of nothing but the room, and so on."""
    return [SPEECH[i] if i // 200 % 2 == 0 else NOISE[i] for i in range(count)]


def every(n: int) -> Callable[[int], bool]:
    """A network that loses every ``n``-th packet; 0: none."""
    return lambda number: n > 0 and number % n == n - 1


def levels(sound: Block, seconds: float = 0.1) -> list[float]:
    step = round(seconds * RATE)
    return [dbov(sound[i : i + step]) for i in range(0, sound.size - step + 1, step)]


@pytest.mark.parametrize("frame_ms", [10, 20])
@pytest.mark.parametrize("lost", [3, 4, 10])
def test_with_redundancy_single_losses_leave_nothing_missing(frame_ms: int, lost: int) -> None:
    path = Path(REDUNDANT, every(lost), frame_ms=frame_ms)
    path.play(SPEECH)
    assert path.lost >= 790 // (frame_ms // 10) // lost
    assert path.counted("packets_lost") <= 1
    assert path.counted("packets_redundant") >= path.lost - 2
    assert path.counted("frames_concealed") <= 10, "at most until the buffer has learned to wait for a copy"


def test_losses_of_two_in_a_row_are_met_by_two_copies_once_they_are_reported() -> None:
    path = Path(REDUNDANT, lambda number: number % 20 in {7, 8})
    path.play(SPEECH[:200])
    assert path.counted("packets_lost") > 0
    before = path.counted("packets_lost")
    path.play(SPEECH[200:])
    assert path.counted("packets_lost") <= before + 1
    assert path.counters.get("protection_changes") == 1


@pytest.mark.parametrize("lost", [4, 10])
def test_without_redundancy_fec_brings_a_part_and_the_rest_is_concealed(
    lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_fec, without = Path(PLAIN, every(lost)), Path(PLAIN, every(lost))
    with_fec.play(SPEECH)
    monkeypatch.setattr(without.uplink, "_protect", lambda _: without.uplink._encoder.tune(fec=False))
    without.play(SPEECH)
    assert without.counted("frames_recovered") == 0
    assert with_fec.counted("frames_recovered") > 0.2 * 2 * with_fec.lost
    for path in (with_fec, without):
        there = path.counted("frames_recovered") + path.counted("frames_concealed")
        assert there == pytest.approx(2 * path.lost, abs=4)


@pytest.mark.parametrize("answer", [REDUNDANT, PLAIN], ids=["redundant", "plain"])
def test_what_is_lost_leaves_no_hole_in_the_sound(answer: sdp.Answer) -> None:
    path = Path(answer, every(8))
    heard = path.play(SPEECH)[RATE:]
    spoken = np.concatenate(SPEECH)
    assert min(levels(heard, 0.02)) > min(levels(spoken, 0.02)) - 12
    assert dbov(heard) == pytest.approx(dbov(spoken), abs=2.5)


@pytest.mark.parametrize("lost", [0, 5])
@pytest.mark.parametrize("answer", [REDUNDANT, PLAIN], ids=["redundant", "plain"])
def test_a_rest_that_is_not_sent_is_no_loss(answer: sdp.Answer, lost: int) -> None:
    path = Path(answer, every(lost), dtx=True)
    path.play(phrases(800))
    assert len(path.sent) < 300, "of 400"
    assert path.counted("packets_lost") <= path.lost
    assert path.counted("talker_switches") == 0
    assert path.counted("packets_late") == 0
    if not lost:
        assert path.counted("packets_lost") == 0
    assert path.proof.violations == 0


@pytest.mark.parametrize("dtx", [False, True])
@pytest.mark.parametrize("answer", [REDUNDANT, PLAIN], ids=["redundant", "plain"])
def test_a_gate_that_closes_and_opens_is_a_pause_and_no_loss(answer: sdp.Answer, dtx: bool) -> None:
    path = Path(answer, dtx=dtx)
    for _ in range(5):
        path.play(SPEECH[:101])
        silent = path.play([None] * 100)
        assert dbov(silent[RATE // 2 :]) == -127
    assert path.counted("packets_lost") == 0
    assert path.counted("packets_redundant") == 0
    assert path.proof.violations == 0


@pytest.mark.parametrize("lost", [0, 5])
@pytest.mark.parametrize("answer", [REDUNDANT, PLAIN], ids=["redundant", "plain"])
def test_a_rest_that_is_not_sent_sounds_like_the_room(answer: sdp.Answer, lost: int) -> None:
    """No hole, no pumping: as quiet as the room and as steady."""
    path = Path(answer, every(lost), dtx=True)
    heard = levels(path.play(phrases(800)))
    for rest in (heard[25:40], heard[65:80]):
        assert min(rest) > -63
        assert max(rest) < -52
        assert max(rest) - min(rest) < 4
