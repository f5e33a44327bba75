"""RTCP (RFC 3550) with members over real sockets, and how reports are made."""

import asyncio
import struct
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.host.reports import Reports, Sending
from appliance.media.rtp import (
    Bye,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    parse_rtcp,
    receiver_report,
    sender_report,
)
from tests.host.frames import loud, tagged
from tests.host.harness import house
from tests.host.member import Member, inside
from tests.support import until

NTP = 2_208_988_800


def block_of(reports: Reports, now: float, listeners_lose: float = 0.0) -> ReportBlock:
    (report,) = parse_rtcp(reports.build((), listeners_lose, now, 0.0))
    assert isinstance(report, ReceiverReport)
    return report.blocks[0]


def made(site: bool = False) -> Reports:
    return Reports((11, 12, 13), site)


def send(reports: Reports, numbers: range, lost: frozenset[int] = frozenset(), source: int = 5) -> float:
    for number in numbers:
        if number not in lost:
            reports.received(source, number & 0xFFFF, number * 960, number * 0.02)
    return numbers[-1] * 0.02


def test_the_loss_on_the_way_up_is_told() -> None:
    reports = made()
    now = send(reports, range(65_500, 65_600), frozenset(range(65_520, 65_545)))
    block = block_of(reports, now)
    assert (block.ssrc, block.fraction_lost, block.lost) == (5, 64, 25)
    assert block.highest == 65_599
    now = send(reports, range(65_600, 65_650))
    assert block_of(reports, now)[1:3] == (0, 25), "the fraction counts from the report before"


def test_what_listeners_lose_in_spite_of_redundancy_is_added() -> None:
    reports = made()
    block_of(reports, send(reports, range(100)))
    block = block_of(reports, send(reports, range(100, 200)), 0.25)
    assert (block.fraction_lost, block.lost) == (64, 25)
    block = block_of(reports, send(reports, range(200, 300), frozenset(range(210, 260))), 0.5)
    assert (block.fraction_lost, block.lost) == (192, 25 + 50 + 25), (
        "half on the way up, half of the rest on the way down"
    )
    block = block_of(reports, send(reports, range(300, 400)))
    assert (block.fraction_lost, block.lost) == (0, 100)


def test_another_source_begins_anew_and_what_is_skipped_begins_none() -> None:
    reports = made()
    reports.skipped(9, 1, 1, 0.0)
    (report,) = parse_rtcp(reports.build((), 0.0, 0.0, 0.0))
    assert report == ReceiverReport(11, ())
    send(reports, range(50), frozenset({7}))
    reports.skipped(5, 50, 50 * 960, 1.0)
    reports.skipped(6, 51, 51 * 960, 1.0)
    assert block_of(reports, 1.0)[:4] == (5, 5, 1, 50)
    send(reports, range(1000, 1010), source=8)
    assert block_of(reports, 2.0)[:4] == (8, 0, 0, 1009)


def test_the_sender_learns_when_its_report_came() -> None:
    reports = made()
    send(reports, range(10))
    packet = sender_report(5, 1_700_000_000.5, 9 * 960, 10, 500, cname="x")
    word = reports.read(memoryview(packet), 1.0)
    assert word is not None
    assert (word.bye, word.complaints) == (False, ())
    block = block_of(reports, 1.25)
    assert block.last_sender_report == (1_700_000_000 + NTP & 0xFFFF) << 16 | 0x8000
    assert block.delay == 65_536 // 4


def test_streams_that_are_heard_are_reported_each_and_the_first_report_has_the_blocks() -> None:
    reports = made()
    send(reports, range(10))
    first, second = Sending(11, 960, 3, 300), Sending(13, 2**32 - 1, 2**32 - 1, 7)
    found = parse_rtcp(reports.build((first, second), 0.0, 1.0, 0.75))
    assert [report.ssrc for report in found if isinstance(report, SenderReport)] == [11, 13]
    assert [len(report.blocks) for report in found if not isinstance(report, Bye)] == [1, 0]
    assert isinstance(found[1], SenderReport)
    assert found[1][1:5] == (NTP << 32 | 3 << 30, 2**32 - 1, 2**32 - 1, 7)
    found = parse_rtcp(reports.build((second,), 0.0, 1.0, 0.75))
    assert [type(report) for report in found] == [ReceiverReport, SenderReport]
    assert found[0] == ReceiverReport(11, found[0].blocks)  # type: ignore[union-attr]


def test_devices_are_told_each_time_and_people_often_enough_for_their_page() -> None:
    device, talking, listening = made(site=True), made(), made()
    send(talking, range(3))
    everybody = (device, talking, listening)
    assert [sum(reports.due(hears=False) for _ in range(20)) for reports in everybody] == [20, 10, 10]
    assert [sum(reports.due(hears=True) for _ in range(20)) for reports in everybody] == [20, 10, 2]


def test_complaints_count_for_our_streams_alone_and_raise_the_copies() -> None:
    reports = made()
    blocks = [ReportBlock(12, 64, 5, 9, 0), ReportBlock(99, 255, 5, 9, 0), ReportBlock(13, 0, 0, 9, 0)]
    word = reports.read(memoryview(receiver_report(5, blocks)), 1.0)
    assert word is not None
    assert [(complaint.index, complaint.fraction) for complaint in word.complaints] == [(1, 0.25), (2, 0.0)]
    assert reports.copies(word.complaints, 1.0) == 2
    assert reports.copies(word.complaints[1:], 60.0) == 2
    assert [reports.copies(word.complaints[1:], 60.0 + 5 * i) for i in range(1, 12)][-1] == 1


@given(st.binary(max_size=200))
def test_junk_is_told_from_reports(data: bytes) -> None:
    reports = made()
    assert reports.read(memoryview(data), 0.0) is None or len(data) % 4 == 0
    whole = receiver_report(5)
    assert reports.read(memoryview(whole + data), 0.0) is None or len(data) % 4 == 0
    assert reports.read(memoryview(whole), 0.0) is not None


def told(member: Member) -> list[ReportBlock]:
    """What a member was told of its own stream."""
    return [block for report in member.reports if not isinstance(report, Bye) for block in report.blocks]


async def test_a_talker_is_told_of_its_loss_and_listeners_of_the_time(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben", kind="site") as ((anna, _), (ben, _)):
        for number in range(60):
            packet = anna.packet(tagged(loud(20), struct.pack("!I", number)), 20)
            if number % 4:
                anna.send_raw(packet)
            await asyncio.sleep(0.02)
        await until(lambda: any(block.lost >= 10 for block in told(anna)))
        blocks = told(anna)
        assert {block.ssrc for block in blocks} == {anna.ssrc}
        assert max(block.fraction_lost for block in blocks) == pytest.approx(64, abs=16)
        await until(lambda: ben.reports_of(SenderReport)[-1].packets == len(ben.heard))
        sent = ben.reports_of(SenderReport)
        assert len(sent) >= 2
        assert {ben.slot_of[report.ssrc] for report in sent} == {0}
        assert abs(sent[-1].ntp / 2**32 - NTP - time.time()) < 5
        for before, after in pairwise(sent):
            seconds = (after.ntp - before.ntp) / 2**32
            samples = (after.timestamp - before.timestamp) & 0xFFFF_FFFF
            assert samples == pytest.approx(seconds * 48_000, abs=480), "the clock of the slot is not that of the wall"


async def test_a_listener_that_loses_much_gets_two_copies_and_the_talker_learns_what_that_leaves(
    tmp_path: Path,
) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna", "ben", kind="site") as ((anna, _), (ben, _)),
        inside(home, "cleo", red=False) as ((cleo, _),),
    ):
        talking = asyncio.create_task(anna.talk(2.5))
        await until(lambda: cleo.heard)
        slots = {slot: ssrc for ssrc, slot in cleo.slot_of.items()}
        for _ in range(3):
            cleo.send_rtcp(receiver_report(cleo.ssrc, [ReportBlock(slots[0], 128, 10, 100, 0)]))
            own = {slot: ssrc for ssrc, slot in ben.slot_of.items()}
            ben.send_rtcp(receiver_report(ben.ssrc, [ReportBlock(own[0], 128, 10, 100, 0)]))
            await asyncio.sleep(0.3)
        await until(lambda: len(ben.heard[-1].earlier) == 2)
        assert [offset for offset, _ in ben.heard[-1].earlier] == [1920, 960]
        await until(lambda: any(block.fraction_lost >= 120 for block in told(anna)))
        await talking
        assert {packet.kind for packet in cleo.heard} == {111}


async def test_junk_and_floods_of_reports_are_counted(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna") as ((anna, _),):
        anna.send_rtcp(struct.pack("!BBHI", 0x80, 201, 9, anna.ssrc))  # longer than it is
        await until(lambda: home.count("host_reports_junk") == 1)
        for _ in range(400):
            anna.report()
        await until(lambda: home.count("host_packets_flood") > 100)
        assert home.count("host_reports") <= 260


async def test_a_talker_that_sends_too_much_is_held_back_and_the_others_are_heard(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben", "cleo") as ((anna, _), (ben, _), (cleo, _)):
        talking = asyncio.create_task(anna.talk(1.2))
        for turn in range(60):
            for _ in range(20):
                ben.say(tagged(loud(20), b"flood"), 0)
            await asyncio.sleep(0.02 if turn else 0)
        sent = await talking
        assert home.count("host_packets_flood") > 600
        assert len(cleo.heard_of("anna")) >= sent - 2
        heard = cleo.heard_of("anna")
        assert all((b.seq - a.seq) & 0xFFFF == 1 for a, b in pairwise(heard))


async def test_a_report_of_a_device_that_leaves_reaches_the_others(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        inside(home, "anna") as ((_, annas),),
        Member(home, "room-7", kind="site") as site,
    ):
        await site.connect()
        site.report(bye=True)
        await until(lambda: annas.of("left"))
