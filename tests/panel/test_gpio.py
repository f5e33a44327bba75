"""Real pins without hardware: levels and pulls from the settings, LED drivers, and what is said when a line cannot be had."""

import errno
import os
import select
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from appliance.core.controls import MuteControl
from appliance.core.pins import BOARDS, LINES
from appliance.panel import probe
from appliance.panel.leds import Led, led_of
from appliance.panel.lines import LinesError
from appliance.settings import Level, PanelKind, PanelSettings
from tests.support import wait_for
from tests.support.need import need

need("module:gpiozero", "the pins of a panel are gpiozero's")
need("module:gpiod", "the pins of a panel are libgpiod's")

import gpiod  # noqa: E402 - they may be missing
from gpiozero.pins.mock import MockFactory, MockPin  # noqa: E402 - the same

from appliance.panel.gpio import ContactWire, GpioLines, LampWire, wiring  # noqa: E402 - the same
from appliance.panel.gpiod_pins import GpiodPin, Reader  # noqa: E402 - the same

PANEL = PanelSettings(kind=PanelKind.GPIO)


def test_the_pins_are_those_of_the_map() -> None:
    wires = wiring(PANEL)
    assert {name: wire.gpio for name, wire in wires.contacts.items()} == {
        name: LINES[name].gpio for name in ("mute", "room", "talk", "volume_up", "volume_down", "knock")
    }
    for name, wire in wires.contacts.items():
        assert wire.pull == LINES[name].pull
        assert wire.down is (LINES[name].active == "high")
    for name, lamp in wires.lamps.items():
        assert lamp == LampWire(LINES[f"{name}_lamp"].gpio, LINES[f"{name}_lamp"].active == "high")


@pytest.mark.parametrize(
    ("kind", "level", "pull"),
    [
        (MuteControl.LATCHING, Level.LOW, "down"),
        (MuteControl.LATCHING, Level.HIGH, "up"),
        (MuteControl.MOMENTARY, Level.LOW, "up"),
        (MuteControl.MOMENTARY, Level.HIGH, "down"),
    ],
)
def test_a_broken_wire_of_the_switch_mutes_and_that_of_a_button_presses_nothing(
    kind: MuteControl, level: Level, pull: str
) -> None:
    wires = wiring(replace(PANEL, mute=kind, mute_level=level))
    assert wires.contacts["mute"] == ContactWire(17, pull, level is Level.HIGH)
    assert wires.contacts["talk"].pull == "up"


def test_a_line_that_is_not_there_is_not_wired() -> None:
    wires = wiring(replace(PANEL, knock_pin=0, speak_lamp_pin=0))
    assert "knock" not in wires.contacts
    assert "speak" not in wires.lamps


class Mocked:
    """Lines on mock pins."""

    def __init__(self, folder: Path, panel: PanelSettings = PANEL, pin_class: type[MockPin] = MockPin) -> None:
        self.factory = MockFactory(pin_class=pin_class)
        self.lines = GpioLines("mock", wiring(panel), self.make, folder)
        self.told: list[tuple[str, bool]] = []
        self.failures: list[Exception] = []

    def make(self, failed: Callable[[Exception], None]) -> MockFactory:
        self.failed = failed
        return self.factory

    def open(self) -> None:
        self.lines.open(lambda contact, down: self.told.append((contact, down)), self.failures.append)

    def pin(self, name: str) -> Any:
        return self.factory.pin(LINES[name].gpio)


@pytest.fixture
def mocked(tmp_path: Path) -> Iterator[Mocked]:
    made = Mocked(tmp_path)
    made.open()
    yield made
    made.lines.close()


def test_levels_and_edges(mocked: Mocked) -> None:
    assert mocked.lines.level("mute"), "nothing is connected, so the chip's resistor mutes"
    assert not mocked.lines.level("talk")
    mocked.pin("mute").drive_high()
    mocked.pin("talk").drive_low()
    assert mocked.told == [("mute", False), ("talk", True)]
    assert not mocked.lines.level("mute")
    assert mocked.lines.level("talk")


def test_lamps_have_their_levels_from_the_first_moment_on(mocked: Mocked) -> None:
    for name in ("mic_lamp", "fault_lamp", "room_lamp", "speak_lamp"):
        states = [bool(state.state) for state in mocked.pin(name).states]
        assert states[-1] is False, "lit when low, and dark when low"
    mocked.lines.light("mic", 0.0)
    mocked.lines.light("room", 1.0)
    assert mocked.pin("mic_lamp").state
    assert mocked.pin("room_lamp").state
    mocked.lines.close()
    assert not mocked.factory.pins, "all of it is let go"
    mocked.lines.close()


def test_no_edge_is_told_after_the_end(mocked: Mocked) -> None:
    pin = mocked.pin("talk")
    mocked.lines.close()
    pin.drive_low()
    assert mocked.told == []


def test_a_lost_chip_is_told_as_lost_lines_and_an_error_of_ours_as_it_is(mocked: Mocked) -> None:
    mocked.failed(OSError(errno.ENODEV, "No such device"))
    mocked.failed(ZeroDivisionError())
    assert [type(error) for error in mocked.failures] == [LinesError, ZeroDivisionError]
    assert str(mocked.failures[0]) == "the lines of the panel are lost: No such device"


def test_a_line_that_somebody_has_is_named_with_the_way_out(tmp_path: Path) -> None:
    class Taken(MockPin):
        def _set_function(self, value: str) -> None:
            if self._number == 27:
                raise OSError(errno.EBUSY, '"other" has it')
            super()._set_function(value)

        def close(self) -> None:
            self.when_changed = None

    made = Mocked(tmp_path, pin_class=Taken)
    with pytest.raises(LinesError) as caught:
        made.open()
    assert str(caught.value) == (
        'TALK (GPIO 27) cannot be had: "other" has it; free it, or set [panel] talk_pin to the GPIO that is wired'
    )
    assert not made.factory.pins, "what was claimed is let go"


def test_a_line_that_gpiozero_refuses_is_named_too(tmp_path: Path) -> None:
    made = Mocked(tmp_path, replace(PANEL, knock_pin=17))
    with pytest.raises(LinesError, match=r"KNOCK \(GPIO 17\) cannot be had: .*in use"):
        made.open()


def test_a_chip_that_is_not_there_is_told(tmp_path: Path) -> None:
    def missing(_failed: object) -> MockFactory:
        raise OSError(errno.ENOENT, "No such file or directory")

    lines = GpioLines("mock", wiring(PANEL), missing, tmp_path)
    with pytest.raises(LinesError, match="the GPIO chip cannot be opened: No such file"):
        lines.open(lambda _contact, _down: None, lambda _error: None)


def led(root: Path, lamp: str, most: int) -> Path:
    path = led_of(lamp, root)
    path.mkdir()
    (path / "max_brightness").write_text(f"{most}\n")
    (path / "brightness").write_text("1\n")
    (path / "trigger").write_text("none [heartbeat] timer\n")
    return path


def lit(path: Path) -> str:
    return (path / "brightness").read_text().strip()


def test_a_lamp_that_the_kernel_has_is_taken_over_and_lit_there(tmp_path: Path) -> None:
    fault, speak = led(tmp_path, "fault", 1), led(tmp_path, "speak", 255)
    (speak / "trigger").write_text("[none]")
    assert (fault.name, speak.name) == ("kontor:amber:fault", "kontor:white:speak")
    made = Mocked(tmp_path)
    made.open()
    assert (fault / "trigger").read_text() == "none"
    assert (speak / "trigger").read_text() == "[none]", (
        "what nothing blinks is left alone: it may not be ours to write to"
    )
    assert made.lines.dims == {"speak"}
    made.lines.light("fault", 0.0)
    made.lines.light("speak", 0.001)
    assert lit(fault)[0] == "0"
    assert lit(speak)[0] == "1", "what is lit at all is not dark"
    made.lines.light("speak", 1.0)
    assert lit(speak) == "255"
    assert {info.name for info in made.factory.pins} >= {"GPIO25", "GPIO22"}
    assert {info.name for info in made.factory.pins}.isdisjoint({"GPIO23", "GPIO12"}), "their pins are the driver's"
    made.lines.close()
    assert lit(fault)[0] == "1", "FAULT is lit when nobody is there"
    assert lit(speak)[0] == "0"
    assert made.lines.problem == ""


def test_a_lamp_of_the_kernel_that_is_not_ours_is_a_problem_and_no_loss(tmp_path: Path) -> None:
    (led(tmp_path, "fault", 1) / "max_brightness").write_text("")
    made = Mocked(tmp_path)
    made.open()
    assert "the lamp FAULT cannot be lit" in made.lines.problem
    made.lines.light("fault", 0.0)
    made.lines.close()


def test_a_lamp_of_the_kernel_that_goes_is_a_problem_and_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    led(tmp_path, "fault", 1)
    made = Mocked(tmp_path)
    made.open()

    def gone(_led: Led, _brightness: float) -> None:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(Led, "light", gone)
    made.lines.light("fault", 1.0)
    assert made.lines.problem == "the lamp FAULT cannot be lit: No such device"
    made.lines.close()


def test_the_reader_calls_whoever_has_something_to_read_and_ends() -> None:
    failures: list[Exception] = []
    reader = Reader(failures.append)
    heard: list[int] = []
    file = os.eventfd(0)
    reader.watch(file, lambda: heard.append(os.eventfd_read(file)))
    os.eventfd_write(file, 3)
    wait_for(lambda: heard == [3])
    reader.forget(file)
    reader.forget(file)
    os.eventfd_write(file, 4)
    reader.stop()
    assert (heard, failures) == ([3], [])
    os.close(file)


def test_an_edge_of_a_line_that_was_just_let_go_is_no_error() -> None:
    class Released:
        def read_edge_events(self) -> list[object]:
            raise gpiod.RequestReleasedError

    pin = object.__new__(GpiodPin)
    for request in (cast("gpiod.LineRequest", Released()), None):
        pin._request = request
        pin._read()


def test_a_reader_that_breaks_says_so() -> None:
    failures: list[Exception] = []
    reader = Reader(failures.append)
    file = os.eventfd(1)

    def broken() -> None:
        raise OSError(errno.ENODEV, "No such device")

    reader.watch(file, broken)
    wait_for(lambda: bool(failures))
    assert isinstance(failures[0], OSError)
    wait_for(lambda: not any(thread.name == "panel-lines" for thread in threading.enumerate()))
    reader.stop()
    os.close(file)
    with pytest.raises(ValueError, match="closed"):
        reader._poll.register(0, select.EPOLLIN)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Raspberry Pi 4 Model B Rev 1.5\0", "pi4"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3\0", "pi3b+"),
        ("Raspberry Pi 5 Model B Rev 1.0\0", "pi5"),
        ("Raspberry Pi Zero 2 W Rev 1.0\0", "zero2w"),
        ("Raspberry Pi 2 Model B Rev 1.1\0", None),
        ("", None),
    ],
)
def test_the_board_is_known_by_its_model(tmp_path: Path, text: str, name: str | None) -> None:
    path = tmp_path / "model"
    path.write_text(text)
    assert probe.board(probe.model(path)) == name
    assert probe.model(tmp_path / "missing") == ""


def test_the_chip_is_looked_for_by_its_label(monkeypatch: pytest.MonkeyPatch) -> None:
    here = [
        probe.Chip(Path("/dev/gpiochip0"), "raspberrypi-exp-gpio", 8),
        probe.Chip(Path("/dev/gpiochip4"), "pinctrl-rp1", 54),
    ]
    monkeypatch.setattr(probe, "chips", lambda: here)
    monkeypatch.setattr(probe, "model", lambda: "Raspberry Pi 5 Model B Rev 1.0")
    assert probe.chip(PANEL) is here[1]
    assert probe.chip(replace(PANEL, board="pi5")) is here[1]
    assert probe.chip(replace(PANEL, chip="raspberrypi-exp-gpio")) is here[0]
    with pytest.raises(LinesError) as caught:
        probe.chip(replace(PANEL, board="pi4"))
    assert str(caught.value) == (
        "there is no GPIO chip pinctrl-bcm2711 (here: raspberrypi-exp-gpio, pinctrl-rp1): see [panel] board and chip"
    )


def test_a_machine_that_is_no_board_needs_to_be_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "model", lambda: "Some Laptop")
    with pytest.raises(LinesError, match=r'this machine \("Some Laptop"\) is no board that Kontor knows'):
        probe.chip(PANEL)
    assert probe.labels(replace(PANEL, board="pi4"), "") == BOARDS["pi4"].chip_labels


def test_a_chip_that_may_not_be_opened_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> list[probe.Chip]:
        raise PermissionError(errno.EACCES, "Permission denied", "/dev/gpiochip0")

    monkeypatch.setattr(probe, "chips", refused)
    with pytest.raises(LinesError, match="/dev/gpiochip0 cannot be opened: Permission denied"):
        probe.chip(replace(PANEL, board="pi4"))


def test_what_is_no_gpio_chip_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "gpiochip0").write_text("")
    (tmp_path / "gpiochip1").symlink_to(tmp_path / "gpiochip0")
    assert probe.chips(tmp_path) == []
