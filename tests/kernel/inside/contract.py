"""The contract of a panel's lines (tests/contract/panel_suite.py) over pins that are real to Linux."""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Iterator

import gpiod
from gpiod.line import Direction

from appliance.core.pins import LINES
from appliance.panel.gpio import GpioLines, gpio_lines
from appliance.panel.lines import Edge, Failed, Lines
from tests.contract.panel_suite import CHECKS
from tests.kernel.inside import pins
from tools.kernel.gpio_sim import Chip, tell_edges


class Wires:
    """Contacts that hold their wires, whatever bias a program asks for."""

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self._up: dict[int, bool] = {}

    def put(self, line: int, up: bool) -> None:
        """Hold it there from now on."""
        self._up[line] = up
        self._chip.pull(line, up)

    def hold(self) -> None:
        """Again, after a bias has pulled them."""
        for line, up in self._up.items():
            self._chip.pull(line, up)


class HeldLines:
    """The product's own lines; contacts hold their wires again before anybody reads a level."""

    def __init__(self, real: GpioLines, wires: Wires) -> None:
        self._real, self._wires = real, wires
        self.level, self.light, self.close = real.level, real.light, real.close

    @property
    def name(self) -> str:
        return self._real.name

    @property
    def contacts(self) -> tuple[str, ...]:
        return self._real.contacts

    @property
    def dims(self) -> frozenset[str]:
        return self._real.dims

    @property
    def problem(self) -> str:
        return self._real.problem

    def open(self, edge: Edge, failed: Failed) -> None:
        """See :meth:`appliance.panel.lines.Lines.open`."""
        self._real.open(edge, failed)
        self._wires.hold()


class KernelRig:
    """See :class:`tests.contract.panel_suite.Rig`."""

    def __init__(self, chip: Chip) -> None:
        self._chip, self._wires = chip, Wires(chip)
        self._deaf: set[int] = set()
        self.lines: Lines = HeldLines(gpio_lines(pins.settings().panel), self._wires)

    def move(self, contact: str, down: bool) -> None:
        line = LINES[contact].gpio
        if line in self._deaf:
            tell_edges(os.getpid(), line, told=True)
            self._deaf.discard(line)
        self._wires.put(line, not down)

    def shift(self, contact: str, down: bool) -> None:
        line = LINES[contact].gpio
        if tell_edges(os.getpid(), line, told=False):
            self._deaf.add(line)
        self._wires.put(line, not down)

    def lit(self, lamp: str) -> bool:
        line = LINES[f"{lamp}_lamp"]
        return self._chip.level(line.gpio) is (line.active == "high")

    @contextlib.contextmanager
    def gone(self) -> Iterator[None]:
        self._chip.unplug()
        yield
        self._chip.plug()

    @contextlib.contextmanager
    def claimed(self, contact: str) -> Iterator[None]:
        settings = gpiod.LineSettings(direction=Direction.INPUT)
        path, line = f"/dev/gpiochip{self._chip.number}", LINES[contact].gpio
        with gpiod.request_lines(path, consumer="another", config={line: settings}):
            yield


def checks() -> dict[str, str]:
    """Each check of the contract: empty if it is kept, else the traceback."""
    told = {}
    for check in CHECKS:
        with pins.chip() as chip:
            try:
                check(KernelRig(chip))
            except Exception:  # noqa: BLE001 - the host tells it
                told[check.__name__] = traceback.format_exc()
            else:
                told[check.__name__] = ""
    return told
