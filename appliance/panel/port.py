"""What every panel is to the rest of sound, real or virtual."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from appliance.core.controls import Event
from appliance.core.lamps import Lamps
from appliance.media.exchange_messages import Speaker


def _nothing(*_: object) -> None:
    """Where nobody listens to a button, as at ``kontor record``."""


def _open() -> bool:
    """Where there is no gate to look at: what is to be shown is believed."""
    return True


@dataclass(frozen=True, slots=True)
class Hands:
    """What a panel may do with what a hand did. Called from the panel's threads, one at a time; none of it may block."""

    close: Callable[[], bool]
    """Close the gate at once; returns whether it was open. No loop is needed."""
    post: Callable[[Event], None]
    """Tell the loop. Every ``close`` that returned True is followed by exactly one event, before it is called again."""
    knock: Callable[[], None]
    """The knock button was pressed."""
    hand: Callable[[], None] = _nothing
    """TALK was tapped and is no push-to-talk key: the room's hand goes up, or down again."""
    turn: Callable[[int], None] = _nothing
    """Volume, in steps: +1 louder, -1 quieter; again and again while the button is held."""
    is_open: Callable[[], bool] = _open
    """Whether the gate is open: MIC is not put out while it is not, whatever the loop wanted to show (UX.md, mute rule 2)."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a panel shows."""

    lamps: Lamps
    speakers: tuple[Speaker, ...] = ()
    """Who speaks in the room, at most three."""
    hands: int = 0
    """Members that want to speak."""
    knock: bool = False
    """Somebody knocks."""
    own_hand: bool = False
    """This room's hand is up."""
    warning: bool = False
    """Quiet hours end soon: the door is about to open."""
    recording: bool = False
    night: bool = False
    """SPEAK and the ring are darker; the other lamps only know on and off."""


class Panel(Protocol):
    """Buttons and lamps."""

    @property
    def name(self) -> str:
        """For status and journal."""

    @property
    def problem(self) -> str:
        """Why it is lost or works less well than it should, one sentence; empty: all of it works."""

    @property
    def counts(self) -> Mapping[str, int]:
        """What was counted, by the names of :data:`appliance.core.counters.HELP`."""

    @property
    def turns(self) -> int | None:
        """Rounds of its thread, by which is seen that it lives: at least two a second; None: it has no thread."""

    def start(self, hands: Hands) -> None:
        """Read the switch, post what was found (PANEL_FOUND and the switch's position), then watch for edges."""

    def show(self, view: View) -> None:
        """Show this from now on. Called on the loop, only when something changed; must not block."""

    def stop(self) -> None:
        """End the threads within one second; MIC stays lit."""

    @property
    def ended(self) -> Future[None]:
        """Done when the panel's thread has ended, with its error if it had one; sound then ends with 70."""
