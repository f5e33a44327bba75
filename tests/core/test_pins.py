"""The pins as the code has them: what every part of the panel relies on."""

import pytest

from appliance.core.pins import BOARDS, HEADER, LINES, RESERVED
from appliance.core.wiring import Board


def test_no_pin_is_used_twice_and_none_that_a_board_lacks() -> None:
    gpios = [line.gpio for line in LINES.values()]
    assert len(gpios) == len(set(gpios))
    for board in BOARDS.values():
        assert set(gpios) <= board.usable
        assert not board.usable & set(RESERVED)


def test_header_pins_are_those_of_the_header() -> None:
    assert all(HEADER[line.gpio] == line.pin for line in LINES.values())


def test_a_broken_wire_at_the_mute_switch_reads_as_muted() -> None:
    """The level that the pull gives is the one that means muted; with a button it means not pressed."""
    mute = LINES["mute"]
    assert (mute.active, mute.pull, mute.momentary_pull) == ("low", "down", "up")


def test_the_microphone_lamp_is_lit_while_nobody_drives_it() -> None:
    assert LINES["mic_lamp"].undriven == "lit"
    assert LINES["mic_lamp"].active == "low"


@pytest.mark.parametrize(
    ("model", "board"),
    [
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "pi3b+"),
        ("Raspberry Pi 3 Model B+", "pi3b+"),
        ("Raspberry Pi 4 Model B Rev 1.5", "pi4"),
        ("Raspberry Pi 5 Model B Rev 1.1", "pi5"),
        ("Raspberry Pi 5", "pi5"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "zero2w"),
        ("Raspberry Pi 3 Model B Rev 1.2", None),
        ("Raspberry Pi 500 Rev 1.0", None),
        ("Raspberry Pi Zero W Rev 1.1", None),
    ],
)
def test_a_board_is_told_by_its_model(model: str, board: str | None) -> None:
    fitting = [name for name, known in BOARDS.items() if known.fits(model)]
    assert fitting == ([board] if board else [])


def test_a_board_without_models_fits_nothing() -> None:
    assert not Board("none", (), (), frozenset()).fits("")
