"""One stay of the account in the voice chat of its group: find it, join it, watch it. It ends by a :class:`Lost`.

The media connection is not part of it: it is kept through what ends the connection to Telegram, and gone on with when Telegram
still has us in the voice chat. Telegram tells nobody that media was lost, and ntgcalls only once (FACTS): so Telegram is asked
whether it still has us, every ten seconds as TDLib does, every four while something is wrong as its desktop program does.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from telethon.tl import types as t

from appliance.core.counters import Counters
from appliance.core.lamps import LinkPhase
from appliance.core.reconnect import Fault
from appliance.rooms import contract
from appliance.rooms.contract import RoomEvent
from appliance.rooms.signalling import Lost
from appliance.rooms.staying import first_of
from appliance.rooms.telegram_account import Account, Login, WaitAsked
from appliance.rooms.telegram_call import Call, Chat
from appliance.rooms.telegram_media import SILENT
from appliance.rooms.telegram_seen import JOINED_ANEW, Wanted
from appliance.rooms.telegram_shapes import People, record_of
from appliance.rooms.telegram_sound import Sound

_ASK_EVERY, _ASK_SOON = 10.0, 4.0
_LOOK_EVERY = 0.1
_NO_CALL_EVERY = 15.0
"""Seconds between two looks for a voice chat, besides what Telegram tells by itself."""
_NAME_EVERY = 1.0
_LIST_EVERY = 2.0
"""Seconds between two times that the whole list is asked for."""

_NOT_YET = 0.2
"""Seconds until a piece of sound is asked for again that was not there yet."""

_ENDED = "The voice chat was ended."
_ELSEWHERE = "The account has joined the voice chat from another device, which took this one's place."
_OUT = "This device was taken out of the voice chat."
_NOT_IN = "Telegram does not know any more that this device is in the voice chat."
_NONE = "No voice chat runs in the Telegram group: somebody has to start one."
_MAY_NOT = "No voice chat runs in the Telegram group, and this account may not start one: an admin has to."
KINDS = (t.UpdateGroupCallParticipants, t.UpdateGroupCall)


@dataclass(frozen=True, slots=True)
class TelegramSettings:
    """What the engine needs to know."""

    login: Login
    group: str = field(repr=False)
    """It may be a link that lets in whoever has it."""
    identity: str
    """By what this device is known in its own list of members."""
    name: str
    create: bool = False
    """Whether it starts a voice chat when none runs."""


class Stay:
    """See above. ``tell`` takes what is news, ``arrived`` is called when the room is entered, with a sentence or ""."""

    def __init__(
        self,
        settings: TelegramSettings,
        people: People,
        sound: Sound,
        wanted: Wanted,
        counters: Counters,
        *,
        tell: Callable[[RoomEvent], None],
        arrived: Callable[[str], None],
    ) -> None:
        self._settings, self._people, self._sound, self._wanted = settings, people, sound, wanted
        self._counters, self._tell, self._arrived = counters, tell, arrived
        self._account = Account(settings.login, self._updated, KINDS)
        self._chat = Chat(self._account, settings.group)
        self._call: Call | None = None
        self._trouble: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._news = asyncio.Event()
        """Something was told of a voice chat."""
        self.wants = asyncio.Event()
        """How this device wants to be seen has changed."""

    async def run(self, held: int | None) -> None:
        """Be there. Ends only by raising.

        :param held: the voice chat whose media connection is held, by Telegram's number; None: there is none.
        :raises Lost: it ended, or did not begin.
        """
        try:
            await asyncio.gather(self._account.open(), self._sound.media.start())
            await self._chat.find()
            found = await self._found()
            self._people.begin(self._account.me)
            self._call = Call(self._account, found, self._people)
            if not (held == self._call.id and await self._still_in(self._call)):
                await self._join(self._call)
            self._sound.up.allowed = True
            self._take_call(await self._call.people())
            self._arrived(self._wanted.of_being_there(mixed=self._call.mixed))
            await self._watch(self._call)
        finally:
            self._retrieve_trouble()

    async def end(self) -> None:
        """The connection to Telegram is of no use any more."""
        await self._account.close()

    async def leave(self) -> None:
        """Leave the voice chat in order."""
        source, self._sound.media.source = self._sound.media.source, None
        if self._call is not None and source is not None:
            await self._call.leave(source)

    @property
    def call_id(self) -> int | None:
        """Telegram's number of the voice chat, once it is known."""
        return self._call.id if self._call is not None else None

    # ---- finding and joining

    async def _found(self) -> Any:
        """The voice chat; started when there is none and we may, else waited for."""
        may, told = self._settings.create, ""
        while (call := await self._chat.call()) is None:
            why = _NONE
            if may:
                try:
                    return await self._chat.create()
                except Lost as lost:
                    if isinstance(lost, WaitAsked) or lost.fault.kind == "network":
                        raise
                    may, why = False, _MAY_NOT
            if not told:
                told = why
                self._sound.up.allowed = False
                self._tell(contract.PhaseChanged(LinkPhase.RECONNECTING, why))
            self._news.clear()
            await self._or_cut(self._news.wait(), _NO_CALL_EVERY)
        return call

    async def _or_cut(self, work: Any, seconds: float) -> None:
        """Wait for ``work``, at most so long.

        :raises Lost: the connection to Telegram is lost meanwhile.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await first_of(work, self._account.cut())

    async def _still_in(self, call: Call) -> bool:
        source = self._sound.media.source
        if source is None or self._sound.media.ended.is_set() or self._sound.media.silence > SILENT:
            return False
        with contextlib.suppress(Lost):
            return await call.is_in(source)
        return False

    async def _join(self, call: Call) -> None:
        self._sound.silence()
        media = self._sound.media
        await media.start()
        payload = await media.create()
        self._people.asked_muted = self._wanted.muted
        params, source = await call.join(payload, muted=self._wanted.muted)
        self._sound.up.anew()
        if call.mixed:
            media.unconnected(source, params)
        else:
            await media.connect(params, source)
        self._counters.add("joins")

    # ---- being there

    async def _watch(self, call: Call) -> None:
        """Ends only by raising."""
        await first_of(
            self._account.cut(),
            self._sound.media.gone(),
            self._trouble,
            self._ask(call),
            self._look(call),
            self._be_seen(call),
            self._name_the_unknown(call),
            self._hand_pieces(call),
        )

    async def _ask(self, call: Call) -> None:
        """Whether Telegram still has us there."""
        pause = _ASK_EVERY
        while True:
            await asyncio.sleep(pause)
            source = self._sound.media.source
            if source is None:
                continue
            pause = _ASK_SOON
            try:
                there = await call.is_in(source)
            except WaitAsked as asked:
                pause = asked.fault.retry_after or _ASK_EVERY
                continue
            if not there:
                self._sound.media.source = None
                raise Lost(Fault("server"), _NOT_IN)
            pause = _ASK_EVERY

    async def _look(self, call: Call) -> None:
        """Tell what is news of members and levels, ten times a second; ask for the list when something was missed."""
        loop = asyncio.get_running_loop()
        next_list = 0.0
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            if self._people.stale and loop.time() >= next_list:
                next_list = loop.time() + _LIST_EVERY
                try:
                    self._take_call(await call.people())
                except WaitAsked as asked:
                    next_list = loop.time() + (asked.fault.retry_after or _LIST_EVERY)
            self.tell_changes()

    def tell_changes(self) -> None:
        """Tell what is known and was not told."""
        for event in self._people.changes():
            if isinstance(event, contract.MemberLeft):
                self._sound.left(event.id)
            self._tell(event)
        levels = self._sound.levels()
        if levels is not None:
            self._tell(levels)
        self.wants.set()

    async def _be_seen(self, call: Call) -> None:
        """Tell Telegram how this device wants to be seen, whenever that is another way than it has it."""
        wanted, loop = self._wanted, asyncio.get_running_loop()
        while True:
            await self.wants.wait()
            self.wants.clear()
            if call.mixed and wanted.joins_anew(self._people, loop.time()):
                self._sound.media.source = None  # what is held is of no use: it only listens
                raise Lost(Fault("server"), JOINED_ANEW)
            what = wanted.differs(self._people, loop.time(), mixed=call.mixed)
            if what:
                self._people.asked_muted = what.get("muted", self._people.asked_muted)
                await self._edit(call, what)
            self._say(wanted.of_being_there(mixed=call.mixed))

    async def _edit(self, call: Call, what: Mapping[str, bool]) -> None:
        try:
            await call.edit(what)
            self._wanted.taken(what)
        except Lost as lost:
            if lost.fault.kind not in ("server", "refused"):
                raise
            self._counters.add("edits_refused")
            self._wanted.refused(what, lost, asyncio.get_running_loop().time())

    def _say(self, why: str) -> None:
        """What has to be known of being in the room, if it is news."""
        if why != self._wanted.said:
            self._tell(contract.PhaseChanged(LinkPhase.IN_ROOM, why))

    async def _name_the_unknown(self, call: Call) -> None:
        while True:
            await asyncio.sleep(_NAME_EVERY)
            unknown, self._sound.unknown = self._sound.unknown, set()
            if unknown:
                try:
                    await call.name(sorted(unknown))
                except WaitAsked as asked:
                    await asyncio.sleep(asked.fault.retry_after or _LIST_EVERY)
                except Lost:
                    continue  # who is lost in earnest is told by another part

    async def _hand_pieces(self, call: Call) -> None:
        """Get what the library needs to play a voice chat that comes in pieces."""
        media = self._sound.media
        while True:
            wanted = await media.pieces.get()
            try:
                piece = await call.piece(int(wanted["time"]), int(wanted["limit"]))
            except WaitAsked as asked:
                piece = None
                await asyncio.sleep(asked.fault.retry_after or _LIST_EVERY)
            if piece is None:
                await asyncio.sleep(_NOT_YET)
            media.give(wanted, piece)

    # ---- what Telegram tells by itself

    def _updated(self, update: Any, entities: Mapping[int, Any]) -> None:
        if not self._ours(update):
            return
        self._people.learn(entities.values())
        self._news.set()
        call = update.call
        if self._call is None or getattr(call, "id", None) != self._call.id:
            return
        if isinstance(update, t.UpdateGroupCallParticipants):
            self._people.update(update.participants, update.version)
            self._own_place()
        elif isinstance(call, t.GroupCallDiscarded):
            self._sound.media.source = None
            self._end(Lost(Fault("server"), _ENDED))
        elif isinstance(call, t.GroupCall):
            self._take_call(call)

    def _ours(self, update: Any) -> bool:
        """An account may be in many groups, whose voice chats are none of ours."""
        if self._call is not None and getattr(update.call, "id", None) == self._call.id:
            return True
        peer = getattr(update, "peer", None)
        if not isinstance(update, t.UpdateGroupCall) or update.live_story:
            return False
        return peer is None or self._chat.is_this(peer)

    def _own_place(self) -> None:
        ours, now = self._sound.media.source, self._people.own.source
        if ours is None or now == ours or (now is None and not self._people.listed):
            return
        self._sound.media.source = None
        self._end(Lost(Fault("server"), _OUT) if now is None else Lost(Fault("replaced"), _ELSEWHERE))

    def _take_call(self, call: Any) -> None:
        self._tell(contract.Recording(record_of(call)))

    def _end(self, lost: Lost) -> None:
        if not self._trouble.done():
            self._trouble.set_exception(lost)

    def _retrieve_trouble(self) -> None:
        if self._trouble.done() and not self._trouble.cancelled():
            self._trouble.exception()
        self._trouble.cancel()
