"""What a panel shows: people on the ring. Everything is read back from the bytes on the wire."""

import itertools
import random
from dataclasses import replace

import pytest

from appliance.core.lamps import Sign
from appliance.core.roster import FIGURES, PLACES
from appliance.core.roster import Sign as MemberSign
from appliance.core.units import SILENCE
from appliance.media.exchange_messages import Speaker
from appliance.panel.layout import HUES, STEPS, Layout
from appliance.panel.port import View
from appliance.panel.renderer import CHANGES, HOLD, RingState, render
from tests.panel.player import EMPTY, IN_ROOM, Player, talking
from tools.apa102 import Light

SIGNS = [MemberSign(hue, place) for hue in range(len(FIGURES)) for place in range(PLACES)]
QUIET = round(SILENCE)


def sums(leds: list[Light]) -> float:
    return sum(sum(led.linear) for led in leds)


def test_nobody_speaks_and_the_ring_is_dark_and_stays() -> None:
    player = Player()
    assert player.lit == set()
    assert player.frame[:4] == (0.0, 1.0, 0.0, 0.0)
    assert player.frame.next is None


def test_a_talker_is_their_sign_alone_and_in_their_colour() -> None:
    for sign in SIGNS:
        player = Player()
        player.show(talking((sign.hue, sign.place, 0)))
        assert player.lit == set(sign.lit())
        wanted = [part / max(HUES[sign.hue]) for part in HUES[sign.hue]]
        for led in sign.lit():
            light = player.leds[led].linear
            assert [part / max(light) for part in light] == pytest.approx(wanted, abs=0.01)


def test_every_sign_of_the_house_looks_different() -> None:
    player = Player()
    seen = set()
    for sign in SIGNS:
        player.ring = RingState()
        seen.add(player.show(talking((sign.hue, sign.place, -20))).pixels)
    assert len(seen) == len(SIGNS)


@pytest.mark.parametrize("night", [False, True])
@pytest.mark.parametrize("hue", range(len(HUES)))
def test_each_step_of_the_level_is_seen(hue: int, night: bool) -> None:
    lights = []
    for step in range(STEPS + 1):
        player = Player(Layout(current=6, night=0.4))
        player.show(talking((hue, 0, -60 + 3 * step), night=night))
        lights.append(sum(player.leds[0].linear))
    for quiet, loud in itertools.pairwise(lights):
        assert loud > 1.04 * quiet, "nobody sees a difference of less than a few per cent"
    # CIE lightness 0.3 against 1: a pause is plainly darker than a shout, and is still seen.
    assert lights[-1] / lights[0] == pytest.approx(16.0, rel=0.25)


def test_a_level_rises_at_once_and_falls_slowly() -> None:
    player = Player()
    player.show(talking((7, 0, -40)))
    soft = player.frame.speak
    player.wait(CHANGES)
    player.show(talking((7, 0, -10)))
    loud = player.frame.speak
    assert loud > soft
    player.wait(CHANGES)
    player.show(talking((7, 0, -40)))
    started = player.now
    frames = list(player.run(5.0))
    assert [frame.speak for _, frame in frames] == sorted((frame.speak for _, frame in frames), reverse=True)
    assert frames[-1][1].speak == soft
    assert frames[-1][0] - started == pytest.approx(27.5 / 20, abs=0.01)  # the step of -40 dBov begins at -37.5
    assert len(frames) == 10  # one for each step of 3 dB


@pytest.mark.parametrize(("still", "pause", "shades"), [(False, 1 / 15, STEPS + 1), (True, 0.5, 6)])
def test_levels_change_no_more_often_than_people_can_bear(still: bool, pause: float, shades: int) -> None:
    rng = random.Random(1)
    player = Player(Layout(still=still))
    changes: list[float] = []
    seen = set()
    before = player.frame.pixels
    for _ in range(2000):
        player.show(talking((5, 3, rng.randrange(-60, 1))))
        for now, frame in [(player.now, player.frame), *player.run(0.02)]:
            if frame.pixels != before:
                changes.append(now)
                before = frame.pixels
                seen.add(before)
    assert min(b - a for a, b in itertools.pairwise(changes)) == pytest.approx(pause, abs=0.0005)
    assert len(seen) <= shades


def test_a_still_display_has_five_steps_from_the_same_pause_to_the_same_height() -> None:
    still, moving = Player(Layout(still=True)), Player()
    seen = []
    for level in range(-60, 1):
        still.ring = RingState()
        seen.append(still.show(talking((5, 3, level))).pixels)
    assert [level for level, (a, b) in enumerate(itertools.pairwise(seen), -59) if a != b] == [-54, -42, -30, -18, -6]
    for level in (-60, 0):
        moving.ring = RingState()
        assert moving.show(talking((5, 3, level))).pixels == seen[level + 60]


def test_a_talker_keeps_their_leds_for_the_hold_after_the_last_sound() -> None:
    player = Player()
    player.show(talking((3, 6, -20)))
    player.wait(10.0)
    player.show(EMPTY)
    ended = player.now
    assert player.lit == {6, 7, 8}
    times = [now for now, _ in player.run(1.4)]
    assert player.lit == {6, 7, 8}
    assert all(now < ended + HOLD for now in times)
    player.wait(0.11)
    assert player.lit == set()
    assert player.frame.next is None


@pytest.mark.parametrize("quiet", [QUIET, -60])
def test_a_pause_that_the_host_already_bridged_is_not_bridged_twice(quiet: int) -> None:
    player = Player()
    player.show(talking((3, 6, -20)))
    player.wait(1.0)
    player.show(talking((3, 6, quiet)))
    player.wait(HOLD)
    assert player.lit == {6, 7, 8}, "as long as the host says that they speak"
    player.show(EMPTY)
    assert player.lit == set()


def test_whoever_is_named_without_a_level_is_dim_for_just_as_long() -> None:
    player = Player()
    player.show(talking((3, 6, QUIET)))
    assert player.lit == {6, 7, 8}
    player.wait(0.5)
    player.show(EMPTY)
    assert player.lit == set()


def test_an_led_stays_with_whoever_lit_it_first_until_their_hold_ends() -> None:
    player = Player()
    first, second = (7, 0, -20), (3, 2, -5)  # LEDs 0 to 3, and 2 to 4
    alone = Player()
    alone.show(talking(first))
    player.show(talking(first))
    player.wait(0.5)
    for view in (talking(second, first), talking(second)):
        player.show(view)
        assert player.lit == {0, 1, 2, 3, 4}
        hue = [part / max(player.leds[2].linear) for part in player.leds[2].linear]
        assert hue == pytest.approx([part / 255 for part in HUES[7]], abs=0.02)
        assert player.leds[4].linear[2] == 0.0, "moss has no blue"
        player.wait(0.5)
    player.wait(1.0)
    assert player.lit == {2, 3, 4}
    assert all(player.leds[led].linear[2] == 0.0 for led in player.lit)
    player.show(talking(first, second))
    assert player.leds[2].linear[2] == 0.0, "who was first is last when they begin again"
    assert player.leds[0].linear[2] > 0.0


def test_the_same_person_is_at_the_same_place_whoever_else_speaks() -> None:
    rng = random.Random(2)
    player = Player()
    for _ in range(300):
        signs = rng.sample(SIGNS, rng.randrange(1, 4))
        player.show(talking(*((sign.hue, sign.place, rng.randrange(-60, 1)) for sign in signs)))
        held = [MemberSign(*divmod(talker.sign, PLACES)) for talker in player.ring.talkers]
        assert set(signs) <= set(held)
        assert player.lit == {led for sign in held for led in sign.lit()}
        owner: dict[int, MemberSign] = {}
        for sign in held:
            for led in sign.lit():
                owner.setdefault(led, sign)
        for led, sign in owner.items():
            light = player.leds[led].linear
            assert light.index(max(light)) in [n for n in range(3) if HUES[sign.hue][n] == 255]
        player.wait(rng.uniform(0.0, 2.0))


def test_two_people_with_one_sign_are_as_bright_as_the_louder() -> None:
    both, loud = Player(), Player()
    both.show(talking((1, 1, -40), (1, 1, -10), (1, 1, -30)))
    loud.show(talking((1, 1, -10)))
    assert both.frame.pixels == loud.frame.pixels
    assert len(both.ring.talkers) == 1


def test_whoever_is_not_in_the_room_sees_nobody_at_once() -> None:
    player = Player()
    player.show(talking((1, 1, -10)))
    player.show(replace(talking((1, 1, -10)), lamps=replace(IN_ROOM, room=Sign.OFF)))
    assert player.lit == set()
    assert player.frame.speak == 0.0


def test_the_speak_lamp_is_as_bright_as_the_loudest_and_lit_in_pauses() -> None:
    player = Player()
    player.show(talking((1, 1, -40), (2, 5, -10)))
    loudest = player.frame.speak
    player.show(talking((1, 1, -40)))
    player.wait(HOLD + 0.01)
    assert 0.0 < player.frame.speak < loudest
    player.show(talking((1, 1, QUIET)))
    assert player.wait(5.0).speak > 0.0
    player.show(replace(EMPTY, lamps=replace(IN_ROOM, speak=Sign.STEADY, brightness=1 - 10 / 60)))
    assert player.wait(HOLD + 0.01).speak == pytest.approx(loudest), "without signs the lamp's own level counts"


@pytest.mark.parametrize("pixels", [1, 2, 3])
def test_few_leds_show_the_level_only(pixels: int) -> None:
    player = Player(Layout(pixels=pixels))
    player.show(talking((0, 5, -50), (3, 2, -20)))
    assert player.lit == set(range(pixels))
    assert len(set(player.leds)) == 1
    red, _, blue = player.leds[0].linear
    assert red > blue > 0.0, "it is white, as no sign fits"
    bright = sums(player.leds)
    player.show(talking((0, 5, -50)))
    player.wait(HOLD + 0.01)
    assert 0.0 < sums(player.leds) < bright


def test_a_frame_is_the_same_until_it_says_it_changes() -> None:
    rng = random.Random(3)
    signs = list(Sign)
    layouts = [Layout(pixels=pixels, still=still) for pixels in (0, 2, 7, 12, 24) for still in (False, False, True)]
    for layout in (layout for layout in layouts for _ in range(25)):
        player = Player(layout)
        for _ in range(6):
            view = View(
                replace(IN_ROOM, mic=rng.choice(signs), fault=rng.choice(signs), speak=rng.choice(signs[:3])),
                tuple(Speaker(rng.randrange(8), rng.randrange(12), rng.randrange(-127, 1), False) for _ in range(2)),
                hands=rng.randrange(2),
                knock=rng.random() < 0.2,
                recording=rng.random() < 0.2,
            )
            shown = player.show(view if rng.random() < 0.7 else EMPTY)
            until = player.now + 3.0 if shown.next is None else shown.next
            early = rng.uniform(player.now, max(player.now, until - 0.001))
            _, again = render(player.ring, player.view, early, player.layout)
            assert again[:5] == shown[:5]
            player.wait(rng.uniform(0.0, 1.0))


def test_frames_are_few_while_three_people_talk() -> None:
    rng = random.Random(4)
    player = Player()
    sent, before = 0, b""
    for _ in range(20 * 30):
        player.show(
            talking((5, 1, rng.randrange(-45, -9)), (1, 5, rng.randrange(-45, -9)), (7, 8, rng.randrange(-45, -9)))
        )
        for frame in [player.frame, *(frame for _, frame in player.run(0.05))]:
            sent += frame.pixels != before
            before = frame.pixels
    assert sent <= 30 / CHANGES
