"""The playout where sound stops and goes on: pauses, and talkers who follow one another."""

from dataclasses import replace

import numpy as np
import pytest

from appliance.core.units import BLOCK
from appliance.media.playout import Playout
from appliance.media.timing import NORMAL
from tests.media.play import CONCEALED, Ruler, Talker, counted, mark, play, ruled, ruler_playout, still

# Pauses


def test_a_pause_is_silence_and_no_loss() -> None:
    before = Talker().ruled(50)
    after = Talker(sequence=150, timestamp=5000 + 3 * 48_000, start=3.0, marker=False).ruled(50)
    playout = still(ruler_playout())
    played = play(playout, before + after, 5)
    assert not any(played.heard[112:300])
    assert not played.pcm[112 * BLOCK : 300 * BLOCK].any()
    begin = 300 + round(NORMAL.least / 10)  # held back by the smallest target
    assert not any(played.heard[300:begin])
    assert played.heard[begin:400] == [True] * (400 - begin)
    assert counted(playout) == {"packets_received": 100, "frames_concealed": 12}


def test_after_a_long_pause_the_clocks_of_before_say_nothing() -> None:
    hour = 3600
    before = Talker().ruled(300)
    drifted = hour * (1 - 300e-6)
    after = Talker(sequence=400, timestamp=5000 + hour * 48_000, start=drifted, marker=False).ruled(300)
    playout = still(ruler_playout())
    play(playout, before, 7)
    play(playout, after, 3, start=drifted)
    assert playout.jitter_ms == pytest.approx(0, abs=0.01)
    assert playout.delay_ms == pytest.approx(playout.target_ms, abs=10)


def test_a_short_pause_keeps_the_timeline() -> None:
    before = Talker().ruled(50)
    after = Talker(sequence=150, timestamp=5000 + 52 * 960, start=1.04, marker=False).send(map(ruled, range(52, 100)))
    with_pause = play(still(ruler_playout()), before + after, 3)
    without = play(still(ruler_playout()), Talker().ruled(100), 3)
    ends, whole = with_pause.blocks[:, -1], without.blocks[:, -1]
    paused = np.isin(whole, [mark(50), mark(51)])
    np.testing.assert_array_equal(ends[~paused], whole[~paused])
    assert set(ends[paused]) <= {CONCEALED, 0}


def test_nothing_to_play_is_silence() -> None:
    playout = still(ruler_playout())
    out = np.full(BLOCK, 5, np.int16)
    assert not playout.pull(out)
    assert not out.any()


# Talkers


def test_another_source_begins_anew_and_the_old_one_dies_away() -> None:
    playout = still(ruler_playout())
    old = Talker().ruled(100)
    new = Talker(ssrc=8, sequence=40_000, timestamp=77, start=1.0).send(map(ruled, range(1000, 1050)))
    played = play(playout, old[:50] + new, 3)
    ends = played.blocks.astype(int)
    switch = next(i for i in range(len(ends)) if i > 100 and ends[i, -1] == 0)
    falling = ends[switch - 1 : switch + 1].ravel()
    falling = falling[falling != mark(49)]
    assert (np.diff(falling[falling > 0]) <= 0).all()
    assert played.order == [*range(played.order.index(1000)), *range(1000, 1050)]
    assert played.order.index(1000) in range(45, 51)
    assert playout.counts["talker_switches"] == 1


def test_a_straggler_of_the_old_source_does_not_bring_it_back() -> None:
    old, new = Talker().ruled(52), Talker(ssrc=8, start=1.0).send(map(ruled, range(1000, 1100)))
    sent = sorted([*old[:50], *new, replace(old[50], at=1.05), replace(old[51], at=1.1)], key=lambda s: s.at)
    playout = still(ruler_playout())
    played = play(playout, sent, 4)
    assert played.order[-100:] == list(range(1000, 1100))
    assert (playout.counts["talker_switches"], playout.counts["packets_refused"]) == (1, 2)


def test_a_marker_in_a_slot_resets_the_decoder_and_loses_nothing() -> None:
    ruler = Ruler()
    playout = still(Playout(ruler))  # type: ignore[arg-type]
    old = Talker().ruled(50)
    new = Talker(sequence=150, timestamp=5000 + 50 * 960, start=1.0).send(map(ruled, range(2000, 2050)))
    played = play(playout, old + new, 3)
    assert played.order == [*range(50), *range(2000, 2050)]
    assert all(played.heard[4:204])
    assert ruler.resets == 2  # the first packet has a marker, too
    assert playout.counts["talker_switches"] == 1


def test_fec_of_another_talker_is_not_used() -> None:
    old = Talker().ruled(49)
    new = Talker(sequence=150, timestamp=5000 + 50 * 960, start=1.0).send(
        [ruled(n, fec=True) for n in range(2000, 2050)]
    )
    playout = still(ruler_playout())
    played = play(playout, old + new, 3)
    assert not (played.pcm == -mark(2000)).any()
    assert playout.counts["frames_recovered"] == 0


@pytest.mark.parametrize(("sequence", "timestamp"), [(150, 5), (40_000, 5000 + 51 * 960)])
def test_a_jump_is_another_stream(sequence: int, timestamp: int) -> None:
    talker = Talker(timestamp=200_000)
    jumped = Talker(sequence=sequence, timestamp=timestamp, start=1.0).send(map(ruled, range(500, 600)))
    playout = still(ruler_playout())
    played = play(playout, talker.ruled(50) + jumped, 4)
    assert played.order[-100:] == list(range(500, 600))
    assert playout.counts["talker_switches"] == 1


def test_a_jump_forward_in_time_is_held_back_like_a_beginning() -> None:
    later = Talker(sequence=150, timestamp=5000 + 500 * 960, start=1.0, marker=False).send(map(ruled, range(500, 600)))
    playout = still(ruler_playout())
    played = play(playout, Talker().ruled(50) + later, 4)
    assert played.order[-100:] == list(range(500, 600))
    assert playout.counts["packets_lost"] == 0
