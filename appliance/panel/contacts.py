"""Edges of switches and buttons, debounced: what every panel does with a contact, whatever it is wired to.

Closing acts on the leading edge; opening waits until the contact has been still for the debounce time (UX.md, mute rule 2).
Nothing here knows a clock or a thread: ``now`` is given, and the owner asks again at :attr:`Contacts.due`.

A level that is read is taken like an edge that nobody told: edges can be lost, and who reads levels now and then finds it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from appliance.core.controls import Event, MuteControl
from appliance.panel.port import Hands

RESET = 10.0
"""Seconds that ROOM is held to have all data wiped."""
PAUSE = 0.5
"""Seconds from the first step of a button that repeats to the second: a tap is one step."""


def _nothing() -> None:
    """What most buttons do when they are let go."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds."""

    debounce: float
    hold: float
    """How long a button is held for its second meaning."""
    repeat: float
    """From step to step while a button is held."""


@dataclass(slots=True)
class Contact:
    """One contact. ``down`` is its debounced state; ``raw`` what the last edge said."""

    debounce: float
    down: bool = False
    raw: bool = False
    due: float | None = None

    def found(self, down: bool) -> None:
        """Where it stood when it was first read."""
        self.down = self.raw = down

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


class Worked(Protocol):
    """A contact with what it does."""

    @property
    def contact(self) -> Contact:
        """The contact itself."""

    @property
    def due(self) -> float | None:
        """When :meth:`settle` is to be called."""

    def found(self, down: bool) -> None:
        """The level that was read first."""

    def edge(self, down: bool, now: float) -> None:
        """Take one edge."""

    def settle(self, now: float) -> None:
        """The contact may have come to rest, or been held long enough."""


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
        """When it comes to rest."""
        return self.contact.due

    def found(self, down: bool) -> None:
        """Tell where the switch stands. A button that is found pressed does nothing until it was let go."""
        self.contact.found(down)
        if self.kind is MuteControl.LATCHING:
            self.hands.post(Event.SWITCH_FOUND_CLOSED if down else Event.SWITCH_FOUND_OPEN)

    def edge(self, down: bool, now: float) -> None:
        """Close at the leading edge.

        A switch is told at its leading edge even when the gate is closed already: whatever else closed it may end before
        the contact has come to rest.
        """
        leading = down and not self.contact.raw and not self.contact.down and not self._told
        self.contact.edge(down, now)
        if not leading:
            return
        closed = self.hands.close()
        if self.kind is MuteControl.LATCHING:
            self._told = True
            self.hands.post(Event.SWITCH_CLOSED)
        elif closed:
            self._told = True
            self.hands.post(Event.PRESS_WHILE_OPEN)

    def settle(self, now: float) -> None:
        """Open where that is what the hand did."""
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
class TalkContact:
    """The push-to-talk key: letting go closes at the leading edge, holding opens after the debounce."""

    hands: Hands
    debounce: float
    contact: Contact = field(init=False)
    _told: bool = False
    """Letting go was told; if the key comes to rest held all the same, that has to be told as well."""

    def __post_init__(self) -> None:
        self.contact = Contact(self.debounce)

    @property
    def due(self) -> float | None:
        """When it comes to rest."""
        return self.contact.due

    def found(self, down: bool) -> None:
        """A key that is found held, stuck perhaps, opens nothing until it was let go."""
        self.contact.found(down)

    def edge(self, down: bool, now: float) -> None:
        """Close at the leading edge of letting go."""
        leading = not down and self.contact.raw and self.contact.down and not self._told
        self.contact.edge(down, now)
        if leading:
            self._told = True
            self.hands.close()
            self.hands.post(Event.TALK_RELEASED)

    def settle(self, now: float) -> None:
        """Open if it is held."""
        moved = self.contact.settle(now)
        if moved is None:
            return
        told, self._told = self._told, False
        if self.contact.down and (moved or told):
            self.hands.post(Event.TALK_PRESSED)


@dataclass(slots=True)
class ButtonContact:
    """A button that acts once it was held for ``hold`` seconds (0: when it is pressed), and then each ``repeat`` seconds.

    :param held_on: what it does besides when it was held for :data:`RESET` seconds.
    :param let_go: what it does when it is let go, after it had acted.
    """

    act: Callable[[], None]
    debounce: float
    hold: float = 0.0
    repeat: float | None = None
    held_on: Callable[[], None] | None = None
    let_go: Callable[[], None] = _nothing
    contact: Contact = field(init=False)
    _acts_at: float | None = None
    _acted: bool = False

    def __post_init__(self) -> None:
        self.contact = Contact(self.debounce)

    @property
    def due(self) -> float | None:
        """When it comes to rest, or acts."""
        return self._acts_at if self.contact.due is None else self.contact.due

    def found(self, down: bool) -> None:
        """A button that is found pressed does nothing until it was let go."""
        self.contact.found(down)

    def edge(self, down: bool, now: float) -> None:
        """Take one edge."""
        self.contact.edge(down, now)

    def settle(self, now: float) -> None:
        """Act when it is time to. A button that is just moving does nothing: it may have been let go."""
        moved = bool(self.contact.settle(now))
        if moved:
            self._acts_at = max(now, now - self.debounce + self.hold) if self.contact.down else None
            acted, self._acted = self._acted, False
            if acted:
                self.let_go()
        if self._acts_at is None or self.contact.due is not None or now < self._acts_at:
            return
        first, self._acted, due = not self._acted, True, self._acts_at
        self._acts_at = None
        if self.repeat is not None:
            self._acts_at = now + (max(PAUSE, self.repeat) if moved else self.repeat)
        elif first and self.held_on:
            self._acts_at = max(now, due - self.hold + RESET)
        (self.act if first or self.held_on is None else self.held_on)()


class Contacts:
    """All contacts of a panel that are wired.

    :param hands: called while :meth:`found`, :meth:`edge`, :meth:`read` and :meth:`settle` run.
    """

    def __init__(
        self, wired: Iterable[str], kind: MuteControl, push_to_talk: bool, timing: Timing, hands: Hands
    ) -> None:
        debounce = timing.debounce
        self.mute = MuteContact(kind, hands, debounce)

        def told(event: Event) -> Callable[[], None]:
            return lambda: hands.post(event)

        pressed, released, reset = map(told, (Event.DOOR_PRESSED, Event.DOOR_RELEASED, Event.RESET_HELD))
        every: Mapping[str, Worked] = {
            "mute": self.mute,
            "room": ButtonContact(pressed, debounce, timing.hold, held_on=reset, let_go=released),
            "talk": TalkContact(hands, debounce) if push_to_talk else ButtonContact(hands.hand, debounce),
            "volume_up": ButtonContact(lambda: hands.turn(1), debounce, repeat=timing.repeat),
            "volume_down": ButtonContact(lambda: hands.turn(-1), debounce, repeat=timing.repeat),
            "knock": ButtonContact(hands.knock, debounce),
        }
        self._wired = {name: every[name] for name in wired}

    @property
    def due(self) -> float | None:
        """When :meth:`settle` is to be called next; None: nothing moves and nothing is held."""
        return min((due for worked in self._wired.values() if (due := worked.due) is not None), default=None)

    def found(self, name: str, down: bool) -> None:
        """The level that was read before anything else."""
        self._wired[name].found(down)

    def edge(self, name: str, down: bool, now: float) -> None:
        """A contact has moved."""
        self._wired[name].edge(down, now)

    def read(self, name: str, down: bool, now: float) -> bool:
        """A level was read again; returns whether an edge had been lost."""
        worked = self._wired[name]
        lost = worked.contact.raw is not down
        if lost:
            worked.edge(down, now)
        return lost

    def settle(self, now: float) -> None:
        """Do everything that is due."""
        for worked in self._wired.values():
            worked.settle(now)
