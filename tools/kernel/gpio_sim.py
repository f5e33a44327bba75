"""Pins of a Raspberry Pi for the guest: the kernel's gpio-sim, through configfs (admin-guide/gpio/gpio-sim.rst of its docs).

To whoever opens /dev/gpiochipN they are pins; from outside, here, their wires are pulled up and down and what is driven is
read. Root only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
from pathlib import Path
from typing import Self

from tools.kernel import guest

CONFIG = Path("/sys/kernel/config/gpio-sim")
LINES = 58
"""Of the controller of a Raspberry Pi 4; those of the others have 54."""
_PIDFD_GETFD = 438
_SET_CONFIG = 0xC110B40D
"""GPIO_V2_LINE_SET_CONFIG_IOCTL of linux/gpio.h."""
_CONFIG = struct.Struct("<QI260x")
"""struct gpio_v2_line_config: the flags of all lines, and how many attributes follow: none. A bias stays as it is."""
_INPUT, _BOTH_EDGES = 1 << 2, 1 << 4 | 1 << 5


class Chip:
    """One simulated chip; ``with Chip(...) as chip:`` it is there.

    :param label: what a Raspberry Pi's controller calls itself: "pinctrl-bcm2711".
    :param name: of its folder in configfs.
    """

    def __init__(self, label: str, *, lines: int = LINES, name: str = "pins") -> None:
        self.label, self.lines = label, lines
        self._folder = CONFIG / name
        self._device = Path()

    def __enter__(self) -> Self:
        guest.modprobe("gpio-sim")
        bank = self._folder / "bank0"
        bank.mkdir(parents=True)
        (bank / "num_lines").write_text(str(self.lines))
        (bank / "label").write_text(self.label)
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()
        (self._folder / "bank0").rmdir()
        self._folder.rmdir()

    def plug(self) -> None:
        """Let it come, under the lowest free number; every wire hangs loose, which gpio-sim reads as low."""
        (self._folder / "live").write_text("1")
        name = (self._folder / "dev_name").read_text().strip()
        chip = (self._folder / "bank0" / "chip_name").read_text().strip()
        self._device = Path("/sys/devices/platform") / name / chip

    def unplug(self) -> None:
        """Let it go, whoever has lines of it open; nothing to do if it is not there."""
        if (self._folder / "live").read_text().strip() == "1":
            (self._folder / "live").write_text("0")

    @property
    def number(self) -> int:
        """N of its /dev/gpiochipN."""
        return int(self._device.name.removeprefix("gpiochip"))

    def pull(self, line: int, up: bool) -> None:
        """Pull a wire up or down, as a contact or a resistor would.

        A bias that a program asks for is a pull, too, and the last one counts: who asks for a pull-down finds the wire low.
        """
        (self._device / f"sim_gpio{line}" / "pull").write_text("pull-up" if up else "pull-down")

    def pulled_up(self, line: int) -> bool:
        """How the wire is pulled now: by :meth:`pull`, or by a bias that a program asked for."""
        return (self._device / f"sim_gpio{line}" / "pull").read_text().strip() == "pull-up"

    def level(self, line: int) -> bool:
        """Whether the wire is high: what a program drives, else how it is pulled."""
        return (self._device / f"sim_gpio{line}" / "value").read_text().strip() == "1"


def tell_edges(pid: int, line: int, told: bool) -> bool:
    """Take the edges of an input away from the process that has it, or give them back: it cannot know, as if they were lost.

    :returns: whether the process has the line, by a request that is for this line alone.
    """
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            lines = re.findall(r"^gpio-line:\s*(\d+)$", entry.read_text(), re.MULTILINE)
            if lines == [str(line)]:
                _reconfigure(pid, int(entry.name), _INPUT | _BOTH_EDGES * told)
                return True
    return False


def _reconfigure(pid: int, fd: int, flags: int) -> None:
    process = os.pidfd_open(pid)
    try:
        ours = guest.system_call(_PIDFD_GETFD, process, fd, 0)
    finally:
        os.close(process)
    try:
        fcntl.ioctl(ours, _SET_CONFIG, _CONFIG.pack(flags, 0))
    finally:
        os.close(ours)
