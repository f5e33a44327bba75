"""Rooms that bridges join to a ring: the youngest bridge ends with one sentence, and nothing howls meanwhile."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from appliance.core.units import BLOCK, RATE
from appliance.rooms.bridge_rings import BridgeEnded
from appliance.rooms.contract import Capabilities, SiteReport
from appliance.rooms.hosted import CAPABILITIES, HostedEngine
from tests.contract.bridged import Running, between, end_in, running, told_of
from tests.contract.harness import serving, together
from tests.contract.hosted_harness import HostedRoom, HostedServer
from tests.contract.rig import Rig, loudness, tone
from tests.core.test_marks import voice

pytestmark = pytest.mark.timeout(180)
OLDER, OLD, YOUNG = 1_800_000_000.0, 1_800_000_100.0, 1_800_000_200.0


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedServer]:
    with serving("hosted", tmp_path_factory.mktemp("host")) as server:
        assert isinstance(server, HostedServer)
        yield server


async def goes_on(listener: Rig, hertz: float) -> None:
    """The tone, of -29 dBov, is heard and does not howl."""
    await listener.hear(hertz, 15)
    await asyncio.sleep(0.5)
    assert loudness(await listener.listen(1.0)) < -22
    await listener.hear(hertz, 15)


async def test_a_second_bridge_between_two_rooms_ends_before_it_says_a_word(host: HostedServer) -> None:
    a, b = host.room(), host.room()
    ada, ben = a.person("ada"), b.person("ben")
    first, second = between(a, b, "first", OLDER), between(b, a, "second", YOUNG)
    async with together(ada, ben), running(first):
        ada.open(tone(440, 0.05))
        await ben.hear(440, 15)
        async with running(second):
            await second.until(lambda: second.ended)
            assert isinstance(second.ended, BridgeEnded)
            assert str(second.ended) == (
                f"{b.room} and {a.room} are connected already, over another bridge: "
                "take one away, or everybody would hear themselves."
            )
            assert second.bridge.ends[0].engine.counters.get("packets_sent", 0) == 0
            await first.open()
            await goes_on(ben, 440)
        assert first.ended is None


async def test_who_stands_aside_disturbs_nobody_and_takes_the_place_of_the_one_that_is_gone(host: HostedServer) -> None:
    a, b = host.room(), host.room()
    ada, ben = a.person("ada"), b.person("ben")
    first, second = between(a, b, "first", OLDER), between(a, b, "second", YOUNG, stands_aside=True)
    async with together(ada, ben), running(second):
        async with running(first):
            ada.open(tone(440, 0.05))
            await second.until(lambda: second.status()["aside"], 10)
            await first.open()
            await goes_on(ben, 440)
            missed = []
            for _ in range(60):
                await asyncio.sleep(0.05)
                missed += [first.bridge.closed(at) for at in range(2) if first.bridge.closed(at)]
            assert missed == [], "the other one goes on as if it was not there"
            assert told_of(ben, "second") == {} and told_of(ben, "first")["heard"]
            await goes_on(ben, 440)
        await second.open()
        await goes_on(ben, 440)
        assert second.status()["aside"] == "" and told_of(ben, "second")["heard"]


async def test_of_two_that_begin_at_once_one_goes_on(host: HostedServer) -> None:
    a, b = host.room(), host.room()
    ada, ben = a.person("ada"), b.person("ben")
    first, second = between(a, b, "first", OLDER), between(a, b, "second", YOUNG)
    async with together(ada, ben), running(first, second):
        ada.open(tone(440, 0.05))
        await second.until(lambda: second.ended)
        await first.open()
        await goes_on(ben, 440)
        assert isinstance(second.ended, BridgeEnded) and first.ended is None


async def test_a_ring_of_three_rooms_is_opened_again_by_the_youngest(host: HostedServer) -> None:
    a, b, c = host.room(), host.room(), host.room()
    ada, ben, cid = a.person("ada"), b.person("ben"), c.person("cid")
    bridges = between(a, b, "ab", OLD), between(b, c, "bc", YOUNG), between(c, a, "ca", OLDER)
    ab, bc, ca = bridges
    async with together(ada, ben, cid), running(ab, ca):
        ada.open(tone(440, 0.05))
        await asyncio.gather(ben.hear(440, 15), cid.hear(440, 15))
        async with running(bc):
            await bc.until(lambda: bc.ended)
        assert "over 2 other bridges" in str(bc.ended)
        await asyncio.gather(ab.open(), ca.open())
        await asyncio.gather(goes_on(ben, 440), goes_on(cid, 440))
        assert ab.ended is None and ca.ended is None


async def test_rooms_in_a_row_are_no_ring_and_all_hear_each_other(host: HostedServer) -> None:
    a, b, c = host.room(), host.room(), host.room()
    ada, cid = a.person("ada"), c.person("cid")
    ab, bc = between(a, b, "ab"), between(b, c, "bc")
    async with together(ada, cid), running(ab, bc):
        await asyncio.gather(ab.open(), bc.open())
        ada.open(tone(440, 0.05))
        cid.open(tone(880, 0.05))
        await asyncio.gather(goes_on(cid, 440), goes_on(ada, 880))
        await ada.until(lambda: told_of(ada, "ab").get("names") == ["Bc"])
        assert len(told_of(ada, "ab")["hops"]) == 2


async def test_one_room_on_both_sides_is_told(host: HostedServer) -> None:
    """Under two addresses, so that nothing tells beforehand."""
    room = host.room()
    a, b = end_in(room, "one"), end_in(room, "two")
    bridge = Running(a, replace(b, digest="0" * 8))
    async with running(bridge):
        await bridge.until(lambda: bridge.ended)
    assert str(bridge.ended) == f"both sides are in the same room: {room.room}. Name another one."


class Wordless(HostedEngine):
    """An engine that passes on no reports, as those do that are not ours."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(CAPABILITIES, reports=False)

    def report_site(self, report: SiteReport) -> None:
        super().report_site(replace(report, bridge=None))


def says(seed: int) -> Any:
    """Twenty seconds of a voice, over and over."""
    pcm = (voice(20 * RATE, -28, seed).clip(-1, 1) * 32767).astype(np.int16).reshape(-1, BLOCK)
    return lambda turn: pcm[turn % len(pcm)]


def wordless(a: HostedRoom, b: HostedRoom, name: str, born: float = OLD) -> Running:
    """A bridge between rooms of which none tells anything of bridges, and of which each bridge has an address of its own."""
    ends = [
        replace(end_in(room, name, Wordless), digest=f"{place}{len(name):07x}") for place, room in enumerate((a, b))
    ]
    return Running(ends[0], ends[1], born)


@pytest.mark.slow
async def test_where_nothing_is_passed_on_a_second_bridge_hears_its_mark_and_says_no_word(host: HostedServer) -> None:
    """While people talk in both rooms."""
    a, b = host.room(), host.room()
    ada, ben = a.person("ada"), b.person("ben")
    first, second = wordless(a, b, "first"), wordless(a, b, "another")
    async with together(ada, ben), running(first):
        await first.open()
        ada.open(says(1))
        ben.open(says(2))
        await asyncio.sleep(1)
        async with running(second):
            await second.until(lambda: second.ended, 90)
            assert isinstance(second.ended, BridgeEnded)
            assert "connected already, over another bridge" in str(second.ended)
        assert first.ended is None
        ben.close()
        ada.open(tone(440, 0.05))
        await goes_on(ben, 440)


@pytest.mark.slow
async def test_of_two_that_look_at_once_one_opens_and_one_ends(host: HostedServer) -> None:
    a, b = host.room(), host.room()
    ada, ben = a.person("ada"), b.person("ben")
    first, second = wordless(a, b, "first"), wordless(a, b, "another")
    async with together(ada, ben), running(first, second):
        ada.open(tone(440, 0.05))
        await first.until(lambda: first.ended or second.ended, 60)
        left = first if second.ended else second
        assert first.ended is None or second.ended is None
        await left.until(lambda: all(lane.open for lane in left.bridge.into), 30)
        await goes_on(ben, 440)
        await asyncio.sleep(3)
        assert left.ended is None


@pytest.mark.slow
async def test_an_echo_in_a_room_is_no_ring(host: HostedServer) -> None:
    """Somebody in B has a loudspeaker in front of an open microphone."""
    a, b = host.room(), host.room()
    ada, ben = a.person("ada"), b.person("ben")
    bridge = wordless(a, b, "first")

    def echo(_turn: int) -> Any:
        heard = ben._heard[-20] if len(ben._heard) > 20 else np.zeros(BLOCK, np.float32)
        return (heard * 0.9 * 32767).astype(np.int16)

    async with together(ada, ben):
        ben.open(echo)
        async with running(bridge):
            ada.open(says(2))
            await bridge.until(lambda: all(lane.open for lane in bridge.bridge.into), 40)
            assert bridge.ended is None
