"""A lamp of /sys/class/leds for the guest, and what it shows: Debian's kernel for a PC has no LED of user space's.

It is the LED of an input device of ours (uinput): to whoever writes to it, it is one as a device tree's gpio-leds makes it, and
what is written arrives here. Root only.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from pathlib import Path
from typing import Self

from tools.kernel import guest

CLASS = Path("/sys/class/leds")
_SETUP = struct.Struct("<HHHH80sI")
"""struct uinput_setup: bus, vendor, product, version, name, effects."""
_EVENT = struct.Struct("<qqHHi")
"""struct input_event: seconds, microseconds, type, code, value."""
_SET_EVENT, _SET_LED, _DEVICE_SETUP = 0x40045564, 0x40045569, 0x405C5503
_CREATE, _DESTROY, _SYSTEM_NAME = 0x5501, 0x5502, 0x8040552C
"""UI_SET_EVBIT, UI_SET_LEDBIT, UI_DEV_SETUP, UI_DEV_CREATE, UI_DEV_DESTROY and UI_GET_SYSNAME(64) of linux/uinput.h."""
_EV_LED, _LED_MISC, _BUS_VIRTUAL = 0x11, 0x08, 0x06


class Led:
    """A lamp that programs find as /sys/class/leds/NAME; ``with Led(name) as led:`` it is there, dark, and alone there."""

    def __init__(self, name: str) -> None:
        self.path = CLASS / name
        self._fd = -1
        self._lit = False

    def __enter__(self) -> Self:
        guest.modprobe("uinput")
        self._fd = os.open("/dev/uinput", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(self._fd, _SET_EVENT, _EV_LED)
        fcntl.ioctl(self._fd, _SET_LED, _LED_MISC)
        fcntl.ioctl(self._fd, _DEVICE_SETUP, _SETUP.pack(_BUS_VIRTUAL, 1, 1, 1, b"kontor", 0))
        fcntl.ioctl(self._fd, _CREATE)
        device = fcntl.ioctl(self._fd, _SYSTEM_NAME, bytes(64)).rstrip(b"\0").decode()
        lamp = Path(f"/sys/devices/virtual/input/{device}/{device}::misc")
        # The kernel chooses the name: the right one is a link to it, and folders of /sys take none.
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(CLASS)], check=True)
        self.path.symlink_to(lamp)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", str(CLASS)], check=True)
        fcntl.ioctl(self._fd, _DESTROY)
        os.close(self._fd)

    @property
    def lit(self) -> bool:
        """Whether the lamp shines: what the kernel told its device last."""
        try:
            while event := os.read(self._fd, _EVENT.size):
                *_, kind, code, value = _EVENT.unpack(event)
                if (kind, code) == (_EV_LED, _LED_MISC):
                    self._lit = bool(value)
        except BlockingIOError:
            pass
        return self._lit
