"""A recording is announced before it begins, everybody knows who records, and it ends with whoever records."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from appliance.core.events import EventName
from appliance.host.config import Times
from tests.host.harness import House, house, token
from tests.host.member import Member, Presence, inside
from tests.support import until

QUICK = Times(ping=0.1, gone=0.6)


@contextlib.asynccontextmanager
async def watching(home: House, *names: str, **claims: Any) -> AsyncIterator[list[Presence]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Presence(house=home, hello=token(name, **claims))) for name in names]


async def test_everybody_is_told_five_seconds_before_and_who_comes_later_reads_it(tmp_path: Path) -> None:
    async with house(tmp_path) as home, watching(home, "ada") as (ada,), watching(home, "rec", role="admin") as (rec,):
        assert ada.messages[0]["recording"] is None
        assert abs(ada.messages[0]["now"] - time.time()) < 2
        await rec.send(type="recording", on=True)
        await until(lambda: ada.of("recording") and rec.of("recording"))
        (told,) = ada.of("recording")
        assert told == rec.of("recording")[0], "whoever records learns by it when it may begin"
        assert (told["on"], told["by"]) == (True, {"id": "rec", "name": "Rec"})
        assert abs(told["starts"] - time.time() - 5) < 1
        assert told["starts"] - told["since"] == 5
        async with watching(home, "ben") as (ben,):
            said = ben.messages[0]
            assert said["recording"] == {key: told[key] for key in ("since", "starts", "by")}
            assert said["recording"]["since"] <= said["now"]
        await rec.send(type="recording", on=False)
        await until(lambda: len(ada.of("recording")) == 2)
        assert ada.of("recording")[1] == {"type": "recording", "on": False}
        async with watching(home, "ben") as (ben,):
            assert ben.messages[0]["recording"] is None
        assert [event.fields["on"] for event in home.told(EventName.RECORDING)] == [True, False]


async def test_only_an_admin_announces_and_ends(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        watching(home, "ada") as (ada,),
        watching(home, "leo", role="listener") as (leo,),
        watching(home, "rec", role="admin") as (rec,),
    ):
        await ada.send(type="recording", on=True)
        await leo.send(type="recording", on=True)
        await until(lambda: ada.of("error") and leo.of("error"))
        assert {ada.of("error")[0]["code"], leo.of("error")[0]["code"]} == {"forbidden"}
        await rec.send(type="recording", on=True)
        await until(lambda: ada.of("recording"))
        await ada.send(type="recording", on=False)
        await until(lambda: len(ada.of("error")) == 2)
        assert len(rec.of("recording")) == 1


async def test_a_device_announces_what_is_recorded_at_it(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        watching(home, "ada") as (ada,),
        watching(home, "room-7", kind="site") as (site,),
    ):
        await site.send(type="recording", on=True)
        await until(lambda: ada.of("recording"))
        assert ada.of("recording")[0]["by"] == {"id": "room-7", "name": "Room-7"}
        await site.send(type="title", title="Mine")
        await until(lambda: site.of("error"))
        assert site.of("error")[0]["code"] == "forbidden", "and that is all that it may"


async def test_said_twice_it_is_announced_once_and_answered_to_who_says_it(tmp_path: Path) -> None:
    async with house(tmp_path) as home, watching(home, "ada") as (ada,), watching(home, "rec", role="admin") as (rec,):
        await rec.send(type="recording", on=False)
        for _ in range(3):
            await rec.send(type="recording", on=True)
        await until(lambda: len(rec.of("recording")) == 3)
        assert [message["starts"] for message in rec.of("recording")] == [ada.of("recording")[0]["starts"]] * 3
        assert len(ada.of("recording")) == 1


async def test_two_who_record_are_one_recording_that_ends_with_the_last(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        watching(home, "ada") as (ada,),
        watching(home, "one", "two", role="admin") as (one, two),
    ):
        await one.send(type="recording", on=True)
        await until(lambda: ada.of("recording"))
        await two.send(type="recording", on=True)
        await until(lambda: len(two.of("recording")) == 2)
        assert two.of("recording")[1] == ada.of("recording")[0], "it was announced: the second may begin with the first"
        await one.send(type="recording", on=False)
        await until(lambda: len(ada.of("recording")) == 2)
        began, goes_on = ada.of("recording")
        assert goes_on == {**began, "by": {"id": "two", "name": "Two"}}
        await one.send(type="recording", on=True)
        await until(lambda: len(one.of("recording")) == 3)
        await one.send(type="recording", on=False)
        await two.send(type="recording", on=False)
        await until(lambda: len(ada.of("recording")) == 3)
        assert ada.of("recording")[2] == {"type": "recording", "on": False}


async def test_it_ends_when_who_records_is_gone_for_good_and_not_before(tmp_path: Path) -> None:
    async with house(tmp_path, times=QUICK) as home, watching(home, "ada") as (ada,):
        async with Member(home, "rec", role="admin") as rec:
            await rec.connect()
            async with rec.presence() as recs:
                await recs.send(type="recording", on=True)
                await until(lambda: ada.of("recording"))
            rec.check()
            for _ in range(4):  # its socket is gone, and it still hears the room
                await asyncio.sleep(0.2)
                rec.check()
            assert len(ada.of("recording")) == 1, "it still hears the room, so it still records it"
            await rec.leave()
            async with watching(home, "rec", role="admin") as (back,):
                assert back.messages[0]["recording"]["by"]["id"] == "rec"
                await asyncio.sleep(1.0)
                assert len(ada.of("recording")) == 1, "back in time"
        await until(lambda: ada.of("recording")[-1] == {"type": "recording", "on": False})
        assert home.count("host_leaves") == 1


async def test_recordings_without_end_do_not_disturb_the_room(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, bens)):
        async with watching(home, "mallory", role="admin") as (mallory,):
            for turn in range(100):
                if mallory.code is None and not mallory.socket.closed:
                    await mallory.send(type="recording", on=turn % 2 == 0)
            await until(lambda: mallory.code == 4400)
        assert home.count("host_presence_flooded") == 1
        assert len(bens.of("recording")) < 80
        await anna.talk(0.3)
        await until(lambda: ben.heard_of("anna"))
