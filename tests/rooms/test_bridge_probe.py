"""Looking for a ring by a mark: rooms are lists, time is a number, and nothing is left to chance."""

from collections.abc import Sequence

import numpy as np

from appliance.core.marks import MARKS, SECONDS, mark
from appliance.core.units import BLOCK, BLOCK_SECONDS, Block
from appliance.rooms.bridge_clock import Clock, Lane
from appliance.rooms.bridge_probe import Probe
from tests.rooms.bridge_fakes import FakeEngine


class Scene:
    """A probe between two rooms, and whatever else is in them."""

    def __init__(self, *chances: float) -> None:
        self.there, self.here = FakeEngine(), FakeEngine()
        self.into, self.out = Lane(self.here, self.there), Lane(self.there, self.here)
        self.chances = list(chances)
        self.probe = Probe(self.into, self.out, self._chance)
        self.clock = Clock([self.into, self.out], self.probe.ears)
        self.now = 0.0
        self.comes_back = False
        """Another bridge carries what is said there into the room here."""
        self.echoes = False
        """There, a loudspeaker stands in front of an open microphone."""
        self.is_here, self.is_muted, self.found = True, False, False

    def _chance(self) -> float:
        return self.chances.pop(0) if self.chances else 0.5

    def run(self, seconds: float, others: Sequence[Block] = ()) -> None:
        """``others`` is said there by somebody else, from now on."""
        said = list(others)
        for _ in range(round(seconds / BLOCK_SECONDS)):
            own = self.there.sent[-1] if self.there.sent else None
            voice: Block = np.zeros(BLOCK, np.float32) if own is None else (own / 32768).astype(np.float32)
            self.here.blocks.append(voice if self.comes_back else np.zeros(BLOCK, np.float32))
            other = said.pop(0) if said else np.zeros(BLOCK, np.float32)
            self.there.blocks.append((other + 0.5 * voice if self.echoes else other).astype(np.float32))
            self.clock._turn()
            self.now += BLOCK_SECONDS
            self.found = self.found or self.probe.look(self.now, self.is_here, self.is_muted)
            self.into.open = self.out.open = self.probe.done

    def blocks_said(self) -> int:
        return sum(block is not None and bool(block.any()) for block in self.there.sent)


def test_where_nothing_comes_back_it_opens_and_looks_once_more() -> None:
    scene = Scene()
    scene.run(0.3)
    assert not scene.probe.done
    assert scene.blocks_said() == 0
    scene.run(6)
    assert scene.probe.done
    assert scene.blocks_said() == SECONDS / BLOCK_SECONDS
    scene.run(15)
    assert scene.probe.done
    assert scene.blocks_said() == 2 * SECONDS / BLOCK_SECONDS
    scene.run(20)
    assert scene.blocks_said() == 2 * SECONDS / BLOCK_SECONDS, "twice and no more"
    assert not scene.found


def test_a_mark_that_comes_back_is_a_ring() -> None:
    scene = Scene()
    scene.comes_back = True
    scene.run(6)
    assert scene.found and not scene.probe.done


def test_a_ring_that_the_first_mark_missed_is_found_by_the_second() -> None:
    scene = Scene()
    scene.run(6.3)
    assert scene.probe.done
    scene.comes_back = True
    scene.run(15)
    assert scene.found


def test_an_echo_of_the_mark_where_it_was_said_is_none() -> None:
    scene = Scene()
    scene.echoes = True
    scene.run(7)
    assert scene.probe.done and not scene.found


def test_who_hears_anothers_mark_waits_and_says_its_own_later() -> None:
    scene = Scene(0.9, 0.1, 0.9)  # waits long, so that the other one is heard before; its own is the second mark
    scene.run(0.1)
    scene.run(4.0, mark(MARKS - 1))
    assert not scene.probe.done
    scene.run(15)
    assert scene.probe.done and not scene.found


def test_the_second_look_gives_way_too_and_comes_again() -> None:
    scene = Scene(0.5, 0.1)
    scene.run(6.3)
    assert scene.probe.done
    said = scene.blocks_said()
    while scene.probe.done:
        scene.run(0.1)
    scene.run(2.9, mark(MARKS - 1))
    assert scene.probe.done, "it goes on meanwhile"
    scene.run(20)
    assert scene.probe.done and scene.blocks_said() >= said + SECONDS / BLOCK_SECONDS


def test_nothing_is_said_where_the_bridge_is_muted_or_away() -> None:
    scene = Scene()
    scene.is_muted = True
    scene.run(5)
    assert scene.blocks_said() == 0 and not scene.probe.done
    scene.is_muted = False
    scene.run(1.9)
    assert 0 < scene.blocks_said() < SECONDS / BLOCK_SECONDS, "in the middle of it"
    scene.is_here = False
    scene.run(1)
    assert scene.there.sent[-1] is None, "it stops at once"
    scene.is_here = True
    scene.run(7)
    assert scene.probe.done
    scene.is_muted = True
    scene.run(10)
    assert scene.probe.done, "a mute takes no ring away that was not there"
    scene.is_here = False
    scene.run(0.1)
    assert not scene.probe.done, "whoever was away looks again"
