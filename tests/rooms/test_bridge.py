"""A bridge between two engines of the contract that are lists: which way is open, and what each room is told."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from appliance.core.controls import Door
from appliance.core.lamps import LinkPhase
from appliance.core.units import BLOCK
from appliance.rooms.bridge import ANNOUNCED, Bridge, Violated
from appliance.rooms.bridge_clock import Clock, Lane
from appliance.rooms.bridge_end import ECHO, EndSettings
from appliance.rooms.bridge_rings import SETTLED, BridgeEnded
from appliance.rooms.contract import (
    AdminMuteLifted,
    AskedToUnmute,
    BundleAsked,
    DoorAsked,
    Knocked,
    Levels,
    MemberChanged,
    MemberLeft,
    MutedByAdmin,
    PhaseChanged,
    Recording,
    RoomRefused,
)
from appliance.rooms.hosted import CAPABILITIES
from tests.rooms.bridge_fakes import FakeEngine, person

pytestmark = pytest.mark.virtual_time


class Rooms:
    """Two rooms and the bridge between them, without its clock."""

    def __init__(self, a: FakeEngine, b: FakeEngine) -> None:
        self.engines = a, b
        self.a, self.b = a, b
        self.bridge = Bridge(
            EndSettings(a, "Main", "own-a", "a" * 8), EndSettings(b, "Berlin", "own-b", "b" * 8), unix=lambda: 1000.0
        )
        self.failed: list[BaseException] = []
        self.tasks: list[asyncio.Task[Any]] = []

    async def begin(self) -> None:
        parts = self.bridge.parts()
        del parts["clock"]
        self.tasks = [asyncio.create_task(self._part(part())) for part in parts.values()]
        await asyncio.sleep(0)

    async def _part(self, work: Any) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001  # looked at by the test
            self.failed.append(error)

    async def opened(self) -> None:
        for engine in self.engines:
            engine.enter()
        await asyncio.sleep(SETTLED + 0.3)
        assert self.closed() == ((), ())

    def closed(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Why nothing is said in A, and in B."""
        for at in range(2):
            assert self.bridge.into[at].open == (not self.bridge.closed(at))
        return self.bridge.closed(0), self.bridge.closed(1)


@contextlib.asynccontextmanager
async def bridged(a: FakeEngine | None = None, b: FakeEngine | None = None) -> AsyncIterator[Rooms]:
    rooms = Rooms(a or FakeEngine(), b or FakeEngine())
    await rooms.begin()
    try:
        yield rooms
    finally:
        for task in rooms.tasks:
            task.cancel()
        await asyncio.gather(*rooms.tasks, return_exceptions=True)


async def test_nothing_is_said_before_others_were_listened_to() -> None:
    async with bridged() as rooms:
        assert rooms.closed() == (("away", "starting"), ("away", "starting"))
        rooms.a.enter()
        await asyncio.sleep(3)
        assert rooms.closed() == (("away", "starting"), ("away", "starting"))
        rooms.b.enter()
        await asyncio.sleep(SETTLED - 0.3)
        assert rooms.closed() == (("starting",), ("starting",))
        await asyncio.sleep(0.5)
        assert rooms.closed() == ((), ())


async def test_a_mute_closes_one_way_at_once_and_lifting_it_opens_it() -> None:
    async with bridged() as rooms:
        await rooms.opened()
        rooms.b.tell(MutedByAdmin("Ada"))
        assert rooms.closed() == ((), ("admin",)), "at once, not at the next round"
        await asyncio.sleep(0.2)
        at_a, at_b = rooms.a.reports[-1], rooms.b.reports[-1]
        assert at_a.bridge is not None and at_b.bridge is not None
        assert (at_a.gate_open, at_a.bridge.heard, at_a.bridge.why) == (True, False, "admin")
        assert (at_b.gate_open, at_b.reasons, at_b.bridge.heard) == (False, ("admin",), True)
        assert at_b.lamps["mic"] == "steady"
        rooms.b.tell(AdminMuteLifted())
        assert rooms.closed() == ((), ())


async def test_a_mute_that_only_the_roster_tells_counts() -> None:
    """As after the bridge was away: the room knows, and says so of the bridge's own member."""
    async with bridged() as rooms:
        await rooms.opened()
        own = replace(person("Bridge"), id="own-a", admin_muted=True)
        rooms.a.tell(MemberChanged(own))
        assert rooms.closed() == (("admin",), ())
        rooms.a.tell(MemberChanged(replace(own, admin_muted=False)))
        assert rooms.closed() == ((), ())


async def test_a_mute_that_was_lifted_while_the_bridge_was_away_is_lifted() -> None:
    async with bridged() as rooms:
        await rooms.opened()
        rooms.b.tell(MutedByAdmin("Ada"))
        rooms.b.tell(PhaseChanged(LinkPhase.RECONNECTING, "The server does not answer."))
        own = replace(person("Bridge"), id="own-b")
        rooms.b.tell(MemberChanged(replace(own, admin_muted=True)))
        rooms.b.enter()
        assert rooms.closed() == ((), ("admin",)), "still muted"
        rooms.b.tell(PhaseChanged(LinkPhase.RECONNECTING, "The server does not answer."))
        rooms.b.tell(MemberChanged(own))
        rooms.b.enter()
        assert rooms.closed() == ((), ())


async def test_who_speaks_is_not_told_where_nothing_of_it_is_said() -> None:
    async with bridged() as rooms:
        await rooms.opened()
        rooms.b.tell(MemberChanged(person("Ben")), Levels({"ben": -20.0}, frozenset({"ben", "own-b"})))
        await asyncio.sleep(0.2)
        told = rooms.a.reports[-1].bridge
        assert told is not None and (told.names, told.speaking) == (("Ben",), ("Ben",))
        assert rooms.bridge.as_dict()["b"]["speaking"] == ["Ben"]
        rooms.a.tell(MutedByAdmin("Ada"))
        await asyncio.sleep(0.2)
        told = rooms.a.reports[-1].bridge
        assert told is not None and (told.names, told.speaking) == (("Ben",), ())
        assert rooms.bridge.as_dict()["b"]["speaking"] == []
        rooms.b.tell(MemberLeft("ben"))
        await asyncio.sleep(0.2)
        told = rooms.a.reports[-1].bridge
        assert told is not None and told.names == ()


async def test_who_is_shown_follows_who_comes_is_renamed_and_leaves() -> None:
    async with bridged() as rooms:
        await rooms.opened()
        end = rooms.bridge.ends[1]
        rooms.b.tell(*(MemberChanged(person(name)) for name in ("Cid", "Ada", "Ben")))
        assert end.shown == (("Ada", "Ben", "Cid"), 0, ())
        rooms.b.tell(
            MemberChanged(replace(person("Ada"), name="Zoe")), MemberChanged(replace(person("Ben"), muted=True))
        )
        rooms.b.tell(MemberChanged(person("own-b")), Levels({}, frozenset({"cid", "ada", "own-b", "nobody"})))
        assert end.shown == (("Ben", "Cid", "Zoe"), 0, ("Cid", "Zoe"))
        rooms.b.tell(MemberChanged(replace(person("Cid"), joined=False)), MemberLeft("ben"), MemberLeft("ben"))
        assert end.shown == (("Zoe",), 0, ("Zoe",))
        rooms.b.tell(*(MemberChanged(person(f"Eve{n:02}")) for n in range(20)))
        assert end.shown[1] == 13
        rooms.b.tell(PhaseChanged(LinkPhase.RECONNECTING, "The server does not answer."))
        assert end.shown == ((), 0, ())


async def test_a_room_of_thousands_costs_no_more_than_a_small_one_while_nobody_comes_or_goes() -> None:
    took = []
    for size in (5, 5000):
        async with bridged() as rooms:
            await rooms.opened()
            rooms.b.tell(*(MemberChanged(person(f"Member {n:04}")) for n in range(size)))
            await asyncio.sleep(0.2)
            began = time.process_time()
            await asyncio.sleep(60)
            took.append(time.process_time() - began)
    assert took[1] < 3 * took[0] + 0.05


async def test_a_side_that_is_away_closes_both_ways_and_is_empty() -> None:
    async with bridged() as rooms:
        await rooms.opened()
        rooms.b.tell(MemberChanged(person("Ben")))
        rooms.b.tell(PhaseChanged(LinkPhase.RECONNECTING, "The server does not answer."))
        assert rooms.closed() == (("away",), ("away",))
        await asyncio.sleep(0.2)
        report = rooms.a.reports[-1]
        assert report.bridge is not None and (report.bridge.why, report.bridge.names) == ("away", ())
        assert report.lamps["room"] == "slow"
        assert rooms.bridge.as_dict()["b"]["why"] == "The server does not answer."
        rooms.b.enter()
        assert rooms.closed() == ((), ()), "without another wait: it was told of a ring as it came back"


async def test_a_recording_is_announced_before_anybody_is_in_it() -> None:
    async with bridged() as rooms:
        await rooms.opened()
        rooms.a.tell(Recording(True))
        assert rooms.closed() == (("recording",), ()), "B's voices do not go where they would be recorded"
        await asyncio.sleep(0.2)
        assert rooms.b.reports[-1].recording and not rooms.a.reports[-1].recording
        rooms.b.tell(Recording(True))
        assert rooms.closed() == (("recording",), ()), "who is heard in B is recorded in A, and knows"
        await asyncio.sleep(ANNOUNCED + 0.2)
        assert rooms.closed() == ((), ())
        rooms.a.tell(Recording(False))
        await asyncio.sleep(0.2)
        assert not rooms.b.reports[-1].recording
        assert rooms.closed() == ((), ("recording",)), "as long as nobody knows whether B records itself"
        rooms.b.tell(Recording(False))
        assert rooms.closed() == ((), ())
        await asyncio.sleep(ECHO + 1)
        assert not any(report.recording for report in rooms.a.reports), "what was only announced is no recording"


async def test_a_recording_of_the_other_room_is_told_when_ours_ends() -> None:
    async with bridged() as rooms:
        await rooms.opened()
        rooms.a.tell(Recording(True))
        await asyncio.sleep(0.2)
        rooms.b.tell(Recording(True))  # nobody can tell whether somebody there has begun as well
        await asyncio.sleep(1)
        rooms.a.tell(Recording(False))
        await asyncio.sleep(ECHO + 0.3)
        assert rooms.a.reports[-1].recording, "somebody in B records"
        assert rooms.closed()[1] == ("recording",)


async def test_a_room_that_cannot_be_told_of_a_recording_is_not_in_it() -> None:
    silent = FakeEngine(replace(CAPABILITIES, recording=False))
    async with bridged(b=silent) as rooms:
        await rooms.opened()
        rooms.a.tell(Recording(True))
        await asyncio.sleep(20)
        assert rooms.closed() == (("recording",), ())
        assert rooms.a.reports[-1].extra == {"limited": "Berlin cannot be told of it", "limited_by": "untold"}
        assert rooms.a.reports[-1].lamps["fault"] == "slow"


async def test_doors_knocks_and_questions_stay_in_their_room() -> None:
    async with bridged() as rooms:
        await rooms.opened()
        before = len(rooms.a.reports), len(rooms.b.reports)
        rooms.b.tell(Knocked("Ben"), AskedToUnmute("Ben"), DoorAsked(Door.CLOSED), BundleAsked("x"))
        await asyncio.sleep(0.5)
        assert rooms.closed() == ((), ())
        assert (len(rooms.a.reports), len(rooms.b.reports)) == before
        assert not rooms.failed


async def test_how_loud_a_room_is_heard_in_the_other_is_told_in_steps() -> None:
    async with bridged() as rooms:
        await rooms.opened()
        lane = rooms.bridge.into[1]
        rooms.a.blocks.append(np.full(BLOCK, 0.1, np.float32))
        lane.listen()
        lane.speak()
        await asyncio.sleep(0.7)
        assert -21.0 in [report.loudspeaker for report in rooms.a.reports]
        await asyncio.sleep(0.7)
        assert rooms.a.reports[-1].loudspeaker == -126.0


@pytest.mark.parametrize("side", [0, 1])
async def test_a_side_that_is_refused_ends_the_bridge_with_its_name(side: int) -> None:
    engines = FakeEngine(), FakeEngine()
    engines[side].refuse = RoomRefused("The room does not accept this key.")
    async with bridged(*engines) as rooms:
        await asyncio.sleep(0.1)
        (error,) = rooms.failed
        assert isinstance(error, BridgeEnded)
        assert str(error) == f"{('Main (A)', 'Berlin (B)')[side]}: The room does not accept this key."


async def test_a_violation_closes_the_way_and_ends_the_bridge() -> None:
    async with bridged() as rooms:
        await rooms.opened()
        rooms.b.violations = 1
        rooms.bridge.into[1].speak()
        assert rooms.b.sent[-1] is None
        assert rooms.bridge.closed(1) == ("fault",)
        await asyncio.sleep(0.2)
        (error,) = rooms.failed
        assert isinstance(error, Violated) and str(error) == "sound was about to leave"
        rooms.bridge.into[1].speak()
        assert rooms.b.sent[-1] is None


async def test_status_says_how_much_later_the_other_room_is_heard() -> None:
    async with bridged() as rooms:
        await rooms.opened()
        assert rooms.bridge.as_dict()["b"]["added_ms"] is None
        rooms.a.way = replace(rooms.a.way, delay_ms=30.0)
        await asyncio.sleep(0.2)
        rooms.a.way = replace(rooms.a.way, delay_ms=None)
        await asyncio.sleep(0.2)
        assert rooms.bridge.as_dict()["b"]["added_ms"] == 30 + rooms.bridge.floor_ms(1) == 61.5
        assert rooms.bridge.as_dict()["a"]["added_ms"] is None


async def test_leaving_leaves_both_rooms() -> None:
    async with bridged() as rooms:
        await rooms.bridge.leave()
        assert rooms.a.left and rooms.b.left


# ---- lanes and their clock


def lane_of(source: FakeEngine, target: FakeEngine) -> Lane:
    return Lane(source, target)


def turn(lane: Lane) -> None:
    lane.listen()
    lane.speak()


def test_an_open_lane_carries_what_is_there_and_silence_else() -> None:
    source, target = FakeEngine(), FakeEngine()
    lane = lane_of(source, target)
    lane.open = True
    source.blocks.append(np.full(BLOCK, 0.5, np.float32))
    turn(lane)
    turn(lane)
    assert target.forbidden == [False, False]
    first, second = target.sent
    assert first is not None and second is not None
    assert set(first.tolist()) == {16383}
    assert not second.any(), "an open way in a silent room: zeros, as from an open microphone"


def test_a_closed_lane_carries_nothing_and_is_looked_behind() -> None:
    source, target = FakeEngine(), FakeEngine()
    lane = lane_of(source, target)
    for _ in range(1000):
        source.blocks.append(np.full(BLOCK, 0.5, np.float32))
        turn(lane)
    assert target.sent == [None] * 1000
    assert target.forbidden == [True] * 1000
    assert target.checks == 2


def test_a_mark_is_said_while_the_lane_is_closed_and_beneath_what_it_carries() -> None:
    source, target = FakeEngine(), FakeEngine()
    lane = lane_of(source, target)
    lane.say_mark([np.full(BLOCK, 0.25, np.float32)] * 2)
    turn(lane)
    lane.open = True
    source.blocks.append(np.full(BLOCK, 0.9, np.float32))
    turn(lane)
    lane.open = False
    turn(lane)
    said = [None if block is None else block[0] for block in target.sent]
    assert said == [8191, 32767, None]
    lane.say_mark([np.full(BLOCK, 0.25, np.float32)])
    lane.say_mark(())
    turn(lane)
    assert target.sent[-1] is None


@pytest.mark.virtual_time
async def test_a_clock_that_was_held_up_counts_what_it_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    slept: list[float] = []
    monkeypatch.setattr("appliance.rooms.bridge_clock.time.monotonic", lambda: now[0])
    monkeypatch.setattr("appliance.rooms.bridge_clock.time.sleep", slept.append)
    clock = Clock([])
    assert clock._wait(100.01) == 100.01
    assert slept == [pytest.approx(0.01)]
    now[0] = 100.1
    assert clock._wait(100.02) == 100.02, "a little late is caught up"
    now[0] = 101.0
    assert clock._wait(100.03) == pytest.approx(101.0, abs=0.011)
    assert clock.counters.get("bridge_blocks_missed") in (96, 97)


class Broken(FakeEngine):
    def receive(self, out: Any) -> bool:
        raise ValueError("a bug")


async def test_a_clock_that_fails_says_so_and_nothing_more() -> None:
    source, target = Broken(), FakeEngine()
    lane = lane_of(source, target)
    lane.open = True
    clock = Clock([lane])
    clock.start()
    with pytest.raises(ValueError, match="a bug"):
        await asyncio.to_thread(clock.ended.result, 5)
    clock.stop()
    assert target.sent == [None]


async def test_a_clock_that_is_stopped_says_nothing_more() -> None:
    source, target = FakeEngine(), FakeEngine()
    lane = lane_of(source, target)
    lane.open = True
    clock = Clock([lane])
    clock.stop()  # it may end before it began
    clock = Clock([lane])
    clock.start()
    while clock.rounds < 3:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(clock.stop)
    assert target.sent[-1] is None
    assert all(block is not None for block in target.sent[:-1])
