"""What every panel is to the rest of sound, real or virtual."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from appliance.core.controls import Event
from appliance.core.lamps import Lamps


@dataclass(frozen=True, slots=True)
class Hands:
    """What a panel may do with what a hand did."""

    close: Callable[[], bool]
    """Close the gate at once, from the panel's thread; returns whether it was open. No loop is needed."""
    post: Callable[[Event], None]
    """Tell the loop; from the panel's thread. Every ``close`` that returned True is followed by exactly one event."""
    knock: Callable[[], None]
    """The knock button was pressed; from the panel's thread."""


class Panel(Protocol):
    """Buttons and lamps."""

    @property
    def name(self) -> str:
        """For status and journal."""

    def start(self, hands: Hands) -> None:
        """Read the switch, post what was found (PANEL_FOUND and the switch's position), then watch for edges."""

    def show(self, lamps: Lamps) -> None:
        """Light the lamps. Called on the loop, only when something changed; must not block."""

    def stop(self) -> None:
        """End the threads within one second; MIC stays lit."""

    @property
    def ended(self) -> Future[None]:
        """Done when the panel's thread has ended, with its error if it had one; sound then ends with 70."""
