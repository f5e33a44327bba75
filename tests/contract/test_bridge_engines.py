"""A bridge between a hosted room and one of every other engine, on its real server: both ways, and nobody hears themselves."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.rooms.bridge_end import EndSettings
from tests.contract.bridged import Running, end_in, running, told_of
from tests.contract.harness import EXPECTED, PACES, Room, serving, together
from tests.contract.hosted_harness import HostedRoom, HostedServer
from tests.contract.rig import Rig, loudness, power, tone

pytestmark = [pytest.mark.engines, pytest.mark.timeout(240)]
OTHERS = [name for name in EXPECTED if name != "hosted"]


@pytest.fixture(params=OTHERS)
def rooms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, HostedRoom, Room]]:
    """The name of the other engine, a room of ours and one of its."""
    with contextlib.ExitStack() as stack:
        far = stack.enter_context(serving(request.param, tmp_path))  # our host is where its server is
        folder = tmp_path / "hosted"
        folder.mkdir()
        near = stack.enter_context(serving("hosted", folder))
        assert isinstance(near, HostedServer)
        yield request.param, near.room(), far.room()


def far_end(room: Room, kind: str) -> tuple[Rig, EndSettings]:
    rig = room.site()
    return rig, EndSettings(rig.engine, "far", rig.identity, "f" * 8, kind)


async def hears_one(rig: Rig, hertz: float, other: float, seconds: float) -> None:
    """The one tone, and not the other."""
    async with asyncio.timeout(seconds):
        while True:
            sound = await rig.listen(0.5)
            if power(sound, hertz) > -20 and power(sound, hertz) - power(sound, other) > 35:
                return


async def test_each_hears_the_other_and_not_itself(rooms: tuple[str, HostedRoom, Room]) -> None:
    kind, near, far = rooms
    ada, friend = near.person("ada"), far.person("friend")
    _, end = far_end(far, kind)
    bridge = Running(end_in(near), end)
    async with together(ada, friend), running(bridge):
        await bridge.until(lambda: bridge.ended or all(lane.open for lane in bridge.bridge.into), 60)
        assert bridge.ended is None
        ada.open(tone(440))
        friend.open(tone(880))
        await asyncio.gather(hears_one(ada, 880, 440, 60), hears_one(friend, 440, 880, 60))
        await ada.until(lambda: told_of(ada).get("names") == ["Friend"] and told_of(ada)["heard"], 10)
        assert bridge.status()["counters"]["proof_violations"] == 0


async def test_whom_the_other_room_mutes_says_nothing_there(rooms: tuple[str, HostedRoom, Room]) -> None:
    kind, near, far = rooms
    ada, friend = near.person("ada"), far.person("friend")
    rig, end = far_end(far, kind)
    bridge = Running(end_in(near), end)
    async with together(ada, friend), running(bridge):
        await bridge.until(lambda: bridge.ended or all(lane.open for lane in bridge.bridge.into), 60)
        ada.open(tone(440))
        await friend.hear(440, 30)
        await far.mute(rig)
        await bridge.until(lambda: bridge.bridge.closed(1) == ("admin",), 20)
        await ada.until(lambda: told_of(ada).get("why") == "admin", 10)
        await asyncio.sleep(PACES[kind].settles)
        assert loudness(await friend.listen(0.5)) < PACES[kind].hiss
        await far.lift(rig)
        await friend.hear(440, 30)
