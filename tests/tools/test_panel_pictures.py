"""The pictures of the panel show what it really does, and the ones in docs are of the code as it is."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from appliance.panel.layout import Layout
from tools import panel_pictures
from tools.faceplate import DAY, Moment, led_colour, to_linear, to_screen
from tools.panel_pictures import PICTURES, SHEETS, Scene, play


def scene(title: str) -> Scene:
    return next(scene for scenes in SHEETS.values() for scene in scenes if scene.title == title)


def shown(title: str) -> Moment:
    picked = scene(title)
    return next(moment for moment in play(picked) if moment.at >= picked.at)


def lit(moment: Moment) -> set[int]:
    return {number for number, led in enumerate(moment.leds) if led.lit}


@pytest.mark.parametrize(
    ("title", "lamps", "leds"),
    [
        ("Nobody speaks", (0, 1, 0, 0), set()),
        ("One speaks", (0, 1, 1, 0), {1, 2, 4}),
        ("Two speak", (0, 1, 1, 0), {11, 0, 1, 2, 4}),
        ("Three speak", (0, 1, 1, 0), {11, 0, 1, 2, 4, 6, 7, 8, 9}),
        ("Two figures meet", (0, 1, 1, 0), {1, 2, 3, 4}),
        ("A hand is up", (0, 1, 1, 0), {0, 3, 6, 9}),
        ("A knock", (0, 1, 1, 0), set(range(12))),
        ("A knock while Ben speaks", (0, 1, 1, 0), {1, 2, 4, 6, 7, 8, 9, 10, 11}),
        ("Muted", (1, 1, 0, 0), set()),
        ("Talking while muted", (1, 1, 0, 0), set()),
        ("Reconnecting", (1, 1, 0, 0), set()),
        ("Fault", (1, 1, 0, 1), set()),
        ("Door closed", (1, 0, 0, 0), set()),
    ],
)
def test_a_state_looks_as_it_should(title: str, lamps: tuple[int, ...], leds: set[int]) -> None:
    moment = shown(title)
    assert tuple(int(share > 0) for share in moment.frame[:4]) == lamps
    assert lit(moment) == leds


@pytest.mark.parametrize(
    ("title", "lamp", "heights"), [("Talking while muted", "mic", 3), ("Reconnecting", "room", 3), ("Fault", "mic", 9)]
)
def test_what_pulses_does_in_the_picture(title: str, lamp: str, heights: int) -> None:
    lights = [getattr(moment.frame, lamp) for moment in play(scene(title))]
    tops = sum(now == 1.0 and (at == 0 or lights[at - 1] < 1.0) for at, now in enumerate(lights))
    assert tops == heights
    assert (min(lights) == 0.0) is (title == "Fault")


def test_light_on_a_screen_is_the_light_of_the_led() -> None:
    layout = Layout()
    brightest = replace(shown("One speaks").leds[1], current=layout.current, red=255, green=255, blue=255)
    assert led_colour(brightest, layout, "#000000") == (255, 255, 255)
    assert led_colour(replace(brightest, red=55, green=0, blue=0), layout, "#000000") == (128, 0, 0)
    assert led_colour(replace(brightest, red=0, green=0, blue=0), layout, DAY.unlit) == (0x38, 0x36, 0x32)
    assert to_screen(to_linear("#1b7a3d")) == (0x1B, 0x7A, 0x3D)


@pytest.mark.parametrize("name", SHEETS)
def test_the_pictures_in_docs_are_up_to_date(name: str, tmp_path: Path) -> None:
    panel_pictures.draw(SHEETS[name], tmp_path / f"{name}.png")
    with Image.open(tmp_path / f"{name}.png") as now, Image.open(PICTURES / f"panel-{name}.png") as kept:
        assert now.size == kept.size
        apart = ImageStat.Stat(ImageChops.difference(now, kept)).mean
    assert max(apart) < 0.05, "make panel-pictures has not been run"
