"""What was lost and comes once more with a later packet: RED (RFC 2198) through the playout, counted to the packet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.units import BLOCK
from appliance.media.playout import Playout
from tests.media.play import Sent, Talker, counted, late, mark, ruled, ruler_playout, still


def play_red(
    playout: Playout, sent: list[Sent], gone: list[bool], blocks: int = 1, primary_first: bool = True
) -> list[int]:
    """Packets with ``blocks`` redundant frames each, of which those in ``gone`` are lost; the numbers that were heard."""
    out = np.zeros(BLOCK, np.int16)
    heard: list[int] = []
    arrivals = [(s.at, i) for i, s in enumerate(sent) if not gone[i]]
    seconds = sent[-1].at + 1
    for tick in range(round(seconds * 100)):
        now = 0.003 + tick / 100
        while arrivals and arrivals[0][0] <= now:
            at, i = arrivals.pop(0)
            if primary_first:
                playout.push(sent[i].packet, at)
            for earlier in range(max(0, i - blocks), i):
                playout.push_redundant(sent[earlier].packet._replace(marker=False), at)
            if not primary_first:
                playout.push(sent[i].packet, at)
        playout.pull(out)
        if out[-1] >= mark(0) and (not heard or heard[-1] != out[-1] - mark(0)):
            heard.append(int(out[-1]) - mark(0))
    return heard


@pytest.mark.parametrize("primary_first", [True, False])
@pytest.mark.parametrize("blocks", [1, 2])
def test_single_losses_are_all_filled(blocks: int, primary_first: bool) -> None:
    playout = still(ruler_playout())
    gone = [i % 7 == 5 for i in range(200)]
    assert play_red(playout, Talker().ruled(200), gone, blocks, primary_first) == list(range(200))
    assert playout.counts["packets_redundant"] == sum(gone)
    assert playout.counts["frames_recovered"] == 2 * sum(gone)
    assert playout.counts["packets_lost"] == playout.counts["packets_late"] == playout.counts["packets_duplicate"] == 0
    assert playout.counts["packets_reordered"] == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), min_size=60, max_size=60), st.integers(1, 2))
def test_exactly_those_are_filled_whose_copy_came_in_time(pattern: list[bool], blocks: int) -> None:
    gone = [False] * 20 + pattern + [False] * 80
    playout = still(ruler_playout())
    heard = play_red(playout, Talker().ruled(len(gone)), gone, blocks)
    carried = [i for i, lost in enumerate(gone) if lost and not all(gone[i : i + 1 + blocks])]
    assert playout.counts["packets_redundant"] <= len(carried)
    assert heard == sorted(set(heard))
    assert set(heard) - {n for n, lost in enumerate(gone) if not lost} <= set(carried)
    assert playout.counts["packets_redundant"] + playout.counts["packets_lost"] == sum(gone)


def test_copies_of_what_is_there_or_was_played_are_nothing() -> None:
    plain, with_copies = still(ruler_playout()), still(ruler_playout())
    sent, none = Talker().ruled(100), [False] * 100
    assert play_red(with_copies, sent, none) == play_red(plain, sent, none, blocks=0)
    assert counted(with_copies) == counted(plain)
    assert with_copies.target_ms == plain.target_ms


def test_a_packet_that_comes_after_its_copy_is_out_of_order_and_no_duplicate() -> None:
    playout = still(ruler_playout())
    sent = late(Talker().ruled(100), [0.021 if i == 50 else 0.0 for i in range(100)])
    order = [s.packet.sequence - 100 for s in sent]
    out = np.zeros(BLOCK, np.int16)
    for s, number in zip(sent, order, strict=True):
        playout.push(s.packet, s.at)
        if number == 51:
            playout.push_redundant(Talker().ruled(51)[50].packet, s.at)
        playout.pull(out)
        playout.pull(out)
    assert (playout.counts["packets_redundant"], playout.counts["packets_duplicate"]) == (1, 0)
    assert playout.counts["packets_reordered"] == 1


def test_a_copy_of_another_stream_or_of_nothing_is_nothing() -> None:
    playout = still(ruler_playout())
    packet = Talker().ruled(1)[0].packet
    playout.push_redundant(packet, 0.0)
    assert not playout.pull(np.zeros(BLOCK, np.int16))
    playout.push(packet, 0.0)
    playout.push_redundant(packet._replace(ssrc=99, sequence=102), 0.0)
    playout.push_redundant(packet._replace(sequence=102, payload=b""), 0.0)
    playout.push_redundant(packet._replace(sequence=40_000, payload=ruled(1)), 0.0)
    assert counted(playout) == {"packets_received": 1}
