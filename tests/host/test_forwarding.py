"""What members hear of each other, over real sockets."""

import asyncio
import itertools
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from appliance.core.events import EventName
from appliance.host.fan_out import MOST_PAYLOAD
from tests.host.dtls_client import identity
from tests.host.frames import SILENCE, loud, tagged
from tests.host.harness import OTHER_ROOM, house
from tests.host.member import Heard, Member, inside, open_mic
from tests.support import until


def gaps(heard: Sequence[Heard]) -> int:
    return sum((b.seq - a.seq) & 0xFFFF != 1 for a, b in itertools.pairwise(heard))


def numbers(heard: Sequence[Heard]) -> list[int]:
    return [struct.unpack("!I", packet.payload[-4:])[0] for packet in heard]


async def test_a_talker_is_heard_in_its_slot_and_not_by_itself(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, bens)):
        sent = await anna.talk(0.6)
        await until(lambda: ben.heard and numbers(ben.heard)[-1] == sent - 1)
        slot = bens.of("slots")[-1]["slots"].index("anna")
        heard = ben.heard_of("anna", slot)
        assert heard == ben.heard
        assert len(heard) >= sent - 1
        assert not anna.heard
        assert gaps(heard) == 0
        assert {b.timestamp - a.timestamp for a, b in itertools.pairwise(heard)} == {960}
        assert {packet.level for packet in heard} == {20}
        assert {packet.mid for packet in heard} == {str(slot)}
        assert [packet.marker for packet in heard] == [True] + [False] * (len(heard) - 1)
        assert ben.refused == 0


async def test_three_talkers_are_heard_by_all_and_a_quieter_one_is_not(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben", "cleo", "dora", "emil") as members:
        by_name = {member.name: member for member, _ in members}
        await asyncio.gather(
            *(by_name[name].talk(0.6, level=30) for name in ("anna", "ben", "cleo")),
            _later(0.2, by_name["dora"], 0.3, 33),
        )
        for name, member in by_name.items():
            for talker in ("anna", "ben", "cleo"):
                heard = member.heard_of(talker)
                assert (len(heard) == 0) if talker == name else (len(heard) > 20)
                assert gaps(heard) == 0
                assert len({packet.slot for packet in heard}) <= 1
        assert not by_name["emil"].heard_of("dora")
        assert home.count("host_packets_skipped") > 0


async def _later(delay: float, member: Member, seconds: float, level: int) -> None:
    await asyncio.sleep(delay)
    await member.talk(seconds, level)


async def test_a_slot_that_changes_its_talker_stays_one_stream(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben", "cleo", "dora", "emil") as members:
        by_name = {member.name: member for member, _ in members}
        watching = members[-1][1]
        quiet = [asyncio.create_task(by_name[name].talk(2.0, level=40)) for name in ("anna", "ben", "cleo")]
        await _later(0.3, by_name["dora"], 0.4, 15)
        await asyncio.gather(*quiet)
        emil, dora = by_name["emil"], by_name["dora"]
        slot = next(packet.slot for packet in emil.heard_of("dora"))
        stream = [packet for packet in emil.heard if packet.slot == slot]
        assert len({packet.payload[-8:-4] for packet in stream if packet.payload != SILENCE}) == 2
        assert gaps(stream) == 0
        steps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in itertools.pairwise(stream)]
        assert all(step >= 960 and step % 960 == 0 for step in steps)
        # Whoever took the slot had heard it before: it ends in silence there, without a gap, and goes on without one.
        own = [packet for packet in dora.heard if packet.slot == slot]
        assert [packet.payload for packet in own if packet.payload == SILENCE] == [SILENCE] * 3
        assert gaps(own) == 0
        assert any("dora" in message["slots"] for message in watching.of("slots"))
        assert home.count("host_slot_changes") >= 4


async def test_what_was_lost_before_the_host_stays_a_gap(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, _)):
        for number in range(20):
            if number in {10, 11}:
                anna.packet(b"lost", 20)
            else:
                anna.say(tagged(loud(20), struct.pack("!I", number)), 20)
            await asyncio.sleep(0.005)
        await until(lambda: ben.heard and numbers(ben.heard)[-1] == 19)
        assert gaps(ben.heard) == 1
        by_number = {numbers([packet])[0]: packet for packet in ben.heard}
        assert (by_number[12].seq - by_number[9].seq) & 0xFFFF == 3
        assert by_number[12].timestamp - by_number[9].timestamp == 3 * 960


async def test_a_sequence_that_jumps_is_no_loss_to_anybody(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, _)):
        for number in range(60):
            jump = 20_000 if number % 20 == 19 else 1
            anna.send_raw(anna.packet(tagged(loud(20), struct.pack("!I", number)), 20, frames=jump))
            await asyncio.sleep(0.02)
        await until(lambda: ben.heard and numbers(ben.heard)[-1] == 59)
        assert gaps(ben.heard) == 0
        assert len(ben.heard) >= 55, "a frame at each jump may be fitted in too late"
        assert ben.refused == 0
        assert home.count("host_srtp_refused") == 0


async def test_a_member_moves_to_another_network_without_a_gap(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, _)):
        talking = asyncio.create_task(anna.talk(0.6))
        await until(lambda: len(ben.heard) > 5)
        ben.move()
        before, moved_at = len(ben.heard), asyncio.get_running_loop().time()
        ben.check()
        await until(lambda: len(ben.heard) > before)
        assert ben.heard[before].at - moved_at < 0.2
        await talking
        assert gaps(ben.heard[before:]) == 0
        assert home.count("host_moves") == 1
        assert home.told(EventName.MEMBER_MOVED)
        ben.say(b"from there", 20)
        await until(lambda: anna.heard_of("from there"))


async def test_a_check_without_nomination_or_with_a_wrong_key_moves_nobody(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna") as ((anna, _),):
        anna.move()
        answered, refused = anna.checks_answered, home.count("host_stun_refused")
        anna.check(password="a wrong password, long enough")
        await until(lambda: home.count("host_stun_refused") == refused + 1)
        assert anna.checks_answered == answered
        anna.check(nominate=False)
        await until(lambda: anna.checks_answered == answered + 1)
        assert home.count("host_moves") == 0


async def test_nobody_takes_over_the_address_of_a_neighbour(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, _bens)):
        mallory = await Member(home, "mallory").join()
        anna.host_ufrag, anna.host_pwd = mallory.host_ufrag, mallory.host_pwd  # as if she could forge anna's address
        refused = home.count("host_stun_refused")
        anna.check()
        await until(lambda: home.count("host_stun_refused") == refused + 1)
        anna.say(b"still me")
        await until(lambda: ben.heard_of("still me"))
        mallory.vanish()


async def test_people_come_in_muted_and_nothing_passes_until_they_open(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        Member(home, "anna") as anna,
        inside(home, "ben") as ((ben, bens),),
        anna.presence() as annas,
    ):
        await anna.connect()
        await until(lambda: bens.state("anna") == "muted")
        await anna.talk(0.3)
        assert not ben.heard
        assert bens.level("anna") is None
        await open_mic(anna, annas)
        await anna.talk(0.2)
        await until(lambda: ben.heard_of("anna"))
        await annas.send(type="muted", muted=True)
        await until(lambda: bens.state("anna") == "muted")
        count = len(ben.heard)
        await anna.talk(0.2)
        assert len(ben.heard) == count
        assert bens.of("slots")[-1]["slots"] == [None] * 3
        await until(lambda: bens.level("anna") == -127)
        assert home.count("host_packets_muted") >= 20


async def test_who_is_muted_while_talking_ends_in_silence(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, annas), (ben, bens)):
        await anna.talk(0.3)
        await annas.send(type="muted", muted=True)
        await until(lambda: bens.state("anna") == "muted")
        await until(lambda: ben.heard[-1].payload == SILENCE)
        assert [packet.payload == SILENCE for packet in ben.heard[-4:]] == [False, True, True, True]
        assert [packet.earlier for packet in ben.heard[-3:]] == [()] * 3
        assert gaps(ben.heard) == 0
        assert {b.timestamp - a.timestamp for a, b in itertools.pairwise(ben.heard)} == {960}
        await open_mic(anna, annas)
        await anna.talk(0.2, tag=b"again")
        assert gaps(ben.heard) == 0


async def test_a_long_mute_does_not_cost_the_keys(tmp_path: Path) -> None:
    """Past the roll-over of the sequence number, of which libsrtp has seen one packet in 64."""
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, annas), (ben, _)):
        await annas.send(type="muted", muted=True)
        await until(lambda: annas.state("anna") == "muted")
        for _ in range(1400):
            for _ in range(50):
                anna.say(b"muted", 20)
            await asyncio.sleep(0)
        taken = -1
        while taken != (now := home.count("host_packets_muted") + home.count("host_packets_flood")):
            taken = now  # what still waits in the socket came while muted
            await asyncio.sleep(0.1)
        assert taken > 1 << 16
        refused = home.count("host_srtp_refused")
        await open_mic(anna, annas)
        await anna.talk(0.2, tag=b"again")
        await until(lambda: len(ben.heard_of("again")) >= 8)
        assert home.count("host_srtp_refused") == refused
        assert not ben.heard_of("muted")


async def test_an_admin_mute_is_enforced_here_and_outlives_a_reload(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna", "ben") as ((anna, annas), (ben, _)),
        Member(home, "boss", role="admin") as boss,
        boss.presence() as office,
    ):
        await office.send(type="mute", member="anna")
        await until(lambda: annas.of("muted_by_admin"))
        assert annas.of("muted_by_admin")[0]["by"] == {"id": "boss", "name": "Boss"}
        await annas.send(type="muted", muted=False)
        await anna.talk(0.2)
        assert not ben.heard
        assert office.state("anna") == "admin_muted"
        await anna.leave()
        await until(lambda: office.state("anna") is None)
        async with Member(home, "anna") as again, again.presence() as door:
            await again.connect()
            await door.send(type="muted", muted=False)
            await until(lambda: door.state("anna") == "admin_muted")
            await again.talk(0.2)
            assert not ben.heard
            await office.send(type="unmute", member="anna")
            await until(lambda: door.of("admin_mute_lifted"))
            await again.talk(0.2)
            await until(lambda: ben.heard_of("anna"))


async def test_a_listener_only_listens(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna") as ((anna, _),),
        inside(home, "lena", role="listener") as ((lena, lenas),),
    ):
        await lenas.send(type="muted", muted=False)
        await until(lambda: lenas.of("error"))
        assert lenas.of("error")[0]["code"] == "forbidden"
        await lena.talk(0.2)
        await anna.talk(0.2)
        await until(lambda: lena.heard_of("anna"))
        assert not anna.heard


async def test_rooms_do_not_hear_each_other(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna") as ((anna, _),),
        inside(home, "walter", room=OTHER_ROOM, key=b"w" * 32) as ((walter, there),),
    ):
        await asyncio.gather(anna.talk(0.3), walter.talk(0.3))
        assert not walter.heard
        assert not anna.heard
        assert [member["id"] for member in there.messages[0]["members"]] == []


async def test_who_sends_no_levels_is_heard_and_its_silence_is_not(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, bens)):
        for _ in range(20):
            anna.say(tagged(loud(20), b"sound"), None)
            await asyncio.sleep(0.01)
        await until(lambda: ben.heard_of("sound"))
        await until(lambda: (bens.level("anna") or -127) > -60)
        for _ in range(150):
            anna.say(SILENCE, None)
            await asyncio.sleep(0.01)
        await until(lambda: bens.of("slots")[-1]["slots"] == [None] * 3)


async def test_packets_that_are_no_speech_are_dropped_and_counted(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, _)):
        refused = home.count("host_payloads_refused")
        anna.say(b"another codec", payload_type=0)
        anna.say(b"")
        anna.say(bytes(MOST_PAYLOAD + 1))
        anna.say(b"fits" + bytes(MOST_PAYLOAD - 4))
        await until(lambda: ben.heard_of("fits"))
        assert len(ben.heard) == 1
        assert home.count("host_payloads_refused") == refused + 3


async def test_a_second_source_waits_until_the_first_has_stopped(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, _)):
        await anna.talk(0.1, tag=b"first")
        anna.ssrc ^= 1
        anna.say(b"too early")
        await asyncio.sleep(0.6)
        await anna.talk(0.2, tag=b"second")
        await until(lambda: len(ben.heard_of("second")) >= 9)
        assert not ben.heard_of("too early")
        assert gaps(ben.heard) == 0


async def test_reports_come_twice_a_second_and_devices_say_goodbye_in_theirs(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna") as ((anna, annas),),
        Member(home, "room-7", kind="site") as site,
        site.presence(),
    ):
        await site.connect()
        await asyncio.sleep(1.2)
        assert 2 <= len(site.report_times) <= 4
        anna.report(bye=True)  # a browser that stops its track says so, and stays
        site.report()
        site.report(bye=True)
        await until(lambda: annas.of("left"))
        assert annas.of("left") == [{"type": "left", "id": "room-7"}]
        assert annas.state("anna") == "listening"


async def test_closing_dtls_is_leaving(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (_, bens)):
        anna.close_dtls()
        await until(lambda: bens.state("anna") is None)
        assert home.told(EventName.MEMBER_LEFT)[0].fields["why"] == "closed"


async def test_a_foreign_certificate_ends_the_session(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "ben") as ((_, bens),), Member(home, "mallory") as mallory:
        await mallory.join()
        mallory.certificate = identity("ecdsa", "somebody else")
        await mallory.connect()  # her own end is content
        await until(lambda: bens.of("left"))
        assert home.told(EventName.MEMBER_REFUSED)[0].fields["why"] == "foreign certificate"
        assert home.count("host_dtls_failures") == 1


async def test_a_newer_session_of_the_same_identity_takes_over(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna", "ben") as ((anna, annas), (ben, bens)),
        inside(home, "anna") as ((again, door),),
    ):
        await until(lambda: annas.code is not None)
        assert annas.code == 4409
        assert anna.dtls.closed
        anna.say(b"the old one")
        await again.talk(0.2, tag=b"the new one")
        await until(lambda: ben.heard_of("the new one"))
        assert not ben.heard_of("the old one")
        assert door.code is None
        assert [m["id"] for m in bens.of("left")] == []
        assert home.host.state()["members"] == 2
        assert home.count("host_replaced") == 1


async def test_a_rejoin_over_the_same_socket_of_presence_keeps_it(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna", "ben") as ((_anna, annas), (ben, _)),
        Member(home, "anna") as again,
    ):
        await again.connect()
        await open_mic(again, annas)
        await again.talk(0.2, tag=b"back")
        await until(lambda: ben.heard_of("back"))
        assert annas.code is None


@pytest.mark.timeout(90)
async def test_a_hundred_listeners_hear_the_same(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna") as ((anna, _),):
        listeners = [Member(home, f"listener-{i}", role="listener") for i in range(100)]
        try:
            for listener in listeners:
                await listener.connect()
            sent = await anna.talk(0.6)
            await until(lambda: all(len(listener.heard) >= sent - 2 for listener in listeners))
            expected = numbers(listeners[0].heard)
            for listener in listeners:
                assert numbers(listener.heard) == expected
                assert gaps(listener.heard) == 0
                assert listener.refused == 0
            assert home.count("host_packets_dropped") == 0
            assert home.count("host_packets_out") == 100 * len(expected)
        finally:
            for listener in listeners:
                listener.vanish()
