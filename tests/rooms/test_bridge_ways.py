"""Ways of a bridge that close and open again, mutes from the beginning, and a bridge that stands aside: rooms of test sound."""

import asyncio
from dataclasses import replace

import pytest

from appliance.core.bridges import Hop, Side, Told
from appliance.core.lamps import LinkPhase
from appliance.rooms.bridge import Bridge
from appliance.rooms.bridge_end import EndSettings
from appliance.rooms.bridge_rings import AGAIN, SETTLED, VACANT
from appliance.rooms.contract import AdminMuteLifted, MemberChanged, MemberLeft, MutedByAdmin, PhaseChanged
from tests.rooms.bridge_fakes import FakeEngine, person
from tests.rooms.bridge_town import Guest, Joiner, Place, town

pytestmark = [pytest.mark.virtual_time, pytest.mark.timeout(300)]


def two_rooms() -> tuple[Place, Place]:
    return Place("A"), Place("B")


async def test_a_bridge_muted_in_one_room_from_the_beginning_carries_the_other_way_and_says_why() -> None:
    a, b = two_rooms()
    bridge = Joiner(a, b, 1)
    async with town([a, b], [], bridge) as all_of_it:
        await bridge.begin()
        bridge.engines[1].tell(MutedByAdmin("Ada"))
        await all_of_it.until(lambda: bridge.carries == {("B", "A")}, 12)
        assert [bridge.bridge.closed(at) for at in range(2)] == [(), ("admin", "starting")]
        bridge.engines[1].tell(AdminMuteLifted())
        await all_of_it.until(lambda: bridge.open, 25)


async def test_who_came_while_a_way_was_closed_makes_it_look_again_and_nobody_else_does() -> None:
    a, b = two_rooms()
    bridge = Joiner(a, b, 2)
    async with town([a, b], [], bridge) as all_of_it:
        await bridge.begin()
        await all_of_it.until(lambda: bridge.open, 12)
        await all_of_it.run(60)
        bridge.engines[1].tell(MutedByAdmin("Ada"))
        await all_of_it.run(5)
        bridge.engines[1].tell(AdminMuteLifted())
        assert bridge.open, "at once: nobody came"
        bridge.engines[0].tell(MutedByAdmin("Ada"))
        await all_of_it.run(5)
        bridge.engines[1].tell(MemberChanged(person("Ben")))
        bridge.engines[0].tell(AdminMuteLifted())
        assert [bridge.bridge.closed(at) for at in range(2)] == [("starting",), ("starting",)]
        await all_of_it.until(lambda: bridge.open, 12)


async def test_a_second_bridge_that_came_while_the_first_was_muted_on_both_sides_is_found_before_it_howls() -> None:
    a, b = two_rooms()
    ada = Guest(a)
    first, second = Joiner(a, b, 3), Joiner(b, a, 4)
    async with town([a, b], [ada], first, second) as all_of_it:
        await first.begin()
        await all_of_it.until(lambda: first.open, 12)
        await all_of_it.run(20)
        for engine in first.engines:
            engine.tell(MutedByAdmin("Ada"))
        first.meets("second")
        await second.begin()
        await all_of_it.until(lambda: second.open, 12)
        await all_of_it.run(20)
        for engine in first.engines:
            engine.tell(AdminMuteLifted())
        await all_of_it.until(lambda: first.ended, 40)
        assert second.open and all_of_it.round_trips == 0 and ada.loudest < 0.5


async def test_beside_a_ring_it_waits_unheard_until_somebody_has_left_and_then_takes_the_place() -> None:
    a, b = two_rooms()
    first, second = Joiner(a, b, 5), Joiner(a, b, 6, stands_aside=True)
    async with town([a, b], [], first, second) as all_of_it:
        await first.begin()
        await all_of_it.until(lambda: first.open, 12)
        await all_of_it.run(25)
        await second.begin()
        second.meets("first")
        await all_of_it.until(lambda: second.bridge.as_dict()["aside"], 30)
        assert second.bridge.closed(0) == second.bridge.closed(1) == ("ring", "starting")
        assert "A and B are connected already, over another bridge" in second.bridge.as_dict()["aside"]
        said = sum(block is not None for block in second.engines[0].sent)
        await all_of_it.run(3 * AGAIN)
        assert sum(block is not None for block in second.engines[0].sent) == said, "nobody left: nobody hears it"
        assert first.open and second.ended is None
        await first.end()
        for lane in first.bridge.into:
            lane.open = False
        for engine in second.engines:
            engine.tell(MemberLeft("first"))
        await all_of_it.until(lambda: second.open, 2 * VACANT + 12)
        assert second.bridge.as_dict()["aside"] == "" and all_of_it.round_trips == 0


def tells(of: str, born: int, side: Side, room: str) -> MemberChanged:
    """Another bridge, as it tells of itself in one of its rooms."""
    said = Told(side, "elsewhere", (), 0, (), heard=True, why="", hops=(Hop(of, born, room),))
    return MemberChanged(replace(person(f"bridge {of}"), site={"bridge": said.as_fields()}))


async def test_a_ring_that_closed_during_a_cut_lets_nothing_through_when_the_bridge_is_back() -> None:
    """Not even until the bridge looks at rings the next time: each way says no as it would open."""
    engines = FakeEngine(), FakeEngine()
    ends = [EndSettings(engine, room, f"own-{room}", room * 8) for engine, room in zip(engines, "ab", strict=True)]
    bridge = Bridge(ends[0], ends[1], unix=lambda: 800.0, chance=lambda: 0.5)
    parts = bridge.parts()
    del parts["clock"]
    tasks = [asyncio.ensure_future(part()) for part in parts.values()]
    await asyncio.sleep(0)
    try:
        for engine in engines:
            engine.enter()
        await asyncio.sleep(SETTLED + 0.35)
        assert all(lane.open for lane in bridge.into)
        engines[1].tell(PhaseChanged(LinkPhase.RECONNECTING, "The server does not answer."))
        engines[0].tell(tells("00000001", 900, "a", "c" * 8))
        await asyncio.sleep(10)
        engines[1].tell(tells("00000001", 900, "b", "c" * 8))
        engines[1].enter()
        assert not any(lane.open for lane in bridge.into)
        assert bridge.closed(0) == bridge.closed(1) == ("ring",)
        await asyncio.sleep(10)
        assert bridge.closed(0) == ("ring",), "the other one is younger, and ends"
        engines[0].tell(MemberLeft("bridge 00000001"))
        engines[1].tell(MemberLeft("bridge 00000001"))
        await asyncio.sleep(0.2)
        assert all(lane.open for lane in bridge.into)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_beside_a_ring_that_is_told_of_it_tells_nothing_of_itself_until_that_is_gone() -> None:
    """So the other one does not close for a moment whenever this one looks."""
    engines = FakeEngine(), FakeEngine()
    ends = [EndSettings(engine, room, f"own-{room}", room * 8) for engine, room in zip(engines, "ab", strict=True)]
    bridge = Bridge(ends[0], ends[1], unix=lambda: 1000.0, chance=lambda: 0.5, stands_aside=True)
    parts = bridge.parts()
    del parts["clock"]
    tasks = [asyncio.ensure_future(part()) for part in parts.values()]
    await asyncio.sleep(0)
    try:
        engines[0].tell(tells("00000001", 900, "a", "b" * 8))
        engines[1].tell(tells("00000001", 900, "b", "a" * 8))
        for engine in engines:
            engine.enter()
        await asyncio.sleep(1)
        assert "are connected already" in bridge.as_dict()["aside"]
        for engine in engines:
            assert engine.reports[-1].bridge is None
            assert engine.reports[-1].reasons == ("ring", "starting")
        spoke = [sum(report.bridge is not None for report in engine.reports) for engine in engines]
        await asyncio.sleep(600)
        assert [sum(report.bridge is not None for report in engine.reports) for engine in engines] == spoke
        assert bridge.closed(0) == bridge.closed(1) == ("ring", "starting")
        engines[0].tell(MemberLeft("bridge 00000001"))
        engines[1].tell(MemberLeft("bridge 00000001"))
        await asyncio.sleep(VACANT)
        assert bridge.closed(0), "the other one may only be starting anew"
        await asyncio.sleep(VACANT + 2)
        assert bridge.closed(0) == bridge.closed(1) == ()
        assert engines[0].reports[-1].bridge is not None
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
