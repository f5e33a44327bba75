"""The contract of a panel's lines, over virtual ones and over gpiozero's own mock pins (tests/kernel has real ones)."""

import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from appliance.core.controls import MuteControl
from appliance.core.pins import LINES
from appliance.panel.lines import Failed, Lines
from appliance.panel.virtual import VirtualLines
from appliance.settings import PanelKind, PanelSettings
from tests.contract import doctor_suite
from tests.contract.panel_suite import CHECKS, Rig
from tests.support.need import need


class VirtualRig:
    """The lines of the demo."""

    def __init__(self, _folder: Path) -> None:
        self.lines: Lines = VirtualLines()

    @property
    def _own(self) -> VirtualLines:
        return cast("VirtualLines", self.lines)

    def move(self, contact: str, down: bool) -> None:
        self._own.move(contact, down)

    def shift(self, contact: str, down: bool) -> None:
        self._own.shift(contact, down)

    def lit(self, lamp: str) -> bool:
        return self._own.lamps.get(lamp, 0.0) > 0.0

    @contextlib.contextmanager
    def gone(self) -> Iterator[None]:
        self._own.broken = "the plug is out"
        yield
        self._own.broken = ""

    @contextlib.contextmanager
    def claimed(self, contact: str) -> Iterator[None]:
        self._own.broken = f"somebody has {contact}"
        yield
        self._own.broken = ""


class MockRig:
    """gpiozero's mock pins: edges come on the thread of whoever moves them."""

    def __init__(self, folder: Path) -> None:
        need("module:gpiozero", "the pins of a panel are gpiozero's")
        from gpiozero.pins.mock import MockFactory, MockPin

        from appliance.panel.gpio import GpioLines, wiring

        rig = self
        self._gone = False
        self._taken: set[int] = set()
        self._levels: dict[int, bool] = {}

        class Pin(MockPin):
            """A pin that has the level of its wire, and can be lost or belong to somebody else."""

            def _set_function(self, value: str) -> None:
                if self._number in rig._taken:
                    raise OSError(errno.EBUSY, '"other" has it')
                super()._set_function(value)

            def _get_state(self) -> bool:
                if rig._gone:
                    raise OSError(errno.ENODEV, "No such device")
                return rig._levels.get(self._number, self._pull == "up") if self._function == "input" else self._state

            def _set_state(self, value: float) -> None:
                if rig._gone:
                    raise OSError(errno.ENODEV, "No such device")
                super()._set_state(value)
                rig._levels[self._number] = bool(value)

            def close(self) -> None:
                self.when_changed = None

        self._factory = MockFactory(pin_class=Pin)

        def make(_failed: Failed) -> MockFactory:
            if rig._gone:
                raise OSError(errno.ENODEV, "No such device")
            return rig._factory

        panel = PanelSettings(kind=PanelKind.GPIO, mute=MuteControl.LATCHING)
        self.lines: Lines = GpioLines("mock", wiring(panel), make, folder)

    def move(self, contact: str, down: bool) -> None:
        gpio = LINES[contact].gpio
        self.shift(contact, down)
        pin = self._factory.pins.get(self._factory.pin(gpio).info)
        if pin is not None and pin.when_changed is not None:
            pin.when_changed(0.0, not down)

    def shift(self, contact: str, down: bool) -> None:
        self._levels[LINES[contact].gpio] = not down

    def lit(self, lamp: str) -> bool:
        line = LINES[f"{lamp}_lamp"]
        return self._levels.get(line.gpio, line.undriven == "lit") is (line.active == "high")

    @contextlib.contextmanager
    def gone(self) -> Iterator[None]:
        self._gone = True
        self._levels.clear()
        yield
        self._gone = False

    @contextlib.contextmanager
    def claimed(self, contact: str) -> Iterator[None]:
        self._taken.add(LINES[contact].gpio)
        yield
        self._taken.clear()


@pytest.mark.parametrize("make", [VirtualRig, MockRig])
@pytest.mark.parametrize("check", [*CHECKS, *doctor_suite.CHECKS], ids=lambda check: check.__name__)
def test_contract(check: Callable[[Rig], None], make: Callable[[Path], Rig], tmp_path: Path) -> None:
    check(make(tmp_path))
