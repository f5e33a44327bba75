"""How a check tells which setting does not fit the others."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clash:
    """A setting that does not fit."""

    key: str
    """In a list without the number: ``host.rooms[].id``."""
    allowed: str
    hint: str = ""
    item: int = 0
    """Which of the list, from 0, of those that are right in themselves."""
    beside: tuple[str, ...] = ()
    """Keys or sections it was compared with: when one of them is wrong itself, this is not told. ``[]`` is the same item."""
