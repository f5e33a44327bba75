"""What a panel shows: lamps that pulse, the room's own marks, night and the still display."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from appliance.core.lamps import LAMPS, Lamps, Sign
from appliance.panel.layout import LEVEL_ONLY, Layout
from appliance.panel.port import View
from appliance.panel.renderer import FADE, HOLD
from tests.panel.player import EMPTY, IN_ROOM, Player, talking

DARK = Lamps(Sign.OFF, Sign.OFF, Sign.OFF, Sign.OFF, 0.0)
GATE_LAMPS = ("mic", "room", "fault")
MARKS: dict[str, dict[str, Any]] = {
    "recording": {"recording": True},
    "own hand": {"own_hand": True},
    "hand": {"hands": 2},
    "warning": {"warning": True},
    "knock": {"knock": True},
}


def lamp_only(lamp: str, sign: Sign) -> View:
    fields: dict[str, Any] = {lamp: sign}
    return View(replace(DARK, **fields))


def curve(player: Player, lamp: str, seconds: float) -> list[tuple[float, float]]:
    """When the lamp changed, and to what."""
    started = player.now
    points = [(0.0, getattr(player.frame, lamp))]
    for now, frame in player.run(seconds):
        if getattr(frame, lamp) != points[-1][1]:
            points.append((now - started, getattr(frame, lamp)))
    return points


@pytest.mark.parametrize("lamp", LAMPS)
def test_a_lamp_that_is_off_or_steady_rests(lamp: str) -> None:
    player = Player()
    for sign, light in ((Sign.OFF, 0.0), (Sign.STEADY, 1.0)):
        frame = player.show(lamp_only(lamp, sign))
        if lamp == "speak" and sign is Sign.STEADY:
            assert 0.0 < frame.speak < 0.1, "nobody is loud"
        else:
            assert getattr(frame, lamp) == light
        assert [getattr(frame, other) for other in LAMPS if other != lamp] == [0.0, 0.0, 0.0]
        assert frame.next is None


@pytest.mark.parametrize("lamp", LAMPS)
def test_a_slow_pulse_fades_once_in_two_seconds_and_is_never_dark(lamp: str) -> None:
    player = Player()
    player.show(lamp_only(lamp, Sign.SLOW))
    points = curve(player, lamp, 3 * FADE)
    lights = [light for _, light in points]
    assert lights[0] == 1.0, "it begins lit"
    assert 0.05 < min(lights) < 0.08
    tops = [at for at, light in points if light == 1.0]
    assert [b - a for a, b in itertools.pairwise(tops)] == pytest.approx([FADE] * (len(tops) - 1), abs=0.1)
    assert len(tops) == 4
    assert max(max(a, b) / min(a, b) for a, b in itertools.pairwise(lights)) < 1.4, "a fade has no jumps"
    assert all(at * 25 == pytest.approx(round(at * 25), abs=0.01) for at, _ in points), "at most 25 times a second"
    assert 0.6 < len(points) / (3 * FADE * 25) < 0.9, "and only when it is seen"


@pytest.mark.parametrize("lamp", LAMPS)
def test_a_fast_blink_is_lit_twice_a_second_and_begins_lit(lamp: str) -> None:
    player = Player()
    player.show(lamp_only(lamp, Sign.FAST))
    points = curve(player, lamp, 1.99)
    assert [light for _, light in points] == [1.0, 0.0] * 4
    assert [b - a for (a, _), (b, _) in itertools.pairwise(points)] == pytest.approx([0.25] * 7)


def test_lamps_that_pulse_are_in_step_and_do_not_hide_each_other() -> None:
    player = Player()
    player.show(lamp_only("room", Sign.SLOW))
    player.wait(0.7)
    frame = player.show(View(replace(DARK, room=Sign.SLOW, mic=Sign.SLOW, fault=Sign.STEADY)))
    assert frame.mic == frame.room < 1.0
    assert frame.fault == 1.0


@pytest.mark.parametrize("lamp", GATE_LAMPS)
def test_a_still_display_tells_four_signs_apart_without_moving(lamp: str) -> None:
    player = Player(Layout(still=True))
    lights = []
    for sign in (Sign.OFF, Sign.SLOW, Sign.FAST, Sign.STEADY):
        frame = player.show(lamp_only(lamp, sign))
        assert frame.next is None
        lights.append(getattr(frame, lamp))
    assert lights[0] == 0.0
    assert lights[3] == 1.0
    for dim, bright in itertools.pairwise(lights[1:]):
        assert bright > 2 * dim > 0.1


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("still", [False, True])
def test_a_mark_rests_in_a_still_display_and_pulses_else(mark: str, still: bool) -> None:
    player = Player(Layout(still=still))
    player.show(replace(EMPTY, **MARKS[mark]))
    assert player.lit
    seen = {frame.pixels for _, frame in player.run(FADE)} | {player.frame.pixels}
    assert (len(seen) == 1) is (still or mark == "recording")
    player.show(EMPTY)
    assert player.lit == set()
    assert player.frame.next is None


def test_each_mark_has_leds_of_its_own() -> None:
    player = Player()
    patterns = {}
    for mark, fields in MARKS.items():
        player.show(replace(EMPTY, **fields))
        patterns[mark] = player.lit
    assert patterns == {
        "recording": {0, 4, 8},
        "own hand": {0},
        "hand": {0, 3, 6, 9},
        "warning": {1, 3, 5, 7, 9, 11},
        "knock": set(range(12)),
    }


def test_marks_are_white_and_the_door_is_as_green_as_its_lamp() -> None:
    player = Player(Layout(current=31))
    for mark, fields in MARKS.items():
        player.show(replace(EMPTY, **fields))
        led = player.leds[max(player.lit)]
        assert (led.red, led.green, led.blue) == {
            "warning": (0, 47, 11),  # 0, 255, 60 at CIE lightness 0.5
            "recording": (19, 16, 12),  # 255, 210, 160 at 0.33
        }.get(mark, (47, 39, 29))


def test_a_knock_covers_a_hand_and_a_recording_stays_beside_a_hand() -> None:
    player = Player()
    player.show(replace(EMPTY, hands=1, recording=True, knock=True))
    assert len(set(player.leds)) == 1
    player.show(replace(EMPTY, hands=1, recording=True))
    assert player.lit == {0, 3, 4, 6, 8, 9}


@pytest.mark.parametrize("mark", MARKS)
def test_no_mark_is_read_as_a_part_of_a_figure(mark: str) -> None:
    player = Player()
    for hue, place in itertools.product(range(8), range(12)):
        talker = talking((hue, place, -60))
        player.wait(HOLD)
        player.show(replace(talker, **MARKS[mark]))
        marked = player.frame.pixels
        brightest = max(sum(led.linear) for led in player.leds)
        alone = Player()
        alone.show(talker)
        figure, first = alone.lit, place
        span = {(first + at) % 12 for at in range(-1, max((led - first) % 12 for led in figure) + 2)}
        assert player.lit & span == figure
        assert all(marked[4 * led : 4 * led + 4] == alone.frame.pixels[4 * led : 4 * led + 4] for led in span)
        player.show(talking((hue, place, -10), **MARKS[mark]))
        assert player.lit >= figure
        assert brightest < max(sum(led.linear) for led in player.leds) * 2
        player.show(EMPTY)


def test_where_three_people_fill_the_ring_a_knock_is_left_to_the_lamp() -> None:
    player = Player()
    speakers = ((7, 0, -20), (7, 4, -20), (7, 8, -20))
    player.show(talking(*speakers))
    plain = player.frame.pixels
    player.show(replace(talking(*speakers, knock=True), lamps=replace(IN_ROOM, speak=Sign.SLOW)))
    assert player.frame.pixels == plain
    player.wait(1.0)
    assert player.frame.speak < 0.1


@pytest.mark.parametrize("pixels", [1, LEVEL_ONLY - 1])
def test_where_only_a_level_is_shown_a_mark_takes_all_leds_until_somebody_speaks(pixels: int) -> None:
    player = Player(Layout(pixels=pixels))
    player.show(replace(EMPTY, knock=True))
    assert player.lit == set(range(pixels))
    assert player.frame.next is not None
    player.show(talking((0, 0, -10), knock=True))
    spoken = player.frame.pixels
    player.wait(1.0)
    assert player.frame.pixels == spoken


def test_at_night_ring_and_speak_are_darker_and_the_other_lamps_are_not() -> None:
    player = Player()
    view = replace(talking((1, 1, -10), knock=True), lamps=Lamps(Sign.STEADY, Sign.STEADY, Sign.OFF, Sign.STEADY, 0.5))
    day, by_day = player.show(view), player.leds
    night, by_night = player.show(replace(view, night=True)), player.leds
    assert (night.mic, night.room, night.fault) == (day.mic, day.room, day.fault) == (1.0, 1.0, 1.0)
    assert 0.0 < night.speak < 0.5 * day.speak
    for bright, dim in zip(by_day, by_night, strict=True):
        assert dim.lit is bright.lit
        if bright.lit:
            assert sum(dim.linear) < 0.5 * sum(bright.linear)


def test_without_a_ring_there_is_nothing_to_draw_and_no_pulse_for_it() -> None:
    player = Player(Layout(pixels=0))
    frame = player.show(replace(talking((1, 1, -10), knock=True, hands=1), lamps=IN_ROOM))
    assert frame.pixels == b""
    assert frame.next is None
    assert frame.speak > 0.0
