"""Overlay sources from the pin map: the templates beside this file, with what they say of each pin.

The first three boards share one text: their chips have the same labels, functions and controllers. On a Pi 5 the header hangs
on another chip (RP1), for which Debian's kernel has pins, but neither SPI, PWM nor I2S: the ring's bus is two lines there, moved
by the kernel's spi-gpio, and SPEAK stays a plain line.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from string import Template

from appliance.core.wiring import Line
from tools.pinmap import PinMap

TEMPLATES = Path(__file__).resolve().parent

CONSTANTS = {
    "GPIO_ACTIVE_HIGH": 0,
    "GPIO_ACTIVE_LOW": 1,
    "LED_COLOR_ID_WHITE": 0,
    "LED_COLOR_ID_RED": 1,
    "LED_COLOR_ID_GREEN": 2,
    "LED_COLOR_ID_BLUE": 3,
    "LED_COLOR_ID_AMBER": 4,
}
"""Of the kernel's dt-bindings headers; `make firmware` compares them with those of the kernel it fetched."""

FUNCTIONS = {
    ("pwm0", 12): "alt0",
    ("pwm0", 18): "alt5",
    ("spi0", 7): "alt0",
    ("spi0", 8): "alt0",
    ("spi0", 9): "alt0",
    ("spi0", 10): "alt0",
    ("spi0", 11): "alt0",
    ("i2s", 18): "alt0",
    ("i2s", 19): "alt0",
    ("i2s", 20): "alt0",
    ("i2s", 21): "alt0",
}
"""Which function of a pin is which bus, on BCM2835 to BCM2711 ("BCM2711 ARM Peripherals", 5.3)."""

SPI_RATE = 4_000_000
"""Hz: 60 pixels in half a millisecond, over half a metre of wire."""

PWM_PERIOD = 1_000_000
"""ns: 1 kHz, which no eye sees, and 10,000 steps of the controller's 10 MHz."""
PWM_STEPS = 4095


class OverlayError(ValueError):
    """The map asks for what the chip cannot do; one sentence."""


def source(name: str, pins: PinMap) -> str:
    """The text of an overlay: ``kontor-panel`` (Pi 3B+, 4, Zero 2 W), ``kontor-panel-pi5``, ``kontor-audio`` (tier B).

    :raises OverlayError: the map asks for what the chip cannot do.
    """
    return Template((TEMPLATES / f"{name}.dts.in").read_text()).substitute(_values(pins))


def led(pins: PinMap, lamp: str) -> str:
    """What the kernel calls a lamp below /sys/class/leds: the project, its colour, what it is for."""
    return f"kontor:{pins.lines[f'{lamp}_lamp'].colour}:{lamp}"


def _values(pins: PinMap) -> dict[str, str | int]:
    """What the templates ask for."""
    lines = pins.lines
    fault = f"GPIO_ACTIVE_{lines['fault_lamp'].active.upper()}"
    contacts = [line for line in lines.values() if line.direction == "in" and not line.bus]
    values: dict[str, str | int] = {
        "fault_gpio": lines["fault_lamp"].gpio,
        "fault_level": fault,
        "fault_flag": CONSTANTS[fault],
        "pulled_down": _names(line for line in contacts if line.pull == "down"),
        "pulled_up": _names(line for line in contacts if line.pull == "up"),
        "pwm_period": PWM_PERIOD,
        "pwm_steps": PWM_STEPS,
        "spi_rate": SPI_RATE,
    }
    for name in ("pixels_data", "pixels_clock", "spi_select"):
        values[name] = lines[name].gpio
    for lamp in ("fault", "speak"):
        values |= _led(pins, lamp)
    for bus in ("pwm0", "spi0", "i2s"):
        values |= _muxed(pins, bus)
    return values


def _names(lines: Iterable[Line]) -> str:
    """Pins as a tree names them."""
    return ", ".join(f'"gpio{gpio}"' for gpio in sorted(line.gpio for line in lines))


def _led(pins: PinMap, lamp: str) -> dict[str, str | int]:
    """Name and colour of a lamp."""
    colour = f"LED_COLOR_ID_{pins.lines[f'{lamp}_lamp'].colour.upper()}"
    if colour not in CONSTANTS:
        raise OverlayError(f"{lamp}_lamp: the kernel has no {colour}")
    name = led(pins, lamp)
    return {f"{lamp}_name": name, f"{lamp}_colour": CONSTANTS[colour], f"{lamp}_colour_name": colour}


def _muxed(pins: PinMap, bus: str) -> dict[str, str | int]:
    """The pins of a bus and their function."""
    lines = [line for line in pins.lines.values() if line.bus == bus]
    functions = {FUNCTIONS.get((bus, line.gpio), "") for line in lines}
    if len(functions) != 1 or "" in functions:
        raise OverlayError(f"{bus} cannot be at GPIO {', '.join(str(line.gpio) for line in lines)}")
    return {f"{bus}_pins": _names(lines), f"{bus}_function": functions.pop()}
