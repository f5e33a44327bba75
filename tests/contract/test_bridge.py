"""A bridge between two rooms of a real host: sound, mix-minus, rosters, mutes, recordings."""

import asyncio
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.core import protocol
from appliance.core.controls import Door
from appliance.core.lamps import LinkPhase
from appliance.rooms import contract
from appliance.rooms.bridge_end import EndSettings
from appliance.rooms.contract import Recording
from appliance.rooms.hosted import HostedEngine
from appliance.rooms.signalling import fixed_credentials
from tests.contract.bridged import Running, between, running, told_of
from tests.contract.harness import serving, together
from tests.contract.hosted_harness import HostedRoom, HostedServer
from tests.contract.rig import Rig, level_of, loudness, member_of, power, silence, speaks, tone

pytestmark = pytest.mark.timeout(180)
SETTLES = 0.4
LAMPS = {"mic": "off", "room": "steady", "speak": "off", "fault": "off"}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedServer]:
    with serving("hosted", tmp_path_factory.mktemp("host")) as server:
        assert isinstance(server, HostedServer)
        yield server


@pytest.fixture
def rooms(host: HostedServer) -> tuple[HostedRoom, HostedRoom]:
    return host.room(), host.room()


async def hears(rig: Rig, condition: Callable[[NDArray[np.float32]], bool], seconds: float = 20) -> None:
    """Half a second of sound fits that: a machine that is busy may lose blocks of others."""
    async with asyncio.timeout(seconds):
        while not condition(await rig.listen(0.5)):
            pass


async def test_each_room_hears_the_other_and_nobody_hears_themselves(rooms: tuple[HostedRoom, HostedRoom]) -> None:
    """440 Hz in the one, 880 Hz in the other, and a second listener in each."""
    a, b = rooms
    ada, ben, also_a, also_b = a.person("ada"), b.person("ben"), a.person("anna"), b.person("bob")
    bridge = between(a, b)
    async with together(ada, ben, also_a, also_b), running(bridge):
        await bridge.open()
        ada.open(tone(440))
        ben.open(tone(880))
        await ben.hear(440, 15)
        await ada.hear(880, 15)
        await also_a.hear(880, 15)
        # What Ada says does not come back to her; those beside her hear each voice once, as loud as it was said.
        await asyncio.gather(
            hears(ada, lambda sound: abs(power(sound, 880) - -6) < 2 and power(sound, 880) - power(sound, 440) > 50),
            hears(ben, lambda sound: abs(power(sound, 440) - -6) < 2 and power(sound, 440) - power(sound, 880) > 50),
            hears(also_a, lambda sound: abs(power(sound, 440) - -6) < 2 and abs(power(sound, 880) - -6) < 2),
            hears(also_b, lambda sound: abs(power(sound, 440) - -6) < 2 and abs(power(sound, 880) - -6) < 2),
        )
    assert bridge.status()["counters"]["proof_violations"] == 0


async def test_who_is_there_and_who_speaks_is_told_on_both_sides(rooms: tuple[HostedRoom, HostedRoom]) -> None:
    a, b = rooms
    ada, ben, bea = a.person("ada"), b.person("ben"), b.person("bea")
    bridge = between(a, b)
    async with together(ada, ben), running(bridge):
        await bea.start()
        await bridge.open()
        await ada.until(lambda: told_of(ada).get("names") == ["Bea", "Ben"] and told_of(ada)["heard"])
        await ben.until(lambda: told_of(ben).get("names") == ["Ada"])
        assert told_of(ada)["to"] == b.room
        seen = member_of(ada, "bridge")
        assert seen is not None and seen.kind == "bridge"
        ben.open(tone(500, 0.25))
        await ada.until(lambda: told_of(ada).get("speaking") == ["Ben"] and speaks(ada, "bridge"))
        await ada.until(lambda: abs(level_of(ada, "bridge") - -15) <= 3)
        assert bridge.status()["b"]["speaking"] == ["Ben"]
        ben.close()
        await ada.until(lambda: told_of(ada).get("speaking") == [] and not speaks(ada, "bridge"))
        await bea.stop()
        await ada.until(lambda: told_of(ada).get("names") == ["Ben"])


async def test_whom_a_room_mutes_is_not_heard_there_and_the_other_room_is_told(
    rooms: tuple[HostedRoom, HostedRoom],
) -> None:
    a, b = rooms
    ada, ben = a.person("ada"), b.person("ben")
    bridge = between(a, b)
    target = Rig(bridge.bridge.ends[1].engine, "bridge")
    async with together(ada, ben), running(bridge):
        await bridge.open()
        ada.open(tone(440))
        ben.open(tone(880))
        await ben.hear(440, 15)
        await ada.hear(880, 15)
        await b.mute(target)
        await ada.until(lambda: told_of(ada).get("heard") is False)
        assert told_of(ada)["why"] == "admin"
        await ben.until(lambda: (seen := member_of(ben, "bridge")) and seen.admin_muted and seen.muted)
        assert told_of(ben)["speaking"] == [], "of whom one does not hear nobody learns that they speak"
        sent = bridge.bridge.ends[1].engine.counters["packets_sent"]
        await asyncio.sleep(SETTLES)
        at_ben, at_ada = await asyncio.gather(ben.listen(0.7), ada.listen(0.7))
        assert loudness(at_ben) < -80
        assert power(at_ada, 880) > -30, "the other way goes on"
        assert bridge.bridge.ends[1].engine.counters["packets_sent"] == sent
        assert bridge.status()["b"]["closed"] == ["admin"]
        await b.lift(target)
        await ben.hear(440, 15)
        await ada.until(lambda: told_of(ada).get("heard") is True)
        assert bridge.status()["counters"]["proof_violations"] == 0


async def test_whoever_is_heard_in_a_room_that_is_recorded_is_told_first(rooms: tuple[HostedRoom, HostedRoom]) -> None:
    a, b = rooms
    recorder, ada, ben = a.site(), a.person("ada"), b.person("ben")
    bridge = between(a, b)
    async with together(recorder, ada, ben), running(bridge):
        await bridge.open()
        ben.open(tone(880))
        await ada.hear(880, 15)
        recorder.report(gate_open=False, recording=True)
        await ben.until(lambda: ben.told(Recording) == [Recording(True)])
        assert bridge.status()["a"]["closed"] == ["recording"], "nobody is in it before they had time to leave"
        await asyncio.sleep(SETTLES)
        assert loudness(await ada.listen(0.3)) < -80
        await ada.hear(880, 8)
        recorder.report(gate_open=False, recording=False)
        await ben.until(lambda: ben.told(Recording) == [Recording(True), Recording(False)])
        await asyncio.sleep(2.5)
        assert ada.told(Recording) == [Recording(True), Recording(False)], "the bridge's own word is no recording"
        await ada.hear(880, 15)


async def test_what_two_rooms_record_at_a_time_is_told_until_both_have_ended(
    rooms: tuple[HostedRoom, HostedRoom],
) -> None:
    a, b = rooms
    at_a, at_b = a.site(), b.site()
    ada, ben = a.person("ada"), b.person("ben")
    bridge = between(a, b)
    async with together(at_a, at_b, ada, ben), running(bridge):
        await bridge.open()
        at_a.report(gate_open=False, recording=True)
        await ben.until(lambda: ben.told(Recording))
        at_b.report(gate_open=False, recording=True)
        await asyncio.sleep(0.3)
        at_a.report(gate_open=False, recording=False)
        await ada.until(lambda: ada.told(Recording)[-1] == Recording(True) and len(ada.told(Recording)) == 3, 6)
        assert ben.told(Recording) == [Recording(True)]
        at_b.report(gate_open=False, recording=False)
        await ada.until(lambda: ada.told(Recording)[-1] == Recording(False), 6)
        await ben.until(lambda: ben.told(Recording)[-1] == Recording(False), 6)


async def test_an_open_microphone_in_silence_costs_nothing_that_is_heard(rooms: tuple[HostedRoom, HostedRoom]) -> None:
    a, b = rooms
    ada, ben = a.person("ada"), b.person("ben")
    bridge = between(a, b)
    async with together(ada, ben), running(bridge):
        await bridge.open()
        ada.open(silence)
        assert loudness(await ben.listen(1.0)) < -80
        assert not speaks(ben, "bridge")


async def test_a_side_whose_server_dies_is_away_and_comes_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The one room goes on, and is told; nothing that was said meanwhile is heard later."""
    with (
        serving("hosted", tmp_path_factory.mktemp("near")) as near,
        serving("hosted", tmp_path_factory.mktemp("far")) as far,
    ):
        assert isinstance(near, HostedServer) and isinstance(far, HostedServer)
        a, b = near.room(), far.room()
        ada, ben = a.person("ada"), b.person("ben")
        bridge = between(a, b)
        async with together(ada, ben), running(bridge):
            await bridge.open()
            ada.open(tone(440))
            await ben.hear(440, 15)
            await asyncio.to_thread(far.kill)
            await ada.until(lambda: told_of(ada).get("why") == "away" and told_of(ada)["names"] == [], 6)
            seen = member_of(ada, "bridge")
            assert seen is not None and seen.site is not None
            assert (seen.site["lamps"]["room"], seen.site["reasons"]) == ("slow", ["away"])
            ada.close()
            await asyncio.to_thread(far.start)
            await bridge.until(lambda: bridge.bridge.ends[1].phase is LinkPhase.IN_ROOM, 10)
            await ada.until(lambda: told_of(ada).get("heard") is True, 6)
            await ben.in_room()
            assert loudness(await ben.listen(0.5)) < -80
            ada.open(tone(660))
            await ben.hear(660, 15)
        assert bridge.ended is None
        assert bridge.status()["counters"]["proof_violations"] == 0


async def test_a_side_that_is_refused_ends_it_with_one_sentence(rooms: tuple[HostedRoom, HostedRoom]) -> None:
    a, b = rooms
    good = between(a, b)
    bad = Running(good.bridge.ends[0].settings, a_stranger(b))
    async with running(bad):
        await bad.until(lambda: bad.ended)
    assert str(bad.ended) == f"{b.room} (B): The room does not accept this key."


def a_stranger(room: HostedRoom) -> EndSettings:
    token = room.token("bridge", kind="bridge", key_id="k0")
    return EndSettings(HostedEngine(room.settings("bridge", fixed_credentials(token))), room.room, "bridge", "0" * 8)


async def test_only_an_admin_mutes_a_bridge_and_sends_it_out_for_good(rooms: tuple[HostedRoom, HostedRoom]) -> None:
    """A device may be muted by whoever is in its room; a bridge has another room behind it."""
    a, b = rooms
    ada = a.person("ada")
    bridge = between(a, b)
    target = Rig(bridge.bridge.ends[0].engine, "bridge")
    async with together(ada), running(bridge):
        await bridge.open()
        await a._as("ada", "speaker", protocol.MuteMember("bridge"))
        await a._as("ada", "speaker", protocol.RemoveMember("bridge"))
        await asyncio.sleep(0.5)
        assert bridge.status()["a"]["closed"] == [] and bridge.ended is None
        await a.remove(target)
        await bridge.until(lambda: bridge.ended)
    assert str(bridge.ended) == f"{a.room} (A): An admin sent this member out of the room."


async def test_a_person_cannot_say_that_they_are_a_bridge(rooms: tuple[HostedRoom, HostedRoom]) -> None:
    a, b = rooms
    ada, ben = a.person("ada"), a.person("ben")
    other = between(a, b)
    async with together(ada, ben):
        report = contract.SiteReport(True, (), Door.OPEN, LAMPS, -60.0, bridge=other.bridge._say(0))
        ben.engine.report_site(report)
        await asyncio.sleep(0.5)
        seen = member_of(ada, "ben")
        assert seen is not None and seen.site is None
        site = a.site()
        async with together(site):
            site.engine.report_site(report)
            await ada.until(lambda: (seen := member_of(ada, site.identity)) and seen.site)
            assert told_of(ada, site.identity) == {}, "a device neither"
