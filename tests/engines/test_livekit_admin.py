"""What an admin of a LiveKit room does to a device, and what that never does."""

import asyncio
from pathlib import Path

import pytest

from appliance.core.controls import Door
from appliance.core.lamps import LinkPhase
from appliance.rooms.contract import AdminMuteLifted, DoorAsked, MutedByAdmin, PhaseChanged
from appliance.rooms.livekit import LiveKitEngine
from tests.contract.harness import together
from tests.contract.livekit_harness import LiveKitRoom, LiveKitServer, stay_of
from tests.contract.rig import Rig, loudness, member_of, tone

pytestmark = [pytest.mark.engines, pytest.mark.timeout(120)]


def muted(of: Rig, by: Rig) -> bool:
    """Whether one sees the other muted."""
    member = member_of(by, of.identity)
    return member is not None and member.muted


async def rejoin(rig: Rig) -> None:
    """Another stay in the room, with another session, as after a loss."""
    assert isinstance(rig.engine, LiveKitEngine)
    before = len(rig.told(PhaseChanged))
    rig.engine.route_changed()
    await rig.until(lambda: len(rig.told(PhaseChanged)) > before)
    await rig.in_room()


async def muted_while_talking(room: LiveKitRoom, site: Rig, friend: Rig) -> None:
    """A dashboard mutes the track of ``site``, which the friend hears."""
    site.open(tone(440))
    await friend.hear(440)
    await room.mute_track(site)
    await site.until(lambda: site.told(MutedByAdmin))


async def test_muted_by_a_dashboard_the_site_is_told_and_its_hand_opens_it_again(room: LiveKitRoom) -> None:
    """The ordinary mute of LiveKit, which a member may undo: here only a hand at the gate does."""
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        await muted_while_talking(room, site, friend)
        await friend.until(lambda: (member := member_of(friend, site.identity)) and member.muted)
        site.close()
        await asyncio.sleep(0.5)
        assert loudness(await friend.listen(0.3)) < -80
        site.open(tone(440))
        await friend.hear(440)
        assert len(site.told(MutedByAdmin)) == 1


async def test_muting_oneself_however_fast_is_no_mute_by_an_admin(room: LiveKitRoom) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        for _ in range(15):
            site.open(tone(440))
            await asyncio.sleep(0.02)
            site.close()
            await asyncio.sleep(0.01)
        site.open(tone(440))
        await friend.hear(440)
        await asyncio.sleep(1)
        assert site.told(MutedByAdmin) == []
        member = member_of(friend, site.identity)
        assert member is not None
        assert not member.muted


async def test_a_gate_that_bounces_is_shown_as_it_ends(room: LiveKitRoom) -> None:
    """Two switchings in one moment may change places on their way: then the server forwards nothing of an open gate."""
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        for turn in range(20):
            site.close()
            if turn % 2:
                await asyncio.sleep(0.01)
            site.open(tone(440))
            await asyncio.sleep(0.5)
            assert not muted(site, friend), turn
        await friend.hear(440)
        for turn in range(5):
            site.open(tone(440))
            await asyncio.sleep(0.01 * turn)
            site.close()
            await friend.until(lambda: muted(site, friend))


async def test_the_right_to_speak_given_back_does_not_open_a_gate_and_an_open_one_is_heard_again(
    room: LiveKitRoom,
) -> None:
    site, friend, late = room.site(), room.person("friend"), room.person("late")
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        await room.mute(site)
        await site.until(lambda: site.told(MutedByAdmin))
        async with together(late):
            await late.until(lambda: (member := member_of(late, site.identity)) and member.admin_muted)
        await room.lift(site)
        await site.until(lambda: site.told(AdminMuteLifted))
        await friend.hear(440)
        member = member_of(friend, site.identity)
        assert member is not None
        assert not member.admin_muted
    assert site.engine.counters["proof_violations"] == 0


async def test_only_who_has_the_servers_key_can_ask_for_a_door(room: LiveKitRoom) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        own = stay_of(friend)._room.local_participant
        await own.set_attributes({"kontor.door": "closed", "kontor.ask_unmute": "Eve"})
        await own.publish_data(b'{"type": "door", "door": "closed"}', topic="kontor")
        await asyncio.sleep(0.5)
        assert not site.told(DoorAsked)
        for door, told in (("listening", Door.LISTENING), ("closed", Door.CLOSED), ("closed", Door.CLOSED)):
            await room.set_attribute(site, door=door)
            await site.until(lambda told=told: (asked := site.told(DoorAsked)) and asked[-1].door is told)  # type: ignore[misc]
            await asyncio.sleep(0.3)
        await room.set_attribute(site, door="open")
        await asyncio.sleep(0.3)
        assert len(site.told(DoorAsked)) == 3, "nobody can ask for an open one"


# ---- a mute holds until it is lifted, or a hand undoes it


async def test_a_report_that_was_on_its_way_undoes_no_mute(room: LiveKitRoom) -> None:
    """The gate closes a moment after the admin's act: what is told of it in between is of before."""
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        await muted_while_talking(room, site, friend)
        for level in range(20):
            site.report(gate_open=True, loudspeaker=-float(level))
            await asyncio.sleep(0.02)
        await friend.until(lambda: muted(site, friend))
        await asyncio.sleep(0.8)
        assert muted(site, friend)
        assert loudness(await friend.listen(0.5)) < -80
        assert not site.told(AdminMuteLifted)
        site.close()
        site.open(tone(440))  # a hand
        await friend.hear(440)
        assert len(site.told(MutedByAdmin)) == len(site.told(AdminMuteLifted)) == 1


async def test_a_mute_of_the_track_that_the_server_lifts_is_told_and_opens_nothing(tmp_path: Path) -> None:
    server = LiveKitServer(tmp_path, enable_remote_unmute=True)
    server.start()
    try:
        room = server.room()
        site, friend = room.site(), room.person("friend")
        async with together(site, friend):
            await muted_while_talking(room, site, friend)
            site.close()
            await friend.until(lambda: muted(site, friend))
            for _ in range(2):  # the second one lifts nothing: nobody is muted but by the gate
                await room.mute_track(site, muted=False)
                await asyncio.sleep(1)
                assert muted(site, friend), "the gate is closed, and so it is told"
            assert len(site.told(AdminMuteLifted)) == 1
            assert loudness(await friend.listen(0.5)) < -80
            site.open(tone(440))
            await friend.hear(440)
            assert site.engine.counters["proof_violations"] == 0
    finally:
        server.end()


@pytest.mark.parametrize("way", ["the right to speak", "the track"])
async def test_after_a_rejoin_a_mute_of_the_session_before_is_told_to_be_over(room: LiveKitRoom, way: str) -> None:
    site, friend, late = room.site(), room.person("friend"), room.person("late")
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        await (room.mute(site) if way == "the right to speak" else room.mute_track(site))
        await site.until(lambda: site.told(MutedByAdmin))
        await rejoin(site)
        await site.until(lambda: site.told(AdminMuteLifted))
        await asyncio.sleep(0.8)
        assert loudness(await friend.listen(0.5)) < -80, "the gate was not yet seen closed: no hand has opened it"
        site.close()
        async with together(late):
            for one in (friend, late):
                await one.until(lambda one=one: (seen := member_of(one, site.identity)) and not seen.admin_muted)  # type: ignore[misc]
        site.open(tone(440))
        await friend.hear(440)
        assert (len(site.told(MutedByAdmin)), len(site.told(AdminMuteLifted))) == (1, 1)
        assert site.phase is LinkPhase.IN_ROOM
        assert stay_of(site)._room.local_participant.attributes.get("kontor.admin_muted", "") == ""


async def test_a_member_that_is_given_another_name_is_told_by_it(room: LiveKitRoom) -> None:
    site, friend = room.site(), room.person("friend")
    async with together(site, friend):
        await site.until(lambda: member_of(site, "friend"))
        for name in ("Fritz", "Frieda"):
            await room.ask_server("UpdateParticipant", room=room.room, identity="friend", name=name)
            await site.until(lambda name=name: (seen := member_of(site, "friend")) and seen.name == name)  # type: ignore[misc]
        friend.open(tone(440))
        await site.hear(440)
        assert site.phase is LinkPhase.IN_ROOM
    assert site.engine.counters["joins"] == 1
