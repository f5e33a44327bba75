"""What is told of a sound card for others: one line of TOML, without anything of the machine or of its owner."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

from appliance import __version__
from appliance.audio.inventory import Ability, Card
from appliance.audio.port import Side
from appliance.core.arrays import ARRAYS
from appliance.settings.describe import toml_value

_USB = re.compile("[0-9a-f]{4}:[0-9a-f]{4}")
_LONGEST = 120
_ARRAYS = frozenset(array.name for array in ARRAYS)


@dataclass(frozen=True, slots=True)
class CardReport:
    """A line of hardware/sound_cards.toml."""

    usb: str
    """``vendor:product`` in lower-case hexadecimal."""
    name: str
    """What the card calls itself."""
    hears: str
    """Channels, formats and rates; empty: it has no microphone."""
    plays: str
    """The same of its loudspeaker."""
    array: str
    """What Kontor takes it for; empty: one microphone."""
    kontor: str
    linux: str
    """The kernel's version, without what a distribution adds to it."""

    def line(self) -> str:
        """As it is written down."""
        inner = ", ".join(f"{field.name} = {toml_value(getattr(self, field.name))}" for field in fields(self))
        return f"{{ {inner} }},"


def report(card: Card) -> CardReport:
    """What is told of ``card``, which is a USB device."""
    kernel = re.match(r"\d+(\.\d+)*", os.uname().release)
    return CardReport(
        card.usb_id,
        # A card's own name may hold anything; "|" would end the cell of a table.
        card.name.replace("|", "/")[:_LONGEST],
        _abilities(card, Side.CAPTURE),
        _abilities(card, Side.PLAYBACK),
        card.array.name if card.array else "",
        __version__,
        kernel[0] if kernel else "",
    )


def parse(line: object) -> CardReport:
    """A line that somebody sent.

    :raises ValueError: it is none; one sentence.
    """
    known = [field.name for field in fields(CardReport)]
    if not isinstance(line, dict) or sorted(line) != sorted(known):
        raise ValueError(f"a line needs {', '.join(known)}, and nothing else: {line}")
    for key, value in line.items():
        if not isinstance(value, str) or len(value) > _LONGEST or not value.isprintable() or "|" in value:
            raise ValueError(f"{key} has to be text of at most {_LONGEST} characters without |")
    if not _USB.fullmatch(line["usb"]) or line["array"] not in {"", *_ARRAYS}:
        raise ValueError(f"usb has to be like 0b0e:0420, array one that Kontor knows, or empty: {line}")
    return CardReport(**line)


def _abilities(card: Card, side: Side) -> str:
    stream = card.stream(side)
    return "" if stream is None else " or ".join(dict.fromkeys(map(described, stream.abilities)))[:_LONGEST]


def described(ability: Ability) -> str:
    """``2 channels, S16_LE, 44.1, 48 kHz``."""
    rates: Sequence[str] = [f"{rate / 1000:g}" for rate in ability.rates]
    channels = "1 channel" if ability.channels == 1 else f"{ability.channels} channels"
    return f"{channels}, {'/'.join(ability.formats)}, {(' to ' if ability.continuous else ', ').join(rates)} kHz"
