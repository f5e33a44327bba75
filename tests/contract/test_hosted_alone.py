"""What only the hosted engine has to show."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from appliance.core.lamps import LinkPhase
from appliance.rooms.held import MediaSettings
from appliance.rooms.hosted import HostedEngine
from appliance.rooms.uplink import CodecSettings
from tests.contract.harness import HostedServer, together
from tests.contract.rig import Rig, power, tone


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedServer]:
    server = HostedServer(tmp_path_factory.mktemp("hosted"))
    server.start()
    yield server
    server.end()


async def test_frames_of_ten_milliseconds_are_heard_too(server: HostedServer) -> None:
    room = server.room()
    settings = replace(room.site_settings(), codec=CodecSettings(frame_ms=10))
    site, friend = Rig(HostedEngine(settings), settings.identity), room.person("friend")
    async with together(site, friend):
        site.open(tone(440))
        await friend.hear(440)
        # What is whole has its full level; a busy machine may spoil a window.
        levels = [power(await friend.listen(0.5), 440) for _ in range(4)]
        assert abs(max(levels) - -6) < 2, levels


async def test_four_talk_and_three_are_heard(server: HostedServer) -> None:
    """Cost does not grow with the room: three slots, however many talk."""
    room = server.room()
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


async def test_a_pinned_certificate_that_is_the_servers_is_accepted(server: HostedServer) -> None:
    room = server.room()
    settings = replace(room.site_settings(), media=MediaSettings(server.fingerprint()))
    site = Rig(HostedEngine(settings), settings.identity)
    async with together(site):
        assert site.phase is LinkPhase.IN_ROOM
