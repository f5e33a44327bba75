"""The playout on simulated networks, with a decoder whose sound tells where it is from."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.counters import HELP
from appliance.core.units import BLOCK
from appliance.media.arrivals import Arrivals
from appliance.media.playout import Playout
from appliance.media.rtp import Rtp
from appliance.media.timing import NORMAL
from tests.media.play import (
    CONCEALED,
    Ruler,
    Sent,
    Talker,
    counted,
    late,
    lose,
    mark,
    outage,
    play,
    ruled,
    ruler_playout,
    still,
)

LENGTHS = pytest.mark.parametrize("samples", [480, 960, 1920, 2880])


# A good network


@LENGTHS
def test_on_a_good_network_every_packet_is_played_once_in_order(samples: int) -> None:
    playout = still(ruler_playout())
    played = play(playout, Talker(samples).ruled(200), 200 * samples / 48_000 + 1)
    assert played.order == list(range(200))
    begin = played.heard.index(True)
    assert begin == 4  # the first target
    whole = played.blocks[begin : begin + 200 * samples // BLOCK]
    np.testing.assert_array_equal(whole[1:, 0], [mark(i * BLOCK // samples) for i in range(1, len(whole))])
    assert counted(playout) == {"packets_received": 200, "frames_concealed": 6}


def test_its_delay_is_the_target_and_told() -> None:
    playout = still(ruler_playout())
    assert (playout.playing, playout.delay_ms, playout.target_ms) == (False, None, 40)
    played = play(playout, Talker().ruled(100), 2)
    assert playout.playing
    assert playout.delay_ms == pytest.approx(43)  # the first block after 40 ms is asked for 3 ms later
    assert playout.target_ms == NORMAL.least
    assert playout.jitter_ms == pytest.approx(0, abs=0.01)
    assert np.isnan(played.delays[0])


def test_blocks_are_the_same_as_floats() -> None:
    sent = Talker().ruled(20)
    ints = play(still(ruler_playout()), sent, 0.5)
    playout, waiting = still(ruler_playout()), list(sent)
    out = np.full(BLOCK, 9, np.float32)
    for i in range(50):
        while waiting and waiting[0].at <= 0.003 + i * 0.01:
            first = waiting.pop(0)
            playout.push(first.packet, first.at)
        assert playout.pull(out) == ints.heard[i]
        np.testing.assert_array_equal(out, ints.blocks[i].astype(np.float32) / 32768)


def test_the_counts_are_those_of_the_table() -> None:
    assert set(ruler_playout().counts) <= set(HELP)


def test_numbers_and_timestamps_may_wrap() -> None:
    plain = play(still(ruler_playout()), Talker().ruled(100), 3)
    playout = still(ruler_playout())
    wrapped = play(playout, Talker(sequence=65_500, timestamp=2**32 - 20_000).ruled(100), 3)
    np.testing.assert_array_equal(wrapped.pcm, plain.pcm)
    assert counted(playout) == {"packets_received": 100, "frames_concealed": 6}


def test_an_earlier_first_packet_may_come_second_also_at_the_wrap() -> None:
    sent = Talker(sequence=65_535, timestamp=2**32 - 960).ruled(50)
    sent[0], sent[1] = replace(sent[1], at=0), replace(sent[0], at=0.001)
    played = play(still(ruler_playout()), sent, 2)
    assert played.order == list(range(50))


# Loss: lists of booleans

PATTERNS = {
    "one in twenty": [False] * 19 + [True],
    "one in five": [False] * 4 + [True],
    "every second": [False, True],
    "pairs": [False] * 8 + [True] * 2,
    "bursts of five": [False] * 20 + [True] * 5,
    "mixed": [False, True, False, False, True, True, False, False, False, True, False],
}


def longest(pattern: list[bool]) -> int:
    """The longest run of losses when the pattern repeats."""
    runs = "".join(".x"[gone] for gone in pattern * 2).split(".")
    return max(map(len, runs))


@LENGTHS
@pytest.mark.parametrize("fec", [False, True])
@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_what_is_lost_is_replaced_in_its_place_and_nothing_else_moves(
    samples: int, fec: bool, pattern: list[bool]
) -> None:
    talker = Talker(samples)
    sent = talker.ruled(300, fec)
    lost = [pattern[i % len(pattern)] for i in range(300)]
    kept = 300 - next(i for i, gone in enumerate(reversed(lost)) if not gone)  # what is lost at the end is never missed
    seconds = kept * samples / 48_000 + 0.04
    lossless = play(still(ruler_playout()), sent, seconds).blocks[:, -1].astype(int)
    playout = still(ruler_playout())
    lossy = play(playout, lose(sent, pattern), seconds)
    got = lossy.blocks[:, -1].astype(int)

    number = lossless - mark(0)  # which packet belongs into each block
    is_lost = np.array([n >= 0 and lost[n] for n in number])
    if samples * longest(pattern) > 4800:  # the stream begins anew after such a hole, and the delay with it
        assert lossy.order == [n for n in range(kept) if not lost[n]]
        return
    np.testing.assert_array_equal(got[~is_lost], lossless[~is_lost])
    assert all(lossy.heard[4:])
    by_fec = np.array(
        [fec and gone and n + 1 < 300 and not lost[n + 1] for gone, n in zip(is_lost, number, strict=True)]
    )
    if samples <= 960:  # of longer packets the next one comes too late for that
        np.testing.assert_array_equal(got[by_fec], -lossless[by_fec] - 1)
        assert playout.counts["frames_recovered"] == by_fec.sum()
    assert set(got[is_lost & ~by_fec]) <= {CONCEALED, 0} | set(-lossless[is_lost] - 1)
    counts = playout.counts
    assert counts["frames_recovered"] + counts["frames_concealed"] == is_lost.sum()
    assert counts["packets_lost"] == pytest.approx(sum(lost), abs=64)
    assert counts["packets_late"] == counts["packets_duplicate"] == counts["frames_dropped"] == 0


def test_after_60_ms_of_loss_there_is_silence_until_sound_is_there() -> None:
    playout = still(ruler_playout())
    sent = Talker().ruled(100)
    played = play(playout, sent[:50] + sent[57:], 3)  # 140 ms are lost
    ends = played.blocks[:, -1].astype(int)
    first = int(np.flatnonzero(ends == CONCEALED)[0])
    assert list(ends[first : first + 4]) == [CONCEALED] * 4
    assert not played.blocks[first + 6 : first + 10].any()
    assert not any(played.heard[first + 6 : first + 10])
    assert played.order == [*range(50), *range(57, 100)]
    back = played.heard.index(True, first + 6)
    rising = played.blocks[back].astype(int)
    assert rising[0] < 200
    assert (np.diff(rising[:240]) > 0).all()
    assert rising[239] > 19_000


def test_a_lost_packet_is_counted_once_it_is_certain() -> None:
    playout = still(ruler_playout())
    play(playout, lose(Talker().ruled(300), [i == 50 for i in range(300)]), 7)
    assert counted(playout) == {"packets_received": 299, "packets_lost": 1, "frames_concealed": 8}


# Late, twice, out of order


def test_packets_that_come_twice_are_played_once() -> None:
    sent = Talker().ruled(100)
    playout = still(ruler_playout())
    twice = sorted([*sent, *(replace(s, at=s.at + 0.05) for s in sent)], key=lambda s: s.at)
    assert play(playout, twice, 2).order == play(still(ruler_playout()), sent, 2).order
    assert playout.counts["packets_duplicate"] == 98
    assert playout.counts["packets_late"] == 0


def test_packets_that_change_places_are_put_back() -> None:
    sent = Talker().ruled(100)
    playout = still(ruler_playout())
    swapped = late(sent, [0.025 if i % 10 == 3 else 0 for i in range(100)])
    np.testing.assert_array_equal(play(playout, swapped, 3).pcm, play(still(ruler_playout()), sent, 3).pcm)
    assert counted(playout) == {"packets_received": 100, "packets_reordered": 10, "frames_concealed": 6}


def test_a_packet_that_is_too_late_is_concealed_and_counted_as_late_not_as_lost() -> None:
    sent = Talker().ruled(200)
    playout = still(ruler_playout())
    played = play(playout, late(sent, [0.15 if i == 60 else 0 for i in range(200)]), 5)
    assert played.order == [n for n in range(200) if n != 60]
    assert counted(playout) | {"frames_concealed": 2} == {
        "packets_received": 200,
        "packets_late": 1,
        "frames_concealed": 2,
    }


def test_a_packet_that_comes_while_its_place_is_being_concealed_does_not_turn_time_back() -> None:
    sent = Talker().ruled(100)
    playout = still(ruler_playout())
    played = play(playout, late(sent, [0.055 if i == 50 else 0 for i in range(100)]), 2.5)
    assert played.order == [n for n in range(100) if n != 50]
    assert playout.counts["packets_late"] == 1


def test_when_all_packets_become_later_they_are_played_later_not_dropped() -> None:
    sent = Talker().ruled(400)
    playout = still(ruler_playout())
    played = play(playout, late(sent, [0.06 if i >= 200 else 0 for i in range(400)]), 9)
    assert set(range(400)) - set(played.order) == set()
    assert playout.counts["packets_late"] == playout.counts["packets_lost"] == 0
    assert playout.counts["frames_concealed"] - 6 in range(1, 5)


# Delay


@pytest.mark.parametrize(
    ("jitter", "least", "most"), [(0.0, 30, 30), (0.02, 35, 41), (0.05, 60, 71), (0.12, 135, 140), (0.4, 140, 140)]
)
def test_the_target_follows_the_jitter_within_30_and_140_ms(jitter: float, least: float, most: float) -> None:
    rng = random.Random(1)
    sent = late(Talker().ruled(1500), [rng.random() * jitter for _ in range(1500)])
    playout = ruler_playout()
    played = play(playout, sent, 29)
    assert least <= playout.target_ms <= most
    assert np.nanmax(played.delays[1000:]) <= (most + 40 if jitter <= 0.05 else 200)
    if jitter <= 0.05:
        assert playout.counts["packets_late"] <= 15


def test_jitter_that_is_over_leaves_no_delay() -> None:
    rng = random.Random(1)
    quiet = [bytes((0x08, 0)) + bytes(2)] * 2000  # a Ruler would be loud: see below
    sent = late(Talker().send(quiet), [rng.random() * 0.07 if i < 1000 else 0 for i in range(2000)])

    class Quiet(Ruler):
        def decode(self, packet: bytes, out: np.ndarray[tuple[int], np.dtype[np.int16]]) -> int:
            size = super().decode(packet, out)
            out[:size] = 3
            return size

    playout = Playout(Quiet())  # type: ignore[arg-type]
    played = play(playout, sent, 39)
    assert np.nanmean(played.delays[1500:2000]) > 50 + NORMAL.margin
    assert np.nanmax(played.delays[-500:]) <= NORMAL.least + 16


@pytest.mark.parametrize("seconds", [0.1, 0.15, 0.3, 1.0, 3.0])
def test_a_burst_after_an_outage_leaves_no_delay_behind(seconds: float) -> None:
    playout = ruler_playout()
    played = play(playout, outage(Talker().ruled(1000), 5, 5 + seconds), 19)
    assert np.nanmax(played.delays) <= 200
    after = played.delays[round((5 + seconds) * 100) + 5 :]
    assert np.nanmax(after[800:]) <= 51  # what a target of 30 ms lets stay where it would be heard
    if seconds >= 0.3:  # an outage is no jitter
        assert playout.target_ms == NORMAL.least
        assert np.nanmax(after[250:]) <= 51
    assert played.order[-1] > 930


def test_a_listener_that_stops_finds_no_old_sound() -> None:
    playout, sent = ruler_playout(), Talker().ruled(500)
    play(playout, sent[:250], 5)
    again = play(playout, sent[250:], 1, start=8)  # the first pull sees what came in three seconds
    assert again.order[1] in range(390, 401)  # the block before it fades in
    assert np.nanmax(again.delays) <= 200
    assert again.delays[-1] <= 51
    assert playout.counts["frames_dropped"] > 250


def test_reset_forgets_everything() -> None:
    playout, rng = ruler_playout(), random.Random(1)
    play(playout, late(Talker().ruled(200), [rng.random() * 0.06 for _ in range(200)]), 4)
    playout.reset()
    out = np.ones(BLOCK, np.int16)
    assert not playout.pull(out)
    assert (playout.playing, playout.delay_ms, playout.target_ms) == (False, None, 40)
    assert play(still(playout), Talker(start=9).ruled(50), 2, start=9).order == list(range(50))


# Anything at all


@pytest.mark.parametrize("payload", [b"", b"\xff\x00", b"\x0b"])
def test_what_is_no_opus_is_refused(payload: bytes) -> None:
    playout = ruler_playout()
    playout.push(Rtp(111, False, 1, 960, 7, payload), 0.0)
    assert counted(playout) == {"packets_refused": 1}


def test_what_the_decoder_refuses_is_concealed() -> None:
    class Picky(Ruler):
        def decode(self, packet: bytes, out: np.ndarray[tuple[int], np.dtype[np.int16]]) -> int:
            from appliance.media.opus import OpusError

            if packet == ruled(30):
                raise OpusError("decoding", -4, "corrupted stream")
            return super().decode(packet, out)

        def decode_fec(self, packet: bytes, out: np.ndarray[tuple[int], np.dtype[np.int16]], samples: int) -> int:
            from appliance.media.opus import OpusError

            raise OpusError("decoding", -4, "corrupted stream")

    sent = Talker().ruled(100, fec=True)
    sent[30] = replace(sent[30], packet=sent[30].packet._replace(payload=ruled(30)))
    playout = still(Playout(Picky()))  # type: ignore[arg-type]
    played = play(playout, [s for i, s in enumerate(sent) if i != 60], 3)
    assert played.order == [n for n in range(100) if n not in {30, 60}]
    assert (playout.counts["packets_refused"], playout.counts["frames_recovered"]) == (1, 0)
    assert playout.counts["frames_concealed"] == 2 + 2 + 6


PACKETS = st.builds(
    Rtp,
    st.just(111),
    st.booleans(),
    st.integers(0, 65_535) | st.integers(100, 140),
    st.integers(0, 2**32 - 1) | st.integers(0, 60).map(lambda n: n * 960) | st.integers(0, 60_000),
    st.sampled_from([7, 7, 7, 8]),
    st.sampled_from([ruled(1), ruled(2, 480), ruled(3, 2880), ruled(4, fec=True), b"", b"\x0b"]),
)


@settings(max_examples=150)
@given(st.lists(st.tuples(PACKETS, st.sampled_from([0, 0, 1, 1, 2, 3, 30])), max_size=80))
def test_whatever_comes_nothing_breaks_or_grows(coming: list[tuple[Rtp, int]]) -> None:
    playout = ruler_playout()
    out = np.zeros(BLOCK, np.int16)
    now = 0.0
    for packet, pulls in coming:
        playout.push(packet, now)
        for _ in range(pulls):
            playout.pull(out)
            now += 0.01
        assert playout._arrivals.waiting <= 121
        assert len(playout._sound.queue) <= 5760 + 480
        assert len(playout._arrivals._missing) <= 65
    for _ in range(200):
        playout.pull(out)
    assert not playout.pull(out)
    assert not out.any()
    assert all(n >= 0 for n in playout.counts.values())


def test_many_packets_of_one_moment_are_bounded() -> None:
    playout = ruler_playout()
    for n in range(5000):
        playout.push(Rtp(111, False, n, 960, 7, ruled(n)), 0.0)
    assert playout._arrivals.waiting <= 121
    sent = [Sent(0.0, Rtp(111, False, n & 0xFFFF, n * 120, 7, bytes((0x80, 0, 0)))) for n in range(20_000)]
    for s in sent:
        playout.push(s.packet, s.at)
    assert playout._arrivals.waiting <= 121
    assert len(playout._arrivals._refused) <= 121


def test_packets_that_were_overtaken_before_a_leap_are_forgotten() -> None:
    arrivals = Arrivals()
    arrivals.clear(7)

    def packet(number: int) -> Rtp:
        return Rtp(111, False, number & 0xFFFF, number * 960 & 0xFFFF_FFFF, 7, b"opus")

    for leap in range(0, 60_000, 2000):
        arrivals.take(packet(leap), 960, None, 0.0)
        for overtaken in range(max(0, leap - 1999), leap - 1900):
            arrivals.take(packet(overtaken), 960, (1 << 32) + leap * 960, 0.0)
        first = arrivals.first()
        assert first is not None
        arrivals.pop(first)
    assert arrivals.late > 2000
    assert len(arrivals._refused) < 200
