"""Presence, from a member to the host: one JSON object a message, at most 4 KiB. The host refuses what it does not know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from appliance.core.bridges import read_told
from appliance.core.lamps import LAMPS, Sign
from appliance.core.site_details import LAST_SECOND, read_details
from appliance.core.tokens import MOST_TOKEN
from appliance.core.wire import (
    Fields,
    ProtocolError,
    array_of,
    choice,
    dump,
    flag,
    identity,
    inner,
    is_identity,
    is_name,
    is_plain,
    number,
    read_object,
)

VERSION = 1
MOST_CLIENT_BYTES = 4096
_MOST_REASONS = 16
_MOST_EXTRA = 16

AskedDoor: TypeAlias = Literal["listening", "closed"]
"""What a door may be asked from afar: never to open."""

GivenRole: TypeAlias = Literal["listener", "speaker"]
"""What an admin may make of somebody who is in the room: never another admin."""

_LAMP_SIGNS = tuple(sign.value for sign in Sign)


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message, within 5 s."""

    token: str


@dataclass(frozen=True, slots=True)
class SetMuted:
    """The sender muted or unmuted itself."""

    muted: bool


@dataclass(frozen=True, slots=True)
class SetHand:
    """The sender's hand."""

    up: bool


@dataclass(frozen=True, slots=True)
class Knock:
    """The sender knocks."""


@dataclass(frozen=True, slots=True)
class MuteMember:
    """Mute a member: admins anybody, others a site."""

    member: str


@dataclass(frozen=True, slots=True)
class UnmuteMember:
    """Lift a member's admin mute; a site's lamp is told, its gate stays as it is."""

    member: str


@dataclass(frozen=True, slots=True)
class AskUnmute:
    """Ask a member to unmute."""

    member: str


@dataclass(frozen=True, slots=True)
class AskDoor:
    """Ask a site to close its door, or to listen only."""

    member: str
    door: AskedDoor


@dataclass(frozen=True, slots=True)
class Report:
    """What a site says of itself; checked, and without anything that is not for those far away."""

    site: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AdmitMember:
    """Let a guest speak: any member may; a listener: admins."""

    member: str


@dataclass(frozen=True, slots=True)
class SetRole:
    """Let a member speak, or only listen, for as long as the host runs: admins."""

    member: str
    role: GivenRole


@dataclass(frozen=True, slots=True)
class RemoveMember:
    """Send a member out, for good until an admin of the host lets it back: admins."""

    member: str


@dataclass(frozen=True, slots=True)
class SetMuteNew:
    """Whether whoever comes in from now on is muted until an admin lets them speak: admins."""

    on: bool


@dataclass(frozen=True, slots=True)
class SetTitle:
    """What the room is called from now on: admins. Empty when what was asked for is no title."""

    title: str


@dataclass(frozen=True, slots=True)
class SetRecording:
    """The sender is about to record the room, or records it no more: admins."""

    on: bool


ClientMessage: TypeAlias = (
    Hello
    | SetMuted
    | SetHand
    | Knock
    | MuteMember
    | UnmuteMember
    | AskUnmute
    | AskDoor
    | Report
    | AdmitMember
    | SetRole
    | RemoveMember
    | SetMuteNew
    | SetTitle
    | SetRecording
)

_CLIENT_TYPES: Mapping[type[Any], str] = MappingProxyType(
    {
        Hello: "hello",
        SetMuted: "muted",
        SetHand: "hand",
        Knock: "knock",
        MuteMember: "mute",
        UnmuteMember: "unmute",
        AskUnmute: "ask_unmute",
        AskDoor: "door",
        Report: "report",
        AdmitMember: "admit",
        SetRole: "role",
        RemoveMember: "remove",
        SetMuteNew: "mute_new",
        SetTitle: "title",
        SetRecording: "recording",
    }
)


def _read_hello(message: Fields) -> Hello:
    number(message, "v", VERSION, VERSION)
    token = message.get("token")
    if not isinstance(token, str) or len(token) > MOST_TOKEN:
        raise ProtocolError('The field "token" has to be a token.')
    return Hello(token)


def _read_title(message: Fields) -> SetTitle:
    """A title that nobody could read is an error of a person who typed it, and no reason to close the socket."""
    title = message.get("title")
    if not isinstance(title, str):
        raise ProtocolError('The field "title" has to be a text.')
    title = title.strip()
    return SetTitle(title if is_name(title) else "")


def _is_extra(pair: tuple[str, Any]) -> bool:
    return is_identity(pair[0]) and is_plain(pair[1])


def read_site(report: Fields) -> dict[str, Any]:
    """Check what a site reports of itself, and keep what is known.

    :raises ProtocolError: a field is missing or not of its type.
    """
    lamps: dict[str, str] = {lamp: choice(inner(report, "lamps"), lamp, _LAMP_SIGNS) for lamp in LAMPS}
    if lamps["mic"] == "slow":
        # That somebody talks into a closed microphone stays in the room (UX.md, rule 9); a site does not send it either.
        lamps["mic"] = "steady"
    site: dict[str, Any] = {
        "gate": choice(report, "gate", ("open", "closed")),
        "reasons": list(array_of(report, "reasons", _MOST_REASONS, is_name)),
        "door": choice(report, "door", ("open", "listening", "closed")),
        "lamps": lamps,
        "loudspeaker": number(report, "loudspeaker", -127, 0),
    }
    if report.get("direction") is not None:
        direction = number(report, "direction", 0, 359)
        if site["gate"] == "open":  # of a closed one it is not passed on (UX.md, rule 9)
            site["direction"] = direction
    if report.get("quiet_until") is not None:
        site["quiet_until"] = number(report, "quiet_until", 0, LAST_SECOND)
    if "extra" in report:
        extra = inner(report, "extra")
        if len(extra) > _MOST_EXTRA or not all(map(_is_extra, extra.items())):
            raise ProtocolError('The field "extra" has to be a small object of plain values.')
        site["extra"] = dict(extra)
    if report.get("bridge") is not None:
        site["bridge"] = read_told(inner(report, "bridge"))
    if report.get("details") is not None:  # for admins alone: the host keeps it from all others
        site["details"] = read_details(inner(report, "details"), gate_open=site["gate"] == "open")
    return site


_CLIENT: Mapping[str, Callable[[Fields], ClientMessage]] = MappingProxyType(
    {
        "hello": _read_hello,
        "muted": lambda m: SetMuted(flag(m, "muted")),
        "hand": lambda m: SetHand(flag(m, "up")),
        "knock": lambda _: Knock(),
        "mute": lambda m: MuteMember(identity(m, "member")),
        "unmute": lambda m: UnmuteMember(identity(m, "member")),
        "ask_unmute": lambda m: AskUnmute(identity(m, "member")),
        "door": lambda m: AskDoor(identity(m, "member"), choice(m, "door", get_args(AskedDoor))),
        "report": lambda m: Report(read_site(inner(m, "site"))),
        "admit": lambda m: AdmitMember(identity(m, "member")),
        "role": lambda m: SetRole(identity(m, "member"), choice(m, "role", get_args(GivenRole))),
        "remove": lambda m: RemoveMember(identity(m, "member")),
        "mute_new": lambda m: SetMuteNew(flag(m, "on")),
        "title": _read_title,
        "recording": lambda m: SetRecording(flag(m, "on")),
    }
)


def parse_client(text: str | bytes) -> ClientMessage:
    """Read a message of a member, at most 4 KiB.

    :raises ProtocolError: it is too big, not a message, of an unknown type, or a field is not of its type.
    """
    message = read_object(text, MOST_CLIENT_BYTES)
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in _CLIENT:
        raise ProtocolError("There is no message of this type.")
    return _CLIENT[kind](message)


def client_text(message: ClientMessage) -> str:
    """A member's message as text."""
    body = {field.name: getattr(message, field.name) for field in fields(message)}
    version = {"v": VERSION} if isinstance(message, Hello) else {}
    return dump({"type": _CLIENT_TYPES[type(message)], **version, **body})
