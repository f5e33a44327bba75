"""The voice chat of one group: which it is, being in it, and what is asked of it (``phone.*`` of layer 2xx, Telethon 1.45)."""

import json
import re
import secrets
from collections.abc import Mapping
from typing import Any

from telethon import errors, utils
from telethon.tl import functions as f
from telethon.tl import types as t

from appliance.core.reconnect import Fault
from appliance.rooms.signalling import Lost
from appliance.rooms.telegram_account import Account, lost_by, name_of
from appliance.rooms.telegram_shapes import MOST_MEMBERS, People, entities_of, is_mixed, signed

_PAGE = 500
"""Participants in one answer."""
_DIALOGS = 100
_LINK = re.compile(r"(?:https?://)?(?:t\.me|telegram\.me)/(.+)")
_SUPERGROUPS = 1_000_000_000_000
"""A supergroup's id is told as minus this, minus its number; a small group's as minus its number."""

_NO_GROUP = "There is no such Telegram group. See [telegram] group."
_NOT_IN = "The account is not a member of this Telegram group, or was taken out of it."


class Chat:
    """The group, once it is found. ``account`` is open.

    :param group: as the settings name it: ``@name``, a link, or the number that other programs show.
    """

    def __init__(self, account: Account, group: str) -> None:
        self._ask = account
        self._group = group
        self._peer: Any = None
        self.id = 0

    async def find(self) -> None:
        """Find the group.

        :raises Lost: there is none, or the account is not in it.
        """
        self._take(await self._found())

    def _take(self, chat: Any) -> None:
        """It is this one; or the supergroup that it has become."""
        if isinstance(chat, t.Chat) and isinstance(chat.migrated_to, t.InputChannel):
            self.id = chat.migrated_to.channel_id
            self._peer = t.InputPeerChannel(chat.migrated_to.channel_id, chat.migrated_to.access_hash)
            return
        if isinstance(chat, t.ChannelForbidden | t.ChatForbidden) or getattr(chat, "left", False):
            raise Lost(Fault("refused"), _NOT_IN)
        if not isinstance(chat, t.Channel | t.Chat):
            raise Lost(Fault("gone"), _NO_GROUP)
        self.id = chat.id
        self._peer = utils.get_input_peer(chat)

    def is_this(self, peer: Any) -> bool:
        """Whether a ``peerChat`` or ``peerChannel`` is this group."""
        if isinstance(self._peer, t.InputPeerChannel):
            return bool(getattr(peer, "channel_id", None) == self.id)
        return bool(getattr(peer, "chat_id", None) == self.id)

    async def _found(self) -> Any:
        text = self._group.strip()
        link = _LINK.fullmatch(text)
        name = (link.group(1) if link else text).strip("/")
        if re.fullmatch(r"-?[0-9]+", name) and not link:
            return await self._by_number(int(name))
        if invite := re.fullmatch(r"(?:\+|joinchat/)(.+)", name):
            found = await self._ask(f.messages.CheckChatInviteRequest(invite.group(1)))
            if not isinstance(found, t.ChatInviteAlready):
                raise Lost(Fault("refused"), _NOT_IN)
            return found.chat
        found = await self._ask(f.contacts.ResolveUsernameRequest(name.removeprefix("@")))
        return next(iter(found.chats), None)

    async def _by_number(self, number: int) -> Any:
        """Telegram tells how to reach a group without a name only in the list of chats."""
        wanted = -number - _SUPERGROUPS if number < -_SUPERGROUPS else abs(number)
        request = f.messages.GetDialogsRequest(None, 0, t.InputPeerEmpty(), _DIALOGS, 0)
        for chat in (await self._ask(request)).chats:
            small = isinstance(chat, t.Chat | t.ChatForbidden)
            if chat.id == wanted and (number > 0 or small is (number >= -_SUPERGROUPS)):
                return chat
        if number < -_SUPERGROUPS:
            raise Lost(Fault("refused"), _NOT_IN)
        # A small group that has become a supergroup is in no list any more; it needs no key to be asked for.
        return next(iter((await self._ask(f.messages.GetChatsRequest([wanted]))).chats), None)

    async def call(self) -> Any:
        """Its voice chat, an ``inputGroupCall``; None while there is none.

        :raises Lost: see :class:`Account`.
        """
        if isinstance(self._peer, t.InputPeerChannel):
            channel = t.InputChannel(self._peer.channel_id, self._peer.access_hash)
            full = await self._ask(f.channels.GetFullChannelRequest(channel))
        else:
            full = await self._ask(f.messages.GetFullChatRequest(self.id))
            now = next((chat for chat in full.chats if chat.id == self.id), None)
            if getattr(now, "migrated_to", None) is not None:
                self._take(now)
                return await self.call()
        return full.full_chat.call

    async def create(self) -> Any:
        """Start its voice chat.

        :raises Lost: this account may not.
        """
        request = f.phone.CreateGroupCallRequest(self._peer, random_id=secrets.randbits(31))
        for update in (await self._ask(request)).updates:
            if isinstance(update, t.UpdateGroupCall) and isinstance(update.call, t.GroupCall):
                return t.InputGroupCall(update.call.id, update.call.access_hash)
        return await self.call()


class Call:
    """One voice chat, an ``inputGroupCall``, and this device's place in it."""

    def __init__(self, account: Account, call: Any, people: People) -> None:
        self._ask, self._call, self._people = account, call, people
        self.mixed = False
        """It comes mixed: there are too many listeners (:func:`is_mixed`)."""
        self._stream_centre: int | None = None
        """The data centre that has the pieces."""

    @property
    def id(self) -> int:
        """Telegram's number of it."""
        return int(self._call.id)

    async def join(self, payload: str, *, muted: bool) -> tuple[str, int]:
        """Join with what ntgcalls made. Gives what ntgcalls has to be told, and our source, signed.

        :raises Lost: Telegram refuses.
        """
        own = t.InputPeerSelf()
        request = f.phone.JoinGroupCallRequest(
            self._call, own, t.DataJSON(payload), muted=muted or None, video_stopped=True
        )
        answer = await self._ask(request)
        self._people.learn(entities_of(answer))
        for update in answer.updates:
            if isinstance(update, t.UpdateGroupCallParticipants):
                self._people.update(update.participants, update.version)
        params = next((u.params.data for u in answer.updates if isinstance(u, t.UpdateGroupCallConnection)), "")
        try:
            self.mixed = is_mixed(json.loads(params))
            source = int(json.loads(payload)["ssrc"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Lost(Fault("server"), "Telegram's answer to joining the voice chat cannot be read.") from None
        return params, signed(source)

    async def people(self) -> Any:
        """Ask for all who are there; gives the ``groupCall``.

        :raises Lost: see :class:`Account`.
        """
        answer = await self._ask(f.phone.GetGroupCallRequest(self._call, _PAGE))
        found, offset, version = list(answer.participants), answer.participants_next_offset, answer.call.version
        self._people.learn(entities_of(answer))
        while offset and len(found) < MOST_MEMBERS:
            page = await self._ask(f.phone.GetGroupParticipantsRequest(self._call, [], [], offset, _PAGE))
            self._people.learn(entities_of(page))
            found, offset, version = [*found, *page.participants], page.next_offset, page.version
        self._people.whole(found, version)
        self._stream_centre = getattr(answer.call, "stream_dc_id", None)
        return answer.call

    async def name(self, sources: list[int]) -> None:
        """Ask who sends under these sources, unsigned: they are heard, and in no list yet."""
        wanted = [signed(source) for source in sources]
        page = await self._ask(f.phone.GetGroupParticipantsRequest(self._call, [], wanted, "", len(wanted)))
        self._people.learn(entities_of(page))
        self._people.add(page.participants)

    async def is_in(self, source: int) -> bool:
        """Whether Telegram still has us there, under this source, signed.

        :raises Lost: see :class:`Account`.
        """
        return source in list(await self._ask(f.phone.CheckGroupCallRequest(self._call, [source])))

    async def piece(self, at: int, limit: int) -> bytes | None:
        """A second of a voice chat that comes mixed, Ogg with Opus; empty when it is gone, None when it is not there yet.

        :param at: when it begins, ms of Unix time.
        :raises Lost: see :class:`Account`.
        """
        location = t.InputGroupCallStream(self._call, at, 0)
        try:
            return await self._ask.file(location, limit, self._stream_centre)
        except errors.BadRequestError as error:
            match name_of(error):
                case "TIME_TOO_BIG":
                    return None
                case "TIME_TOO_SMALL" | "TIME_INVALID":
                    return b""
            raise lost_by(error) from None

    async def edit(self, what: Mapping[str, bool]) -> None:
        """Change how we are there: ``muted`` or ``raise_hand``.

        :raises Lost: Telegram refuses.
        """
        answer = await self._ask(f.phone.EditGroupCallParticipantRequest(self._call, t.InputPeerSelf(), **what))
        for update in getattr(answer, "updates", ()):
            if isinstance(update, t.UpdateGroupCallParticipants):
                self._people.update(update.participants, update.version)

    async def leave(self, source: int) -> None:
        """Leave it."""
        await self._ask(f.phone.LeaveGroupCallRequest(self._call, source))
