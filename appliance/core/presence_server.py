"""Presence, from the host to its members: functions that build each message. What a device reads of them: presence_reader.py."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.core.presence_client import VERSION, AskedDoor
from appliance.core.roster import Member, initials, sign_of
from appliance.core.tokens import Claims
from appliance.core.wire import dump

_LOUDEST, _SILENT = 0, -127


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody a message tells of."""

    id: str
    name: str

    def as_dict(self) -> dict[str, str]:
        """As messages carry it."""
        return {"id": self.id, "name": self.name}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the room gives; ``levels`` is "real" or "on_off"."""

    levels: str = "real"
    hands: bool = True
    admin_mute: bool = True
    volumes: bool = True

    def as_dict(self) -> dict[str, Any]:
        """As the welcome carries it."""
        return {"levels": self.levels, "hands": self.hands, "admin_mute": self.admin_mute, "volumes": self.volumes}


@dataclass(frozen=True, slots=True)
class RoomRecording:
    """Somebody records the room; times are Unix seconds of the host."""

    since: float
    """When it was announced."""
    starts: float
    """When it begins, or has begun: everybody was told before."""
    by: Who | None
    """None: a program without a name, for which the host's keeper announced it."""

    def as_dict(self) -> dict[str, Any]:
        """As messages carry it."""
        return {"since": self.since, "starts": self.starts, "by": self.by.as_dict() if self.by else None}


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms somebody comes in."""

    ice_servers: Sequence[Mapping[str, Any]] = ()
    """Relays, each as WebRTC's RTCIceServer."""
    listen_only: str | None = None
    """Why the receiver may only listen whatever its link says."""
    mute_new: bool = False
    """Whoever comes in anew is muted until an admin lets them speak."""
    recording: RoomRecording | None = None
    """That the room is recorded, or will be at once."""
    now: float = 0.0
    """Unix seconds of the host: whoever reads times of ours need not trust a clock of their own."""
    last_spoke: Mapping[str, Any] | None = None
    """When who spoke last, where the host's settings let that be told."""


def with_members(message: Mapping[str, Any], members: Iterable[str]) -> str:
    """``message`` as text, with ``members`` that are text already: there may be hundreds, and each is told to hundreds."""
    return f'{dump(message)[:-1]},"members":[{",".join(members)}]}}'


def welcome(
    you: Claims,
    title: str,
    members: Iterable[Member] | None,
    slots: Sequence[str | None],
    capabilities: Capabilities | None = None,
    terms: Terms | None = None,
) -> dict[str, Any]:
    """The answer to the hello of the holder of ``you``: everything there is to know of the room.

    :param members: None leaves them out, for :func:`with_members`.
    """
    terms = terms or Terms()
    sign = sign_of(you.identity)
    return {
        "type": "welcome",
        "v": VERSION,
        "you": {
            "id": you.identity,
            "name": you.name,
            "role": you.role,
            "kind": you.kind,
            "initials": initials(you.name),
            "sign": {"hue": sign.hue, "place": sign.place},
        },
        "room": {"id": you.room, "title": title},
        **_those(members),
        "slots": list(slots),
        "capabilities": (capabilities or Capabilities()).as_dict(),
        "ice_servers": [dict(server) for server in terms.ice_servers],
        "listen_only": terms.listen_only,
        "guest": you.role == "guest",
        "mute_new": terms.mute_new,
        "recording": terms.recording.as_dict() if terms.recording else None,
        "now": terms.now,
        "last_spoke": terms.last_spoke,
    }


def member_changed(member: Member) -> dict[str, Any]:
    """A member joined or changed."""
    return {"type": "member", "member": member.as_dict()}


def member_changed_text(member: str) -> str:
    """The same of a member that is text already."""
    return f'{{"type":"member","member":{member}}}'


def members_changed(members: Iterable[Member] | None, left: Iterable[str]) -> dict[str, Any]:
    """Several joined, changed or left at a time; ``members`` as for :func:`welcome`."""
    return {"type": "members", **_those(members), "left": list(left)}


def _those(members: Iterable[Member] | None) -> dict[str, Any]:
    return {} if members is None else {"members": [member.as_dict() for member in members]}


def mute_new_changed(on: bool) -> dict[str, Any]:
    """Whether whoever comes in from now on is muted until an admin lets them speak."""
    return {"type": "mute_new", "on": on}


def member_left(identity: str) -> dict[str, Any]:
    """A member left."""
    return {"type": "left", "id": identity}


def slots_changed(slots: Sequence[str | None]) -> dict[str, Any]:
    """Who is heard in which slot."""
    return {"type": "slots", "slots": list(slots)}


def levels_changed(levels: Mapping[str, float], speaking: Iterable[str]) -> dict[str, Any]:
    """Levels (dBov) of those whose level changed, and everybody who speaks."""
    rounded = {who: min(_LOUDEST, max(_SILENT, round(level))) for who, level in levels.items()}
    return {"type": "levels", "levels": rounded, "speaking": sorted(speaking)}


def muted_by_admin(by: Who) -> dict[str, Any]:
    """The receiver was muted."""
    return {"type": "muted_by_admin", "by": by.as_dict()}


def admin_mute_lifted() -> dict[str, Any]:
    """The receiver may unmute itself again."""
    return {"type": "admin_mute_lifted"}


def asked_to_unmute(by: Who) -> dict[str, Any]:
    """The receiver is asked to unmute."""
    return {"type": "asked_to_unmute", "by": by.as_dict()}


def knocked(by: Who) -> dict[str, Any]:
    """Somebody knocks."""
    return {"type": "knock", "by": by.as_dict()}


def device_asks(device: Who) -> dict[str, Any]:
    """A device that is not known asks to be let in: for admins alone."""
    return {"type": "device_asks", "device": device.as_dict()}


def door_asked(door: AskedDoor, by: Who) -> dict[str, Any]:
    """The receiver, a site, is asked to close its door or to listen only."""
    return {"type": "door", "door": door, "by": by.as_dict()}


def recording(state: RoomRecording | None) -> dict[str, Any]:
    """A recording of the room is announced, is another's now, or has ended (None)."""
    return {"type": "recording", "on": state is not None, **(state.as_dict() if state else {})}


def title_changed(title: str) -> dict[str, Any]:
    """What the room is called from now on."""
    return {"type": "title", "title": title}


def bundle_asked(word: str) -> dict[str, Any]:
    """The receiver, a site, is asked for a support bundle, which it hands in by ``word`` (docs/site-report.md)."""
    return {"type": "bundle_asked", "word": word}


def error(code: str, text: str) -> dict[str, Any]:
    """The receiver's last message did nothing; ``text`` is one sentence."""
    return {"type": "error", "code": code, "text": text}
