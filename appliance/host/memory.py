"""What a room remembers of identities beyond their stay: who is muted, who was sent out, who was let in, who may speak.

Nothing of who spoke is among it. Everything is bounded: the oldest of its kind is forgotten for a further one.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from appliance.core.presence_client import GivenRole
from appliance.core.presence_server import Who
from appliance.core.roster import Role
from appliance.core.tokens import Claims
from appliance.core.wire import ProtocolError, array_of, flag, identity, inner, is_identity, name, number

MOST = 4096
"""Identities of each kind."""

_SCHEMA = 1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Removed:
    """Somebody who was sent out: under which name they were here, and who did it."""

    name: str
    by: str


class RoomMemory:
    """The memory of one room.

    :param mute_new: what the settings say; it holds until an admin says otherwise, and when the settings have changed.
    :param title: the same.
    :param changed: told after each change that has to outlive the host.
    """

    def __init__(self, mute_new: bool, title: str, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._title_of_settings = self._title = title
        self._setting = self._mute_new = mute_new
        self._muted: OrderedDict[str, Who] = OrderedDict()
        self._removed: OrderedDict[str, Removed] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._roles: OrderedDict[str, tuple[GivenRole, str]] = OrderedDict()

    # ---- muted by an admin

    def muted_by(self, who: str) -> Who | None:
        """Who muted this identity, if that holds."""
        return self._muted.get(who)

    def mute(self, who: str, by: Who) -> None:
        """Muted until it is let speak."""
        _put(self._muted, who, by)
        self._changed()

    def let_speak(self, who: str) -> None:
        """Its mute is lifted, and it is new no more."""
        self._muted.pop(who, None)
        if self._mute_new:
            _put(self._known, who, None)
        self._changed()

    # ---- whoever comes in anew

    @property
    def mute_new(self) -> bool:
        """Whether whoever comes in anew is muted."""
        return self._mute_new

    def set_mute_new(self, on: bool, present: Iterable[str]) -> None:
        """From now on; those who are ``present`` are not new."""
        self._mute_new = on
        self._known = OrderedDict.fromkeys(list(present)[-MOST:] if on else ())
        self._changed()

    def is_new(self, who: str) -> bool:
        """Whether this identity is muted as it comes in."""
        return self._mute_new and who not in self._known

    # ---- the title

    @property
    def title(self) -> str:
        """What the room is called."""
        return self._title

    def set_title(self, title: str) -> None:
        """It is called so from now on."""
        self._title = title
        self._changed()

    # ---- sent out

    @property
    def removed(self) -> Mapping[str, Removed]:
        """Who was sent out."""
        return self._removed

    def remove(self, who: str, name: str, by: str) -> None:
        """Not let in any more."""
        _put(self._removed, who, Removed(name, by))
        self._roles.pop(who, None)
        self._changed()

    def allow(self, who: str) -> bool:
        """Let in again; whether it had been sent out."""
        found = self._removed.pop(who, None) is not None
        if found:
            self._changed()
        return found

    # ---- let speak, for as long as the host runs

    def role_of(self, claims: Claims) -> Role:
        """What the holder of a token is here: an admin stays one."""
        said = claims.link_role or claims.role
        role, link = self._roles.get(claims.identity, (said, ""))
        return said if said == "admin" or link not in ("", _link(claims)) else role

    def give_role(self, claims: Claims, role: GivenRole) -> None:
        """Whoever came by these claims is this from now on.

        Who was let speak is so by the same link, a guest by all links for guests: who comes by another one that only lets
        them listen, means to listen. Who may only listen may so by every link.
        """
        _put(self._roles, claims.identity, (role, _link(claims) if role == "speaker" else ""))

    # ---- outliving the host

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "schema": _SCHEMA,
            "mute_new": self._mute_new,
            "setting": self._setting,
            "title": {"now": self._title, "setting": self._title_of_settings},
            "muted": {who: by.as_dict() for who, by in self._muted.items()},
            "removed": {who: {"name": entry.name, "by": entry.by} for who, entry in self._removed.items()},
            "known": list(self._known),
        }

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Take what :meth:`as_dict` gave.

        :raises ProtocolError: it is none of that.
        """
        number(stored, "schema", _SCHEMA, _SCHEMA)
        if flag(stored, "setting") == self._setting:  # else they were changed since, and hold
            self._mute_new = flag(stored, "mute_new")
        if "title" in stored and inner(stored, "title").get("setting") == self._title_of_settings:
            self._title = name(inner(stored, "title"), "now")
        for who in inner(stored, "muted"):
            by = inner(inner(stored, "muted"), _identity(who))
            self._muted[who] = Who(identity(by, "id"), name(by, "name"))
        for who in inner(stored, "removed"):
            entry = inner(inner(stored, "removed"), _identity(who))
            self._removed[who] = Removed(name(entry, "name"), name(entry, "by"))
        self._known = OrderedDict.fromkeys(array_of(stored, "known", MOST, is_identity))


def _link(claims: Claims) -> str:
    """What tells the link that somebody came by from others of the same person."""
    said = claims.link_role or claims.role
    return said if said == "guest" else f"{said} {claims.key_id} {claims.expires}"


def _identity(text: str) -> str:
    if not is_identity(text):
        raise ProtocolError("A member has to be named by its identity.")
    return text


def _put(kept: OrderedDict[str, T], who: str, value: T) -> None:
    kept[who] = value
    kept.move_to_end(who)
    if len(kept) > MOST:
        kept.popitem(last=False)
