"""Nothing is drawn for nothing, and nothing is left out: what mutants of deck and renderer could change unnoticed."""

from dataclasses import replace
from itertools import pairwise

import pytest

from appliance.core.lamps import LAMPS, Lamps, Sign
from appliance.media.exchange_messages import Speaker
from appliance.panel.layout import LEVEL_ONLY, Layout
from appliance.panel.lines import LinesError
from appliance.panel.port import View
from tests.panel.hand import World
from tests.panel.player import EMPTY, Player, talking

CLOSED = Lamps(Sign.STEADY, Sign.STEADY, Sign.OFF, Sign.OFF, 0.0)


@pytest.mark.parametrize("sign", [Sign.SLOW, Sign.FAST])
@pytest.mark.parametrize("layout", [Layout(pixels=0), Layout()], ids=["lamps", "ring"])
def test_every_frame_of_a_pulse_differs_from_the_one_before(sign: Sign, layout: Layout) -> None:
    player = Player(layout)
    shown = [player.show(View(replace(CLOSED, mic=sign)))]
    shown += [frame for _, frame in player.run(8.0)]
    assert len(shown) >= 32
    assert all(one.mic != other.mic for one, other in pairwise(shown))
    assert player.show(EMPTY).next is None


def test_the_smallest_ring_that_can_show_a_sign_does() -> None:
    player = Player(Layout(pixels=LEVEL_ONLY))
    pixels = player.show(talking((0, 1, -10))).pixels
    lit = [any(pixels[4 * led + 1 : 4 * led + 4]) for led in range(LEVEL_ONLY)]
    assert lit == [led == 1 for led in range(LEVEL_ONLY)]


def test_a_knock_is_shown_beside_whoever_speaks_on_either_side() -> None:
    player = Player(Layout(pixels=24))
    pixels = player.show(talking((0, 6, -10), knock=True)).pixels
    lit = [any(pixels[4 * led + 1 : 4 * led + 4]) for led in range(24)]
    assert lit[0]
    assert lit[23]
    assert sum(lit) >= 16, "all but the places beside the talker's"


def test_lines_that_come_back_are_lit_as_what_is_shown_without_being_told_again() -> None:
    world = World()
    world.attach()
    world.deck.show(View(CLOSED, (Speaker(1, 2, -20, False),)))
    world.run(0.5)
    assert not world.gate.is_open
    world.lines.broken = LinesError("the chip is gone")
    world.run(0.3)
    world.lines.broken = None
    world.lines.sent.clear()
    world.run(3.0)
    assert [lamp for lamp, _ in world.lines.sent][: len(LAMPS)] == list(LAMPS)
    assert world.lines.sent[0] == ("mic", 1.0)
