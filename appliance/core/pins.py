"""The pins of the panel, and the boards it fits on. Made from hardware/pinmap.toml by `make docs`: do not edit."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from appliance.core.wiring import Board, Line

LINES: Final[Mapping[str, Line]] = MappingProxyType(
    {
        "mute": Line(label="MUTE", gpio=17, pin=11, direction="in", active="low", pull="down", momentary_pull="up"),
        "room": Line(label="ROOM", gpio=24, pin=18, direction="in", active="low", pull="up"),
        "talk": Line(label="TALK", gpio=27, pin=13, direction="in", active="low", pull="up"),
        "volume_up": Line(label="VOLUME +", gpio=5, pin=29, direction="in", active="low", pull="up"),
        "volume_down": Line(label="VOLUME -", gpio=6, pin=31, direction="in", active="low", pull="up"),
        "knock": Line(label="KNOCK", gpio=26, pin=37, direction="in", active="low", pull="up", optional=True),
        "mic_lamp": Line(label="MIC", gpio=25, pin=22, direction="out", active="low", undriven="lit", colour="red"),
        "room_lamp": Line(label="ROOM", gpio=22, pin=15, direction="out", undriven="dark", colour="green"),
        "fault_lamp": Line(
            label="FAULT",
            gpio=23,
            pin=16,
            direction="out",
            active="low",
            undriven="lit",
            colour="amber",
        ),
        "speak_lamp": Line(
            label="SPEAK",
            gpio=12,
            pin=32,
            direction="out",
            undriven="dark",
            colour="white",
            bus="pwm0",
        ),
        "pixels_data": Line(label="RING DATA", gpio=10, pin=19, direction="out", bus="spi0"),
        "pixels_clock": Line(label="RING CLOCK", gpio=11, pin=23, direction="out", bus="spi0"),
        "spi_select": Line(label="SPI CE0", gpio=8, pin=24, direction="out", bus="spi0", unwired=True),
        "spi_select_1": Line(label="SPI CE1", gpio=7, pin=26, direction="out", bus="spi0", unwired=True),
        "spi_in": Line(label="SPI MISO", gpio=9, pin=21, direction="in", bus="spi0", unwired=True),
        "i2s_clock": Line(label="I2S BCLK", gpio=18, pin=12, direction="out", bus="i2s"),
        "i2s_frame": Line(label="I2S LRCLK", gpio=19, pin=35, direction="out", bus="i2s"),
        "i2s_microphones": Line(label="I2S DIN", gpio=20, pin=38, direction="in", bus="i2s"),
        "i2s_amplifier": Line(label="I2S DOUT", gpio=21, pin=40, direction="out", bus="i2s"),
    }
)
"""Every wire between panel and board, by name."""

BOARDS: Final[Mapping[str, Board]] = MappingProxyType(
    {
        "pi3b+": Board(
            name="Raspberry Pi 3 Model B+",
            models=("Raspberry Pi 3 Model B Plus", "Raspberry Pi 3 Model B+"),
            chip_labels=("pinctrl-bcm2835",),
            usable=frozenset({4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27}),
        ),
        "pi4": Board(
            name="Raspberry Pi 4 Model B",
            models=(
                "Raspberry Pi 4 Model B",
                "Raspberry Pi 400",
                "Raspberry Pi Compute Module 4",
                "Raspberry Pi Compute Module 4 IO Board",
            ),
            chip_labels=("pinctrl-bcm2711",),
            usable=frozenset({4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27}),
        ),
        "pi5": Board(
            name="Raspberry Pi 5",
            models=("Raspberry Pi 5 Model B", "Raspberry Pi 5"),
            chip_labels=("pinctrl-rp1",),
            usable=frozenset({4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27}),
        ),
        "zero2w": Board(
            name="Raspberry Pi Zero 2 W",
            models=("Raspberry Pi Zero 2 W",),
            chip_labels=("pinctrl-bcm2835",),
            usable=frozenset({4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27}),
        ),
    }
)
"""The boards, by the name they have in the settings."""

HEADER: Final[Mapping[int, int]] = MappingProxyType(
    {
        2: 3,
        3: 5,
        4: 7,
        14: 8,
        15: 10,
        17: 11,
        18: 12,
        27: 13,
        22: 15,
        23: 16,
        24: 18,
        10: 19,
        9: 21,
        25: 22,
        11: 23,
        8: 24,
        7: 26,
        0: 27,
        1: 28,
        5: 29,
        6: 31,
        12: 32,
        13: 33,
        19: 35,
        16: 36,
        26: 37,
        20: 38,
        21: 40,
    }
)
"""GPIO to the pin on the header."""

RESERVED: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "identifies add-on boards (ID_SD)",
        1: "identifies add-on boards (ID_SC)",
        2: "I2C data, left free for add-ons",
        3: "I2C clock, left free for add-ons",
        14: "serial console, transmit",
        15: "serial console, receive",
    }
)
"""GPIO to why a panel may not use it."""
