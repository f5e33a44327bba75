"""The lines of a real panel: contacts and lamps on GPIO pins, by gpiozero.

gpiozero gives the pins; its buttons and lamps are left out: their threads, and that they forget an edge when the one before
was lost, are what a mute button cannot have.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gpiozero import InputDevice, OutputDevice
from gpiozero.exc import GPIOZeroError
from gpiozero.pins import Factory

from appliance.core.controls import MuteControl
from appliance.core.lamps import LAMPS
from appliance.core.pins import LINES
from appliance.panel import probe
from appliance.panel.leds import ROOT, Led, led_of
from appliance.panel.lines import CONTACTS, LIT_UNDRIVEN, Edge, Failed, LinesError
from appliance.settings.model_panel import PINS, Level, PanelSettings


@dataclass(frozen=True, slots=True)
class ContactWire:
    """Where a contact is."""

    gpio: int
    pull: str
    """The resistor in the chip: "up" or "down"."""
    down: bool
    """The level when it is down."""


@dataclass(frozen=True, slots=True)
class LampWire:
    """Where a lamp is."""

    gpio: int
    lit: bool
    """The level at which it is lit."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What is wired, by the names of :data:`~appliance.panel.lines.CONTACTS` and :data:`~appliance.core.lamps.LAMPS`."""

    contacts: Mapping[str, ContactWire]
    lamps: Mapping[str, LampWire]


def wiring(panel: PanelSettings) -> Wiring:
    """The wiring that the settings describe."""
    contacts = {name: _contact(panel, name) for name in CONTACTS if getattr(panel, PINS[name])}
    lamps = {name: _lamp(panel, name) for name in LAMPS if getattr(panel, PINS[f"{name}_lamp"])}
    return Wiring(contacts, lamps)


def _contact(panel: PanelSettings, name: str) -> ContactWire:
    down = (panel.mute_level if name == "mute" else panel.button_level) is Level.HIGH
    # A switch is pulled to muted, so that a broken wire mutes; a button is pulled away from pressed.
    high = down if name == "mute" and panel.mute is MuteControl.LATCHING else not down
    return ContactWire(getattr(panel, PINS[name]), "up" if high else "down", down)


def _lamp(panel: PanelSettings, name: str) -> LampWire:
    levels = {"mic": panel.mic_lamp_level, "fault": panel.fault_lamp_level}
    return LampWire(getattr(panel, PINS[f"{name}_lamp"]), levels.get(name, panel.lamp_level) is Level.HIGH)


class _Contact:
    """One contact on its pin."""

    def __init__(self, name: str, wire: ContactWire, factory: Factory, edge: Edge) -> None:
        self._name, self._down, self._edge = name, wire.down, edge
        self._device = InputDevice(wire.gpio, pull_up=wire.pull == "up", pin_factory=factory)
        self._device.pin.edges = "both"
        self._device.pin.when_changed = self._changed  # gpiozero keeps no reference to it, but this object lives on

    def is_down(self) -> bool:
        return bool(self._device.pin.state) is self._down

    def close(self) -> None:
        self._device.close()

    def _changed(self, _ticks: float, state: float) -> None:
        self._edge(self._name, bool(state) is self._down)


class GpioLines:
    """See :class:`appliance.panel.lines.Lines`.

    :param make: makes the factory of the pins, at every :meth:`open` anew: a chip may have gone, or moved.
    :param leds: where LED drivers show their LEDs.
    """

    def __init__(self, name: str, wires: Wiring, make: Callable[[Failed], Factory], leds: Path = ROOT) -> None:
        self._name, self._wires, self._make, self._root = name, wires, make, leds
        self._factory: Factory | None = None
        self._contacts: dict[str, _Contact] = {}
        self._lamps: dict[str, OutputDevice] = {}
        self._leds: dict[str, Led] = {}
        self._problem = ""

    @property
    def name(self) -> str:
        return self._name

    @property
    def contacts(self) -> tuple[str, ...]:
        return tuple(self._wires.contacts)

    @property
    def dims(self) -> frozenset[str]:
        return frozenset(lamp for lamp, led in self._leds.items() if led.most > 1)

    @property
    def problem(self) -> str:
        return self._problem

    def open(self, edge: Edge, failed: Failed) -> None:
        def fail(error: Exception) -> None:
            failed(_lost(error) if isinstance(error, OSError) else error)

        self._problem = ""
        try:
            self._factory = self._make(fail)
            for lamp in self._wires.lamps:
                self._open_lamp(lamp, self._factory)
            for name, wire in self._wires.contacts.items():
                with _naming(name, wire.gpio):
                    self._contacts[name] = _Contact(name, wire, self._factory, edge)
        except LinesError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise LinesError(f"the GPIO chip cannot be opened: {error.strerror}") from error

    def level(self, contact: str) -> bool:
        try:
            return self._contacts[contact].is_down()
        except OSError as error:
            raise _lost(error) from error

    def light(self, lamp: str, brightness: float) -> None:
        if lamp in self._leds:
            try:
                self._leds[lamp].light(brightness)
            except OSError as error:
                self._problem = f"the lamp {LINES[f'{lamp}_lamp'].label} cannot be lit: {error.strerror}"
        elif lamp in self._lamps:
            try:
                self._lamps[lamp].value = brightness > 0
            except OSError as error:
                raise _lost(error) from error

    def close(self) -> None:
        for lamp in [*self._leds, *self._lamps]:
            with contextlib.suppress(LinesError):
                self.light(lamp, float(lamp in LIT_UNDRIVEN))
        for closing in (*self._contacts.values(), *self._lamps.values(), *self._leds.values(), self._factory):
            if closing is not None:
                with contextlib.suppress(OSError):  # the chip has gone, and its lines with it
                    closing.close()
        self._factory = None
        for parts in (self._contacts, self._lamps, self._leds):
            parts.clear()

    def _open_lamp(self, lamp: str, factory: Factory) -> None:
        wire, path = self._wires.lamps[lamp], led_of(lamp, self._root)
        if not path.exists():
            with _naming(f"{lamp}_lamp", wire.gpio):
                lit = lamp in LIT_UNDRIVEN
                self._lamps[lamp] = OutputDevice(
                    wire.gpio, active_high=wire.lit, initial_value=lit, pin_factory=factory
                )
            return
        try:
            self._leds[lamp] = Led(path)
        except (OSError, ValueError) as error:
            self._problem = f"the lamp {LINES[f'{lamp}_lamp'].label} cannot be lit: {error}"


def _lost(error: OSError) -> LinesError:
    return LinesError(f"the lines of the panel are lost: {error.strerror or error}")


@contextlib.contextmanager
def _naming(line: str, gpio: int) -> Iterator[None]:
    """Say which line it was that could not be had."""
    try:
        yield
    except (OSError, GPIOZeroError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        way_out = f"free it, or set [panel] {PINS[line]} to the GPIO that is wired"
        raise LinesError(f"{LINES[line].label} (GPIO {gpio}) cannot be had: {why}; {way_out}") from error


def gpio_lines(panel: PanelSettings) -> GpioLines:
    """The lines of this machine that the settings name. Nothing is claimed yet."""
    from appliance.panel.gpiod_pins import GpiodFactory  # noqa: PLC0415 - tests bring pins of their own

    def make(failed: Failed) -> Factory:
        return GpiodFactory(probe.chip(panel).path, failed)

    return GpioLines("gpio", wiring(panel), make)
