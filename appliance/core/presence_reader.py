"""Presence, from the host to its members: what a device reads of it.

A device ignores types it does not know, so that a newer host can say more, and closes on messages that are malformed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias, get_args

from appliance.core.presence_client import VERSION, AskedDoor, read_site
from appliance.core.presence_server import Capabilities, Who
from appliance.core.roster import FIGURES, PLACES, Kind, Member, Role, Sign
from appliance.core.site_details import is_bundle_word
from appliance.core.units import SLOTS
from appliance.core.wire import (
    Fields,
    ProtocolError,
    array,
    array_of,
    choice,
    flag,
    identity,
    inner,
    is_identity,
    name,
    number,
    read_object,
)

MOST_SERVER_BYTES = 1024 * 1024
MOST_MEMBERS = 2048
MOST_TITLE = 128
MOST_TEXT = 256
MOST_CODE = 64
_LOUDEST, _SILENT = 0, -127

Slots: TypeAlias = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Welcome:
    """The room as it is."""

    you: Who
    role: Role
    kind: Kind
    room: str
    title: str
    members: tuple[Member, ...]
    slots: Slots
    capabilities: Capabilities
    open_network: bool = False
    """We came without https: we may only listen, whatever our role elsewhere."""
    recording: bool = False
    """Somebody records the room, or is about to."""
    takes_recordings: bool = False
    """The host knows announcements of recordings: one of before would end a socket that makes one."""


@dataclass(frozen=True, slots=True)
class MemberChanged:
    """A member joined or changed."""

    member: Member


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """A member left."""

    id: str


@dataclass(frozen=True, slots=True)
class MembersChanged:
    """Several joined or changed, and those in ``left`` left."""

    members: tuple[Member, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MuteNewChanged:
    """Whether whoever comes in from now on is muted until an admin lets them speak."""

    on: bool


@dataclass(frozen=True, slots=True)
class SlotsChanged:
    """Who is heard in which slot."""

    slots: Slots


@dataclass(frozen=True, slots=True)
class LevelsChanged:
    """Levels (dBov) of those whose level changed, and everybody who speaks."""

    levels: Mapping[str, int]
    speaking: frozenset[str]


@dataclass(frozen=True, slots=True)
class MutedByAdmin:
    """Somebody muted this site."""

    by: Who


@dataclass(frozen=True, slots=True)
class AdminMuteLifted:
    """The admin mute was lifted."""


@dataclass(frozen=True, slots=True)
class AskedToUnmute:
    """Somebody asks this site to unmute."""

    by: Who


@dataclass(frozen=True, slots=True)
class Knocked:
    """Somebody knocks."""

    by: Who


@dataclass(frozen=True, slots=True)
class DoorAsked:
    """Somebody asks this site to close its door or to listen only."""

    door: AskedDoor
    by: Who


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording begins or has ended."""

    on: bool


@dataclass(frozen=True, slots=True)
class TitleChanged:
    """What the room is called from now on."""

    title: str


@dataclass(frozen=True, slots=True)
class BundleAsked:
    """An admin asks this site for a support bundle, to be handed in by ``word``."""

    word: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The last message did nothing."""

    code: str
    text: str


ServerMessage: TypeAlias = (
    Welcome
    | MemberChanged
    | MemberLeft
    | MembersChanged
    | MuteNewChanged
    | SlotsChanged
    | LevelsChanged
    | MutedByAdmin
    | AdminMuteLifted
    | AskedToUnmute
    | Knocked
    | DoorAsked
    | Recording
    | TitleChanged
    | BundleAsked
    | Refused
)


def _who(fields: Fields) -> Who:
    return Who(identity(fields, "id"), name(fields, "name"))


def read_member(fields: Fields) -> Member:
    """A member as :meth:`Member.as_dict` writes it.

    :raises ProtocolError: a field is missing or not of its type.
    """
    sign = inner(fields, "sign")
    state = fields.get("state")
    return Member(
        id=identity(fields, "id"),
        name=name(fields, "name"),
        kind=choice(fields, "kind", get_args(Kind)),
        role=choice(fields, "role", get_args(Role)),
        joined=flag(fields, "joined"),
        muted=flag(fields, "muted"),
        admin_muted=flag(fields, "admin_muted"),
        hand=flag(fields, "hand"),
        on_hold=state == "on_hold",
        connecting=state == "connecting",
        sign=Sign(number(sign, "hue", 0, len(FIGURES) - 1), number(sign, "place", 0, PLACES - 1)),
        site=None if fields.get("site") is None else read_site(inner(fields, "site")),
    )


def _bundle_word(fields: Fields) -> str:
    word = fields.get("word")
    if not isinstance(word, str) or not is_bundle_word(word):
        raise ProtocolError('The field "word" has to be that of a support bundle.')
    return word


def _member(value: object) -> Member:
    if not isinstance(value, dict):
        raise ProtocolError("A member has to be an object.")
    return read_member(value)


def _slots(fields: Fields) -> Slots:
    slots = array_of(fields, "slots", SLOTS, lambda value: value is None or is_identity(value))
    return slots + (None,) * (SLOTS - len(slots))


def _welcome(fields: Fields) -> Welcome:
    number(fields, "v", VERSION, VERSION)
    you, room, able = inner(fields, "you"), inner(fields, "room"), inner(fields, "capabilities")
    return Welcome(
        you=_who(you),
        role=choice(you, "role", get_args(Role)),
        kind=choice(you, "kind", get_args(Kind)),
        room=identity(room, "id"),
        title=name(room, "title", MOST_TITLE),
        members=tuple(map(_member, array(fields, "members", MOST_MEMBERS))),
        slots=_slots(fields),
        capabilities=Capabilities(
            levels=choice(able, "levels", ("real", "on_off")),
            hands=flag(able, "hands"),
            admin_mute=flag(able, "admin_mute"),
            volumes=flag(able, "volumes"),
        ),
        open_network=fields.get("listen_only") == "no_https",
        recording=fields.get("recording") is not None,
        takes_recordings="recording" in fields,
    )


def _levels(fields: Fields) -> LevelsChanged:
    levels = inner(fields, "levels")
    if len(levels) > MOST_MEMBERS or not all(map(is_identity, levels)):
        raise ProtocolError('The field "levels" has to name members.')
    return LevelsChanged(
        levels={who: number(levels, who, _SILENT, _LOUDEST) for who in levels},
        speaking=frozenset(array_of(fields, "speaking", MOST_MEMBERS, is_identity)),
    )


_SERVER: Mapping[str, Callable[[Fields], ServerMessage]] = MappingProxyType(
    {
        "welcome": _welcome,
        "member": lambda m: MemberChanged(read_member(inner(m, "member"))),
        "left": lambda m: MemberLeft(identity(m, "id")),
        "members": lambda m: MembersChanged(
            tuple(map(_member, array(m, "members", MOST_MEMBERS))), array_of(m, "left", MOST_MEMBERS, is_identity)
        ),
        "mute_new": lambda m: MuteNewChanged(flag(m, "on")),
        "slots": lambda m: SlotsChanged(_slots(m)),
        "levels": _levels,
        "muted_by_admin": lambda m: MutedByAdmin(_who(inner(m, "by"))),
        "admin_mute_lifted": lambda _: AdminMuteLifted(),
        "asked_to_unmute": lambda m: AskedToUnmute(_who(inner(m, "by"))),
        "knock": lambda m: Knocked(_who(inner(m, "by"))),
        "door": lambda m: DoorAsked(choice(m, "door", get_args(AskedDoor)), _who(inner(m, "by"))),
        "recording": lambda m: Recording(flag(m, "on")),
        "title": lambda m: TitleChanged(name(m, "title", MOST_TITLE)),
        "bundle_asked": lambda m: BundleAsked(_bundle_word(m)),
        "error": lambda m: Refused(name(m, "code", MOST_CODE), name(m, "text", MOST_TEXT)),
    }
)


def parse_server(text: str | bytes) -> ServerMessage | None:
    """Read a message of the host, at most 1 MiB; None when its type is not known here.

    :raises ProtocolError: it is too big, not a message, or a field is not of its type.
    """
    message = read_object(text, MOST_SERVER_BYTES)
    kind = message.get("type")
    if not isinstance(kind, str):
        raise ProtocolError("The message has no type.")
    read = _SERVER.get(kind)
    return None if read is None else read(message)
