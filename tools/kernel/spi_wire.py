"""A real /dev/spidev in the guest, and every bit that goes over its wires.

QEMU's parallel port with the kernel's spi-butterfly on it, which makes clock and data of single bits of the port. QEMU notes
each write to the port; the host reads the notes as a logic analyser would.
"""

from __future__ import annotations

import re
from pathlib import Path

from tools.kernel import guest

_NOTE = re.compile(r"parallel_ioport_write .*addr 0x(\w+) val 0x(\w+)")
_DATA, _CONTROL = 0x00, 0x02
_CLOCK, _OUT, _SELECT = 0x01, 0x80, 0x08
"""Bits of drivers/spi/spi-butterfly.c; the select bit is inverted by the port: set is selected."""


class SpiWire:
    """Between guest and host. ``notes`` is the file that QEMU writes; :attr:`options` belong to its command line."""

    def __init__(self, notes: Path) -> None:
        self._notes, self._seen = notes, 0
        self.options = (
            *("-chardev", "null,id=parallel", "-device", "isa-parallel,chardev=parallel"),
            *("-trace", f"enable=parallel_ioport_write,file={notes}"),
        )

    def sent(self) -> list[bytes]:
        """What went out since :meth:`sent` was last called: the bytes of each time at which the device was selected.

        What the drivers did to find the port counts too: call it once after :func:`spidev`, and forget what it gives.
        """
        found: list[bytes] = []
        notes = self._notes.read_text()
        bits, clock, selected = "", False, False
        for match in _NOTE.finditer(notes, self._seen):
            address, value = int(match[1], 16), int(match[2], 16)
            if address == _DATA:
                if value & _CLOCK and not clock and selected:
                    bits += "1" if value & _OUT else "0"
                clock = bool(value & _CLOCK)
            elif address == _CONTROL:
                selected = bool(value & _SELECT)
                if not selected and bits:
                    found.append(bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)))
                    bits, self._seen = "", match.end()
        return found


def spidev() -> str:
    """Load the drivers, in the guest; returns the path of the device."""
    guest.modprobe("-a", "parport_pc", "spi-butterfly")
    (device,) = Path("/sys/bus/spi/devices").iterdir()
    if not (device / "driver").exists():
        (device / "driver_override").write_text("spidev")
        Path("/sys/bus/spi/drivers/spidev/bind").write_text(device.name)
    return f"/dev/spidev{device.name.removeprefix('spi')}"
