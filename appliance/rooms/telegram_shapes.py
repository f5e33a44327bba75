"""What Telegram tells of a voice chat, as the room contract has it: ``groupCall`` and ``groupCallParticipant``.

Updates come as they come: thousands at once when a large group fills. Here each member's newest state is kept, and what has
changed is given out in portions, so that a flood costs its own reading and no more. Constructors are those of Telethon 1.45:
groupCall#efb2b617, groupCallParticipant#2a3dc7ac, updateGroupCallParticipants#f2ebdb4e.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from appliance.core.roster import Member, new_member
from appliance.rooms.contract import AdminMuteLifted, MemberChanged, MemberLeft, MutedByAdmin, RoomEvent

MOST_MEMBERS = 5000
"""Members that are kept; more than that are counted by Telegram alone."""
_MOST_NAMES = 2 * MOST_MEMBERS
_PORTION = 200
"""Changes that are told at once."""
_LONGEST_NAME = 64
_SIGNED = 1 << 32


def unsigned(source: int) -> int:
    """An SSRC as packets have it: TL's ``int`` is signed."""
    return source % _SIGNED


def signed(source: int) -> int:
    """An SSRC as TL has it."""
    return source - _SIGNED if source % _SIGNED >= _SIGNED // 2 and source >= 0 else source


@dataclass(frozen=True, slots=True)
class Own:
    """How this device's own place in the voice chat is, as Telegram tells it."""

    source: int | None = None
    """Signed; None: it has none."""
    muted: bool = True
    admin_muted: bool = False
    """Muted, and not allowed to change that."""
    hand: bool = False


class People:
    """Who is in the voice chat.

    :param identity: by what this device is known here; nobody else gets this id.
    :param name: this device's.
    """

    def __init__(self, identity: str, name: str) -> None:
        self._identity, self._name = identity, name
        self._me = 0
        self._members: dict[int, Member] = {}
        """As told, by Telegram's number of the account, group or channel."""
        self._sources: dict[int, int] = {}
        """Whose a source is: number by SSRC, unsigned."""
        self._source_of: dict[int, int] = {}
        self._names: OrderedDict[int, tuple[str, str]] = OrderedDict()
        self._pending: OrderedDict[int, Any] = OrderedDict()
        self._left: set[int] = set()
        self.version = 0
        self.stale = False
        """Something was missed: the list has to be asked for again."""
        self.coalesced = 0
        """Updates that a newer one of the same member took the place of before it was told."""
        self.own = Own()
        self.listed = False
        """The whole list was seen in this stay: who is not in it is not there."""
        self.asked_muted = True
        """How this device asked last to be seen."""
        self.silenced = False
        """Somebody else muted this device, whose gate was not seen closed since: it does not undo that by itself."""
        self._unmuted: int | None = None
        """Our source while Telegram shows us unmuted."""
        self._mute_untold = self._admin_told = False

    def begin(self, me: int) -> None:
        """Another stay of the account with this number: what was told last stays until it is known to be otherwise."""
        self._me = me
        self._pending.clear()
        self.version, self.stale, self.own = 0, False, Own()
        self.listed = False

    # ---- what comes in

    def learn(self, entities: Iterable[Any]) -> None:
        """Names, of ``user``, ``channel`` or ``chat``."""
        for entity in entities:
            name = _name_of(entity)
            if name:
                self._names[entity.id] = (str(getattr(entity, "username", None) or "").lower(), name)
                self._names.move_to_end(entity.id)
                while len(self._names) > _MOST_NAMES:
                    self._names.popitem(last=False)

    def whole(self, participants: Iterable[Any], version: int) -> None:
        """All who are there: whoever is not among them has left."""
        there = list(participants)[:MOST_MEMBERS]
        numbers = {_number(one) for one in there}
        if version < self.version:
            self._unmuted = None  # asked for before our last word was answered: what it says of us nobody did since
        for number in (set(self._members) | set(self._source_of)) - numbers:
            self._gone(number)
        self.version, self.stale, self.listed = version, False, True
        for one in there:
            self._take(one)

    def update(self, participants: Iterable[Any], version: int) -> None:
        """``updateGroupCallParticipants``: what is versioned counts once and in its order; a hole makes the list stale."""
        listed = list(participants)
        if any(one.versioned for one in listed):
            if version <= self.version:
                return
            self.stale |= version > self.version + 1
            self.version = version
        for one in listed:
            self._take(one)

    def add(self, participants: Iterable[Any]) -> None:
        """Some of whom no update told."""
        for one in participants:
            self._take(one)

    def _take(self, one: Any) -> None:
        number = _number(one)
        if one.min and (known := self._pending.get(number)) is not None and not known.min:
            return  # what is told of a member to everybody alike knows less than what is told to us
        if number == self._me or one.is_self:
            self._of_us(one)
        if one.left:
            if self._source_of.get(number, unsigned(one.source)) == unsigned(one.source):
                self._gone(number)
            return
        if number not in self._members and len(self._members) + len(self._pending) >= MOST_MEMBERS:
            return
        self.coalesced += number in self._pending
        self._pending[number] = one
        self._left.discard(number)
        self._heard_as(number, unsigned(one.source))

    def _of_us(self, one: Any) -> None:
        if one.left:
            if self.own.source == one.source:
                self.own = Own()
            return
        if one.muted and self._unmuted == one.source and not self.asked_muted:
            # An account that is an admin may undo that, and is muted all the same.
            self.silenced = self._mute_untold = True
        self._unmuted = None if one.muted else one.source
        admin_muted = bool(one.muted and not one.can_self_unmute)
        self.own = Own(one.source, bool(one.muted), admin_muted, bool(one.raise_hand_rating))

    def _heard_as(self, number: int, source: int) -> None:
        before = self._source_of.get(number)
        if before != source:
            if before is not None:
                self._sources.pop(before, None)
            self._source_of[number] = source
            self._sources[source] = number

    def _gone(self, number: int) -> None:
        self._pending.pop(number, None)
        source = self._source_of.pop(number, None)
        if source is not None:
            self._sources.pop(source, None)
        if number in self._members:
            self._left.add(number)

    # ---- what is told

    def whose(self, source: int) -> str | None:
        """The id of who sends under ``source``, unsigned; None: nobody who is known. Never this device itself."""
        number = self._sources.get(source)
        return None if number is None or number == self._me else self._id_of(number)

    def changes(self) -> Iterator[RoomEvent]:
        """What has changed and was not told yet, a portion of it: whoever left first, since nobody may be heard who is gone."""
        while self._left:
            number = self._left.pop()
            yield MemberLeft(self._members.pop(number).id)
        for _ in range(min(_PORTION, len(self._pending))):
            number, one = self._pending.popitem(last=False)
            before, member = self._members.get(number), self._member(number, one)
            if before == member:
                continue
            if before is not None and before.id != member.id:
                yield MemberLeft(before.id)
            self._members[number] = member
            yield MemberChanged(member)
            if number == self._me:
                yield from self._admin_acts(before, member)
        if self._mute_untold:
            self._mute_untold = False
            yield MutedByAdmin("")

    def _admin_acts(self, before: Member | None, now: Member) -> Iterator[RoomEvent]:
        """What an admin did to this device, perhaps while it was away; who it was Telegram does not tell."""
        if now.admin_muted and (before is None or not before.admin_muted):
            self._mute_untold = True
        elif self._admin_told and not now.admin_muted:
            yield AdminMuteLifted()
        self._admin_told = now.admin_muted

    def untell(self) -> Iterator[RoomEvent]:
        """Whoever is told of members is to forget them: they are told anew with the next list. Sources stay known."""
        for member in self._members.values():
            yield MemberLeft(member.id)
        self._members.clear()
        self._left.clear()

    def empty(self) -> Iterator[RoomEvent]:
        """Nobody is there any more."""
        for member in self._members.values():
            yield MemberLeft(member.id)
        self._members.clear()
        self._pending.clear()
        self._left.clear()
        self._sources.clear()
        self._source_of.clear()
        self._unmuted = None

    def _member(self, number: int, one: Any) -> Member:
        own = number == self._me
        name = self._name if own else self._names.get(number, ("", f"Member {number}"))[1]
        return replace(
            new_member(self._id_of(number), name, "site" if own else "person", "speaker"),
            muted=bool(one.muted),
            admin_muted=bool(one.muted and not one.can_self_unmute),
            hand=bool(one.raise_hand_rating),
            connecting=False,
        )

    def _id_of(self, number: int) -> str:
        """The public name, which people know; else the number. Nobody but this device has its id."""
        if number == self._me:
            return self._identity
        username = self._names.get(number, ("", ""))[0]
        return username if username and username != self._identity else f"telegram-{number}"


def _number(one: Any) -> int:
    """Of ``peerUser``, ``peerChat`` or ``peerChannel``; groups and channels speak too, as such."""
    peer = one.peer
    return int(getattr(peer, "user_id", 0) or getattr(peer, "channel_id", 0) or getattr(peer, "chat_id", 0))


def _name_of(entity: Any) -> str:
    names = (getattr(entity, "first_name", None), getattr(entity, "last_name", None), getattr(entity, "title", None))
    whole = " ".join(name for name in names if isinstance(name, str) and name)
    return "".join(letter for letter in whole if letter.isprintable())[:_LONGEST_NAME].strip()


def entities_of(answer: Any) -> Iterator[Any]:
    """Who is named in an answer with ``users`` and ``chats``."""
    yield from getattr(answer, "users", None) or ()
    yield from getattr(answer, "chats", None) or ()


def record_of(call: Any) -> bool:
    """Whether a ``groupCall`` is recorded."""
    return getattr(call, "record_start_date", None) is not None


def is_mixed(params: Mapping[str, Any]) -> bool:
    """Whether what the server answered to a join is no connection: a large voice chat comes mixed, in pieces of a second."""
    return bool(params.get("stream"))
