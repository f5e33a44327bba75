"""Where the LEDs are: rings and rows of any length, and light as the eye takes it."""

import itertools

import pytest

from appliance.core.roster import FIGURES, PLACES, Sign
from appliance.core.roster import HUES as NAMES
from appliance.panel.layout import CURRENTS, HUES, LEVEL_ONLY, Layout, light_of, tables
from appliance.panel.renderer import RingState
from appliance.settings.model_panel import MOST_PIXELS
from tests.panel.player import EMPTY, Player, talking
from tools.apa102 import Light


def test_light_is_what_the_eye_sees() -> None:
    assert light_of(0.0) == 0.0
    assert light_of(1.0) == 1.0
    assert light_of(0.5) == pytest.approx(0.184, abs=0.001)  # CIE 15: L* 50 is Y 18.4
    assert light_of(0.08) == pytest.approx(0.008856, abs=1e-5)
    assert light_of(-1.0) == 0.0
    assert light_of(2.0) == 1.0
    lights = [light_of(n / 1000) for n in range(1001)]
    assert lights == sorted(lights)


def test_the_colours_are_those_of_the_design() -> None:
    """design/PAGE.md, "LED (start value)"."""
    assert dict(zip(NAMES, HUES, strict=True)) == {
        "blue": (20, 60, 255),
        "petrol": (0, 150, 255),
        "jade": (40, 255, 110),
        "moss": (150, 255, 0),
        "ochre": (255, 170, 0),
        "rust": (255, 80, 0),
        "wine": (255, 0, 80),
        "orchid": (255, 90, 255),
    }


@pytest.mark.parametrize("pixels", range(LEVEL_ONLY, 2 * PLACES))
def test_a_short_ring_takes_the_place_modulo_its_length(pixels: int) -> None:
    lit = tables(Layout(pixels=pixels)).lit
    signs = [Sign(hue, place) for hue in range(len(FIGURES)) for place in range(PLACES)]
    assert [set(leds) for leds in lit] == [set(sign.lit(pixels)) for sign in signs]


@pytest.mark.parametrize("pixels", [24, 35, 36, 37, 60, MOST_PIXELS])
def test_on_a_long_ring_a_place_is_an_hour_and_figures_can_be_counted(pixels: int) -> None:
    layout = Layout(pixels=pixels)
    segments = [set(layout.at((hour,))) for hour in range(PLACES)]
    assert len({len(segment) for segment in segments}) == 1
    assert all(not a & b for a, b in itertools.combinations(segments, 2))
    for hour, segment in enumerate(segments):
        middle = sorted(((led - hour * pixels / PLACES + pixels / 2) % pixels) - pixels / 2 for led in segment)
        assert abs(middle[0] + middle[-1]) / 2 <= 1.0, "the segment stands at its hour"
    dark = set(range(pixels)) - set().union(*segments)
    assert (len(dark) >= PLACES) is (pixels >= 3 * PLACES)


def test_any_length_is_drawn() -> None:
    for pixels in range(MOST_PIXELS + 1):
        player = Player(Layout(pixels=pixels, first=pixels // 2))
        frame = player.show(talking((7, 3, -20), (0, 9, -20)))
        assert len(frame.pixels) == 4 * pixels
        assert bool(player.lit) is (pixels > 0)
        player.show(EMPTY)
        player.wait(2.0)
        assert player.lit == set()


def test_the_first_led_and_the_way_round_are_where_they_are_built_in() -> None:
    def lit(layout: Layout) -> list[int]:
        return list(tables(layout).lit[3 * PLACES + 1])  # three LEDs from one o'clock on

    assert lit(Layout()) == [1, 2, 3]
    assert lit(Layout(first=10)) == [11, 0, 1]
    assert lit(Layout(backwards=True)) == [11, 10, 9]
    assert lit(Layout(first=3, backwards=True)) == [2, 1, 0]
    assert lit(Layout(row=True)) == [1, 2, 3]
    assert lit(Layout(row=True, backwards=True)) == [10, 9, 8]


def test_a_long_row_begins_at_its_left_end() -> None:
    layout = Layout(pixels=60, row=True)
    assert layout.at((0,)) == (0, 1, 2, 3)
    assert layout.at((11,)) == (55, 56, 57, 58)
    assert Layout(pixels=60, row=True, backwards=True).at((0,)) == (59, 58, 57, 56)
    assert Layout(pixels=60).at((0,)) == (58, 59, 0, 1)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"pixels": -1}, "0 to 120 LEDs"),
        ({"pixels": MOST_PIXELS + 1}, "0 to 120 LEDs"),
        ({"pixels": 12, "first": 12}, "LED 12 is none of 12"),
        ({"pixels": 0, "first": 1}, "LED 1 is none of 0"),
        ({"first": -1}, "LED -1 is none"),
        ({"current": 0}, "a current is 1 to 31"),
        ({"current": 32}, "a current is 1 to 31"),
        ({"night": 0.0}, "the night's share"),
        ({"night": 1.1}, "the night's share"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Layout(**fields)  # type: ignore[arg-type]


def test_no_channel_of_a_colour_goes_out_however_dim_it_is() -> None:
    player = Player(Layout(current=1, night=0.01))
    for hue, rgb in enumerate(HUES):
        player.ring = RingState()
        player.show(talking((hue, 0, -60), night=True))
        assert player.leds[0] == Light(1, *(int(part > 0) for part in rgb))


@pytest.mark.parametrize("night", [0.25, 0.6, 1.0])
def test_the_current_is_as_low_as_the_brightness_lets_it_be(night: float) -> None:
    for current in range(1, CURRENTS + 1):
        player = Player(Layout(current=current, night=night))
        player.show(talking((5, 0, 0)))
        assert player.leds[0] == Light(current, *HUES[5]), "by day the settings say it"
        player.show(talking((5, 0, 0), night=True))
        led = player.leds[0]
        assert led.linear[0] == pytest.approx(current / CURRENTS * light_of(night), rel=0.04)
        assert led.current == 1 or led.red > 127, "a step less would not do: eight bits are left for the levels"
