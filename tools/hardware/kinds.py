"""What kinds of parts the circuits may use: their pins in order, and what each pin is for the electrical rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Duty(Enum):
    """What a pin does on its net."""

    PASSIVE = "passive"
    SUPPLY = "supply"
    """Wants a supply."""
    GROUND = "ground"
    """Wants the ground."""
    INPUT = "input"
    """Wants somebody to drive it."""
    OUTPUT = "output"
    SHARED = "shared"
    """Drives in turn with others."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of part."""

    pins: tuple[str, ...]
    duties: tuple[Duty, ...]
    prefix: str
    """The letters of its references."""
    numbers: tuple[str, ...] = ()
    """KiCad's pin numbers; 1, 2, 3 … where it is empty."""

    def number(self, pin: str) -> str:
        """The number of a pin in its footprint."""
        index = self.pins.index(pin)
        return self.numbers[index] if self.numbers else str(index + 1)


def _passive(prefix: str, *pins: str, numbers: tuple[str, ...] = ()) -> Kind:
    return Kind(pins, (Duty.PASSIVE,) * len(pins), prefix, numbers)


_MICROPHONE = Kind(
    ("VDD", "GND", "BCLK", "LRCLK", "SD", "SEL"),
    (Duty.SUPPLY, Duty.GROUND, Duty.INPUT, Duty.INPUT, Duty.SHARED, Duty.INPUT),
    "MK",
)
_ARRAY = Kind(("VBUS", "GND", "D-", "D+"), (Duty.SUPPLY, Duty.GROUND, Duty.SHARED, Duty.SHARED), "MK")

KINDS: Final[Mapping[str, Kind]] = {
    "resistor": _passive("R", "1", "2"),
    "capacitor": _passive("C", "1", "2"),
    "fuse": _passive("F", "1", "2"),
    "tvs": _passive("D", "1", "2"),
    "led": _passive("D", "A", "K", numbers=("2", "1")),
    "button": _passive("S", "1", "2"),
    "switch-spdt": _passive("S", "A.com", "A.live", "A.muted", numbers=("2", "1", "3")),
    "switch-dpdt": _passive(
        "S", "A.com", "A.live", "A.muted", "B.com", "B.live", "B.muted", numbers=("2", "1", "3", "5", "4", "6")
    ),
    "pmos": _passive("Q", "G", "S", "D"),
    "nmos": _passive("Q", "G", "S", "D"),
    "npn": _passive("Q", "B", "C", "E", numbers=("1", "3", "2")),
    "buffer": Kind(
        ("1A", "GND", "2A", "2Y", "VCC", "1Y"),
        (Duty.INPUT, Duty.GROUND, Duty.INPUT, Duty.OUTPUT, Duty.SUPPLY, Duty.OUTPUT),
        "U",
    ),
    "microphone": _MICROPHONE,
    "array": _ARRAY,
    "amplifier": Kind(
        ("VIN", "GND", "BCLK", "LRCLK", "DIN"),
        (Duty.SUPPLY, Duty.GROUND, Duty.INPUT, Duty.INPUT, Duty.INPUT),
        "AMP",
    ),
    "ring": Kind(("5V", "GND", "DI", "CI"), (Duty.SUPPLY, Duty.GROUND, Duty.INPUT, Duty.INPUT), "DS"),
}

SOURCES: Final = ("microphone", "array")
"""Kinds that hear."""
