"""What Janus says, read: bounded, typed, and nothing of it believed.

Its own protocol (janus.conf.meetecho.com/docs/rest) is an envelope, in which the AudioBridge plugin says what it has to say
(…/docs/audiobridge). What is not understood and does no harm is None; what has another form than it should is an error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from appliance.core import sdp, wire
from appliance.core.protocol import MOST_MEMBERS, ProtocolError
from appliance.core.wire import Fields

MOST_BYTES = 1024 * 1024
"""Of one message: that of a room with as many participants as are ever read is a third of it."""

MOST_DISPLAY = 256
"""Characters of what a participant is shown as that are looked at."""

_MOST_ID = 2**64 - 1
_MOST_CODE = 9999
_MOST_WORD = 64

# Codes of errors: of Janus itself (apierror.h), and of the plugin (janus_audiobridge.c).
UNAUTHORIZED = 403
PLUGIN_UNAUTHORIZED = 405
SESSION_NOT_FOUND = 458
HANDLE_NOT_FOUND = 459
NO_PLUGIN = 460
NOT_ACCEPTING = 472
MISSING_ELEMENT = 483
NO_SUCH_ROOM = 485
WRONG_SECRET = 489


@dataclass(frozen=True, slots=True)
class Said:
    """One message, out of its envelope."""

    kind: str
    """"success", "error", "ack", "event", "hangup", "timeout" and others."""
    transaction: str
    """Of the request that this answers; "" when it answers none."""
    sender: int
    """The handle that it is about; 0: none."""
    data: Fields
    """What the plugin says, or of a success without a plugin what it gives."""
    description: str
    """The session description that comes with it; "" for none."""
    code: int
    """Of an error, Janus' own or the plugin's; 0: it is none."""


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody in the room, as the plugin tells of them."""

    id: int
    display: str
    """What they are shown as; "" when they have not said."""
    setup: bool
    """Their sound has found its way."""
    muted: bool
    talking: bool | None
    """None: it was not said."""


@dataclass(frozen=True, slots=True)
class Joined:
    """We are in the room, as the participant ``id``."""

    id: int
    others: tuple[Participant, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """All who are in the room, we too."""

    participants: tuple[Participant, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """Participants came, or changed."""

    participants: tuple[Participant, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """A participant has left."""

    id: int


@dataclass(frozen=True, slots=True)
class Kicked:
    """A participant was sent out."""

    id: int


@dataclass(frozen=True, slots=True)
class Talks:
    """A participant talks, or does not any more."""

    id: int
    on: bool


@dataclass(frozen=True, slots=True)
class RoomMuted:
    """Everybody was muted, or that is over."""

    on: bool


@dataclass(frozen=True, slots=True)
class Destroyed:
    """The room is no more."""


News: TypeAlias = Joined | Listed | Changed | Left | Kicked | Talks | RoomMuted | Destroyed


def read(text: str) -> Said:
    """A message of Janus.

    :raises ProtocolError: it is none.
    """
    fields = wire.read_object(text, MOST_BYTES)
    kind = _word(fields, "janus")
    if not kind:
        raise ProtocolError('The field "janus" is missing.')
    plugin = wire.inner(fields, "plugindata") if "plugindata" in fields else None
    data = wire.inner(plugin, "data") if plugin is not None else _optional(fields, "data")
    code = wire.number(data, "error_code", 0, _MOST_CODE) if plugin is not None and "error_code" in data else 0
    if kind == "error":
        code = wire.number(wire.inner(fields, "error"), "code", 1, _MOST_CODE)
    return Said(
        kind=kind,
        transaction=_word(fields, "transaction"),
        sender=_id(fields, "sender") if "sender" in fields else 0,
        data=data,
        description=_description(_optional(fields, "jsep")),
        code=code,
    )


def understand(data: Fields) -> News | None:
    """What the plugin says; None: nothing that matters here.

    :raises ProtocolError: it has not the form that it should have.
    """
    read_it = _READERS.get(_word(data, "audiobridge"))
    return read_it(data) if read_it is not None else None


def id_of(said: Said) -> int:
    """The id that a success gives: of a new session, or handle.

    :raises ProtocolError: it gives none.
    """
    return _id(said.data, "id")


def _joined(data: Fields) -> News:
    """We did, if it says as whom; or somebody else."""
    return Joined(_id(data, "id"), _participants(data)) if "id" in data else Changed(_participants(data))


def _event(data: Fields) -> News | None:
    if "participants" in data:
        return Changed(_participants(data))
    if "leaving" in data:
        return Left(_id(data, "leaving"))
    if "kicked" in data:
        return Kicked(_id(data, "kicked"))
    return RoomMuted(wire.flag(data, "muted")) if "muted" in data else None


def _participants(data: Fields) -> tuple[Participant, ...]:
    return tuple(map(_participant, wire.array(data, "participants", MOST_MEMBERS)))


def _participant(value: Any) -> Participant:
    if not isinstance(value, dict):
        raise ProtocolError("A participant is not an object.")
    display = value.get("display", "")
    if not isinstance(display, str):
        raise ProtocolError('The field "display" has to be text.')
    return Participant(
        id=_id(value, "id"),
        display=display[:MOST_DISPLAY],
        setup=wire.flag(value, "setup") if "setup" in value else True,
        # What is not known to be heard is muted.
        muted=wire.flag(value, "muted") if "muted" in value else True,
        talking=wire.flag(value, "talking") if "talking" in value else None,
    )


def _description(fields: Fields) -> str:
    text = fields.get("sdp", "")
    if not isinstance(text, str) or len(text) > sdp.MOST_BYTES:
        raise ProtocolError('The field "sdp" has to be a session description.')
    return text


def _optional(fields: Fields, key: str) -> Fields:
    return wire.inner(fields, key) if key in fields else {}


def _id(fields: Fields, key: str) -> int:
    return wire.number(fields, key, 0, _MOST_ID)


def _word(fields: Fields, key: str) -> str:
    value = fields.get(key, "")
    if not isinstance(value, str) or len(value) > _MOST_WORD:
        raise ProtocolError(f'The field "{key}" has to be a word.')
    return value


_READERS: Mapping[str, Callable[[Fields], News | None]] = MappingProxyType(
    {
        "joined": _joined,
        "participants": lambda data: Listed(_participants(data)),
        "talking": lambda data: Talks(_id(data, "id"), on=True),
        "stopped-talking": lambda data: Talks(_id(data, "id"), on=False),
        "destroyed": lambda _: Destroyed(),
        "event": _event,
    }
)
