"""Which lamp is lit and how: the lamp table of UX.md, from the controls and what is known of the room."""

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import TypeAlias

from appliance.core.controls import FAULTS, Controls, Door, Reason
from appliance.core.units import SILENCE


class Sign(StrEnum):
    """How a lamp is lit."""

    OFF = "off"
    STEADY = "steady"
    SLOW = "slow"
    FAST = "fast"


LAMPS = ("mic", "room", "speak", "fault")
"""The lamps of a panel, in the order in which everything names them."""

LampSigns: TypeAlias = tuple[Sign, Sign, Sign, Sign]
"""How they are lit."""


class LinkPhase(IntEnum):
    """How link stands to the room."""

    STARTING = 0
    CONNECTING = 1
    IN_ROOM = 2
    RECONNECTING = 3
    REFUSED = 4
    LEFT = 5


class Health(IntEnum):
    """What FAULT tells."""

    HEALTHY = 0
    STOPPED = 1
    DEGRADED = 2
    NEEDS_PERSON = 3


@dataclass(frozen=True, slots=True)
class Room:
    """What the lamps need to know of the room besides the controls."""

    phase: LinkPhase = LinkPhase.STARTING
    health: Health = Health.HEALTHY
    talking_while_closed: bool = False
    level: float = SILENCE
    """Level of the loudest active speaker, dBov."""
    wanted: bool = False
    """A hand is up, or somebody knocked."""
    opens_soon: bool = False
    """Quiet hours end within a minute, and with them the door is closed no longer."""
    resetting: bool = False
    """A hand has asked for all data of the device to be wiped. MIC goes on to show the gate, the others show this."""


@dataclass(frozen=True, slots=True)
class Lamps:
    """What the panel shows. ``brightness`` is that of SPEAK, 0 to 1; the panel makes light of it (gamma)."""

    mic: Sign
    room: Sign
    speak: Sign
    fault: Sign
    brightness: float

    @property
    def signs(self) -> LampSigns:
        """How each of :data:`LAMPS` is lit."""
        return self.mic, self.room, self.speak, self.fault

    def words(self) -> dict[str, str]:
        """The same by the lamps' names, ready for JSON."""
        return {lamp: getattr(self, lamp).value for lamp in LAMPS}

    def from_afar(self) -> "Lamps":
        """As the page sees them: that somebody talks into a closed microphone stays on the device (UX.md, rule 9)."""
        return replace(self, mic=Sign.STEADY) if self.mic is Sign.SLOW else self


_ROOM_LAMP = {
    LinkPhase.STARTING: Sign.SLOW,
    LinkPhase.CONNECTING: Sign.SLOW,
    LinkPhase.IN_ROOM: Sign.STEADY,
    LinkPhase.RECONNECTING: Sign.SLOW,
    LinkPhase.REFUSED: Sign.FAST,
    LinkPhase.LEFT: Sign.OFF,
}
_FAULT_LAMP = {
    Health.HEALTHY: Sign.OFF,
    Health.STOPPED: Sign.STEADY,
    Health.DEGRADED: Sign.SLOW,
    Health.NEEDS_PERSON: Sign.FAST,
}
QUIETEST_SHOWN = -60.0
"""dBov: below this SPEAK is dark, as on the page's meter."""


def _mic_lamp(controls: Controls, room: Room) -> Sign:
    if controls.open:
        return Sign.OFF
    if controls.reasons & FAULTS and Reason.STARTING not in controls.reasons:
        return Sign.FAST
    return Sign.SLOW if room.talking_while_closed else Sign.STEADY


def _room_lamp(room: Room, *, closed: bool) -> Sign:
    if not closed or room.phase is LinkPhase.REFUSED:
        return _ROOM_LAMP[room.phase]
    return Sign.SLOW if room.opens_soon else Sign.OFF


def lamps(controls: Controls, room: Room) -> Lamps:
    """The lamp table of UX.md. No lamp depends on another: "link lost" never hides "muted"."""
    if room.resetting:  # nothing else makes SPEAK blink
        return Lamps(_mic_lamp(controls, room), Sign.FAST, Sign.FAST, Sign.FAST, 0.0)
    closed = controls.door is Door.CLOSED
    brightness = 0.0 if closed else min(1.0, max(0.0, 1.0 - room.level / QUIETEST_SHOWN))
    return Lamps(
        mic=_mic_lamp(controls, room),
        room=_room_lamp(room, closed=closed),
        speak=Sign.SLOW if room.wanted else Sign.STEADY if brightness > 0 else Sign.OFF,
        fault=_FAULT_LAMP[room.health],
        brightness=brightness,
    )
