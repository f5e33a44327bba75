"""The room contract, over every engine: what people do to each other and tell each other."""

import asyncio
from typing import get_args

import pytest

from appliance.core.controls import Door
from appliance.core.lamps import LinkPhase
from appliance.rooms import contract
from appliance.rooms.contract import AdminMuteLifted, AskedToUnmute, DoorAsked, Knocked, MutedByAdmin, Recording
from tests.contract.harness import Pace, Room, together
from tests.contract.rig import loudness, member_of, tone

gives = pytest.mark.gives
"""A test of what only engines give that are expected to claim it (harness.py)."""


@gives("admin_mute")
async def test_an_admin_mutes_and_lifts_and_no_gate_opens_by_it(room: Room, pace: Pace) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        await room.mute(site)
        await site.until(lambda: site.told(MutedByAdmin))
        assert [event.by for event in site.told(MutedByAdmin)] in (["Ada"], [""])
        await friend.until(lambda: (member := member_of(friend, site.identity)) and member.admin_muted)
        site.close()
        await room.lift(site)
        await site.until(lambda: site.told(AdminMuteLifted))
        await asyncio.sleep(pace.settles)
        assert loudness(await friend.listen(0.5)) < -80
        await friend.until(lambda: (member := member_of(friend, site.identity)) and member.muted)
        site.open(tone(440))
        await friend.hear(440)


@gives("mute_enforced")
async def test_whom_an_admin_muted_is_not_heard_whatever_it_sends(room: Room, pace: Pace) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        site._source = tone(440)  # a site that does not obey
        await room.mute(site)
        await site.until(lambda: site.told(MutedByAdmin))
        await asyncio.sleep(pace.settles)
        assert loudness(await friend.listen(0.5)) < -80


@gives("asks")
async def test_asking_to_unmute_tells_and_opens_nothing(room: Room) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.close()
        await room.ask(site)
        await site.until(lambda: site.told(AskedToUnmute))
        assert site.told(AskedToUnmute) == [AskedToUnmute("Ada")]
        await friend.until(lambda: member_of(friend, site.identity))
        seen = member_of(friend, site.identity)
        assert seen is not None
        assert seen.muted


@gives("doors")
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


@gives("hands")
async def test_a_hand_is_seen(room: Room) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        site.engine.set_hand(True)
        await friend.until(lambda: (member := member_of(friend, site.identity)) and member.hand)
        site.engine.set_hand(False)
        await friend.until(lambda: (member := member_of(friend, site.identity)) and not member.hand)


@gives("knocks")
async def test_a_knock_is_heard(room: Room) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        friend.engine.knock()
        await site.until(lambda: site.told(Knocked))
        assert site.told(Knocked) == [Knocked("Friend")]


@gives("recording")
async def test_who_records_is_known_to_all_who_are_there_and_who_come(room: Room) -> None:
    site, friend, late = room.site(), room.person("friend"), room.person("late")
    async with together(site, friend):
        await room.record(site, on=True)
        await friend.until(lambda: friend.told(Recording))
        await site.until(lambda: site.told(Recording))
        assert friend.told(Recording) == site.told(Recording) == [Recording(True)]
        async with together(late):
            await late.until(lambda: late.told(Recording))
        await room.record(site, on=False)
        await friend.until(lambda: len(friend.told(Recording)) == 2)
        assert friend.told(Recording) == [Recording(True), Recording(False)]


@gives("reports")
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


async def test_whoever_is_removed_is_told_and_does_not_come_back(room: Room, pace: Pace) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        friend.open(tone(880))
        await site.hear(880)
        await room.remove(friend)
        await friend.refused(pace.leaves + 5)
        assert friend.phase is LinkPhase.REFUSED
        assert str(friend.refusal).endswith(".")
        await site.until(lambda: member_of(site, "friend") is None, pace.leaves + 5)
        await asyncio.sleep(pace.settles)
        assert loudness(await site.listen(0.5)) < -80
