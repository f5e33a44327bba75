"""Who is in a room: members, their signs, hands and knocks.

A sign is what a member looks like everywhere, as a picture on the page and as light on the ring of a device. It follows from
the identity, so that it is the same from day to day and from device to device.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["person", "site", "bridge"]
"""A site is a member that is a device; a bridge brings the members of another room."""

Role: TypeAlias = Literal["guest", "listener", "speaker", "admin"]
"""What a member may do; each role may do what the ones before it may. A guest listens until a member admits them."""

MemberState: TypeAlias = Literal["connecting", "admin_muted", "hand", "on_hold", "muted", "listening"]
"""The one state that is shown of a member, in the order of precedence."""

PLACES = 12
"""Clock positions of a sign; 0 is 12 o'clock, the side of the switch."""

HUES = ("blue", "petrol", "jade", "moss", "ochre", "rust", "wine", "orchid")

FIGURES: tuple[tuple[int, ...], ...] = (
    (1,),
    (1, 1),
    (1, 0, 1),
    (1, 1, 1),
    (1, 0, 0, 1),
    (1, 1, 0, 1),
    (1, 0, 1, 1),
    (1, 1, 1, 1),
)
"""Which neighbouring LEDs each hue lights, read clockwise from its place: one figure a hue, all that fit on four LEDs."""

KNOCK_SECONDS = 10.0
"""A member's next knock passes after this time."""

MOST_KNOCKERS = 1024
"""Identities whose last knock is remembered at a time; more knocks than that in 10 s are not passed on."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Hue (which also decides the figure) and place, the clock position of the figure's first LED.

    :raises ValueError: there is no such hue or place.
    """

    hue: int
    place: int

    def __post_init__(self) -> None:
        if not (0 <= self.hue < len(HUES) and 0 <= self.place < PLACES):
            raise ValueError(f"There is no sign with hue {self.hue} and place {self.place}.")

    def lit(self, leds: int = PLACES) -> tuple[int, ...]:
        """The LEDs that the figure lights on a ring of ``leds``; none below four, there a ring shows the level only."""
        if leds < len(FIGURES[-1]):
            return ()
        return tuple((self.place + i) % leds for i, bit in enumerate(FIGURES[self.hue]) if bit)


def sign_of(identity: str) -> Sign:
    """The sign that an identity has unless its settings say otherwise."""
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).digest()
    return Sign(*divmod(int.from_bytes(digest[:8], "big") % (len(HUES) * PLACES), PLACES))


def initials(name: str) -> str:
    """One or two letters for the middle of a sign: the first of the first and of the last word, or two of a single one."""
    words = [letters for word in name.split() if (letters := "".join(filter(str.isalnum, word)))]
    picked = words[0][0] + words[-1][0] if len(words) > 1 else "".join(words)[:2]
    # Some letters grow when they are made large (ß becomes SS): those stay as they are.
    return "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in picked) or "?"


@dataclass(frozen=True, slots=True)
class Member:
    """Whoever is in a room. ``site`` is what a device reports of itself, and None for people."""

    id: str
    name: str
    kind: Kind
    role: Role
    joined: bool
    muted: bool
    admin_muted: bool
    hand: bool
    on_hold: bool
    connecting: bool
    sign: Sign
    site: Mapping[str, Any] | None = None

    @property
    def may_speak(self) -> bool:
        """Whether its role lets it be heard."""
        return self.role in ("speaker", "admin")

    @property
    def state(self) -> MemberState:
        """The state that is shown: the first that holds, in the order of :data:`MemberState`."""
        if self.connecting:
            return "connecting"
        if self.admin_muted:
            return "admin_muted"
        if self.hand:
            return "hand"
        if self.on_hold:
            return "on_hold"
        return "muted" if self.muted else "listening"

    def as_dict(self) -> dict[str, Any]:
        """The member as presence messages carry it."""
        return {
            "id": self.id,
            "name": self.name,
            "initials": initials(self.name),
            "kind": self.kind,
            "role": self.role,
            "state": self.state,
            "joined": self.joined,
            "muted": self.muted,
            "admin_muted": self.admin_muted,
            "hand": self.hand,
            "sign": {"hue": self.sign.hue, "place": self.sign.place},
            "site": None if self.site is None else dict(self.site),
        }


def new_member(identity: str, name: str, kind: Kind, role: Role, sign: Sign | None = None) -> Member:
    """A member as it enters: connecting, and muted as everything unknown is."""
    return Member(
        id=identity,
        name=name,
        kind=kind,
        role=role,
        joined=True,
        muted=True,
        admin_muted=False,
        hand=False,
        on_hold=False,
        connecting=True,
        sign=sign or sign_of(identity),
    )


class Roster:
    """The members of one room. Members are values: every change makes a new one, which is told to the others whole."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._knocks: dict[str, float] = {}

    def join(self, member: Member) -> None:
        """Take a member in; a newer session of the same identity takes the place of the old one."""
        self._members[member.id] = member

    def leave(self, identity: str) -> Member | None:
        """Take a member out and return it; None when it was not there."""
        return self._members.pop(identity, None)

    def get(self, identity: str) -> Member | None:
        """The member with this identity, if it is in the room."""
        return self._members.get(identity)

    def change(self, identity: str, **fields: Any) -> Member:
        """Change fields of a member and return what it is now.

        :raises KeyError: nobody with this identity is in the room.
        :raises TypeError: there is no such field, or it is the identity, which stays.
        """
        if "id" in fields:
            raise TypeError("The identity of a member does not change.")
        member = replace(self._members[identity], **fields)
        self._members[identity] = member
        return member

    @property
    def members(self) -> tuple[Member, ...]:
        """All members, sites first, then by name: never by activity, so that nobody's place moves."""
        return tuple(sorted(self._members.values(), key=lambda m: (m.kind != "site", m.name.casefold(), m.id)))

    @property
    def count(self) -> int:
        """How many are in the room."""
        return len(self._members)

    @property
    def hands(self) -> int:
        """How many have a hand up."""
        return sum(member.hand for member in self._members.values())

    def knock(self, identity: str, now: float) -> bool:
        """Whether a knock at ``now`` (seconds) is passed on: once in 10 s for each identity.

        Whoever sees the room may knock without being in it, and leaving does not make the next knock come sooner.
        """
        self._knocks = {who: at for who, at in self._knocks.items() if now - at < KNOCK_SECONDS}
        if identity in self._knocks or len(self._knocks) >= MOST_KNOCKERS:
            return False
        self._knocks[identity] = now
        return True
