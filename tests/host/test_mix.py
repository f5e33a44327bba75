"""The mix for members of one stream: what it is made of, who hears it, and when it runs."""

import asyncio
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from appliance.core.units import RATE, SLOTS
from appliance.host.fan_out import Packet
from appliance.host.mix import FRAME, FRAME_SECONDS, Band, Frame
from appliance.media.opus import Decoder
from appliance.media.rtp import ReportBlock, SenderReport, receiver_report
from tests.host.harness import house
from tests.host.member import OPUS, Heard, Member, inside
from tests.host.sound import Sound, decoded, hum, share_of, tone
from tests.support import until

TONES = (440, 880, 1320)


def running() -> bool:
    return any(thread.name == "mix" for thread in threading.enumerate())


def played(band: Band, seconds: float, talking: Sequence[int], outputs: Sequence[int]) -> list[list[Frame]]:
    """What comes out while the slots of ``talking`` send their tones, without a thread or a clock."""
    packets = {slot: tone(TONES[slot], 1) for slot in talking}
    frames = []
    for i in range(round(seconds / FRAME_SECONDS)):
        now = i * FRAME_SECONDS
        for slot, sound in packets.items():
            band.hear(slot, Packet(i, i * FRAME, i == 0, 20, sound[i % len(sound)]), now)
        frames.append(band.play(outputs, now))
    return frames


def sound_of(frames: list[list[Frame]], output: int) -> Sound:
    out, found = np.zeros(FRAME, np.int16), []
    with Decoder() as decoder:
        for made in frames:
            for frame in made:
                if frame.output == output:
                    decoder.decode(frame.payload, out)
                    found.append(out.copy())
    return np.concatenate(found).astype(np.float64)


def test_each_output_has_all_slots_but_its_own() -> None:
    frames = played(Band(), 1.5, (0, 1, 2), (0, 1, 2, SLOTS))
    for output in range(SLOTS + 1):
        sound = sound_of(frames, output)[-RATE:]
        for slot, hertz in enumerate(TONES):
            assert (share_of(sound, hertz) < 1e-3) if slot == output else (share_of(sound, hertz) > 0.2)


def test_a_long_silence_is_told_by_few_packets() -> None:
    band = Band()
    frames = played(band, 4.0, (), (SLOTS,))
    assert 25 <= sum(map(len, frames)) <= 35
    assert all(frame.level == 127 for made in frames for frame in made)
    assert len(played(band, 0.5, (1,), (SLOTS,))[-1]) == 1


def test_only_what_is_asked_for_is_encoded() -> None:
    assert {frame.output for made in played(Band(), 0.2, (0,), (1, SLOTS)) for frame in made} == {1, SLOTS}


def unbroken(heard: list[Heard]) -> bool:
    return all((b.seq - a.seq) & 0xFFFF == 1 for a, b in pairwise(heard))


def shared(some: list[Heard], others: list[Heard]) -> int:
    """How many packets are, byte for byte, those of others too."""
    return len({packet.payload for packet in some} & {packet.payload for packet in others})


async def test_a_member_of_one_stream_hears_everybody_in_it(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, _)):
        assert not running()
        stop = asyncio.Event()
        humming = [
            asyncio.create_task(hum(anna, tone(TONES[0], 1), stop)),
            asyncio.create_task(hum(ben, tone(TONES[1], 1), stop)),
        ]
        async with (
            Member(home, "lena", slots=1, role="listener") as lena,
            Member(home, "paul", slots=1, red=False, role="listener") as paul,
        ):
            await lena.connect()
            await paul.connect()
            assert running()
            await until(lambda: len(paul.heard) > 100)
            for member in (lena, paul):
                assert unbroken(member.heard)
                steps = [b.timestamp - a.timestamp for a, b in pairwise(member.heard[1:])]
                assert steps.count(FRAME) >= len(steps) - 2
                sound = decoded(member.heard[-50:])
                assert min(share_of(sound, hertz) for hertz in TONES[:2]) > 0.3
                assert share_of(sound, TONES[2]) < 1e-3
            assert {packet.kind for packet in paul.heard} == {OPUS}
            assert lena.heard[-1].earlier == ((FRAME, lena.heard[-2].payload),)
            assert shared(lena.heard[-40:], paul.heard) > 35
            await lena.leave()
            await paul.leave()
            await until(lambda: not running())
        stop.set()
        await asyncio.gather(*humming)
        assert home.count("host_mix_late") == 0


async def test_a_member_of_one_stream_that_talks_hears_the_others_and_not_itself(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna") as ((anna, _),),
        inside(home, "solo", "paul", slots=1) as ((solo, _), (paul, _)),
    ):
        stop, quiet = asyncio.Event(), asyncio.Event()
        humming = asyncio.create_task(hum(anna, tone(TONES[0], 1), stop))
        await until(lambda: len(solo.heard) > 20)
        talking = asyncio.create_task(hum(solo, tone(TONES[1], 1), quiet))
        await asyncio.sleep(1.6)
        own, others = decoded(solo.heard[-40:]), decoded(paul.heard[-40:])
        assert share_of(own, TONES[0]) > 0.95
        assert share_of(own, TONES[1]) < 1e-3
        assert share_of(others, TONES[1]) > 0.3
        assert max(abs(decoded(anna.heard[-20:]))) > 1000
        quiet.set()
        await talking
        await asyncio.sleep(1.5)  # it has lost its slot, and hears what all hear
        stop.set()
        await humming
        assert unbroken(solo.heard)
        assert unbroken(paul.heard)
        assert shared(solo.heard[-10:], paul.heard) > 8
        assert {packet.slot for packet in solo.heard} == {0}


async def test_the_clock_of_the_mix_does_not_wait_for_packets(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna") as ((anna, _),),
        inside(home, "lena", slots=1, role="listener") as ((lena, _),),
    ):
        packets = tone(TONES[0], 1)
        for burst in range(4):  # a network that holds packets back: 100 ms of them at a time
            for i in range(5):
                anna.say(packets[5 * burst + i], 18)
            await asyncio.sleep(0.1)
        await until(lambda: len(lena.heard) > 15)
        gaps = sorted(b.at - a.at for a, b in pairwise(lena.heard) if b.timestamp - a.timestamp == FRAME)
        assert gaps[len(gaps) // 2] == pytest.approx(FRAME_SECONDS, abs=0.01)


async def test_a_mix_that_breaks_ends_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[Frame]:
        raise MemoryError("no more sound")

    async with house(tmp_path) as home, Member(home, "lena", slots=1, role="listener") as lena:
        monkeypatch.setattr(Band, "play", broken)
        await lena.connect()
        with pytest.raises(MemoryError, match="no more sound"):
            await asyncio.wait_for(home.host.wait(), 5)


async def test_a_mix_that_comes_too_late_leaves_out_what_is_past(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play, pauses = Band.play, list[float]()

    def slow(band: Band, outputs: Sequence[int], now: float) -> list[Frame]:
        if pauses:
            time.sleep(pauses.pop())
        return play(band, outputs, now)

    monkeypatch.setattr(Band, "play", slow)
    async with house(tmp_path) as home, Member(home, "lena", slots=1, role="listener") as lena:
        await lena.connect()
        await until(lambda: len(lena.heard) > 5)
        pauses.append(0.6)
        # A busy machine makes it a little late by itself, before and after: what counts is the pause.
        await until(lambda: home.count("host_mix_late") >= 15)
        count = len(lena.heard)
        await until(lambda: len(lena.heard) > count)
        assert unbroken(lena.heard)
        shown = ((lena.heard[-1].timestamp - lena.heard[0].timestamp) & 0xFFFFFFFF) / RATE
        assert shown == pytest.approx(lena.heard[-1].at - lena.heard[0].at, abs=0.25), "its clock is that of the wall"


async def test_who_takes_the_mix_moves_reports_and_is_reported_to(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna") as ((anna, _),),
        inside(home, "lena", slots=1, role="listener", kind="site") as ((lena, _),),
    ):
        talking = asyncio.create_task(anna.talk(3.0))
        await until(lambda: len(lena.heard) > 10)
        ssrc = next(iter(lena.slot_of))
        lena.send_rtcp(receiver_report(lena.ssrc, [ReportBlock(ssrc, 128, 1, 1, 0)]))
        await until(lambda: len(lena.heard[-1].earlier) == 2)
        lena.move()
        lena.check()
        moved = len(lena.heard)
        await until(lambda: len(lena.heard) > moved)
        reports = len(lena.reports_of(SenderReport))
        await until(lambda: len(lena.reports_of(SenderReport)) >= reports + 2)
        before, after = lena.reports_of(SenderReport)[-2:]
        seconds = (after.ntp - before.ntp) / 2**32
        assert (after.timestamp - before.timestamp) & 0xFFFF_FFFF == pytest.approx(seconds * RATE, abs=RATE / 20)
        assert before.packets < after.packets <= len(lena.heard) + 25
        await talking
