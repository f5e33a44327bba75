"""A ring or row of APA102 or SK9822 LEDs on a SPI bus, through the kernel's own interface (/dev/spidevB.C).

The two ioctls that are needed are a few lines; the library for them has no ready-made package for our machines (decision
0115). Both kinds of LED take four zero bytes, four bytes for each LED, and clock pulses behind them: each LED hands the data on
half a pulse late, so that the last of n needs n/2 more. SK9822 shows what it was sent only after four more zero bytes. Zeros
are sent for the pulses, too: an LED too many at the end of the wire then stays as it is, where ones would light it up white.
"""

import errno
import fcntl
import os
import struct
from pathlib import Path

from appliance.settings.model_panel import MOST_PIXELS

HERTZ = 2_000_000
"""Clock of the bus: 60 LEDs take 1 ms, and half a metre of plain wire still carries it."""

_START = 4
_RESET = 4


def _write_request(number: int, size: int) -> int:
    """The number of an ioctl that hands ``size`` bytes to spidev (_IOW('k', number, size), linux/spi/spidev.h)."""
    return 1 << 30 | size << 16 | ord("k") << 8 | number


_MODE, _BITS, _SPEED = _write_request(1, 1), _write_request(3, 1), _write_request(4, 4)


class Message:
    """The bytes that set ``pixels`` LEDs: made once, and filled again for each frame.

    :raises ValueError: there are no, or more than MOST_PIXELS, LEDs.
    """

    def __init__(self, pixels: int) -> None:
        if not 1 <= pixels <= MOST_PIXELS:
            raise ValueError(f"a ring has 1 to {MOST_PIXELS} LEDs, not {pixels}")
        self._bytes = bytearray(_START + 4 * pixels + _RESET + (pixels + 15) // 16)
        self._colours = memoryview(self._bytes)[_START : _START + 4 * pixels]

    def filled(self, colours: bytes) -> bytearray:
        """The message that shows ``colours``, as :attr:`appliance.panel.renderer.Frame.pixels` has them. Good until the next.

        :raises ValueError: they are not for as many LEDs as there are.
        """
        self._colours[:] = colours
        return self._bytes


class SpiPixels:
    """The LEDs at ``device``. One thread at a time.

    :raises ValueError: there are no, or more than MOST_PIXELS, LEDs.
    """

    def __init__(self, device: Path, pixels: int, hertz: int = HERTZ) -> None:
        self._device, self._hertz = device, hertz
        self._message = Message(pixels)
        self._file: int | None = None

    def open(self) -> None:
        """Open the bus. Nothing is sent yet.

        :raises OSError: there is no such device, it is not ours to open, or it is no SPI bus.
        """
        self.close()
        file = os.open(self._device, os.O_WRONLY)
        try:
            fcntl.ioctl(file, _MODE, b"\0")  # clock idles low, data are taken on its rising edge
            fcntl.ioctl(file, _BITS, b"\x08")
            fcntl.ioctl(file, _SPEED, struct.pack("=I", self._hertz))
        except OSError:
            os.close(file)
            raise
        self._file = file

    def send(self, colours: bytes) -> None:
        """Show ``colours``: four bytes for each LED, see :meth:`Message.filled`.

        :raises OSError: the bus does not take them, or is not open.
        :raises ValueError: they are not for as many LEDs as there are.
        """
        if self._file is None:
            raise OSError(errno.EBADF, "it is not open", str(self._device))
        message = self._message.filled(colours)
        if os.write(self._file, message) != len(message):
            raise OSError(errno.EIO, f"it took only a part of {len(message)} bytes", str(self._device))

    def close(self) -> None:
        """Close the bus; the LEDs stay as they are. Nothing to do when it is closed."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
