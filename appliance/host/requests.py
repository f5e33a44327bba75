"""What members, watchers and the host's keeper may ask of a room, and what becomes of it.

The permissions of UX.md: anybody may mute a site or ask it to unmute; people are muted, let speak and sent out by admins only;
a guest is let in by any member. Nothing here opens a microphone: lifting an admin mute or letting somebody speak lets a person
unmute, and merely tells a site.
"""

from typing import Any, Protocol, assert_never

from appliance.core.enrolment import fingerprint
from appliance.core.events import EventName
from appliance.core.protocol import (
    AdmitMember,
    AskDoor,
    AskedDoor,
    AskUnmute,
    Claims,
    ClientMessage,
    GivenRole,
    Hello,
    Knock,
    MuteMember,
    RemoveMember,
    Report,
    SetHand,
    SetMuted,
    SetMuteNew,
    SetRecording,
    SetRole,
    SetTitle,
    UnmuteMember,
    Who,
    admin_mute_lifted,
    asked_to_unmute,
    door_asked,
    dump,
    error,
    knocked,
    mute_new_changed,
    muted_by_admin,
)
from appliance.core.roster import Member, Role, Roster
from appliance.core.wire import is_name
from appliance.host.config import Rate
from appliance.host.limits import Buckets
from appliance.host.recording import Recordings
from appliance.host.room_store import RoomStore
from appliance.host.services import Services
from appliance.host.watcher import Watcher

_ASKING = Rate(0.5, 2.0)
"""How often one may ask the same member."""

_CANNOT: dict[Role, str] = {
    "guest": "A guest only listens until a member lets them speak.",
    "listener": "By a listener link one can only listen.",
}


class Refused(Exception):
    """The request is not granted: a code for programs and a sentence for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Room(Protocol):
    """What requests act on: the conference."""

    id: str
    roster: Roster
    recordings: Recordings

    @property
    def title(self) -> str:
        """What people read."""

    def call(self, title: str) -> None:
        """The room has another title."""

    def claims_of(self, identity: str) -> Claims | None:
        """By what a member came in."""

    def change(self, identity: str, **fields: Any) -> None:
        """Change a member and tell everybody."""

    def broadcast(self, message: dict[str, Any]) -> None:
        """Tell everybody who watches."""

    def send_to(self, identity: str, message: dict[str, Any]) -> None:
        """Tell one member."""

    def send_out(self, identity: str) -> None:
        """End the session and the sockets of this identity."""


class Requests:
    """Decides and does what comes over presence sockets and the control socket."""

    def __init__(self, room: Room, services: Services, store: RoomStore) -> None:
        self._room = room
        self._services = services
        self._memory = store.memory
        self._registry = store.registry
        self._asking = Buckets(_ASKING)

    def handle(self, watcher: Watcher, message: ClientMessage) -> None:
        """Do what is asked, or tell the one who asked why not."""
        try:
            self._handle(watcher, message)
        except Refused as refusal:
            self._services.counters.add("host_requests_refused")
            watcher.send(dump(error(refusal.code, str(refusal))))

    def _handle(self, watcher: Watcher, message: ClientMessage) -> None:
        match message:
            case SetMuted(muted):
                if not muted and watcher.listen_only is not None:  # its token could be read on the way
                    raise Refused("forbidden", _CANNOT["listener"])
                self._set_muted(self._own(watcher), muted)
            case SetHand(up):
                self._set_hand(self._own(watcher), up)
            case Knock():
                self._knock(watcher.who)
            case Report(site):
                self._report(self._own(watcher), dict(site))
            case SetMuteNew() | SetTitle() | SetRecording():
                self._about_the_room(watcher, message)
            case Hello():
                raise Refused("late_hello", "There is one hello.")
            case _:
                self._about_another(watcher, message, self.member(message.member))

    def _about_the_room(self, watcher: Watcher, message: SetMuteNew | SetTitle | SetRecording) -> None:
        # Whoever records at a device need not be anybody whom the room knows; it is told all the same.
        if not (isinstance(message, SetRecording) and watcher.claims.kind != "person"):
            self._require_admin(watcher)
        match message:
            case SetMuteNew(on):
                self.set_mute_new(on, watcher.who)
            case SetTitle(title):
                self.set_title(title, watcher.who)
            case SetRecording(on):
                self._room.recordings.set(watcher.claims.identity, watcher.who, on)
            case _:
                assert_never(message)

    def _about_another(
        self,
        watcher: Watcher,
        message: MuteMember | UnmuteMember | AskUnmute | AskDoor | AdmitMember | SetRole | RemoveMember,
        target: Member,
    ) -> None:
        by = watcher.who
        match message:
            case MuteMember():
                self._require(watcher, target)
                self.mute(target, by)
            case UnmuteMember():
                self._require_admin(watcher)
                self.let_speak(target.id, by)
            case AskUnmute():
                self._require(watcher, target)
                self._ask_unmute(by, target)
            case AskDoor(door=door):
                self._require_admin(watcher)
                self._ask_door(by, target, door)
            case AdmitMember():
                self._may_admit(watcher, target)
                self.give_role(target, "speaker", by)
            case SetRole(role=role):
                self._require_admin(watcher)
                self.give_role(target, role, by)
            case RemoveMember():
                self._require_admin(watcher)
                if target.kind == "site" or target.id == by.id:
                    raise Refused("forbidden", "Only other people are sent out; a device is revoked on the server.")
                self.remove(target.id, target.name, by)
            case _:
                assert_never(message)

    def member(self, identity: str) -> Member:
        """The member with this identity.

        :raises Refused: it is not in the room.
        """
        member = self._room.roster.get(identity)
        if member is None:
            raise Refused("unknown_member", "This member is not in the room.")
        return member

    # ---- who may

    def _own(self, watcher: Watcher) -> Member:
        member = self._room.roster.get(watcher.claims.identity)
        if member is None:
            raise Refused("not_joined", "Join first.")
        return member

    def _require_admin(self, watcher: Watcher) -> None:
        if watcher.claims.role != "admin":
            raise Refused("forbidden", "Only an admin may do this.")

    def _require(self, watcher: Watcher, target: Member) -> None:
        """Anybody may ask this of a site; of people only admins may."""
        if target.kind != "site":
            self._require_admin(watcher)

    def _may_admit(self, watcher: Watcher, target: Member) -> None:
        role = watcher.claims.role
        if watcher.listen_only is None:  # a guest that was let in is a member, whose socket is older than that
            role = self._memory.role_of(watcher.claims)
        if role not in ("speaker", "admin"):
            raise Refused("forbidden", "Only a member who may speak lets a guest speak.")
        if target.role != "guest":
            self._require_admin(watcher)

    # ---- oneself

    def _set_muted(self, member: Member, muted: bool) -> None:
        if not muted and member.role in _CANNOT:
            raise Refused("forbidden", _CANNOT[member.role])
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
        else:
            self._services.counters.add("host_knocks_ignored")

    def _report(self, member: Member, site: dict[str, Any]) -> None:
        if member.kind == "person":
            raise Refused("not_a_site", "Only a device reports.")
        if member.kind == "site":
            site.pop("bridge", None)
            self._registry.reported(member.id, site.get("extra", {}), self._services.unix_now())
        device = self._registry.device(member.id)
        if device is not None:  # what it says of its key is not asked: this one it has proven
            site["key"] = fingerprint(device.public_key)
        fields: dict[str, Any] = {"site": site, "muted": site["gate"] == "closed", "on_hold": site["door"] == "closed"}
        knew = member.site is not None and "admin" in member.site["reasons"]
        if knew and "admin" not in site["reasons"] and member.kind == "site":
            # It knew of the admin's mute, and only a hand in the room ends that (UX.md, mute rule 7). That its gate is
            # open is no answer to a mute that it has not told us it knows of: it may have been away meanwhile.
            self._memory.let_speak(member.id)
            fields["admin_muted"] = False
        self._room.change(member.id, **fields)

    # ---- others: for whoever may, and for the host's keeper

    def mute(self, target: Member, by: Who) -> None:
        """Nothing of ``target`` is heard until it is let speak, also after it was away."""
        self._memory.mute(target.id, by)
        if not target.admin_muted:
            self._services.tell(EventName.MUTED_BY_ADMIN, room=self._room.id, member=target.id, by=by.id)
            self._room.change(target.id, admin_muted=True)
            self._room.send_to(target.id, muted_by_admin(by))

    def let_speak(self, identity: str, by: Who) -> None:
        """Lift the mute of an identity, here or not."""
        self._memory.let_speak(identity)
        target = self._room.roster.get(identity)
        if target is not None and target.admin_muted:
            self._services.tell(EventName.ADMIN_MUTE_LIFTED, room=self._room.id, member=identity, by=by.id)
            self._room.change(identity, admin_muted=False, hand=False)
            self._room.send_to(identity, admin_mute_lifted())

    def give_role(self, target: Member, role: GivenRole, by: Who) -> None:
        """Let ``target`` speak, or only listen, for this stay and later ones while the host runs.

        :raises Refused: it is an admin, or a device.
        """
        if target.role == "admin" or target.kind != "person":
            raise Refused("forbidden", "Admins and devices stay what they are.")
        claims = self._room.claims_of(target.id)
        if claims is not None:
            self._memory.give_role(claims, role)
        if target.role == role:
            return
        self._services.tell(EventName.MEMBER_ADMITTED, room=self._room.id, member=target.id, role=role, by=by.id)
        if role == "speaker":
            self._room.change(target.id, role=role, hand=False)
        else:
            self._room.change(target.id, role=role, hand=False, muted=True)

    def remove(self, identity: str, name: str, by: Who) -> None:
        """Send an identity out and let it in no more, whatever links it has."""
        self._memory.remove(identity, name, by.name)
        self._services.counters.add("host_removed")
        self._services.tell(EventName.MEMBER_REMOVED, room=self._room.id, member=identity, by=by.id)
        self._room.send_out(identity)

    def allow(self, identity: str, by: Who) -> None:
        """Let somebody in again who was sent out.

        :raises Refused: it was not.
        """
        if not self._memory.allow(identity):
            raise Refused("not_removed", "Nobody with this id was sent out.")
        self._services.tell(EventName.MEMBER_ALLOWED, room=self._room.id, member=identity, by=by.id)

    def set_mute_new(self, on: bool, by: Who) -> None:
        """Whether whoever comes in from now on is muted until an admin lets them speak."""
        if on == self._memory.mute_new:
            return
        self._memory.set_mute_new(on, [member.id for member in self._room.roster.members])
        self._services.tell(EventName.MUTE_NEW_CHANGED, room=self._room.id, on=on, by=by.id)
        self._room.broadcast(mute_new_changed(on))

    def set_title(self, title: str, by: Who) -> None:
        """The room is called ``title`` from now on.

        :raises Refused: nobody could read it.
        """
        if not is_name(title):
            raise Refused("bad_title", "A title has 1 to 64 printable characters.")
        if title != self._room.title:
            self._services.tell(EventName.TITLE_CHANGED, room=self._room.id, by=by.id)
            self._room.call(title)

    def _ask_unmute(self, by: Who, target: Member) -> None:
        if not self._asking.take(f"{by.id} {target.id}", self._services.now()):
            raise Refused("too_often", "Asked already; give it a moment.")
        self._services.tell(EventName.ASKED_TO_UNMUTE, room=self._room.id, member=target.id, by=by.id)
        self._room.send_to(target.id, asked_to_unmute(by))

    def _ask_door(self, by: Who, target: Member, door: AskedDoor) -> None:
        if target.kind != "site":
            raise Refused("no_door", "Only a device has a door.")
        self._room.send_to(target.id, door_asked(door, by))
