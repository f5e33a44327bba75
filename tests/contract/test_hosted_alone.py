"""What only the hosted engine has to show."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from appliance.core.lamps import LinkPhase
from appliance.rooms.held import MediaSettings
from appliance.rooms.hosted import HostedEngine
from appliance.rooms.uplink import CodecSettings, _Stream
from tests.contract.harness import together
from tests.contract.hosted_harness import HostedServer
from tests.contract.rig import Rig, power, tone


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedServer]:
    hosted = HostedServer(tmp_path_factory.mktemp("hosted"))
    hosted.start()
    yield hosted
    hosted.end()


async def test_frames_of_ten_milliseconds_are_heard_too(hosted: HostedServer) -> None:
    room = hosted.room()
    settings = replace(room.site_settings(), codec=CodecSettings(frame_ms=10))
    site, friend = Rig(HostedEngine(settings), settings.identity), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        # What is whole has its full level; a busy machine may spoil a window.
        levels = [power(await friend.listen(0.5), 440) for _ in range(4)]
        assert abs(max(levels) - -6) < 2, levels


async def test_four_talk_and_three_are_heard(hosted: HostedServer) -> None:
    """Cost does not grow with the room: three slots, however many talk."""
    room = hosted.room()
    talkers = [room.person(f"talker-{n}") for n in range(4)]
    site = room.site()
    async with together(site, *talkers):
        for number, talker in enumerate(talkers):
            talker.open(tone(500 + 200 * number, 0.2 if number else 0.02))
            await asyncio.sleep(0.1)
        await site.hear(1100)
        await asyncio.sleep(0.5)
        sound = await site.listen(0.5)
    assert [power(sound, 500 + 200 * number) > -30 for number in range(4)] == [False, True, True, True]


async def test_what_the_network_loses_both_ways_is_heard_all_the_same(
    hosted: HostedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fifth packet up and every sixth down: frames that are sent again bring them, and reports ask for more of that."""
    room = hosted.room()
    site, friend = room.site(), room.person("friend")
    assert isinstance(site.engine, HostedEngine)
    assert isinstance(friend.engine, HostedEngine)
    up, down, send, push = itertools.count(1), itertools.count(1), _Stream.send, friend.engine._downlink.push

    def lossy_send(stream: _Stream, time: int, level: float, *, begins: bool) -> bool:
        if next(up) % 5:
            return send(stream, time, level, begins=begins)
        stream._sequence = (stream._sequence + 1) & 0xFFFF
        return True

    def lossy_push(packet: memoryview, now: float) -> None:
        if next(down) % 6:
            push(packet, now)

    monkeypatch.setattr(_Stream, "send", lossy_send)
    monkeypatch.setattr(friend.engine._downlink, "push", lossy_push)
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        await friend.listen(4.0)
        counted = friend.engine.counters
        assert counted["packets_redundant"] > 20
        assert counted.get("packets_lost", 0) < counted["packets_redundant"] / 3
        assert site.engine.counters["protection_changes"] >= 1
        assert site.engine.counters["proof_violations"] == 0
        levels = [power(await friend.listen(0.5), 440) for _ in range(3)]
        assert abs(max(levels) - -6) < 2, levels


async def test_a_pinned_certificate_that_is_the_servers_is_accepted(hosted: HostedServer) -> None:
    room = hosted.room()
    settings = replace(room.site_settings(), media=MediaSettings(hosted.fingerprint()))
    site = Rig(HostedEngine(settings), settings.identity)
    async with together(site):
        assert site.phase is LinkPhase.IN_ROOM
