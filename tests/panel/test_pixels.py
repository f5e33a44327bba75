"""What goes over the wire to the LEDs, as the chain itself reads it."""

import errno
import fcntl
import math
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.panel.pixels import HERTZ, Message, SpiPixels
from appliance.settings.model_panel import MOST_PIXELS
from tools.apa102 import Light, decode

RED, BLUE = bytes((0xE0 | 9, 0, 0, 200)), bytes((0xE0 | 31, 255, 0, 0))


@pytest.mark.parametrize("pixels", [1, 2, 12, 16, 17, 60, MOST_PIXELS])
def test_every_led_shows_what_it_is_sent(pixels: int) -> None:
    message = Message(pixels).filled(RED * (pixels - 1) + BLUE)
    assert len(message) == 8 + 4 * pixels + math.ceil(pixels / 16), "no byte more than they need"
    lights = decode(bytes(message), pixels)
    assert lights == [Light(9, 200, 0, 0)] * (pixels - 1) + [Light(31, 0, 0, 255)]


def test_a_message_is_filled_again() -> None:
    message = Message(2)
    first = message.filled(RED * 2)
    assert decode(bytes(message.filled(BLUE * 2)), 2) == [Light(31, 0, 0, 255)] * 2
    assert message.filled(RED * 2) is first


@pytest.mark.parametrize("pixels", [0, -1, MOST_PIXELS + 1])
def test_a_ring_that_cannot_be_is_refused(pixels: int) -> None:
    with pytest.raises(ValueError, match="1 to 120 LEDs"):
        Message(pixels)


@pytest.mark.parametrize("colours", [RED, RED * 3, RED * 2 + b"\0"])
def test_a_ring_of_the_wrong_length_is_refused(colours: bytes) -> None:
    with pytest.raises(ValueError, match="memoryview assignment"):
        Message(2).filled(colours)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda m: b"\x01" + m[1:], "begin with 32 zero bits"),
        (lambda m: m[:4] + b"\x00" + m[5:], "LED frames"),
        (lambda m: m[:12], "SK9822"),
        (lambda m: m[:-1], "pulses"),
        (lambda m: m[:-1] + b"\xff", "behind the last"),
    ],
)
def test_the_chain_itself_is_strict(spoil: object, says: str) -> None:
    good = bytes(Message(2).filled(RED * 2))
    with pytest.raises(ValueError, match=says):
        decode(spoil(good), 2)  # type: ignore[operator]


class Bus:
    """A bus of the kernel, as far as a pipe and a patched ioctl play one: requests, and the bytes that were written."""

    def __init__(self, folder: Path) -> None:
        self.device = folder / "spidev0.0"
        os.mkfifo(self.device)
        self._file = os.open(self.device, os.O_RDWR | os.O_NONBLOCK)
        self.asked: list[tuple[int, bytes]] = []
        self.refuses = False

    def ioctl(self, _: int, request: int, value: bytes) -> int:
        if self.refuses:
            raise OSError(errno.ENOTTY, "no such request")
        self.asked.append((request, value))
        return 0

    def written(self) -> bytes:
        return os.read(self._file, 65536)

    def close(self) -> None:
        os.close(self._file)


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    made = Bus(tmp_path)
    monkeypatch.setattr(fcntl, "ioctl", made.ioctl)
    yield made
    made.close()


def test_the_bus_is_set_up_as_spidev_has_it_and_gets_whole_messages(bus: Bus) -> None:
    pixels = SpiPixels(bus.device, 2)
    pixels.open()
    # The numbers of linux/spi/spidev.h: SPI_IOC_WR_MODE, SPI_IOC_WR_BITS_PER_WORD, SPI_IOC_WR_MAX_SPEED_HZ.
    assert bus.asked == [(0x40016B01, b"\0"), (0x40016B03, b"\x08"), (0x40046B04, struct.pack("=I", HERTZ))]
    pixels.send(RED + BLUE)
    assert decode(bus.written(), 2) == [Light(9, 200, 0, 0), Light(31, 0, 0, 255)]
    pixels.send(BLUE + RED)
    assert decode(bus.written(), 2) == [Light(31, 0, 0, 255), Light(9, 200, 0, 0)]
    pixels.close()
    pixels.close()


def test_a_bus_that_is_not_open_takes_nothing(bus: Bus) -> None:
    pixels = SpiPixels(bus.device, 1)
    with pytest.raises(OSError, match="not open"):
        pixels.send(RED)
    pixels.open()
    pixels.close()
    with pytest.raises(OSError, match="not open"):
        pixels.send(RED)


def test_a_device_that_is_no_bus_is_refused_and_not_kept_open(bus: Bus) -> None:
    bus.refuses = True
    pixels = SpiPixels(bus.device, 1)
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="no such request"):
        pixels.open()
    assert set(os.listdir("/proc/self/fd")) == before
    bus.refuses = False
    pixels.open()
    pixels.open()
    assert len(os.listdir("/proc/self/fd")) == len(before) + 1
    pixels.close()


def test_a_device_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SpiPixels(tmp_path / "spidev0.0", 1).open()


def test_a_message_that_was_taken_in_part_is_told(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = SpiPixels(bus.device, 1)
    pixels.open()
    monkeypatch.setattr(os, "write", lambda _file, data: len(data) - 1)
    with pytest.raises(OSError, match="only a part of 13 bytes"):
        pixels.send(RED)
    pixels.close()
