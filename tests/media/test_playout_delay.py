"""The delay of the playout: as much as the network needs, back at its target after a burst, still while clocks differ."""

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.units import BLOCK, RATE, Pcm
from appliance.media.playout import Playout
from appliance.media.rendering import Rendering
from appliance.media.timing import NORMAL
from tests.media.play import Ruler, Sent, Talker, late, lose, outage, play, ruled, ruler_playout


@pytest.fixture
def splices(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Samples of each splice, negative where they are taken out."""
    made: list[int] = []

    def noted(original: Callable[[Rendering, int], None], sign: int) -> Callable[[Rendering, int], None]:
        def change(self: Rendering, lag: int) -> None:
            made.append(sign * lag)
            original(self, lag)

        return change

    monkeypatch.setattr(Rendering, "shorten", noted(Rendering.shorten, -1))
    monkeypatch.setattr(Rendering, "lengthen", noted(Rendering.lengthen, 1))
    return made


class Noisy(Ruler):
    """Its sound is never like itself: no splice is a good one."""

    def __init__(self) -> None:
        super().__init__()
        self.noise = (np.random.default_rng(3).standard_normal(5760) * 3000).astype(np.int16)

    def decode(self, packet: bytes, out: Pcm) -> int:
        size = super().decode(packet, out)
        out[:size] = self.noise[:size]
        return size


def noisy_playout(low_delay: bool = False) -> Playout:
    return Playout(Noisy(), low_delay)  # type: ignore[arg-type]


# Clocks


@pytest.mark.parametrize("ppm", [300, -300, 40])
@pytest.mark.parametrize("jitter", [0.0, 0.02])
@pytest.mark.parametrize("seconds", [240, pytest.param(3600, marks=pytest.mark.slow)])
def test_clocks_that_differ_cause_no_splice_and_no_delay(
    ppm: float, jitter: float, seconds: int, splices: list[int]
) -> None:
    playout, rng = ruler_playout(), random.Random(1)
    count = seconds * 50
    sent = late(Talker(ppm=ppm).ruled(count), [rng.random() * jitter for _ in range(count)])
    settled = 60
    first = [s for s in sent if s.at < settled - 0.007]  # before the last pull
    play(playout, first, settled)
    splices.clear()
    played = play(playout, sent[len(first) :], seconds - settled - 5, start=settled)
    assert splices == []
    assert playout.drift_ppm == pytest.approx(ppm, abs=1 if not jitter else 15)
    assert np.nanmax(played.delays[100:]) - np.nanmin(played.delays[100:]) < (1 if not jitter else 6)
    assert playout.counts["packets_late"] == playout.counts["packets_lost"] == 0
    assert playout.counts["frames_concealed"] <= 6


def test_a_listener_whose_clock_is_unknown_is_helped_by_splices() -> None:
    playout = ruler_playout()
    out = np.zeros(BLOCK, np.int16)
    waiting, delays = Talker(ppm=300).ruled(60 * 50), []
    for tick in range(59 * 100):
        while waiting and waiting[0].at <= 0.003 + tick / 100:
            first = waiting.pop(0)
            playout.push(first.packet, first.at)
        playout.pull(out)
        delays.append(playout.delay_ms)
    assert playout.drift_ppm == 0
    assert max(d for d in delays[500:] if d is not None) < 45


# Bursts


@pytest.mark.parametrize("make", [ruler_playout, noisy_playout])
@pytest.mark.parametrize("seconds", [0.06, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 3.0])
def test_after_a_burst_it_is_back_at_its_target_within_five_seconds(
    make: Callable[[], Playout], seconds: float
) -> None:
    playout = make()
    played = play(playout, outage(Talker().ruled(900), 8, 8 + seconds), 17)
    delays = np.array(played.delays)
    assert np.nanmax(delays) <= 200
    after = delays[round((8 + seconds + 5) * 100) :]
    assert np.nanmax(after) <= playout.target_ms + 12
    assert playout.target_ms == NORMAL.least


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.03, 0.08, 0.19, 0.5]), min_size=50, max_size=300),
    st.lists(st.booleans(), min_size=1, max_size=7),
)
def test_whatever_the_network_does_no_sound_is_200_ms_late(ways: list[float], losses: list[bool]) -> None:
    playout, out = ruler_playout(), np.zeros(BLOCK, np.int16)
    count = len(ways)
    sent = lose(late(Talker(marker=False).ruled(count), ways), [*losses, False])
    waiting = list(sent)
    for tick in range(count * 2 + 60):
        now = 0.003 + tick / 100
        while waiting and waiting[0].at <= now:
            first = waiting.pop(0)
            playout.push(first.packet, first.at)
        playout.pull(out, now)
        held = len(playout._sound.queue) / RATE
        if playout.playing:
            held += max(0.0, (playout._arrivals.newest + 960 - playout._next) / RATE)
        if playout._arrivals.waiting:
            assert held <= 0.2 + 0.02 + 0.06


# Redundancy


def test_where_frames_come_again_with_the_next_packet_the_delay_is_long_enough_for_them() -> None:
    playout = ruler_playout()
    sent = Talker(marker=False).ruled(1500, fec=True)
    play(playout, sent[:500], 10)
    assert playout.target_ms == NORMAL.least
    played = play(playout, lose(sent, [i >= 500 and i % 9 == 0 for i in range(1500)])[500:], 19, start=10)
    assert playout.target_ms == pytest.approx(20 + NORMAL.margin, abs=1)
    assert np.nanmax(played.delays[600:]) <= 20 + NORMAL.margin + 13
    assert playout.counts["frames_recovered"] >= 2 * 100


def test_losses_that_nothing_brings_back_cost_no_delay() -> None:
    playout = ruler_playout()
    play(playout, lose(Talker(marker=False).ruled(1000), [i % 9 == 5 for i in range(1000)]), 19)
    assert playout.target_ms == NORMAL.least


def test_a_rare_loss_is_not_worth_a_longer_delay_for_long() -> None:
    playout = ruler_playout()
    sent = lose(Talker(marker=False).ruled(2000, fec=True), [i == 500 for i in range(2000)])
    play(playout, sent[:900], 18)
    assert playout.target_ms == pytest.approx(20 + NORMAL.margin, abs=1)
    play(playout, sent[900:], 20, start=18)
    assert playout.target_ms == NORMAL.least


def test_a_copy_that_is_there_before_the_packet_itself_saves_the_delay_for_it() -> None:
    """With jitter of 100 ms and two copies of each frame, few frames need the 100 ms."""
    with_copies, alone = ruler_playout(), ruler_playout()
    rng = random.Random(4)
    sent = Talker(marker=False).ruled(1000)
    coming = late(sent, [rng.random() ** 3 * 0.1 for _ in range(1000)])
    by_number = {s.packet.sequence: s.packet for s in sent}
    out = np.zeros(BLOCK, np.int16)
    for playout, copies in ((with_copies, 2), (alone, 0)):
        waiting = list(coming)
        for tick in range(1900):
            now = 0.003 + tick / 100
            while waiting and waiting[0].at <= now:
                first = waiting.pop(0)
                playout.push(first.packet, first.at)
                for back in range(1, copies + 1):
                    copy = by_number.get(first.packet.sequence - back)
                    if copy is not None:
                        playout.push_redundant(copy, first.at)
            playout.pull(out, now)
    assert with_copies.target_ms < alone.target_ms - 10
    assert with_copies.counts["packets_late"] <= 30
    assert with_copies.counts["packets_lost"] == 0


# Low delay


def test_the_low_delay_profile_plays_10_ms_packets_in_less_than_20_ms() -> None:
    low, normal = Playout(Noisy(), low_delay=True), noisy_playout()  # type: ignore[arg-type]
    for playout in (low, normal):
        play(playout, Talker(480).ruled(2000), 19)
    assert low.target_ms == pytest.approx(12)
    assert low.delay_ms is not None
    assert low.delay_ms <= 12 + 12
    assert normal.target_ms == NORMAL.least
    assert low.counts["packets_late"] == 0
    assert low.counts["frames_concealed"] == 0


def test_the_low_delay_profile_grows_with_the_jitter_too() -> None:
    playout, rng = noisy_playout(low_delay=True), random.Random(1)
    sent = late(Talker(480).ruled(2000), [rng.random() * 0.03 for _ in range(2000)])
    play(playout, sent, 19)
    assert playout.target_ms == pytest.approx(36, abs=3)
    assert playout.counts["packets_late"] <= 10


# Jitter


@pytest.mark.parametrize("jitter", [0.03, 0.06, 0.1])
def test_uniform_jitter_makes_hardly_a_packet_late(jitter: float) -> None:
    playout, rng = noisy_playout(), random.Random(2)
    sent = late(Talker().ruled(3000), [rng.random() * jitter for _ in range(3000)])
    played = play(playout, sent, 59)
    assert playout.counts["packets_late"] <= 6
    assert np.nanmean(played.delays[1000:]) <= jitter * 1000 + NORMAL.margin + 12
    assert played.heard[100:5800] == [True] * 5700


def test_steady_sound_is_not_left_above_the_target() -> None:
    """A tone never is quiet, and noise never is like itself: both come down."""
    rough = [0.05 if i < 300 and i % 7 == 0 else 0.0 for i in range(2000)]
    for playout in (ruler_playout(), noisy_playout()):
        played = play(playout, late(Talker().ruled(2000), rough), 39)
        assert np.nanmax(played.delays[-500:]) <= NORMAL.least + 12


def test_packets_alone_are_played_too() -> None:
    playout = ruler_playout()
    played = play(playout, [Sent(0.0, Talker().send([ruled(5)])[0].packet)], 1)
    assert played.order == [5]
