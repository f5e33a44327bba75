"""One stay in a LiveKit room, from joining to its end: the library's room, its events, and what is to be done on them.

The library reconnects by itself, ten times, and gives up for good then. So a stay goes on while it tries; it ends, and another
begins, when the library has given up, or when it does not come back though a server is there (livekit_connection.py).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from livekit import rtc

from appliance.core.controls import Door
from appliance.core.lamps import LinkPhase
from appliance.core.reconnect import Fault
from appliance.core.text import one_line
from appliance.rooms import contract
from appliance.rooms.contract import RoomEvent
from appliance.rooms.decoded import DecodedDownlink
from appliance.rooms.livekit_calls import Background, answered, close, joined
from appliance.rooms.livekit_connection import Connection
from appliance.rooms.livekit_faults import of_ending, of_joining
from appliance.rooms.livekit_hearing import Hearing
from appliance.rooms.livekit_members import ASK, DOOR, Roomful
from appliance.rooms.livekit_microphone import Microphone
from appliance.rooms.livekit_own import Own
from appliance.rooms.livekit_requests import set_attributes
from appliance.rooms.livekit_servers import Servers
from appliance.rooms.livekit_tokens import Tokens
from appliance.rooms.livekit_uplink import BlockUplink
from appliance.rooms.livekit_way import Way
from appliance.rooms.signalling import Lost
from appliance.rooms.staying import Staying, first_of

_CONNECT_SECONDS: Final = 2.5
"""For one of the four attempts that the library makes of its own."""
_JOIN_SECONDS: Final = 45.0
"""For all of them and what the library negotiates after: after that it says nothing any more."""
_TELLS: Final = 4.5
"""Seconds for the server to take attributes: after five the library says nothing more of it."""
_TOLD_OFTEN: Final = 3
"""Times that it may not answer one after the other."""
_TELL_AGAIN: Final = 1.0
"""Seconds before it is asked again: a library that has just lost its server says so at once, three times in a moment."""
_REFUSED_FOR: Final = 10.0
"""Seconds for which a server is not asked again that refused: it is most often the token, which lets us be heard all the same."""
_CLOSE_SECONDS: Final = 0.7
_SETTLES: Final = 0.4
"""Seconds after joining before which a goodbye may be lost: others would see us for 20 s more."""
_LOOK_EVERY: Final = 0.1
_LONGEST_NAME: Final = 64
_DOORS: Final = {"listening": Door.LISTENING, "closed": Door.CLOSED}
_UNHEARD: Final = "Nobody hears this device: its token may only listen."
_UNTOLD: Final = "The LiveKit server did not take how this device is."
_UNLET: Final = "LiveKit's library did not join."


@dataclass(frozen=True, slots=True)
class Parts:
    """What outlives a stay."""

    servers: Servers
    tokens: Tokens
    staying: Staying
    uplink: BlockUplink
    downlink: DecodedDownlink
    roomful: Roomful
    own: Own
    count: Callable[[str], None]
    bitrate: int
    background: Background


class Stay:
    """One of them. Loop only."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._loop = asyncio.get_running_loop()
        self._room = rtc.Room(self._loop)
        self._hearing = Hearing(self._room, parts.downlink, self._loop.time)
        self._microphone = Microphone(parts.own, parts.bitrate, self._tell, self._fail)
        self._connection = Connection(
            self._room, parts.servers, parts.staying, parts.count, self._back, lambda: self._set({})
        )
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._joined_at = 0.0

    @property
    def way(self) -> Way:
        """How the way to the server is."""
        return self._connection.way

    def mute_as_the_gate_is(self) -> None:
        """Tell the server whether we are muted."""
        self._microphone.mute_as_the_gate_is()

    # ---- from joining to the end

    async def run(self) -> None:
        """Join, and be there. Ends only by raising.

        :raises Lost: it ended, or did not begin.
        """
        self._listen()
        await self._join()
        try:
            await self._microphone.begin(self._room.local_participant)
            self._arrived()
            await first_of(
                self._end_of_library(),
                self._look(),
                self._connection.watch(),
                self._connection.mend(),
                self._show(),
                self._microphone.publish_when_asked(),
                self._parts.uplink.run(self._microphone),
                self._other_route(),
            )
        finally:
            await self._leave()

    async def _join(self) -> None:
        parts = self._parts
        options = rtc.RoomOptions(auto_subscribe=False, connect_timeout=_CONNECT_SECONDS)
        joining = self._room.connect(parts.servers.url, parts.tokens(), options)
        try:
            await joined(joining, _JOIN_SECONDS, lambda: parts.background.let(close(self._room)))
        except rtc.ConnectError as error:
            parts.servers.next()
            raise of_joining(error.message) from None
        except Lost:
            raise
        except Exception:  # noqa: BLE001  # the library's, which documents no other
            raise Lost(Fault("server"), _UNLET) from None
        self._joined_at = self._loop.time()
        parts.count("joins")

    def _arrived(self) -> None:
        parts = self._parts
        parts.own.begin()
        self._microphone.arrived()
        self._welcome()
        parts.staying.arrived()
        if not self._microphone.may_speak:
            self._tell(contract.PhaseChanged(LinkPhase.IN_ROOM, _UNHEARD))
        self._hearing.look()

    def _back(self) -> None:
        """The library is back: for the server perhaps as somebody new, who has told nothing yet."""
        self._parts.own.begin()
        self._microphone.permitted(self._room.local_participant.permissions)
        self._hearing.returned()
        self._welcome()

    def _welcome(self) -> None:
        room = self._room
        self._tell(
            *self._parts.roomful.welcome(
                room.local_participant, room.remote_participants.values(), recorded=room.is_recording
            )
        )

    async def _leave(self) -> None:
        """Out of the room, so that the others know it at once."""
        self._parts.own.end()
        self._parts.uplink.detach()
        settles = self._joined_at + _SETTLES - self._loop.time()
        let = self._parts.background.let
        closing = {let(close(self._room, settles)), let(self._hearing.end())}
        await asyncio.wait(closing, timeout=_CLOSE_SECONDS)
        await self._microphone.close()

    # ---- what goes on meanwhile; each ends only by raising

    async def _end_of_library(self) -> None:
        raise of_ending(await self._ended)

    async def _other_route(self) -> None:
        await self._parts.staying.other_route()
        raise Lost(Fault("network"), "This device has another address.")

    async def _look(self) -> None:
        """Who is listened to, and how loud everybody is."""
        turn = 0
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            turn += 1
            if turn % 10 == 0 or self._hearing.waits:
                self._hearing.look()
            levels = self._parts.downlink.levels(self._loop.time())
            if levels is not None:
                self._tell(levels)

    async def _show(self) -> None:
        """Tell what changes of ourselves, and again what was not taken.

        :raises Lost: it is not answered again and again though the server is there, or the library fails.
        """
        own, untaken = self._parts.own, 0
        while True:
            attributes = await own.next()
            try:
                taken, untaken = await answered(self._set(attributes), _TELLS, _UNTOLD), 0
            except Lost as lost:
                untaken += self._connection.there
                if self._connection.there and (lost.fault.kind != "network" or untaken >= _TOLD_OFTEN):
                    raise
                own.untold(attributes)
                await asyncio.sleep(_TELL_AGAIN)
            else:
                if not taken:
                    own.untold(attributes)
                    await asyncio.sleep(_REFUSED_FOR)
            await own.pause()

    def _set(self, attributes: Mapping[str, str]) -> Awaitable[bool]:
        return set_attributes(self._room.local_participant, attributes)

    # ---- what the library tells

    def _listen(self) -> None:
        of_members = ("participant_connected", "participant_active", "participant_name_changed")
        handlers: dict[str, Callable[..., None]] = {
            **dict.fromkeys(of_members, lambda who, *_before_and_now: self._changed(who)),
            "participant_disconnected": self._left,
            "participant_attributes_changed": self._attributes,
            "participant_permissions_changed": self._permitted,
            "track_published": lambda _track, who: self._changed(who),
            "track_unpublished": lambda _track, who: self._changed(who),
            "track_muted": lambda who, track: self._switched(who, track, muted=True),
            "track_unmuted": lambda who, track: self._switched(who, track, muted=False),
            "track_subscribed": lambda track, _publication, who: self._hearing.begun(track, who.identity),
            "track_unsubscribed": lambda _track, publication, _who: self._hearing.gone(publication.sid),
            "active_speakers_changed": self._speaking,
            "room_updated": self._updated,
            "reconnecting": self._connection.lost,
            "reconnected": self._connection.returned,
            "disconnected": self._disconnected,
        }
        for event, handler in handlers.items():
            self._room.on(event, self._safe(handler))  # type: ignore[arg-type]  # its names are a Literal

    def _safe(self, handler: Callable[..., None]) -> Callable[..., None]:
        """No error must reach the library, which would log the event with all that is in it.

        Lost, as which the library's own errors come (livekit_calls.py), ends this stay; one of ours ends the process.
        """

        def call(*told: Any) -> None:
            try:
                handler(*told)
            except Exception as error:  # noqa: BLE001  # it is told where the stay ends
                self._fail(error)

        return call

    def _fail(self, error: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)
            self._ended.exception()  # a stay that ends by something else asks for it no more

    def _tell(self, *events: RoomEvent) -> None:
        self._parts.staying.tell(*events)

    def _changed(self, who: Any) -> None:
        own = isinstance(who, rtc.LocalParticipant)
        self._tell(*self._parts.roomful.came(who, own=own))
        if not own:
            self._tell(*self._parts.roomful.knocked(who, self._loop.time()))
        self._hearing.look()

    def _attributes(self, changed: Mapping[str, str], who: Any) -> None:
        self._changed(who)
        if isinstance(who, rtc.LocalParticipant):
            self._asked(changed)

    def _asked(self, changed: Mapping[str, str]) -> None:
        """An admin asks for something, by attributes of ours that we do not set."""
        by, door = changed.get(ASK, ""), _DOORS.get(changed.get(DOOR, ""))
        if by:
            self._tell(contract.AskedToUnmute(one_line(by)[:_LONGEST_NAME]))
        if door is not None:
            self._tell(contract.DoorAsked(door))
        if by or changed.get(DOOR):
            self._parts.own.answered()

    def _left(self, who: rtc.RemoteParticipant) -> None:
        self._hearing.left(who.identity)
        self._tell(*self._parts.roomful.left(who.identity))

    def _switched(self, who: Any, _track: Any, *, muted: bool) -> None:
        if isinstance(who, rtc.LocalParticipant):
            self._microphone.switched(muted=muted)
        self._changed(who)

    def _permitted(self, who: Any, permissions: Any) -> None:
        if isinstance(who, rtc.LocalParticipant):
            self._microphone.permitted(permissions)
        self._changed(who)

    def _speaking(self, who: list[Any]) -> None:
        self._hearing.speaking(tuple(one.identity for one in who if isinstance(one, rtc.RemoteParticipant)))

    def _updated(self) -> None:
        self._tell(*self._parts.roomful.recording(on=self._room.is_recording))

    def _disconnected(self, reason: int) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)
