"""What a device's name says of its card. A card's id stays when it is plugged in again; its number does not.

Opening a card that is not there, or is just going, can take long and prints into the journal: so we look first.
"""

import re
from pathlib import Path

PROC = Path("/proc/asound")

# The devices of alsa-lib's own configuration whose first argument is a card.
_OF_CARDS = "default|sysdefault|hw|plughw|dsnoop|dmix|front|rear|side|center_lfe|surround|iec958|spdif|hdmi|usbstream"
_NAME = re.compile(rf"(?:^|[\"':])(?:{_OF_CARDS})[0-9]*:(?P<arguments>[^\"']+)")


def card_of(device: str) -> str:
    """Number or id of the card that ``device`` names; empty: of none, or of one that only alsa-lib's configuration knows."""
    found = _card(device)
    return found[0] if found else ""


def on_card(device: str, card: str) -> str:
    """The same device, with its card named ``card``."""
    found = _card(device)
    if not found:
        return device
    name, at = found
    return device[:at] + card + device[at + len(name) :]


def is_there(card: str) -> bool:
    """Whether the kernel has the card, named by number or id."""
    # /proc/asound/ID is a link to cardN, and goes at once when the card does.
    return (PROC / (f"card{card}" if card.isdecimal() else card)).exists()


def there() -> frozenset[str]:
    """What the kernel has of cards, to see whether one came or went."""
    return frozenset(path.name for path in PROC.glob("card*")) if PROC.is_dir() else frozenset()


def _card(device: str) -> tuple[str, int] | None:
    """The card's name and where it stands in ``device``."""
    match = _NAME.search(device)
    if not match:
        return None
    at = match.start("arguments")
    for place, argument in enumerate(match["arguments"].split(",")):
        if argument.startswith("CARD="):
            return argument.removeprefix("CARD="), at + len("CARD=")
        if place == 0 and argument and "=" not in argument:
            return argument, at
        at += len(argument) + 1
    return None
