"""When patience ends: with short times, over real sockets."""

import asyncio
from pathlib import Path

from appliance.core.events import EventName
from appliance.host.config import Times
from tests.host.harness import house
from tests.host.member import Member, inside
from tests.support import until

QUICK = Times(ping=0.1, pong=0.3, site=0.3, person=0.6, gone=1.0, join=0.4)


async def test_a_site_that_sends_nothing_is_shown_connecting_and_comes_back(tmp_path: Path) -> None:
    async with (
        house(tmp_path, times=QUICK) as home,
        inside(home, "anna") as ((anna, annas),),
        Member(home, "room-7", kind="site") as site,
        site.presence() as sites,
    ):
        await site.connect()
        await sites.send(type="muted", muted=False)
        keeping = asyncio.create_task(keep(anna))
        await site.talk(0.4)
        assert annas.of("slots")[-1]["slots"].count("room-7") == 1
        await until(lambda: annas.state("room-7") == "connecting", 1.0)
        await until(lambda: "room-7" not in annas.of("slots")[-1]["slots"], 0.2)
        site.report()
        await until(lambda: annas.state("room-7") == "listening", 0.5)
        keeping.cancel()


async def keep(member: Member) -> None:
    while True:
        member.report()
        await asyncio.sleep(0.1)


async def test_a_site_that_keeps_reporting_stays(tmp_path: Path) -> None:
    async with (
        house(tmp_path, times=QUICK) as home,
        Member(home, "room-7", kind="site") as site,
        site.presence() as sites,
    ):
        await site.connect()
        await until(lambda: sites.state("room-7") == "muted")
        seen = len(sites.of("member"))
        keeping = asyncio.create_task(keep(site))
        await asyncio.sleep(1.5)
        keeping.cancel()
        assert len(sites.of("member")) == seen
        assert sites.state("room-7") == "muted"


async def test_without_pongs_a_member_is_shown_connecting(tmp_path: Path) -> None:
    async with house(tmp_path, times=QUICK) as home, inside(home, "anna", "ben") as ((anna, annas), (ben, bens)):
        keeping = [asyncio.create_task(keep(anna)), asyncio.create_task(keep(ben))]
        annas.answering = False
        await until(lambda: bens.state("anna") == "connecting", 1.0)
        annas.answering = True
        await until(lambda: bens.state("anna") == "listening", 1.0)
        for task in keeping:
            task.cancel()


async def test_the_end_of_presence_alone_is_not_leaving(tmp_path: Path) -> None:
    async with house(tmp_path, times=QUICK) as home, inside(home, "anna", "ben") as ((anna, annas), (ben, bens)):
        keeping = [asyncio.create_task(keep(anna)), asyncio.create_task(keep(ben))]
        await annas.socket.close()
        await until(lambda: bens.state("anna") == "connecting")
        await asyncio.sleep(1.2)
        anna.say(b"still here")
        await until(lambda: ben.heard_of("still here"))
        assert bens.state("anna") == "connecting"
        for task in keeping:
            task.cancel()


async def test_a_member_without_presence_is_never_missed_there(tmp_path: Path) -> None:
    async with (
        house(tmp_path, times=QUICK) as home,
        inside(home, "ben") as ((ben, bens),),
        Member(home, "whip") as whip,
    ):
        await whip.connect()
        keeping = [asyncio.create_task(keep(whip)), asyncio.create_task(keep(ben))]
        await until(lambda: bens.state("whip") == "muted")
        await asyncio.sleep(1.2)
        assert bens.state("whip") == "muted"
        for task in keeping:
            task.cancel()


async def test_who_vanishes_is_removed(tmp_path: Path) -> None:
    async with house(tmp_path, times=QUICK) as home, inside(home, "ben") as ((ben, bens),):
        keeping = asyncio.create_task(keep(ben))
        async with Member(home, "anna") as anna, anna.presence() as annas:
            await anna.connect()
            await until(lambda: bens.state("anna") == "muted")
            anna.vanish()
            annas.answering = False
            await until(lambda: bens.state("anna") == "connecting", 1.0)
            await until(lambda: bens.state("anna") is None, 2.0)
            await until(lambda: annas.code == 4410)
        (event,) = home.told(EventName.MEMBER_TIMED_OUT)
        assert event.fields["why"] == "silent"
        assert home.count("host_timeouts") == 1
        keeping.cancel()


async def test_media_that_never_comes_ends_the_session_and_says_why(tmp_path: Path) -> None:
    async with (
        house(tmp_path, times=QUICK) as home,
        Member(home, "anna") as anna,
        anna.presence() as annas,
    ):
        await anna.join()
        await until(lambda: annas.state("anna") == "connecting")
        await until(lambda: annas.state("anna") is None, 1.5)
        assert annas.of("error")[0]["code"] == "no_media"
        assert annas.code is None
        assert home.told(EventName.MEMBER_TIMED_OUT)[0].fields["why"] == "never connected"
        await anna.connect_again()
        await until(lambda: annas.state("anna") == "muted")


async def test_a_watcher_whose_line_is_dead_is_let_go(tmp_path: Path) -> None:
    async with house(tmp_path, times=QUICK) as home, Member(home, "anna") as anna, anna.presence() as annas:
        await asyncio.sleep(1.5)
        assert annas.code is None
        annas.answering = False
        await until(lambda: annas.code == 4410, 3.0)
