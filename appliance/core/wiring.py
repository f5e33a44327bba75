"""What a pin map consists of: lines and boards. The map itself is :mod:`appliance.core.pins`, made from hardware/pinmap.toml."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Direction: TypeAlias = Literal["in", "out"]
Level: TypeAlias = Literal["low", "high"]
Pull: TypeAlias = Literal["up", "down", "none"]
Undriven: TypeAlias = Literal["lit", "dark", ""]


@dataclass(frozen=True, slots=True)
class Line:
    """One wire between panel and board."""

    label: str
    """What drawings and people call it."""
    gpio: int
    """Number as the chip counts (BCM)."""
    pin: int
    """Number on the 40-pin header."""
    direction: Direction
    """As the board sees it."""
    active: Level = "high"
    """The level that means pressed (for MUTE: muted), or lit."""
    pull: Pull = "none"
    """The resistor in the chip, for contacts."""
    momentary_pull: Pull = "none"
    """The same where a button stands for the latching switch; only MUTE has both."""
    undriven: Undriven = ""
    """What a lamp shows while nobody drives its pin."""
    colour: str = ""
    """Of a lamp."""
    bus: str = ""
    """The controller that has the pin instead of the GPIO chip: spi0, i2s, pwm0; none for a plain line."""
    optional: bool = False
    """A panel may lack it."""
    unwired: bool = False
    """Taken by its bus; nothing is connected."""


@dataclass(frozen=True, slots=True)
class Board:
    """A board that a panel fits on."""

    name: str
    models: tuple[str, ...]
    """What /proc/device-tree/model says, maybe with a revision after it."""
    chip_labels: tuple[str, ...]
    """Labels of the GPIO chip that has the header; its number differs between kernels."""
    usable: frozenset[int]
    """GPIOs on the header that a panel may use."""

    def fits(self, model: str) -> bool:
        """Whether the text of /proc/device-tree/model is of this board."""
        return any(model == known or model.startswith(f"{known} Rev ") for known in self.models)
