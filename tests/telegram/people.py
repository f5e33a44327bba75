"""Who and what there is at the stand-in data centre, as TL has it."""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from telethon.tl import types as t

from tests.telegram.sfu import Sfu
from tests.telegram.wire import now

VECTOR = 0x1CB5C415
_HALF = 1 << 31


@dataclass
class Person:
    """One account."""

    id: int
    username: str
    name: str
    fault: tuple[int, str] | None = None
    """What every request but the first is refused with."""


@dataclass
class Seat:
    """Somebody in a voice chat: what ``groupCallParticipant`` says of it."""

    person: Person
    source: int
    """Unsigned; told signed."""
    muted: bool = True
    can_self_unmute: bool = True
    hand: int = 0
    date: datetime = field(default_factory=now)

    def tl(self, viewer: int, *, left: bool = False, joined: bool = False) -> t.GroupCallParticipant:
        """``groupCallParticipant#2a3dc7ac``."""
        return t.GroupCallParticipant(
            t.PeerUser(self.person.id),
            self.date,
            signed(self.source),
            muted=self.muted or None,
            left=left or None,
            can_self_unmute=(self.muted and self.can_self_unmute) or None,
            just_joined=joined or None,
            versioned=True,
            is_self=self.person.id == viewer or None,
            raise_hand_rating=self.hand or None,
        )


class Call:
    """A voice chat: ``groupCall#efb2b617``."""

    def __init__(self, number: int, host: str) -> None:
        self.id, self.hash = number, number * 7
        self.version = 1
        self.seats: dict[int, Seat] = {}
        self.recorded: datetime | None = None
        self.join_muted = False
        self.sfu = Sfu(host)
        self.pieces: Callable[[int], bytes] = lambda _: b""
        """The sound for those who only listen, a second of it from when it begins on, ms of Unix time."""

    def tl(self) -> t.GroupCall:
        return t.GroupCall(
            self.id,
            self.hash,
            len(self.seats),
            1000,
            self.version,
            join_muted=self.join_muted or None,
            can_start_video=True,
            record_start_date=self.recorded,
        )

    def input(self) -> t.InputGroupCall:
        return t.InputGroupCall(self.id, self.hash)


@dataclass
class Group:
    """A supergroup: ``channel#1c32b11c``; or a small group, ``chat#41cbf256``."""

    id: int
    username: str
    title: str
    members: set[int]
    admins: set[int]
    call: Call | None = None
    small: bool = False
    became: "Group | None" = None
    """The supergroup that a small group was made."""

    @property
    def peer(self) -> t.PeerChannel | t.PeerChat:
        return t.PeerChat(self.id) if self.small else t.PeerChannel(self.id)

    @property
    def key(self) -> t.InputChannel:
        return t.InputChannel(self.id, self.id * 3)


def signed(source: int) -> int:
    """As TL has an SSRC."""
    return source - 2 * _HALF if source >= _HALF else source


def numbers(values: Iterable[int]) -> bytes:
    """``Vector int``."""
    listed = list(values)
    return struct.pack(f"<II{len(listed)}i", VECTOR, len(listed), *listed)
