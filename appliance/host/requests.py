"""What members and watchers may ask of a room, and what becomes of it.

The permissions of UX.md: anybody may mute a site or ask it to unmute; people are muted by admins only. Nothing here opens a
microphone: lifting an admin mute lets a person unmute, and merely tells a site.
"""

from collections import OrderedDict
from typing import Any, Protocol, assert_never

from appliance.core.events import EventName
from appliance.core.protocol import (
    AskDoor,
    AskedDoor,
    AskUnmute,
    ClientMessage,
    Hello,
    Knock,
    MuteMember,
    Report,
    SetHand,
    SetMuted,
    UnmuteMember,
    Who,
    admin_mute_lifted,
    asked_to_unmute,
    door_asked,
    dump,
    error,
    knocked,
    muted_by_admin,
)
from appliance.core.roster import Member, Roster
from appliance.host.config import Rate
from appliance.host.limits import Buckets
from appliance.host.services import Services
from appliance.host.watcher import Watcher

_MOST_MUTED = 1024
"""Identities whose admin mute is remembered: it outlives leaving, or a reload would lift it."""

_ASKING = Rate(0.5, 2.0)
"""How often one may ask the same member."""


class Refused(Exception):
    """The request is not granted: a code for programs and a sentence for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Room(Protocol):
    """What requests act on: the conference."""

    id: str
    roster: Roster

    def change(self, identity: str, **fields: Any) -> None:
        """Change a member and tell everybody."""

    def broadcast(self, message: dict[str, Any]) -> None:
        """Tell everybody who watches."""

    def send_to(self, identity: str, message: dict[str, Any]) -> None:
        """Tell one member."""


class Requests:
    """Decides and does what comes over presence sockets."""

    def __init__(self, room: Room, services: Services) -> None:
        self._room = room
        self._services = services
        self._asking = Buckets(_ASKING)
        self._muted: OrderedDict[str, Who] = OrderedDict()

    def admin_mute_of(self, identity: str) -> Who | None:
        """Who muted this identity, if that holds."""
        return self._muted.get(identity)

    def handle(self, watcher: Watcher, message: ClientMessage) -> None:
        """Do what is asked, or tell the one who asked why not."""
        try:
            self._handle(watcher, message)
        except Refused as refusal:
            watcher.send(dump(error(refusal.code, str(refusal))))

    def _handle(self, watcher: Watcher, message: ClientMessage) -> None:
        match message:
            case SetMuted(muted):
                self._set_muted(self._own(watcher), muted)
            case SetHand(up):
                self._set_hand(self._own(watcher), up)
            case Knock():
                self._knock(watcher.who)
            case MuteMember(member):
                self._mute(watcher, self._member(member))
            case UnmuteMember(member):
                self._unmute(watcher, self._member(member))
            case AskUnmute(member):
                self._ask_unmute(watcher, self._member(member))
            case AskDoor(member, door):
                self._ask_door(watcher, self._member(member), door)
            case Report(site):
                self._report(self._own(watcher), dict(site))
            case Hello():
                raise Refused("late_hello", "There is one hello.")
            case _:
                assert_never(message)

    def _own(self, watcher: Watcher) -> Member:
        member = self._room.roster.get(watcher.claims.identity)
        if member is None:
            raise Refused("not_joined", "Join first.")
        return member

    def _member(self, identity: str) -> Member:
        member = self._room.roster.get(identity)
        if member is None:
            raise Refused("unknown_member", "This member is not in the room.")
        return member

    def _require_admin(self, watcher: Watcher) -> None:
        if watcher.claims.role != "admin":
            raise Refused("forbidden", "Only an admin may do this.")

    # ---- oneself

    def _set_muted(self, member: Member, muted: bool) -> None:
        if member.role == "listener" and not muted:
            raise Refused("forbidden", "By a listener link one can only listen.")
        fields: dict[str, Any] = {"muted": muted}
        if not muted and not member.admin_muted:
            fields["hand"] = False  # whoever speaks no longer asks to
        self._room.change(member.id, **fields)

    def _set_hand(self, member: Member, up: bool) -> None:
        if member.hand != up:
            self._services.tell(EventName.HAND_CHANGED, room=self._room.id, member=member.id, up=up)
            self._room.change(member.id, hand=up)

    def _knock(self, who: Who) -> None:
        if self._room.roster.knock(who.id, self._services.now()):
            self._services.tell(EventName.KNOCKED, room=self._room.id, member=who.id)
            self._room.broadcast(knocked(who))

    def _report(self, member: Member, site: dict[str, Any]) -> None:
        if member.kind != "site":
            raise Refused("not_a_site", "Only a device reports.")
        fields: dict[str, Any] = {"site": site, "muted": site["gate"] == "closed", "on_hold": site["door"] == "closed"}
        if member.site is not None and "admin" in member.site["reasons"] and "admin" not in site["reasons"]:
            # It knew of the admin's mute, and only a hand in the room ends that (UX.md, mute rule 7). That its gate is
            # open is no answer to a mute that it has not told us it knows of: it may have been away meanwhile.
            self._muted.pop(member.id, None)
            fields["admin_muted"] = False
        self._room.change(member.id, **fields)

    # ---- others

    def _mute(self, watcher: Watcher, target: Member) -> None:
        if target.kind != "site":
            self._require_admin(watcher)
        self._muted[target.id] = watcher.who
        self._muted.move_to_end(target.id)
        if len(self._muted) > _MOST_MUTED:
            self._muted.popitem(last=False)
        if not target.admin_muted:
            self._services.tell(
                EventName.MUTED_BY_ADMIN, room=self._room.id, member=target.id, by=watcher.claims.identity
            )
            self._room.change(target.id, admin_muted=True)
            self._room.send_to(target.id, muted_by_admin(watcher.who))

    def _unmute(self, watcher: Watcher, target: Member) -> None:
        self._require_admin(watcher)
        self._muted.pop(target.id, None)
        if target.admin_muted:
            self._services.tell(
                EventName.ADMIN_MUTE_LIFTED, room=self._room.id, member=target.id, by=watcher.claims.identity
            )
            self._room.change(target.id, admin_muted=False, hand=False)
            self._room.send_to(target.id, admin_mute_lifted())

    def _ask_unmute(self, watcher: Watcher, target: Member) -> None:
        if target.kind != "site":
            self._require_admin(watcher)
        if not self._asking.take(f"{watcher.claims.identity} {target.id}", self._services.now()):
            raise Refused("too_often", "Asked already; give it a moment.")
        self._services.tell(EventName.ASKED_TO_UNMUTE, room=self._room.id, member=target.id, by=watcher.claims.identity)
        self._room.send_to(target.id, asked_to_unmute(watcher.who))

    def _ask_door(self, watcher: Watcher, target: Member, door: AskedDoor) -> None:
        self._require_admin(watcher)
        if target.kind != "site":
            raise Refused("no_door", "Only a device has a door.")
        self._room.send_to(target.id, door_asked(door, watcher.who))
