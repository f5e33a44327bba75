"""What of [panel] cannot be together is refused with the place and the way out, and all of it at once."""

import pytest

from appliance.core.pins import BOARDS
from appliance.settings import PanelKind
from tests.settings.support import loaded, only, problems

GPIO = '[panel]\nkind = "gpio"\n'


def test_the_pins_of_the_map_are_right_as_they_are() -> None:
    assert loaded(GPIO).panel.kind is PanelKind.GPIO
    for board in BOARDS:
        assert loaded(f'{GPIO}board = "{board}"\npixels = 12').panel.board == board


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("mute_pin = 24", "panel.mute_pin", "GPIO 24 is taken by panel.room_pin"),
        ("room_pin = 17", "panel.room_pin", "GPIO 17 is taken by panel.mute_pin"),
        ("knock_pin = 16\ntalk_pin = 16", "panel.knock_pin", "GPIO 16 is taken by panel.talk_pin"),
        ("knock_pin = 10\npixels = 12", "panel.knock_pin", "GPIO 10 is taken by the pixels"),
        ("mute_pin = 14", "panel.mute_pin", "GPIO 14 is kept for serial console, transmit"),
        ("mute_pin = 1", "panel.mute_pin", "GPIO 1 identifies add-on boards"),
        ("mute_pin = 0", "panel.mute_pin", "nobody could mute the room"),
        ("mic_lamp_pin = 0", "panel.mic_lamp_pin", "nobody could see"),
        ("push_to_talk = true\ntalk_pin = 0", "panel.talk_pin", "with panel.push_to_talk"),
        ("pixels = 12\npixel_first = 12", "panel.pixel_first", "below panel.pixels, which is 12"),
        ("pixels = 2", "panel.pixels", "at least 3 for a ring"),
    ],
)
def test_what_cannot_be_is_refused(text: str, key: str, words: str) -> None:
    problem = only(GPIO + text)
    assert problem.key == key
    assert words in problem.allowed
    assert problem.line, "the place that somebody wrote"
    if "another pin" in problem.allowed:
        assert problem.hint == ("Free: GPIO 4, 13." if "= 16" in text else "Free: GPIO 4, 13, 16.")
    assert loaded(f"[panel]\n{text}").panel.kind is PanelKind.NONE, "without a panel nothing of it matters"


def test_a_pin_that_the_board_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from appliance.settings import checks_panel

    narrow = {name: replace(board, usable=board.usable - {17}) for name, board in BOARDS.items()}
    monkeypatch.setattr(checks_panel, "BOARDS", narrow)
    assert "Raspberry Pi 4 Model B has no GPIO 17" in only(f'{GPIO}board = "pi4"').allowed


def test_all_of_it_is_told_at_once() -> None:
    found = problems(f"{GPIO}mute_pin = 2\ntalk_pin = 24\npixels = 2\npixel_first = 5")
    assert {problem.key for problem in found} == {
        "panel.mute_pin",
        "panel.talk_pin",
        "panel.pixels",
        "panel.pixel_first",
    }


def test_pins_that_are_not_there_and_a_short_row_are_no_trouble() -> None:
    assert (
        loaded(f'{GPIO}knock_pin = 0\ntalk_pin = 0\nroom_pin = 0\npixels = 1\npixel_layout = "row"').panel.pixels == 1
    )
