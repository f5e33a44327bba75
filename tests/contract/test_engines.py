"""The room contract, over every engine (DESIGN.md, "The room contract"): one suite, a harness for each engine."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from appliance.core.controls import Door
from appliance.core.lamps import LinkPhase
from appliance.core.roster import Member
from appliance.core.units import BLOCK
from appliance.rooms import contract
from appliance.rooms.contract import (
    AdminMuteLifted,
    AskedToUnmute,
    DoorAsked,
    Knocked,
    Levels,
    MemberChanged,
    MemberLeft,
    MutedByAdmin,
    PhaseChanged,
    Recording,
)
from tests.contract.harness import EXPECTED, SERVERS, Room, Server, serving, together
from tests.contract.rig import Rig, loudness, power, silence, tone

SETTLE = 0.3
"""Seconds until what was sent before has been heard: codec, network, playout."""


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture(params=SERVERS)
def mortal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server for one test, which may kill it."""
    with serving(request.param, tmp_path) as server:
        yield server


@pytest.fixture
def room(server: Server) -> Room:
    return server.room()


def member_of(rig: Rig, identity: str) -> Member | None:
    """How ``rig`` sees a member now; None when it is not there."""
    for event in reversed(rig.events):
        if isinstance(event, MemberChanged) and event.member.id == identity:
            return event.member
        if isinstance(event, MemberLeft) and event.id == identity:
            return None
    return None


def speaks(rig: Rig, identity: str) -> bool:
    levels = rig.told(Levels)
    return bool(levels) and identity in levels[-1].speaking


def level_of(rig: Rig, identity: str) -> float:
    return next((e.levels[identity] for e in reversed(rig.told(Levels)) if identity in e.levels), -127.0)


async def test_each_hears_the_other_and_not_itself(room: Room) -> None:
    """440 Hz one way, 880 Hz the other, 50 dB apart."""
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        friend.open(tone(880))
        await site.hear(880)
        await friend.hear(440)
        await asyncio.sleep(SETTLE)
        at_site, at_friend = await asyncio.gather(site.listen(1.5), friend.listen(1.5))
    assert abs(power(at_site, 880) - -6) < 2
    assert abs(power(at_friend, 440) - -6) < 2
    assert power(at_site, 880) - power(at_site, 440) > 50
    assert power(at_friend, 440) - power(at_friend, 880) > 50
    assert site.engine.counters["proof_violations"] == 0


async def test_members_are_told_and_joining_takes_a_moment(room: Room) -> None:
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
            assert own.kind == "site"
        finally:
            await friend.stop()
        await site.until(lambda: member_of(site, "friend") is None)
    phases = [event.phase for event in site.told(PhaseChanged)]
    assert phases[:2] == [LinkPhase.CONNECTING, LinkPhase.IN_ROOM]


async def test_levels_are_real_and_speaking_is_told(room: Room) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        friend.open(tone(500, 0.25))
        await site.until(lambda: speaks(site, "friend"))
        await site.until(lambda: abs(level_of(site, "friend") - -15) <= 2)
        friend.close()
        await site.until(lambda: not speaks(site, "friend"), 4)
        assert level_of(site, "friend") <= -127


async def test_a_closed_gate_sends_nothing_and_says_muted(room: Room) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        site.close()
        await friend.until(lambda: (member := member_of(friend, site.identity)) and member.muted)
        await asyncio.sleep(SETTLE)
        assert loudness(await friend.listen(0.7)) < -80
        site.open(tone(440))
        await friend.hear(440)
    assert site.engine.counters["proof_violations"] == 0


async def test_nothing_of_before_is_heard_after_reopening(room: Room) -> None:
    """A loud tone, closed for a moment, then open in a silent room: not a click of it arrives."""
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.open(tone(440, 0.9))
        await friend.hear(440)
        for _ in range(5):
            site.close()
            await friend.until(lambda: (member := member_of(friend, site.identity)) and member.muted)
            await asyncio.sleep(SETTLE)
            listening = asyncio.create_task(friend.listen(0.5))
            site.open(silence)
            assert loudness(await listening) < -75
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
async def test_a_check_catches_what_has_not_left_yet_and_then_nothing_leaves(room: Room, mutant: str) -> None:
    site, friend = Rig(getattr(room.mutants, mutant)(), room.site().identity), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        site.close()
        await site.listen(0.05)
        await site.check()
        assert site.engine.proof.violations > 0
        assert site.engine.proof.why
        await asyncio.sleep(SETTLE)
        site.open(tone(440))
        assert loudness(await friend.listen(0.5)) < -80, "not even what the gate would let through"


async def test_an_admin_mutes_and_lifts_and_no_gate_opens_by_it(room: Room) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        site._source = tone(440)  # a site that does not obey: the room must not hear it all the same
        await room.mute(site)
        await site.until(lambda: site.told(MutedByAdmin))
        assert site.told(MutedByAdmin) == [MutedByAdmin("Ada")]
        await friend.until(lambda: (member := member_of(friend, site.identity)) and member.admin_muted)
        await asyncio.sleep(SETTLE)
        assert loudness(await friend.listen(0.5)) < -80
        site.close()
        await room.lift(site)
        await site.until(lambda: site.told(AdminMuteLifted))
        await asyncio.sleep(SETTLE)
        assert loudness(await friend.listen(0.5)) < -80
        await friend.until(lambda: (member := member_of(friend, site.identity)) and member.muted)


async def test_asking_to_unmute_tells_and_opens_nothing(room: Room) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.close()
        await room.ask(site)
        await site.until(lambda: site.told(AskedToUnmute))
        assert site.told(AskedToUnmute) == [AskedToUnmute("Ada")]
        seen = member_of(friend, site.identity)
        assert seen is not None
        assert seen.muted


async def test_a_door_can_be_asked_to_close(room: Room) -> None:
    site = room.site()
    async with together(site):
        await room.shut_door(site)
        await site.until(lambda: site.told(DoorAsked))
        assert site.told(DoorAsked) == [DoorAsked(Door.CLOSED)]


def test_no_event_of_the_contract_can_open_a_gate() -> None:
    """All that may come from afar is known, and nothing of it says "open"."""
    names = {event.__name__ for event in get_args(contract.RoomEvent)}
    assert not [name for name in names if "unmuted" in name.lower() or "open" in name.lower()]


async def test_hands_and_knocks(room: Room) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.engine.set_hand(True)
        await friend.until(lambda: (member := member_of(friend, site.identity)) and member.hand)
        friend.engine.knock()
        await site.until(lambda: site.told(Knocked))
        assert site.told(Knocked) == [Knocked("Friend")]
        site.engine.set_hand(False)
        await friend.until(lambda: (member := member_of(friend, site.identity)) and not member.hand)


async def test_who_records_is_known_to_all_who_are_there_and_who_come(room: Room) -> None:
    site, friend, late = room.site(), room.person("friend"), room.person("late")
    async with together(site, friend):
        site.report(gate_open=False, recording=True)
        await friend.until(lambda: friend.told(Recording))
        await site.until(lambda: site.told(Recording))
        assert friend.told(Recording) == site.told(Recording) == [Recording(True)]
        async with together(late):
            await late.until(lambda: late.told(Recording))
        site.report(gate_open=True)
        await friend.until(lambda: len(friend.told(Recording)) == 2)
        assert friend.told(Recording) == [Recording(True), Recording(False)]


async def test_a_members_volume_is_for_this_site_alone(room: Room) -> None:
    site, other, friend = room.site(), room.site(1), room.person("friend")
    async with together(site, other, friend):
        friend.open(tone(880, 0.2))
        await asyncio.gather(site.hear(880), other.hear(880))
        for gain, decibels in ((2.0, -8), (0.5, -20), (1.0, -14)):
            site.engine.set_volume("friend", gain)
            await asyncio.sleep(0.1)
            at_site, at_other = await asyncio.gather(site.listen(0.5), other.listen(0.5))
            assert abs(power(at_site, 880) - decibels) < 2, gain
            assert abs(power(at_other, 880) - -14) < 2
        site.engine.set_volume("friend", 0.0)
        await asyncio.sleep(0.1)
        assert loudness(await site.listen(0.3)) < -80


async def test_who_left_is_never_heard_again(room: Room) -> None:
    site, friend, other = room.site(), room.person("friend"), room.person("other")
    async with together(site, other):
        await friend.start()
        friend.open(tone(880))
        await site.hear(880)
        await friend.stop()
        await site.until(lambda: any(event.id == "friend" for event in site.told(MemberLeft)))
        await asyncio.sleep(SETTLE)
        other.open(tone(660))  # the slot is another's now
        await site.hear(660)
        await asyncio.sleep(SETTLE)
        sound = await site.listen(0.7)
        assert power(sound, 880) < -60
        assert power(sound, 660) > -10


async def test_leaving_is_quick_and_orderly(room: Room) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(friend):
        await site.start()
        await friend.until(lambda: member_of(friend, site.identity))
        loop = asyncio.get_running_loop()
        began = loop.time()
        await site.engine.leave()
        assert loop.time() - began < 1.0
        await friend.until(lambda: member_of(friend, site.identity) is None, 1.5)
        await site.until(lambda: site.phase is LinkPhase.LEFT)
        await site.stop()


async def test_a_newer_session_of_the_same_identity_replaces_the_older(room: Room) -> None:
    older, newer, friend = room.site(), room.site(), room.person("friend")
    async with together(older, friend):
        await newer.start()
        try:
            await older.until(lambda: older.refusal)
            assert older.phase is LinkPhase.REFUSED
            newer.open(tone(440))
            await friend.hear(440)
            await asyncio.sleep(1.5)
            assert newer.phase is LinkPhase.IN_ROOM
            assert len(newer.told(PhaseChanged)) == 2, newer.told_text()
            assert power(await friend.listen(0.5), 440) > -10
        finally:
            await newer.stop()


async def test_what_a_site_reports_is_seen(room: Room) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.report(gate_open=False, loudspeaker=-31.4, door=Door.LISTENING)
        await friend.until(lambda: (member := member_of(friend, site.identity)) and member.site)
        seen = member_of(friend, site.identity)
        assert seen is not None
        assert seen.site is not None
        assert seen.site["gate"] == "closed"
        assert seen.site["reasons"] == ["button"]
        assert seen.site["door"] == "listening"
        assert seen.site["lamps"] == {"mic": "steady", "room": "steady", "speak": "off", "fault": "off"}
        assert seen.site["loudspeaker"] == -31
        site.report(gate_open=True, direction=90)
        await friend.until(
            lambda: (member := member_of(friend, site.identity)) and member.site and member.site.get("direction") == 90
        )
        site.report(gate_open=False, direction=90)
        await friend.until(
            lambda: (member := member_of(friend, site.identity)) and member.site and "direction" not in member.site
        )
        for turn in range(30):  # faster than may be told: the last one counts
            site.report(gate_open=False, loudspeaker=-float(turn))
        await friend.until(
            lambda: (member := member_of(friend, site.identity)) and member.site and member.site["loudspeaker"] == -29
        )


async def test_strangers_are_refused_for_good_and_no_secret_is_told(room: Room) -> None:
    for what, engine in room.strangers().items():
        rig = Rig(engine, "stranger")
        await rig.start(wait=False)
        try:
            await rig.refused()
        finally:
            await rig.stop()
        assert rig.phase is LinkPhase.REFUSED, what
        sentence = str(rig.refusal)
        assert "SECRET" not in sentence
        assert sentence.endswith("."), sentence


async def test_a_server_that_is_killed_and_started_again_is_found_again(mortal: Server) -> None:
    room = mortal.room()
    site, friend = room.site(), room.person("friend")
    loop = asyncio.get_running_loop()
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        await asyncio.to_thread(mortal.kill)
        await site.until(lambda: site.phase is LinkPhase.RECONNECTING, 3)
        await asyncio.sleep(0.5)
        assert loudness(await friend.listen(0.3)) < -80
        await asyncio.to_thread(mortal.start)
        started = loop.time()
        await asyncio.gather(site.in_room(5), friend.in_room(5))
        await friend.hear(440)
        assert loop.time() - started < 4
    assert site.engine.counters["link_losses"] >= 1
    assert site.engine.counters["proof_violations"] == 0


async def test_a_server_that_hangs_is_noticed_within_three_seconds(mortal: Server) -> None:
    site = mortal.room().site()
    async with together(site):
        with frozen(mortal):
            await site.until(lambda: site.phase is LinkPhase.RECONNECTING, 3.5)
        await site.in_room(8)


@contextlib.contextmanager
def frozen(server: Server) -> Iterator[None]:
    """The server exists and does nothing, as behind a cable that was pulled."""
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


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


async def test_capabilities_are_what_the_engine_is_expected_to_claim(room: Room, server: Server) -> None:
    assert asdict(room.site().engine.capabilities) == asdict(EXPECTED[server.name])
