"""Redundant audio (RFC 2198) up and down, over real sockets: what each kind of member gets of each kind of talker."""

import asyncio
import socket
import struct
from itertools import pairwise
from pathlib import Path

from appliance.core.counters import Counters
from appliance.host.fan_out import Packet
from appliance.host.lane import Copy, Lane, Speech
from appliance.media import red
from tests.host.frames import SILENCE, loud, tagged
from tests.host.harness import House, house
from tests.host.member import FRAME, OPUS, RED, Heard, Member, inside
from tests.support import until

LEVEL = 20


def frame(number: int, tag: bytes = b"frame") -> bytes:
    return tagged(loud(LEVEL), tag + struct.pack("!I", number))


def number(payload: bytes) -> int:
    """-1 is the silence that ends whoever is muted while talking."""
    return -1 if payload == SILENCE else int(struct.unpack("!I", payload[-4:])[0])


async def say(member: Member, begin: int, end: int, lost: frozenset[int] = frozenset(), copies: int = 1) -> None:
    """Frames from ``begin`` to ``end``, each beside ``copies`` of before; the packets of ``lost`` are not sent."""
    for at in range(begin, end):
        earlier = [(960 * back, frame(at - back)) for back in range(copies, 0, -1) if at - back >= begin]
        packet = member.packet(red.build(OPUS, frame(at), earlier), LEVEL, RED)
        if at not in lost:
            member.send_raw(packet)
        await asyncio.sleep(FRAME / 2)


def unbroken(heard: list[Heard]) -> bool:
    return all((b.seq - a.seq) & 0xFFFF == 1 and b.timestamp - a.timestamp == 960 for a, b in pairwise(heard))


async def test_redundant_audio_reaches_those_who_take_it_and_others_get_the_newest_frame(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna", "ben") as ((anna, _), (ben, _)),
        inside(home, "cleo", red=False) as ((cleo, _),),
    ):
        await say(anna, 0, 20)
        await until(lambda: ben.heard and number(ben.heard[-1].payload) == 19)
        await until(lambda: cleo.heard and number(cleo.heard[-1].payload) == 19)
        assert {packet.kind for packet in ben.heard} == {RED}
        assert {packet.kind for packet in cleo.heard} == {OPUS}
        assert ben.heard[0].earlier == ()
        for before, packet in pairwise(ben.heard):
            assert packet.earlier == ((960, before.payload),)
        assert [number(packet.payload) for packet in cleo.heard] == list(range(20))
        assert unbroken(ben.heard)
        assert unbroken(cleo.heard)


async def test_talkers_without_redundancy_are_given_it(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna", red=False) as ((anna, _),),
        inside(home, "ben") as ((ben, _),),
    ):
        for at in range(10):
            anna.say(frame(at), LEVEL)
            await asyncio.sleep(FRAME / 2)
        await until(lambda: len(ben.heard) == 10)
        assert [packet.earlier for packet in ben.heard[1:]] == [((960, frame(at)),) for at in range(9)]


async def test_what_is_lost_on_the_way_up_is_brought_back_for_all(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna", "ben") as ((anna, _), (ben, _)),
        inside(home, "cleo", red=False) as ((cleo, _),),
    ):
        await say(anna, 0, 30, lost=frozenset({5, 9, 12, 13, 20}), copies=1)
        for member in (ben, cleo):
            await until(lambda member=member: member.heard and number(member.heard[-1].payload) == 29)  # type: ignore[misc]
            assert [number(packet.payload) for packet in member.heard] == [n for n in range(30) if n != 12]
            steps = [((b.seq - a.seq) & 0xFFFF, b.timestamp - a.timestamp) for a, b in pairwise(member.heard)]
            assert steps == [(2, 1920) if i == 11 else (1, 960) for i in range(28)], "12 and 13 were lost together"
        assert home.count("host_frames_recovered") == 4
        before = len(ben.heard)
        await say(anna, 40, 60, lost=frozenset({50, 51}), copies=2)
        await until(lambda: number(ben.heard[-1].payload) == 59)
        assert [number(packet.payload) for packet in ben.heard[before:]] == list(range(40, 60))


async def test_a_packet_that_comes_after_its_copy_is_not_forwarded_twice(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, _)):
        await say(anna, 0, 5)
        late = anna.packet(red.build(OPUS, frame(5), [(960, frame(4))]), LEVEL, RED)
        await say(anna, 6, 7, copies=0)
        anna.send_raw(late)  # out of order, and no copy came before it
        later = anna.packet(red.build(OPUS, frame(7), [(960, frame(6))]), LEVEL, RED)
        anna.send_raw(anna.packet(red.build(OPUS, frame(8), [(960, frame(7))]), LEVEL, RED))
        anna.send_raw(later)
        await say(anna, 9, 12)
        await until(lambda: ben.heard and number(ben.heard[-1].payload) == 11)
        assert [number(packet.payload) for packet in ben.heard] == [0, 1, 2, 3, 4, 6, 5, 7, 8, 9, 10, 11]


async def test_nothing_of_the_talker_before_is_sent_again_after_a_change(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben", "cleo", "dora", "emil") as members:
        by_name = {member.name: member for member, _ in members}
        quiet = [asyncio.create_task(by_name[name].talk(1.4, level=40)) for name in ("anna", "ben", "cleo")]
        await asyncio.sleep(0.4)
        await by_name["dora"].talk(0.4, level=12)
        await asyncio.gather(*quiet)
        changes = 0
        for slot in range(3):
            heard = [packet for packet in by_name["emil"].heard if packet.slot == slot]
            for before, packet in pairwise(heard):
                if talker_of(packet) != talker_of(before):
                    changes += 1
                    assert packet.earlier == ()
                    assert packet.marker
                else:
                    assert packet.earlier == ((960, before.payload),)
        assert changes >= 1


def talker_of(packet: Heard) -> bytes:
    return packet.payload[-8:-4]


async def test_nothing_of_a_muted_time_is_sent_again(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, annas), (ben, _)):
        await say(anna, 0, 10)
        await annas.send(type="muted", muted=True)
        await until(lambda: annas.state("anna") == "muted")
        await say(anna, 10, 20)
        await annas.send(type="muted", muted=False)
        await until(lambda: annas.state("anna") == "listening")
        # Its own end sends again what it said while it was muted; here it does not pass.
        earlier = [(960, frame(19))]
        anna.send_raw(anna.packet(red.build(OPUS, frame(20), earlier), LEVEL, RED))
        anna.send_raw(anna.packet(red.build(OPUS, frame(21), [(1920, frame(19)), (960, frame(20))]), LEVEL, RED))
        await until(lambda: number(ben.heard[-1].payload) == 21)
        frames = [payload for packet in ben.heard for payload in (*(f for _, f in packet.earlier), packet.payload)]
        assert not {number(payload) for payload in frames} & set(range(10, 20))
        first = next(packet for packet in ben.heard if number(packet.payload) == 20)
        assert first.earlier == ()
        assert unbroken(ben.heard[:13]), "ten frames, and three of silence"


async def test_a_pause_of_the_talker_is_told_by_the_timestamps_and_bridged_by_no_copy(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, _)):
        for _ in range(10):
            anna.say(frame(0), LEVEL)
            await asyncio.sleep(FRAME)
        await asyncio.sleep(0.38)
        anna.send_raw(anna.packet(SILENCE, 90, samples=20 * 960))  # DTX: one packet in 400 ms
        await asyncio.sleep(0.1)
        anna.send_raw(anna.packet(frame(1), LEVEL, samples=5 * 960))
        await until(lambda: len(ben.heard) == 12)
        comfort, again = ben.heard[-2:]
        assert (comfort.seq - ben.heard[-3].seq, comfort.timestamp - ben.heard[-3].timestamp) == (1, 20 * 960)
        assert comfort.earlier == (), "19,200 samples are more than RFC 2198 can tell"
        assert again.earlier == ((5 * 960, SILENCE),)


async def junk_of(home: House, member: Member, *payloads: bytes) -> int:
    before = home.count("host_redundancy_junk")
    for payload in payloads:
        member.say(payload, LEVEL, RED)
    await until(lambda: home.count("host_redundancy_junk") == before + len(payloads))
    return len(payloads)


async def test_payloads_that_are_no_redundant_audio_are_counted(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, _)):
        foreign = red.build(0, frame(1), [(960, frame(0))])
        cut = red.build(OPUS, b"", [(960, frame(0))])[:40]
        assert await junk_of(home, anna, foreign, cut, b"\xef", bytes([OPUS]), b"\xff" * 60)
        await say(anna, 0, 3)
        await until(lambda: len(ben.heard) == 3)


def test_a_talker_that_brings_back_frames_without_end_is_not_sent_out_eightfold() -> None:
    """Packets of 8 frames, one sample apart, 200 a second, and so few that a clock would notice."""
    counters, out = Counters(), list[Packet]()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
        lane = Lane(media.fileno(), counters, 0.0)
        lane.tap = lambda packet, _: out.append(packet)
        for i in range(2000):
            seq = timestamp = 8 * i
            copies = [
                Copy((seq - back) & 0xFFFF, (timestamp - back) & 0xFFFFFFFF, memoryview(b"copy"))
                for back in range(7, 0, -1)
            ]
            lane.send(Speech(seq, timestamp, LEVEL, memoryview(b"frame"), False, copies), "mallory", 1.0 + i * 0.005)
    assert counters.get("host_frames_recovered") <= 1100
    assert counters.get("host_packets_flood") > 10_000
    assert len(out) <= 3100
