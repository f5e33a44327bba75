"""Lamps that the kernel's LED drivers have, by /sys/class/leds: that is where the overlay of firmware/ puts FAULT and SPEAK.

FAULT is on there before any program runs, and is taken over by writing to it. SPEAK is dimmed by the board's own PWM.
"""

import os
from pathlib import Path

from appliance.core.pins import LINES

ROOT = Path("/sys/class/leds")


def led_of(lamp: str, root: Path = ROOT) -> Path:
    """Where the lamp ``lamp`` is, if an LED driver has it: ``kontor:amber:fault``."""
    return root / f"kontor:{LINES[f'{lamp}_lamp'].colour}:{lamp}"


class Led:
    """The LED whose folder in /sys is ``path``. It is taken over from whatever blinks it until now.

    :raises OSError: it is not there, or not ours to write to.
    """

    def __init__(self, path: Path) -> None:
        self.most = int((path / "max_brightness").read_text())
        """Its largest brightness; one that has no steps between has 1."""
        trigger = path / "trigger"
        if trigger.exists() and "[none]" not in trigger.read_text():
            trigger.write_text("none")
        self._file = os.open(path / "brightness", os.O_WRONLY | os.O_CLOEXEC)

    def light(self, brightness: float) -> None:
        """Light it, 0 to 1. What is lit at all stays lit.

        :raises OSError: it does not take it, or is gone.
        """
        steps = round(brightness * self.most)
        os.pwrite(self._file, b"%d" % (max(1, steps) if brightness > 0 else 0), 0)

    def close(self) -> None:
        """Let it go as it is."""
        os.close(self._file)
