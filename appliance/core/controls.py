"""Mute and door: the whole table of UX.md as data.

The gate is open only when no :class:`Reason` holds. Every event is a row of :data:`RULES`; :func:`step` applies one,
and nothing else in the house decides whether the microphone is open. docs/controls.md is made from this file.

Who may do what stands in :data:`ORIGIN`: a *remote* event can add reasons and never take one away (UX.md, mute rule 3).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from types import MappingProxyType


class Reason(IntEnum):
    """Why the gate is closed. The number is the bit in the mask that sound sends to link."""

    SWITCH = 0
    BUTTON = 1
    ADMIN = 2
    DOOR = 3
    QUIET = 4
    TALK = 5
    AUDIO = 6
    PANEL = 7
    HAND = 8
    STARTING = 9
    TRIAL = 10
    RECORDING = 11
    VIOLATION = 12

    @property
    def word(self) -> str:
        """The name that status, page, logs and metrics use."""
        return _WORDS[self]


_WORDS = {
    Reason.SWITCH: "switch",
    Reason.BUTTON: "button",
    Reason.ADMIN: "admin",
    Reason.DOOR: "door",
    Reason.QUIET: "quiet hours",
    Reason.TALK: "push-to-talk",
    Reason.AUDIO: "no audio",
    Reason.PANEL: "panel lost",
    Reason.HAND: "hand",
    Reason.STARTING: "starting",
    Reason.TRIAL: "settings on trial",
    Reason.RECORDING: "recording",
    Reason.VIOLATION: "fault",
}

Reasons = frozenset[Reason]

ANSWERED_BY_HAND: Reasons = frozenset({Reason.ADMIN, Reason.HAND, Reason.VIOLATION})
"""What a hand's action on the mute control ends besides its own reason (UX.md, mute rule 7)."""

FAULTS: Reasons = frozenset({Reason.VIOLATION, Reason.AUDIO, Reason.PANEL})
"""Reasons that make MIC blink: something is broken and somebody should look."""

REMEMBERED: Reasons = frozenset({Reason.BUTTON, Reason.ADMIN, Reason.HAND, Reason.VIOLATION})
"""Reasons that survive a restart; all others are found out anew at each start."""


class Door(IntEnum):
    """The door of the room, as sound sends it to link."""

    OPEN = 0
    LISTENING = 1
    CLOSED = 2


class MuteControl(StrEnum):
    """What stands on the panel for muting."""

    LATCHING = "latching"
    MOMENTARY = "momentary"


class Event(StrEnum):
    """Everything that can happen to mute and door."""

    SWITCH_CLOSED = "switch closed"
    SWITCH_OPENED = "switch opened"
    SWITCH_FOUND_CLOSED = "switch found closed"
    SWITCH_FOUND_OPEN = "switch found open"
    PRESS_WHILE_OPEN = "press while open"
    PRESS_WHILE_CLOSED = "press while closed"
    DOOR_PRESSED = "door pressed"
    DOOR_RELEASED = "door released"
    RESET_HELD = "reset held"
    TALK_PRESSED = "talk pressed"
    TALK_RELEASED = "talk released"
    ADMIN_MUTED = "muted by admin"
    ADMIN_LIFTED = "admin mute lifted"
    ASKED_TO_UNMUTE = "asked to unmute"
    DOOR_ASKED_OPEN = "door asked open"
    DOOR_ASKED_LISTENING = "door asked listening"
    DOOR_ASKED_CLOSED = "door asked closed"
    PANEL_SETTING_CHANGED = "panel setting changed"
    KNOCKED = "knocked"
    LINK_LOST = "link lost"
    LINK_FOUND = "link found"
    QUIET_BEGAN = "quiet hours began"
    QUIET_ENDED = "quiet hours ended"
    STARTED = "started"
    AUDIO_LOST = "audio lost"
    AUDIO_FOUND = "audio found"
    PANEL_LOST = "panel lost"
    PANEL_FOUND = "panel found"
    TRIAL_BEGAN = "trial began"
    TRIAL_ENDED = "trial ended"
    RECORDING_BEGAN = "recording began"
    RECORDING_ANNOUNCED = "recording announced"
    VIOLATED = "violation"


class Origin(StrEnum):
    """Where an event comes from, and so what it may do."""

    HAND = "hand"
    REMOTE = "remote"
    SOUND = "sound"


_REMOTE = {
    Event.ADMIN_MUTED,
    Event.ADMIN_LIFTED,
    Event.ASKED_TO_UNMUTE,
    Event.DOOR_ASKED_OPEN,
    Event.DOOR_ASKED_LISTENING,
    Event.DOOR_ASKED_CLOSED,
    Event.PANEL_SETTING_CHANGED,
    Event.KNOCKED,
    Event.LINK_LOST,
    Event.LINK_FOUND,
    Event.QUIET_BEGAN,
    Event.QUIET_ENDED,
    Event.VIOLATED,
    Event.TRIAL_BEGAN,
    Event.RECORDING_BEGAN,
}
_HAND = {
    Event.SWITCH_CLOSED,
    Event.SWITCH_OPENED,
    Event.PRESS_WHILE_OPEN,
    Event.PRESS_WHILE_CLOSED,
    Event.DOOR_PRESSED,
    Event.DOOR_RELEASED,
    Event.RESET_HELD,
    Event.TALK_PRESSED,
    Event.TALK_RELEASED,
}

ORIGIN: Mapping[Event, Origin] = MappingProxyType(
    {event: Origin.REMOTE if event in _REMOTE else Origin.HAND if event in _HAND else Origin.SOUND for event in Event}
)
"""Quiet hours count as remote: a schedule can be changed from afar, and it may only close."""


@dataclass(frozen=True, slots=True)
class Controls:
    """The state of mute and door. ``kind`` and ``push_to_talk`` come from the settings and never change in a run."""

    kind: MuteControl = MuteControl.LATCHING
    push_to_talk: bool = False
    door: Door = Door.OPEN
    held: Reasons = frozenset({Reason.STARTING})
    """Reasons that hold by themselves; DOOR is not among them, it follows from ``door``."""
    answerable: Reasons = frozenset()
    """What the switch will end when it opens: what held already when it was closed. A later mute is not among it."""
    door_before_quiet: Door = Door.OPEN
    """Where the door returns to when quiet hours end, though never beyond *listening*; means nothing without QUIET."""
    door_before_press: Door | None = None
    """Where the door stood before the hand that still lies on its button; None: none does, or something moved it since."""

    @property
    def reasons(self) -> Reasons:
        """All reasons that hold now."""
        return self.held if self.door is Door.OPEN else self.held | {Reason.DOOR}

    @property
    def open(self) -> bool:
        """Whether the gate may be open."""
        return not self.held and self.door is Door.OPEN

    @property
    def mask(self) -> int:
        """The reasons as bits, for the exchange."""
        return mask_of(self.reasons)

    @property
    def remembered(self) -> Reasons:
        """The reasons to store: they come back at the next start, which finds out all others anew."""
        return self.held & REMEMBERED

    @property
    def remembered_door(self) -> Door:
        """The door to store. Quiet hours are found out anew; after a restart in them the door must end as without."""
        return max(self.door_before_quiet, Door.LISTENING) if Reason.QUIET in self.held else self.door


def initial(
    kind: MuteControl, push_to_talk: bool = False, remembered: Reasons = frozenset(), door: Door = Door.OPEN
) -> Controls:
    """The state at the start of sound: closed until the switch is read, the card runs and the settings are there.

    ``remembered`` and ``door`` come from the stored mute. Unknown means muted, so a panel that was not read yet and a
    push-to-talk key that nobody holds are reasons too.
    """
    kept = remembered & REMEMBERED
    if kind is MuteControl.LATCHING and Reason.BUTTON in kept:
        # The panel had a button when this was stored. No switch ends BUTTON; a full cycle of it ends HAND.
        kept = kept - {Reason.BUTTON} | {Reason.HAND}
    held = kept | {Reason.STARTING, Reason.AUDIO, Reason.PANEL}
    if kind is MuteControl.LATCHING:
        held |= {Reason.SWITCH}
    if push_to_talk:
        held |= {Reason.TALK}
    return Controls(kind, push_to_talk, door, held, frozenset(), door)


def mask_of(reasons: Reasons) -> int:
    """Reasons as bits, for the exchange and the stored mute."""
    return sum(1 << reason for reason in reasons)


def reasons_of(mask: int) -> Reasons:
    """The reasons in such a mask; unknown bits are ignored."""
    return frozenset(reason for reason in Reason if mask >> reason & 1)


Rule = Callable[[Controls], Controls]


def _add(reason: Reason) -> Rule:
    # A mute that comes while the switch is closed is not answered by opening it: it takes a full cycle after it.
    return lambda c: replace(c, held=c.held | {reason}, answerable=c.answerable - {reason})


def _end(reason: Reason) -> Rule:
    return lambda c: replace(c, held=c.held - {reason})


def _keep(c: Controls) -> Controls:
    return c


def _switch_closed(c: Controls) -> Controls:
    if Reason.SWITCH in c.held:
        return c
    return replace(c, held=c.held | {Reason.SWITCH}, answerable=c.held & ANSWERED_BY_HAND)


def _switch_opened(c: Controls) -> Controls:
    return replace(c, held=c.held - {Reason.SWITCH} - c.answerable, answerable=frozenset())


def _switch_found_open(c: Controls) -> Controls:
    # Read, not moved: it tells where the switch stands and is no answer of the room.
    return replace(c, held=c.held - {Reason.SWITCH}, answerable=frozenset())


def _press_while_closed(c: Controls) -> Controls:
    return replace(c, held=c.held - ANSWERED_BY_HAND - {Reason.BUTTON})


def _door_pressed(c: Controls) -> Controls:
    # A hand at the door outranks the schedule until it begins again.
    door = Door((c.door + 1) % len(Door))
    return replace(c, door=door, held=c.held - {Reason.QUIET}, door_before_press=c.door)


def _door_released(c: Controls) -> Controls:
    return replace(c, door_before_press=None)


def _reset_held(c: Controls) -> Controls:
    # The hand meant no change of the door. What was asked from afar meanwhile is not undone by it.
    return c if c.door_before_press is None else replace(c, door=c.door_before_press, door_before_press=None)


def _door_asked(door: Door) -> Rule:
    # From afar the door may be closed, and reopened to listening: never to where somebody is heard. Asked for in quiet
    # hours, it outlasts them.
    return lambda c: replace(c, door=door, door_before_quiet=door, door_before_press=None)


def _quiet_began(c: Controls) -> Controls:
    if Reason.QUIET in c.held:
        return c
    held = c.held | {Reason.QUIET}
    return replace(c, door=Door.CLOSED, held=held, door_before_quiet=c.door, door_before_press=None)


def _quiet_ended(c: Controls) -> Controls:
    if Reason.QUIET not in c.held:
        return c
    return replace(c, door=max(c.door_before_quiet, Door.LISTENING), held=c.held - {Reason.QUIET})


def _panel_lost(c: Controls) -> Controls:
    # Nobody sees what is pressed from now on: a switch is read anew later, a button counts as pressed to mute, and a
    # key as let go.
    unseen = {Reason.PANEL, Reason.SWITCH if c.kind is MuteControl.LATCHING else Reason.BUTTON}
    held = c.held | unseen | ({Reason.TALK} if c.push_to_talk else frozenset())
    return replace(c, held=held, door_before_press=None)


def _only(kind: MuteControl, rule: Rule) -> Rule:
    return lambda c: rule(c) if c.kind is kind else c


def _talk_released(c: Controls) -> Controls:
    return replace(c, held=c.held | {Reason.TALK}) if c.push_to_talk else c


RULES: Mapping[Event, Rule] = MappingProxyType(
    {
        Event.SWITCH_CLOSED: _only(MuteControl.LATCHING, _switch_closed),
        Event.SWITCH_OPENED: _only(MuteControl.LATCHING, _switch_opened),
        Event.SWITCH_FOUND_CLOSED: _only(MuteControl.LATCHING, _add(Reason.SWITCH)),
        Event.SWITCH_FOUND_OPEN: _only(MuteControl.LATCHING, _switch_found_open),
        Event.PRESS_WHILE_OPEN: _only(MuteControl.MOMENTARY, _add(Reason.BUTTON)),
        Event.PRESS_WHILE_CLOSED: _only(MuteControl.MOMENTARY, _press_while_closed),
        Event.DOOR_PRESSED: _door_pressed,
        Event.DOOR_RELEASED: _door_released,
        Event.RESET_HELD: _reset_held,
        Event.TALK_PRESSED: _end(Reason.TALK),
        Event.TALK_RELEASED: _talk_released,
        Event.ADMIN_MUTED: _add(Reason.ADMIN),
        Event.ADMIN_LIFTED: _keep,
        Event.ASKED_TO_UNMUTE: _keep,
        Event.DOOR_ASKED_OPEN: _keep,
        Event.DOOR_ASKED_LISTENING: _door_asked(Door.LISTENING),
        Event.DOOR_ASKED_CLOSED: _door_asked(Door.CLOSED),
        Event.PANEL_SETTING_CHANGED: _add(Reason.HAND),
        Event.KNOCKED: _keep,
        Event.LINK_LOST: _keep,
        Event.LINK_FOUND: _keep,
        Event.QUIET_BEGAN: _quiet_began,
        Event.QUIET_ENDED: _quiet_ended,
        Event.STARTED: _end(Reason.STARTING),
        Event.AUDIO_LOST: _add(Reason.AUDIO),
        Event.AUDIO_FOUND: _end(Reason.AUDIO),
        Event.PANEL_LOST: _panel_lost,
        Event.PANEL_FOUND: _end(Reason.PANEL),
        Event.TRIAL_BEGAN: _add(Reason.TRIAL),
        Event.TRIAL_ENDED: _end(Reason.TRIAL),
        Event.RECORDING_BEGAN: _add(Reason.RECORDING),
        Event.RECORDING_ANNOUNCED: _end(Reason.RECORDING),
        Event.VIOLATED: _add(Reason.VIOLATION),
    }
)


def step(controls: Controls, event: Event) -> Controls:
    """What the controls are after ``event``. Every event is allowed in every state."""
    return RULES[event](controls)
