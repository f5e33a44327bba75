"""A stand-in for Telegram's data centre: accounts, groups and their voice chats, as Telethon 1.45 sees them.

What it answers follows Telethon's TL classes, one constructor each as named in the handlers; how a voice chat behaves follows
the documentation of the methods ``phone.*``. It is ours, and not Telegram: what it shows is that our end is right about these
shapes (docs/telegram.md).
"""

import asyncio
import re
import struct
import time
from collections.abc import Iterable
from typing import Any

from telethon.tl import functions as f
from telethon.tl import types as t

from tests.telegram.people import VECTOR, Call, Group, Person, Seat, numbers, signed
from tests.telegram.wire import Refusal, Wire, key_id, key_of, made, now, session_string

KEYS = 16
"""Authorisation keys a user has: so many devices."""


class DataCentre:
    """All of it. ``people`` and ``groups`` may be changed at any time."""

    def __init__(self, host: str, people: Iterable[Person], groups: Iterable[Group], secret: str = "s") -> None:
        self.host, self._secret = host, secret
        self.people = {person.id: person for person in people}
        self.groups = {group.id: group for group in groups}
        self.wires: set[Wire] = set()
        self.seen: list[Any] = []
        """Every request."""
        self.faults: dict[str, list[tuple[int, str]]] = {}
        """By a request's class name: what its next calls are refused with."""
        self.stream = False
        """Whoever joins muted gets the mix in pieces of a second, as in a voice chat with thousands of listeners."""
        self.stream_for_all = False
        """The same for whoever joins, muted or not."""
        self.forgotten: set[int] = set()
        """Sources that ``phone.checkGroupCall`` does not know any more."""
        self._calls = self._hands = 0
        self._keys: dict[bytes, tuple[int, bytes]] = {}
        for person in self.people.values():
            for key in (key_of(secret, person.id, number) for number in range(KEYS)):
                self._keys[key_id(key)] = person.id, key

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, port)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for wire in list(self.wires):
            wire.close()
        for group in self.groups.values():
            await self.end_call(group)
        await asyncio.sleep(0.05)

    def session(self, person: int, number: int = 0) -> str:
        """What ``kontor telegram login`` would have made for a person."""
        return session_string(self.host, self.port, key_of(self._secret, person, number))

    def start_call(self, group: Group) -> Call:
        """As an admin who starts the voice chat."""
        self._calls += 1
        group.call = Call(group.id * 1000 + self._calls, self.host)
        self._tell_call(group, group.call.tl())
        return group.call

    async def end_call(self, group: Group) -> None:
        """As an admin who ends it: ``groupCallDiscarded#7780bcb4``."""
        if group.call is not None:
            call, group.call = group.call, None
            self._tell_call(group, t.GroupCallDiscarded(call.id, call.hash, 60))
            for seat in call.seats.values():
                await call.sfu.leave(seat.source)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(self._keys, self._answer, (reader, writer))
        self.wires.add(wire)
        try:
            await wire.run()
        finally:
            self.wires.discard(wire)

    async def _answer(self, wire: Wire, request: Any) -> Any:
        name = type(request).__name__
        self.seen.append(request)
        if waiting := self.faults.get(name):
            raise Refusal(*waiting.pop(0))
        fault = self.people[wire.user].fault
        if fault is not None and not isinstance(request, f.help.GetConfigRequest):
            raise Refusal(*fault)
        words = re.sub("(?<!^)(?=[A-Z])", "_", name.removesuffix("Request")).lower()
        answer = getattr(self, f"on_{words}", None)
        if answer is None:
            raise Refusal(400, "METHOD_INVALID")
        return await answer(request, wire)

    # ---- who is told what

    def _user(self, number: int, viewer: int) -> t.User:
        person = self.people[number]
        known = {"id": number, "access_hash": number * 11, "first_name": person.name, "username": person.username}
        return made(t.User, is_self=number == viewer, **known)

    def _chat(self, group: Group, viewer: int) -> t.Channel | t.ChannelForbidden | t.Chat:
        if group.small:
            to = group.became.key if group.became else None
            known = {"id": group.id, "title": group.title, "photo": t.ChatPhotoEmpty(), "migrated_to": to}
            return made(t.Chat, deactivated=to is not None, **known)
        if viewer not in group.members:
            return t.ChannelForbidden(group.id, group.id * 3, group.title, megagroup=True)
        return made(
            t.Channel,
            id=group.id,
            title=group.title,
            username=group.username,
            photo=t.ChatPhotoEmpty(),
            access_hash=group.id * 3,
            megagroup=True,
            call_active=group.call is not None,
        )

    def updates(self, group: Group, viewer: int, *updates: Any) -> t.Updates:
        """``updates#74ae4240``."""
        users = [self._user(number, viewer) for number in (group.call.seats if group.call else ())]
        return t.Updates(list(updates), users, [self._chat(group, viewer)], now(), 0)

    def _tell_call(self, group: Group, call: Any) -> None:
        for wire in self.wires:
            if wire.user in group.members:
                wire.push(self.updates(group, wire.user, t.UpdateGroupCall(call, peer=group.peer)))

    def tell(self, group: Group, call: Call, *seats: Seat, but: Wire | None = None, **how: bool) -> None:
        """``updateGroupCallParticipants#f2ebdb4e`` to all who are in the voice chat, and to whom it is about."""
        call.version += 1
        about = {seat.person.id for seat in seats}
        for wire in self.wires:
            if wire is not but and (wire.user in call.seats or wire.user in about):
                wire.push(self.updates(group, wire.user, self._changed(call, seats, wire.user, **how)))

    def _changed(self, call: Call, seats: Iterable[Seat], viewer: int, **how: bool) -> t.UpdateGroupCallParticipants:
        shown = [seat.tl(viewer, **how) for seat in seats]
        return t.UpdateGroupCallParticipants(call.input(), shown, call.version)

    def _place(self, call: Any, viewer: int) -> tuple[Group, Call]:
        for group in self.groups.values():
            if group.call is not None and group.call.id == call.id and group.call.hash == call.access_hash:
                if viewer not in group.members:
                    raise Refusal(403, "GROUPCALL_FORBIDDEN")
                return group, group.call
        raise Refusal(400, "GROUPCALL_INVALID")

    def _group(self, peer: Any, viewer: int) -> Group:
        group = self.groups.get(getattr(peer, "channel_id", 0) or getattr(peer, "chat_id", 0))
        if group is None or group.small is hasattr(peer, "channel_id"):
            raise Refusal(400, "CHANNEL_INVALID")
        if viewer not in group.members:
            raise Refusal(400, "CHANNEL_PRIVATE")
        return group

    # ---- the account

    async def on_get_config(self, _: Any, __: Wire) -> Any:
        option = made(t.DcOption, id=2, ip_address=self.host, port=self.port)
        return made(t.Config, this_dc=2, dc_options=[option])

    async def on_get_state(self, _: Any, __: Wire) -> Any:
        return t.updates.State(1, 0, now(), 1, 0)

    async def on_get_difference(self, _: Any, __: Wire) -> Any:
        return t.updates.DifferenceEmpty(now(), 1)

    async def on_get_channel_difference(self, _: Any, __: Wire) -> Any:
        return t.updates.ChannelDifferenceEmpty(1, final=True, timeout=60)

    async def on_get_users(self, _: Any, wire: Wire) -> Any:
        return struct.pack("<II", VECTOR, 1) + bytes(self._user(wire.user, wire.user))

    # ---- groups

    async def on_resolve_username(self, request: Any, wire: Wire) -> Any:
        for group in self.groups.values():
            if group.username == request.username.lower():
                return t.contacts.ResolvedPeer(group.peer, [self._chat(group, wire.user)], [])
        for person in self.people.values():
            if person.username == request.username.lower():
                user = self._user(person.id, wire.user)
                return t.contacts.ResolvedPeer(t.PeerUser(person.id), [], [user])
        raise Refusal(400, "USERNAME_NOT_OCCUPIED")

    async def on_get_dialogs(self, _: Any, wire: Wire) -> Any:
        listed = [group for group in self.groups.values() if wire.user in group.members and not group.became]
        known = [self._chat(group, wire.user) for group in listed]
        return t.messages.Dialogs([], [], known, [])

    async def on_check_chat_invite(self, request: Any, wire: Wire) -> Any:
        for group in self.groups.values():
            if request.hash == f"invite{group.id}":
                if wire.user in group.members:
                    return t.ChatInviteAlready(self._chat(group, wire.user))
                return made(t.ChatInvite, title=group.title, photo=t.PhotoEmpty(0))
        raise Refusal(400, "INVITE_HASH_EXPIRED")

    async def on_get_full_channel(self, request: Any, wire: Wire) -> Any:
        group = self._group(request.channel, wire.user)
        call = group.call.input() if group.call else None
        settings = t.PeerNotifySettings()
        full = made(t.ChannelFull, id=group.id, chat_photo=t.PhotoEmpty(0), notify_settings=settings, pts=1, call=call)
        return t.messages.ChatFull(full, [self._chat(group, wire.user)], [])

    async def on_get_chats(self, request: Any, wire: Wire) -> Any:
        found = [self._group(t.PeerChat(number), wire.user) for number in request.id]
        return t.messages.Chats([self._chat(group, wire.user) for group in found])

    async def on_get_full_chat(self, request: Any, wire: Wire) -> Any:
        group = self._group(t.PeerChat(request.chat_id), wire.user)
        call = group.call.input() if group.call else None
        people = t.ChatParticipants(group.id, [], 1)
        full = made(t.ChatFull, id=group.id, participants=people, notify_settings=t.PeerNotifySettings(), call=call)
        return t.messages.ChatFull(full, [self._chat(group, wire.user)], [])

    async def migrate(self, group: Group, number: int) -> Group:
        """As its owner who makes a small group a supergroup: its voice chat ends."""
        await self.end_call(group)
        group.became = Group(number, "", group.title, set(group.members), set(group.admins))
        self.groups[number] = group.became
        return group.became

    async def on_edit_banned(self, request: Any, wire: Wire) -> Any:
        group = self._group(request.channel, wire.user)
        if wire.user not in group.admins:
            raise Refusal(400, "CHAT_ADMIN_REQUIRED")
        who = request.participant.user_id
        group.members.discard(who)
        if group.call is not None and who in group.call.seats:
            await self._out(group, group.call, group.call.seats[who])
        return self.updates(group, wire.user)

    # ---- voice chats

    async def on_create_group_call(self, request: Any, wire: Wire) -> Any:
        group = self._group(request.peer, wire.user)
        if wire.user not in group.admins:
            raise Refusal(400, "CHAT_ADMIN_REQUIRED")
        call = group.call or self.start_call(group)
        return self.updates(group, wire.user, t.UpdateGroupCall(call.tl(), peer=group.peer))

    async def on_get_group_call(self, request: Any, wire: Wire) -> Any:
        _, call = self._place(request.call, wire.user)
        shown, following = self._page(call, wire.user, 0, request.limit)
        return t.phone.GroupCall(call.tl(), shown, following, [], self._seated(call, wire.user))

    async def on_get_group_participants(self, request: Any, wire: Wire) -> Any:
        _, call = self._place(request.call, wire.user)
        if request.sources:
            shown = [seat.tl(wire.user) for seat in call.seats.values() if signed(seat.source) in request.sources]
            following = ""
        else:
            shown, following = self._page(call, wire.user, int(request.offset or 0), request.limit)
        users = self._seated(call, wire.user)
        return t.phone.GroupParticipants(len(call.seats), shown, following, [], users, call.version)

    def _page(self, call: Call, viewer: int, start: int, limit: int) -> tuple[list[Any], str]:
        seats = list(call.seats.values())
        end = start + limit
        return [seat.tl(viewer) for seat in seats[start:end]], str(end) if end < len(seats) else ""

    def _seated(self, call: Call, viewer: int) -> list[t.User]:
        return [self._user(number, viewer) for number in call.seats]

    async def on_join_group_call(self, request: Any, wire: Wire) -> Any:
        group, call = self._place(request.call, wire.user)
        before = call.seats.get(wire.user)
        if before is not None:
            await call.sfu.leave(before.source)
        source, answer = await call.sfu.join(request.params.data)
        if self.stream and (request.muted or self.stream_for_all):
            answer = '{"stream": true}'
        kept = before.can_self_unmute if before else not call.join_muted
        seat = Seat(self.people[wire.user], source, bool(request.muted) or not kept, kept)
        call.seats[wire.user] = seat
        self.tell(group, call, seat, but=wire, joined=before is None)
        connection = t.UpdateGroupCallConnection(t.DataJSON(answer))
        shown = self._changed(call, call.seats.values(), wire.user)
        return self.updates(group, wire.user, t.UpdateGroupCall(call.tl(), peer=group.peer), shown, connection)

    async def on_edit_group_call_participant(self, request: Any, wire: Wire) -> Any:
        group, call = self._place(request.call, wire.user)
        who = getattr(request.participant, "user_id", wire.user)
        seat, admin = call.seats.get(who), wire.user in group.admins
        if seat is None:
            raise Refusal(400, "PARTICIPANT_JOIN_MISSING")
        if (who != wire.user and not admin) or (request.muted is False and who == wire.user and not _may(seat)):
            raise Refusal(403, "GROUPCALL_FORBIDDEN")
        if request.muted is not None:
            # An admin lets somebody speak who then unmutes by themselves; nobody is unmuted by others. An admin whom another
            # one mutes may do that at once (TDLib, GroupCallParticipant::set_pending_is_muted).
            if who != wire.user:
                seat.can_self_unmute = not request.muted or who in group.admins
            seat.muted = request.muted or who != wire.user
        if request.raise_hand is not None:
            self._hands += 1
            seat.hand = self._hands if request.raise_hand else 0
        self.tell(group, call, seat, but=wire)
        return self.updates(group, wire.user, self._changed(call, [seat], wire.user))

    async def on_check_group_call(self, request: Any, wire: Wire) -> Any:
        _, call = self._place(request.call, wire.user)
        seat = call.seats.get(wire.user)
        if seat is None:
            raise Refusal(400, "GROUPCALL_JOIN_MISSING")
        return numbers(s for s in request.sources if s == signed(seat.source) and seat.source not in self.forgotten)

    async def on_leave_group_call(self, request: Any, wire: Wire) -> Any:
        group, call = self._place(request.call, wire.user)
        seat = call.seats.get(wire.user)
        if seat is not None and signed(seat.source) == request.source:
            await self._out(group, call, seat)
        return self.updates(group, wire.user)

    async def on_get_file(self, request: Any, wire: Wire) -> Any:
        """``upload.file#096a18d5`` of a piece of a voice chat: ``inputGroupCallStream#0598a92a``."""
        _, call = self._place(request.location.call, wire.user)
        if wire.user not in call.seats:
            raise Refusal(400, "GROUPCALL_JOIN_MISSING")
        begins, now_ms = request.location.time_ms, time.time() * 1000
        if begins + 1000 > now_ms:
            raise Refusal(400, "TIME_TOO_BIG")
        if begins < now_ms - 20_000:
            raise Refusal(400, "TIME_TOO_SMALL")
        assert request.location.scale == 0, "pieces of a second"
        return t.upload.File(t.storage.FileUnknown(), 0, call.pieces(begins))

    async def _out(self, group: Group, call: Call, seat: Seat) -> None:
        call.seats.pop(seat.person.id, None)
        self.tell(group, call, seat, left=True)
        await call.sfu.leave(seat.source)

    async def on_toggle_group_call_record(self, request: Any, wire: Wire) -> Any:
        group, call = self._place(request.call, wire.user)
        if wire.user not in group.admins:
            raise Refusal(403, "GROUPCALL_FORBIDDEN")
        call.recorded = now() if request.start else None
        self._tell_call(group, call.tl())
        return self.updates(group, wire.user)


def _may(seat: Seat) -> bool:
    return seat.can_self_unmute or not seat.muted
