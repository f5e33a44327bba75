"""The wire to a lamp, read with a resistor of the chip against the panel's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from appliance.panel.bias import Biased
from appliance.panel.lines import LinesError
from appliance.settings import PanelSettings

PANEL = PanelSettings()
MIC, SPEAK = PANEL.mic_lamp_pin, PANEL.speak_lamp_pin


@pytest.fixture
def factory() -> Iterator[MockFactory]:
    factory = MockFactory()
    yield factory
    factory.reset()


def biased(factory: MockFactory, leds: Path) -> Biased:
    return Biased(PANEL, lambda _panel: factory, leds)


def test_what_nothing_holds_follows_the_chip(factory: MockFactory, tmp_path: Path) -> None:
    read = biased(factory, tmp_path)
    assert read("mic_lamp", "pull-up")
    assert not read("mic_lamp", "pull-down")


def test_a_resistor_of_the_panel_wins(factory: MockFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin = factory.pin(MIC)
    monkeypatch.setattr(type(pin), "_set_pull", lambda self, value: setattr(self, "_pull", value))
    pin.drive_low()
    assert not biased(factory, tmp_path)("mic_lamp", "pull-up")


def test_the_line_is_let_go_and_never_driven(
    factory: MockFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    functions: list[str] = []
    pin = factory.pin(MIC)
    set_function = pin._set_function

    def watched(_pin: object, value: str) -> None:
        functions.append(value)
        set_function(value)

    monkeypatch.setattr(type(pin), "_set_function", watched)
    read = biased(factory, tmp_path)
    for _ in range(2):
        read("mic_lamp", "pull-up")
    assert set(functions) <= {"input"}


def test_a_lamp_that_the_kernel_has_is_left_alone(factory: MockFactory, tmp_path: Path) -> None:
    (tmp_path / "kontor:white:speak").mkdir()
    with pytest.raises(LinesError, match="driver of LEDs has SPEAK"):
        biased(factory, tmp_path)("speak_lamp", "pull-up")


def test_a_line_that_somebody_else_has(tmp_path: Path) -> None:
    def refuses(_panel: PanelSettings) -> MockFactory:
        raise OSError(16, "Device or resource busy")

    with pytest.raises(LinesError, match=f"MIC .GPIO {MIC}. cannot be read: Device or resource busy"):
        Biased(PANEL, refuses, tmp_path)("mic_lamp", "pull-up")


def test_no_chip_on_this_machine(tmp_path: Path) -> None:
    with pytest.raises(LinesError, match="no-such-chip"):
        Biased(PanelSettings(chip="no-such-chip"), leds=tmp_path)("mic_lamp", "pull-up")
