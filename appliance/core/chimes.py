"""Which chime tells what has changed. The sounds themselves are made in :mod:`appliance.audio.chimes`.

A lamp answers a hand; a chime tells the room what no hand in it did, and what a hand did to everybody in it (the door).
"""

from enum import StrEnum

from appliance.core.controls import ORIGIN, Controls, Door, Event, Origin, Reason


class Chime(StrEnum):
    """Everything that is told by a sound."""

    OPEN = "open"
    """The door is open."""
    LISTENING = "listening"
    """The door lets the room listen, and nobody hears it."""
    CLOSED = "closed"
    """The door is closed."""
    KNOCK = "knock"
    """Somebody knocks, or asks the room to unmute."""
    RECORDING = "recording"
    """A recording is announced."""
    MUTED = "muted"
    """The microphone was closed, and by no hand in this room."""
    WARNING = "warning"
    """The door opens soon, as quiet hours end."""
    VOLUME = "volume"
    """The loudspeaker was turned up or down: so loud is it now."""


_DOOR = {Door.OPEN: Chime.OPEN, Door.LISTENING: Chime.LISTENING, Door.CLOSED: Chime.CLOSED}
_KNOCKS = frozenset({Event.KNOCKED, Event.ASKED_TO_UNMUTE})


def chime_of(before: Controls, after: Controls, event: Event) -> Chime | None:
    """What ``event``, which made ``after`` of ``before``, sounds like; None: nothing.

    In quiet hours nothing is heard but the door itself: a knock is a light then. A device that starts is silent, too: where
    its door stands is no news.
    """
    if Reason.STARTING in before.held:
        return None
    if after.door is not before.door:
        return _DOOR[after.door]
    if Reason.QUIET in after.held:
        return None
    if event in _KNOCKS:
        return Chime.KNOCK
    if event is Event.RECORDING_BEGAN:
        return Chime.RECORDING
    closed = before.open and not after.open
    return Chime.MUTED if closed and ORIGIN[event] is not Origin.HAND else None
