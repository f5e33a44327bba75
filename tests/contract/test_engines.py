"""The room contract, over every engine (DESIGN.md, "The room contract"): sound, levels, and the mute."""

import asyncio
from dataclasses import asdict

import numpy as np
import pytest

from appliance.core.lamps import LinkPhase
from appliance.core.units import BLOCK
from appliance.rooms.contract import MemberLeft, PhaseChanged
from tests.contract.harness import EXPECTED, SITES_LOOK_LIKE_PEOPLE, Pace, Room, Server, together
from tests.contract.rig import Rig, level_of, loudness, member_of, silence, speaks, steady, tone

gives = pytest.mark.gives
"""A test of what only engines give that are expected to claim it (harness.py)."""
short = pytest.mark.short
"""A test that runs over every engine in ``make test``; the others do so in ``make test-engines``."""


@short
async def test_each_hears_the_other_and_not_itself(room: Room, pace: Pace) -> None:
    """440 Hz one way, 700 Hz the other, 50 dB apart; no overtone of one is the other: what a codec adds is no echo."""
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        friend.open(tone(700))
        await site.hear(700)
        await friend.hear(440)
        await asyncio.sleep(pace.settles)
        at_site, at_friend = await asyncio.gather(site.listen(1.5), friend.listen(1.5))
    assert abs(steady(at_site, 700) - -6) < 2
    assert abs(steady(at_friend, 440) - -6) < 2
    assert steady(at_site, 700) - steady(at_site, 440) > 50
    assert steady(at_friend, 440) - steady(at_friend, 700) > 50
    assert site.engine.counters["proof_violations"] == 0


async def test_members_are_told_and_joining_takes_a_moment(room: Room, server: Server) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site):
        await friend.start()
        try:
            await site.until(lambda: (member := member_of(site, "friend")) and not member.connecting)
            seen = member_of(site, "friend")
            assert seen is not None
            assert (seen.kind, seen.muted, seen.joined) == ("person", True, True)
            own = member_of(friend, site.identity)
            assert own is not None
            assert own.kind == ("person" if server.name in SITES_LOOK_LIKE_PEOPLE else "site")
        finally:
            await friend.stop()
        await site.until(lambda: member_of(site, "friend") is None)
    phases = [event.phase for event in site.told(PhaseChanged)]
    assert phases[:2] == [LinkPhase.CONNECTING, LinkPhase.IN_ROOM]


async def test_who_speaks_is_told(room: Room) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        friend.open(tone(500, 0.25))
        await site.until(lambda: speaks(site, "friend"))
        friend.close()
        await site.until(lambda: not speaks(site, "friend"))


@gives("real_levels")
async def test_levels_are_real(room: Room) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        friend.open(tone(500, 0.25))
        await site.until(lambda: abs(level_of(site, "friend") - -15) <= 2)
        friend.close()
        await site.until(lambda: level_of(site, "friend") <= -127)


@short
async def test_a_closed_gate_sends_nothing_and_says_muted(room: Room, pace: Pace) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        site.close()
        await friend.until(lambda: (member := member_of(friend, site.identity)) and member.muted)
        await asyncio.sleep(pace.settles)
        assert loudness(await friend.listen(0.7)) < -80
        site.open(tone(440))
        await friend.hear(440)
    assert site.engine.counters["proof_violations"] == 0


async def test_nothing_of_before_is_heard_after_reopening(room: Room, pace: Pace) -> None:
    """A loud tone, closed for a moment, then open in a silent room: not a click of it arrives."""
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.open(tone(440, 0.9))
        await friend.hear(440)
        for _ in range(5):
            site.close()
            await friend.until(lambda: (member := member_of(friend, site.identity)) and member.muted)
            await asyncio.sleep(pace.settles)
            listening = asyncio.create_task(friend.listen(0.5))
            site.open(silence)
            assert loudness(await listening) < pace.hiss
            site.open(tone(440, 0.9))
            await friend.hear(440)
    assert site.engine.counters["proof_violations"] == 0


@pytest.mark.parametrize("mutant", ["lets_one_block_through", "forgets_to_reset", "repeats_frames"])
async def test_the_proof_of_mute_catches(room: Room, mutant: str) -> None:
    site = Rig(getattr(room.mutants, mutant)(), room.site().identity)
    async with together(site):
        for _ in range(6):
            site.open(tone(440))
            await site.listen(0.21)
            site.close()
            await site.listen(0.05)
    assert site.engine.counters["proof_violations"] > 0


async def test_a_check_behind_the_closed_gate_finds_nothing_and_disturbs_nothing(room: Room) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        for checks in (1, 2, 3):
            site.open(tone(440))
            await friend.hear(440)
            site.close()
            await site.listen(0.05)
            await site.check()
            seen = site.engine.proof
            assert (seen.violations, seen.why, seen.checks) == (0, "", checks)
            assert seen.checked_ago is not None
            assert seen.left_closed == 0
        site.open(tone(440))
        await friend.hear(440)


@pytest.mark.parametrize("mutant", ["forgets_to_reset", "repeats_frames"])
async def test_a_check_catches_what_has_not_left_yet_and_then_nothing_leaves(
    room: Room, mutant: str, pace: Pace
) -> None:
    site, friend = Rig(getattr(room.mutants, mutant)(), room.site().identity), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        site.close()
        await site.listen(0.05)
        await site.check()
        assert site.engine.proof.violations > 0
        assert site.engine.proof.why
        await asyncio.sleep(pace.settles)
        site.open(tone(440))
        assert loudness(await friend.listen(0.5)) < -80, "not even what the gate would let through"


@gives("audio_per_member")
async def test_a_members_volume_is_for_this_site_alone(room: Room) -> None:
    site, other, friend = room.site(), room.site(1), room.person("friend")
    async with together(site, other, friend):
        friend.open(tone(880, 0.2))
        await asyncio.gather(site.hear(880), other.hear(880))
        for gain, decibels in ((2.0, -8), (0.5, -20), (1.0, -14)):
            site.engine.set_volume("friend", gain)
            await asyncio.sleep(0.1)
            at_site, at_other = await asyncio.gather(site.listen(0.5), other.listen(0.5))
            assert abs(steady(at_site, 880) - decibels) < 2, gain
            assert abs(steady(at_other, 880) - -14) < 2
        site.engine.set_volume("friend", 0.0)
        await asyncio.sleep(0.1)
        assert loudness(await site.listen(0.3)) < -80


async def test_who_left_is_never_heard_again(room: Room, pace: Pace) -> None:
    site, friend, other = room.site(), room.person("friend"), room.person("other")
    async with together(site, other):
        await friend.start()
        friend.open(tone(880))
        await site.hear(880)
        await friend.stop()
        await site.until(lambda: any(event.id == "friend" for event in site.told(MemberLeft)))
        await asyncio.sleep(pace.settles)
        other.open(tone(660))  # the slot is another's now
        await site.hear(660)
        await asyncio.sleep(pace.settles)
        sound = await site.listen(0.7)
        # Part by part: a slip of the 660 has a bit of everything. What a codec that encodes the mix adds was -55 at the most.
        assert steady(sound, 880) < -50
        assert steady(sound, 660) > -10


async def test_the_exchange_thread_is_never_held_up(room: Room) -> None:
    """Sending and receiving take what they take, however busy the loop is."""
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        friend.open(tone(880))
        await site.hear(880)
        before = len(site._heard)
        await asyncio.to_thread(lambda: None)
        blocked = asyncio.get_running_loop().time() + 0.5
        while asyncio.get_running_loop().time() < blocked:
            np.dot(np.ones(BLOCK), np.ones(BLOCK))  # the loop does not come round
        assert len(site._heard) - before >= 40


@short
async def test_capabilities_are_what_the_engine_is_expected_to_claim(room: Room, server: Server) -> None:
    assert asdict(room.site().engine.capabilities) == asdict(EXPECTED[server.name])
