"""Looking for a ring by marks: rooms are lists, time is a number, and nothing is left to chance."""

from collections.abc import Sequence

import numpy as np

from appliance.core.marks import MARKS, SECONDS, mark
from appliance.core.units import BLOCK, BLOCK_SECONDS, Block
from appliance.rooms.bridge_clock import Clock, Lane
from appliance.rooms.bridge_probe import Probe
from tests.rooms.bridge_fakes import FakeEngine

NAME = 0x12345678
A_MARK = SECONDS / BLOCK_SECONDS
OPENS = 9.5
"""Seconds until it is open, where nothing is in the way."""


class Scene:
    """A probe between two rooms, and whatever else is in them."""

    def __init__(self, *chances: float) -> None:
        self.rooms = FakeEngine(), FakeEngine()
        self.into = Lane(self.rooms[1], self.rooms[0]), Lane(self.rooms[0], self.rooms[1])
        self.chances = list(chances)
        self.probe = Probe(self.into, self._chance, NAME)
        self.clock = Clock(self.into, self.probe.ears)
        self.now = 0.0
        self.comes_back: set[int] = set()
        """Rooms whose sound another bridge carries into the other one."""
        self.echoes = False
        """In room 0 a loudspeaker stands in front of an open microphone."""
        self.is_here, self.muted, self.found = True, [False, False], False

    def _chance(self) -> float:
        return self.chances.pop(0) if self.chances else 0.5

    def run(self, seconds: float, others: Sequence[Block] = (), room: int = 0) -> None:
        """``others`` is said in ``room`` by somebody else, from now on."""
        said = list(others)
        for _ in range(round(seconds / BLOCK_SECONDS)):
            own = [self._own(engine) for engine in self.rooms]
            heard = [np.zeros(BLOCK, np.float32), np.zeros(BLOCK, np.float32)]
            for source in self.comes_back:
                heard[1 - source] += own[source]
            heard[0] += 0.5 * own[0] if self.echoes else 0.0
            heard[room] += said.pop(0) if said else np.zeros(BLOCK, np.float32)
            for engine, block in zip(self.rooms, heard, strict=True):
                engine.blocks.append(block)
            self.clock._turn()
            self.now += BLOCK_SECONDS
            self.found = self.probe.look(self.now, self.is_here, self.muted)
            for at in range(2):
                self.into[at].open = at in self.probe.free and not self.muted[at]

    @staticmethod
    def _own(engine: FakeEngine) -> Block:
        last = engine.sent[-1] if engine.sent else None
        return np.zeros(BLOCK, np.float32) if last is None else (last / 32768).astype(np.float32)

    @property
    def open(self) -> bool:
        return self.probe.free == {0, 1}

    def said(self, room: int) -> int:
        """Blocks that were said there and no silence."""
        return sum(block is not None and bool(block.any()) for block in self.rooms[room].sent)

    def until_said(self, room: int = 0) -> None:
        before = self.said(room)
        while self.said(room) == before:
            self.run(0.05)


def test_where_nothing_comes_back_it_listens_opens_and_looks_once_more() -> None:
    scene = Scene()
    scene.run(4.0)
    assert scene.probe.free == set()
    assert scene.said(0) == scene.said(1) == 0, (
        "it listens for longer than another one takes from its mark until it opens"
    )
    scene.run(OPENS - 4.0)
    assert scene.open
    assert scene.said(0) == scene.said(1) == A_MARK
    scene.run(15)
    assert scene.open
    assert scene.said(0) == scene.said(1) == 2 * A_MARK
    scene.run(20)
    assert scene.said(0) == 2 * A_MARK, "twice and no more"
    assert not scene.found


def test_no_look_has_to_search_much_at_once_neither_before_it_opens_nor_after() -> None:
    scene = Scene()
    most = 0.0
    while scene.said(0) < 2 * A_MARK:
        scene.run(0.05)
        most = max(most, *((ear._heard - ear._next) * BLOCK_SECONDS / 80 for ear, _ in scene.probe.ears))
    assert most < 1.5, "or the loop of both engines waits for it"


def test_a_mark_that_comes_back_from_either_room_is_a_ring() -> None:
    for room in range(2):
        scene = Scene()
        scene.comes_back = {room}
        scene.run(2 * OPENS)
        assert scene.found
        assert scene.probe.free == set()
        scene.run(30)
        assert scene.found
        assert scene.said(0) <= 2 * A_MARK, "it is told once, and says nothing more"


def test_a_ring_that_the_first_marks_missed_is_found_by_the_second() -> None:
    scene = Scene()
    scene.run(OPENS)
    assert scene.open
    scene.comes_back = {0, 1}
    scene.run(30)
    assert scene.found


def test_an_echo_where_a_mark_was_said_is_no_ring_but_takes_longer() -> None:
    """It might be another bridge that says the same at the same moment: so other marks are said."""
    scene = Scene()
    scene.echoes = True
    scene.run(2 * OPENS)
    assert not scene.open
    scene.run(OPENS)
    assert scene.open and not scene.found


def test_who_hears_anothers_mark_before_it_has_said_its_own_lets_that_one_go_first() -> None:
    for room in range(2):
        scene = Scene()
        scene.run(2.0)
        scene.run(4.0, mark(MARKS - 1), room)
        scene.run(4.5)
        assert scene.said(0) == 0, "the other one is open now"
        scene.comes_back = {0, 1}
        scene.run(20)
        assert scene.found


def test_who_hears_anothers_mark_while_it_says_its_own_stops_at_once() -> None:
    numbers = list(Scene().probe._drawn((0, 1)).values())
    other = next(number for number in range(MARKS) if number not in numbers)
    scene = Scene()
    scene.run(3.0)
    blocks = list(mark(other))
    scene.run(2.2, blocks)
    scene.run(1.0)
    assert scene.said(0) < A_MARK and not scene.open
    scene.run(4.0)
    assert not scene.open
    while not scene.open:
        scene.run(0.1)
        assert not scene.found
    assert scene.now < 25


def test_of_two_that_have_heard_each_other_one_goes_first() -> None:
    waits = {}
    for other in (4, MARKS - 1):
        scene = Scene()
        scene.until_said()
        scene.run(2.8, mark(other))
        assert not scene.open
        began = scene.now
        scene.until_said()
        waits[other] = scene.now - began
    assert waits[4] > waits[MARKS - 1] + 3


def test_while_somebody_else_looks_who_is_open_stays_so_and_looks_later() -> None:
    scene = Scene()
    scene.run(OPENS)
    assert scene.open
    for _ in range(8):
        scene.run(2.0, mark(MARKS - 1))
        assert scene.open
    assert scene.said(0) == A_MARK
    scene.run(20)
    assert scene.open
    assert scene.said(0) == 2 * A_MARK


def test_a_mark_of_others_during_the_second_look_begins_a_new_one() -> None:
    """It was not carried whole, so whoever said it may take the way for free."""
    scene = Scene()
    scene.run(OPENS)
    scene.until_said()
    scene.run(3.3, mark(MARKS - 1))
    assert not scene.open
    scene.run(2.0)
    assert not scene.open
    scene.comes_back = {0, 1}
    scene.run(25)
    assert scene.found


def test_where_it_is_muted_nothing_is_said_and_the_other_room_suffices_for_its_way() -> None:
    scene = Scene()
    scene.muted = [False, True]
    scene.run(OPENS)
    assert scene.probe.free == {0}
    assert (scene.said(0), scene.said(1)) == (A_MARK, 0)
    scene.muted = [False, False]
    scene.run(1.0)
    assert scene.probe.free == set(), "nobody has looked whether what is said there comes back"
    scene.run(OPENS)
    assert scene.open


def test_a_bridge_muted_on_one_side_is_found_by_the_way_that_it_carries() -> None:
    """It carries 0 into 1 alone; who would carry 1 into 0 closes a ring with it."""
    scene = Scene()
    scene.comes_back = {0}
    scene.muted = [True, False]
    scene.run(OPENS)
    assert not scene.found
    assert scene.probe.free == {1}, "the same way as the other one: no ring"
    scene.muted = [False, False]
    scene.run(2 * OPENS)
    assert scene.found


def test_nothing_is_said_where_the_bridge_is_muted_in_both_rooms_or_away() -> None:
    scene = Scene()
    scene.muted = [True, True]
    scene.run(OPENS)
    assert scene.said(0) == scene.said(1) == 0 and scene.probe.free == set()
    scene.muted = [False, False]
    scene.until_said()
    scene.run(1.0)
    scene.is_here = False
    scene.run(1)
    assert scene.rooms[0].sent[-1] is None, "it stops at once"
    assert 0 < scene.said(0) < A_MARK
    scene.is_here = True
    scene.run(OPENS)
    assert scene.open
    scene.muted = [True, True]
    scene.run(10)
    assert scene.open, "a mute takes no ring away that was not there"
    scene.is_here = False
    scene.run(0.1)
    assert scene.probe.free == set(), "whoever was away looks again"


def test_a_ring_is_looked_for_anew_when_that_is_asked_for() -> None:
    scene = Scene()
    scene.comes_back = {0, 1}
    scene.run(2 * OPENS)
    assert scene.probe.is_ring
    scene.comes_back = set()
    scene.run(30)
    assert scene.probe.is_ring, "it says nothing unasked"
    scene.probe.anew(scene.now)
    scene.run(OPENS)
    assert scene.open and not scene.found
