"""The line of a lamp, read as an input for a moment: the panel's own resistor has to win against that of the chip.

So the wire to a lamp is proven with nobody looking. Meanwhile nobody drives the lamp: MIC and FAULT are lit.
"""

import time
from collections.abc import Callable
from pathlib import Path

from gpiozero import InputDevice
from gpiozero.exc import GPIOZeroError
from gpiozero.pins import Factory

from appliance.core.pins import LINES
from appliance.panel import probe
from appliance.panel.gpiod_pins import GpiodFactory
from appliance.panel.leds import ROOT, led_of
from appliance.panel.lines import LinesError
from appliance.settings.model_panel import PINS, PanelSettings

_SETTLES = 0.01
"""Seconds until a gate is charged through the resistor of the chip: a thousandth of it is enough for most."""


def _real(panel: PanelSettings) -> Factory:
    return GpiodFactory(probe.chip(panel).path, lambda _error: None)


class Biased:
    """Reads lines of this machine so; call it with the line's name in the pin map and "pull-up" or "pull-down"."""

    def __init__(
        self, panel: PanelSettings, make: Callable[[PanelSettings], Factory] = _real, leds: Path = ROOT
    ) -> None:
        self._panel, self._make, self._leds = panel, make, leds

    def __call__(self, line: str, bias: str) -> bool:
        """Whether it is high.

        :raises LinesError: a driver or another program has it, or the chip is not there.
        """
        label, gpio = LINES[line].label, getattr(self._panel, PINS[line])
        if led_of(line.removesuffix("_lamp"), self._leds).exists():
            raise LinesError(f"the kernel's driver of LEDs has {label}")
        try:
            factory = self._make(self._panel)
            try:
                with InputDevice(gpio, pull_up=bias == "pull-up", pin_factory=factory) as device:
                    time.sleep(_SETTLES)
                    return bool(device.pin.state)
            finally:
                factory.close()
        except (OSError, GPIOZeroError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise LinesError(f"{label} (GPIO {gpio}) cannot be read: {why}") from error
