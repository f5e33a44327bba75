"""Edges of switches and buttons, debounced: what every panel does with a contact, whatever it is wired to.

Closing acts on the leading edge; opening waits until the contact has been still for the debounce time (UX.md, mute rule 2).
Nothing here knows a clock or a thread: ``now`` is given, and the owner asks again at :attr:`due`.
"""

from dataclasses import dataclass, field

from appliance.core.controls import Event, MuteControl
from appliance.panel.port import Hands


@dataclass(slots=True)
class Contact:
    """One contact. ``down`` is its debounced state; ``raw`` what the last edge said."""

    debounce: float
    down: bool = False
    raw: bool = False
    due: float | None = None

    def edge(self, raw: bool, now: float) -> None:
        """Take one edge: the time to be still begins anew."""
        self.raw, self.due = raw, now + self.debounce

    def settle(self, now: float) -> bool | None:
        """None: still moving, or at rest for long. Else it has just come to rest: True in its new state, False in its old."""
        if self.due is None or now < self.due:
            return None
        moved = self.raw is not self.down
        self.due, self.down = None, self.raw
        return moved


@dataclass(slots=True)
class MuteContact:
    """The mute switch or mute button."""

    kind: MuteControl
    hands: Hands
    debounce: float
    contact: Contact = field(init=False)
    _told: bool = False
    """A leading edge has already closed the gate and been told; its settling is not told again."""

    def __post_init__(self) -> None:
        self.contact = Contact(self.debounce)

    @property
    def due(self) -> float | None:
        """When :meth:`settle` is to be called."""
        return self.contact.due

    def found(self, down: bool) -> None:
        """The level read at the start, or again by the timer after an edge was lost."""
        self.contact.down = self.contact.raw = down
        self.contact.due = None
        if self.kind is MuteControl.LATCHING:
            self.hands.post(Event.SWITCH_FOUND_CLOSED if down else Event.SWITCH_FOUND_OPEN)

    def edge(self, down: bool, now: float) -> bool:
        """Take one edge; returns whether it closed the gate, so that the lamp can be lit at once.

        A switch is told at its leading edge even when the gate is closed already: whatever else closed it may end before
        the contact has come to rest.
        """
        leading = down and not self.contact.raw and not self.contact.down and not self._told
        self.contact.edge(down, now)
        if not leading:
            return False
        closed = self.hands.close()
        if self.kind is MuteControl.LATCHING:
            self._told = True
            self.hands.post(Event.SWITCH_CLOSED)
        elif closed:
            self._told = True
            self.hands.post(Event.PRESS_WHILE_OPEN)
        return closed

    def settle(self, now: float) -> None:
        """The contact may have come to rest."""
        moved = self.contact.settle(now)
        if moved is None:
            return
        told, self._told = self._told, False
        if self.kind is MuteControl.LATCHING:
            self._settle_switch(moved, told)
        elif moved and self.contact.down and not told:
            self.hands.post(Event.PRESS_WHILE_CLOSED)

    def _settle_switch(self, moved: bool, told: bool) -> None:
        if not moved and told:  # a spike: it closed the gate, and the switch stands open all the same
            self.hands.post(Event.SWITCH_FOUND_OPEN)
        elif moved and not self.contact.down:
            self.hands.post(Event.SWITCH_OPENED)


@dataclass(slots=True)
class HoldContact:
    """A button that acts once when held for ``hold`` seconds (the door)."""

    event: Event
    hands: Hands
    debounce: float
    hold: float
    contact: Contact = field(init=False)
    _acts_at: float | None = None

    def __post_init__(self) -> None:
        self.contact = Contact(self.debounce)

    @property
    def due(self) -> float | None:
        """When :meth:`settle` is to be called."""
        times = [t for t in (self.contact.due, self._acts_at) if t is not None]
        return min(times, default=None)

    def edge(self, down: bool, now: float) -> None:
        """Take one edge."""
        self.contact.edge(down, now)

    def settle(self, now: float) -> None:
        """The contact may have come to rest, or been held long enough."""
        if self.contact.settle(now):
            self._acts_at = now - self.debounce + self.hold if self.contact.down else None
        if self._acts_at is not None and now >= self._acts_at:
            self._acts_at = None
            self.hands.post(self.event)
