"""One stay in a LiveKit room, from joining to its end: the library's room, its events, and what is to be done on them.

The library reconnects by itself, ten times, and gives up for good then. So a stay goes on while it tries; it ends, and another
begins, when the library has given up, or when a server takes connections again and the library has not come back soon after.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from livekit import rtc
from livekit.rtc.participant import PublishTrackError

from appliance.core.controls import Door
from appliance.core.lamps import LinkPhase
from appliance.core.reconnect import Fault
from appliance.core.text import one_line
from appliance.core.units import RATE, Pcm
from appliance.rooms import contract
from appliance.rooms.contract import RoomEvent
from appliance.rooms.decoded import DecodedDownlink
from appliance.rooms.livekit_faults import of_ending, of_joining
from appliance.rooms.livekit_hearing import Hearing
from appliance.rooms.livekit_members import ASK, DOOR, Roomful
from appliance.rooms.livekit_own import Own
from appliance.rooms.livekit_servers import Servers, silent
from appliance.rooms.livekit_tokens import Tokens
from appliance.rooms.livekit_uplink import BlockUplink
from appliance.rooms.livekit_way import Way
from appliance.rooms.signalling import Lost
from appliance.rooms.staying import Staying, first_of

_QUEUE_MS: Final = 60
"""Of the library's queue of blocks that are not yet encoded."""
_CONNECT_SECONDS: Final = 2.5
"""For one of the four attempts that the library makes of its own."""
_CLOSE_SECONDS: Final = 0.7
_LAST_SECONDS: Final = 2.0
_SETTLES: Final = 0.4
"""Seconds after joining before which a goodbye may be lost: others would see us for 20 s more."""
_LOOK_EVERY: Final = 0.1
_WATCH_EVERY: Final = 1.0
_GRACE: Final = 1.5
"""Seconds that the library has to come back once the server takes connections again."""
_ELSEWHERE: Final = 3.0
"""Seconds that a server has to come back before the next of the list is gone to."""
_LONGEST_NAME: Final = 64
_DOORS: Final = {"listening": Door.LISTENING, "closed": Door.CLOSED}
_UNHEARD: Final = "Nobody hears this device: its token may only listen."


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


class Stay:
    """One of them. Loop only."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._loop = asyncio.get_running_loop()
        self._room = rtc.Room(self._loop)
        self._hearing = Hearing(self._room, parts.downlink, self._loop.time)
        self.way = Way()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._source: rtc.AudioSource | None = None
        self._track: rtc.LocalAudioTrack | None = None
        self._muted = True
        """Whether the server takes our microphone for muted."""
        self._joined_at = 0.0
        self._switching: deque[bool] = deque()
        """Of our own switching on and off what the library has not yet told."""
        self._may_speak = False
        self._publish_anew = asyncio.Event()
        self._back = asyncio.Event()
        self._back.set()
        """Whether the library is connected."""
        self._away = asyncio.Event()

    # ---- from joining to the end

    async def run(self) -> None:
        """Join, and be there. Ends only by raising.

        :raises Lost: it ended, or did not begin.
        """
        self._listen()
        await self._join()
        try:
            self._may_speak = self._room.local_participant.permissions.can_publish
            self._source = rtc.AudioSource(RATE, 1, _QUEUE_MS, self._loop)
            if self._may_speak:
                await self._publish()
            self._arrived()
            await first_of(
                self._end_of_library(),
                self._look(),
                self._watch(),
                self._mend(),
                self._show(),
                self._speak_again(),
                self._parts.uplink.run(self),
                self._other_route(),
            )
        finally:
            await self._leave()

    async def _join(self) -> None:
        """Let the library join. It is not interrupted: a session of which nobody knows would throw the next one out."""
        parts = self._parts
        options = rtc.RoomOptions(auto_subscribe=False, connect_timeout=_CONNECT_SECONDS)
        joining = asyncio.ensure_future(self._room.connect(parts.servers.url, parts.tokens(), options))
        try:
            await asyncio.shield(joining)
        except rtc.ConnectError as error:
            parts.servers.next()
            raise of_joining(error.message) from None
        except asyncio.CancelledError:
            if not joining.done():
                joining.add_done_callback(lambda _: _in_background(_close(self._room)))
            raise
        self._joined_at = self._loop.time()
        parts.count("joins")

    async def _publish(self) -> None:
        """Give the server our microphone, muted as the gate is.

        :raises Lost: it does not take it.
        """
        if self._source is None:
            return
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        self._track, self._muted = None, not self._parts.own.gate_open
        self._switching.clear()
        if self._muted:
            track.mute()
        options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_MICROPHONE,
            dtx=True,
            red=False,  # nothing of open time is sent again after closing (UX.md, mute rule 1)
        )
        options.audio_encoding.max_bitrate = self._parts.bitrate
        try:
            await self._room.local_participant.publish_track(track, options)
        except PublishTrackError:
            raise Lost(Fault("server"), "The LiveKit server did not take this device's microphone.") from None
        self._track = track
        self.mute_as_the_gate_is()

    def _arrived(self) -> None:
        parts = self._parts
        parts.own.begin()
        self._welcome()
        parts.staying.arrived()
        if not self._may_speak:
            parts.staying.tell(contract.PhaseChanged(LinkPhase.IN_ROOM, _UNHEARD))
        self._hearing.look()

    def _welcome(self) -> None:
        room = self._room
        self._parts.staying.tell(
            *self._parts.roomful.welcome(
                room.local_participant, room.remote_participants.values(), recorded=room.is_recording
            )
        )

    async def _leave(self) -> None:
        """Out of the room, so that the others know it at once."""
        self._parts.own.end()
        self._parts.uplink.detach()
        settles = self._joined_at + _SETTLES - self._loop.time()
        closing = {_in_background(_close(self._room, settles)), _in_background(self._hearing.end())}
        await asyncio.wait(closing, timeout=_CLOSE_SECONDS)
        if self._source is not None:
            await self._source.aclose()

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
            if turn % 10 == 0:
                self._hearing.look()
            levels = self._parts.downlink.levels(self._loop.time())
            if levels is not None:
                self._parts.staying.tell(levels)

    async def _watch(self) -> None:
        """See whether anything comes from the server, whatever the library thinks."""
        while True:
            await asyncio.sleep(_WATCH_EVERY)
            with contextlib.suppress(RuntimeError, TimeoutError):
                async with asyncio.timeout(_WATCH_EVERY):
                    stats = await self._room.get_rtc_stats()
                self.way.read([*stats.publisher_stats, *stats.subscriber_stats], self._loop.time())
            if self._back.is_set() and self.way.dead(self._loop.time()):
                self._gone("The LiveKit server does not answer.")

    async def _mend(self) -> None:
        """Let the library come back, and act when it does not.

        :raises Lost: it does not, though there is a server.
        """
        while True:
            await self._away.wait()
            servers, before = self._parts.servers, self._parts.servers.url
            try:
                await _before(servers.arrive(_ignore, _ELSEWHERE), self._back)
                elsewhere = servers.url != before
                if not self._back.is_set() and (elsewhere or await silent(_GRACE, self._back)):
                    raise Lost(Fault("network"), "The connection with the LiveKit server was lost.")
            finally:
                self._away.clear()

    async def _show(self) -> None:
        """Tell what changes of ourselves."""
        own = self._parts.own
        while True:
            attributes = await own.next()
            await self._room.local_participant.set_attributes(dict(attributes))
            await own.pause()

    async def _speak_again(self) -> None:
        """The right to speak was given back: the server wants the microphone anew."""
        while True:
            await self._publish_anew.wait()
            self._publish_anew.clear()
            await self._publish()

    # ---- the hand-over (livekit_uplink.py)

    async def take(self, sound: Pcm) -> None:
        """Hand blocks to the library."""
        if self._source is not None:
            await self._source.capture_frame(rtc.AudioFrame(sound.tobytes(), RATE, 1, sound.size))

    def empty(self) -> None:
        """Throw away what the library has not yet encoded."""
        if self._source is not None:
            self._source.clear_queue()

    # ---- what we do in the room

    def mute_as_the_gate_is(self) -> None:
        """Tell the server whether we are muted."""
        wish = not self._parts.own.gate_open
        if self._track is not None and self._muted is not wish:
            self._muted = wish
            self._switching.append(wish)
            (self._track.mute if wish else self._track.unmute)()

    # ---- what the library tells

    def _listen(self) -> None:
        of_members = ("participant_connected", "participant_active", "participant_name_changed")
        handlers: dict[str, Callable[..., None]] = {
            **dict.fromkeys(of_members, self._changed),
            "participant_disconnected": self._left,
            "participant_attributes_changed": self._attributes,
            "participant_permissions_changed": self._permitted,
            "track_published": lambda _track, who: self._changed(who),
            "track_unpublished": lambda _track, who: self._changed(who),
            "track_muted": lambda who, track: self._switched(who, track, muted=True),
            "track_unmuted": lambda who, track: self._switched(who, track, muted=False),
            "track_subscribed": lambda track, _publication, who: self._hearing.begun(track, who.identity),
            "track_unsubscribed": lambda track, _publication, _who: self._hearing.gone(track.sid),
            "active_speakers_changed": self._speaking,
            "room_updated": self._updated,
            "reconnecting": lambda: self._gone("The connection with the LiveKit server was lost."),
            "reconnected": self._returned,
            "disconnected": self._disconnected,
        }
        for event, handler in handlers.items():
            self._room.on(event, self._safe(handler))  # type: ignore[arg-type]  # its names are a Literal

    def _safe(self, handler: Callable[..., None]) -> Callable[..., None]:
        """An error of ours must not reach the library, which would log the event with all that is in it."""

        def call(*told: Any) -> None:
            try:
                handler(*told)
            except Exception as error:  # noqa: BLE001  # it ends the stay, where it is told
                if not self._ended.done():
                    self._ended.set_exception(error)

        return call

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
            self._own_switched(muted)
        self._changed(who)

    def _own_switched(self, muted: bool) -> None:
        """The library tells each switching once, in its order: ours, and beside it the server's."""
        if self._switching and self._switching[0] is muted:
            self._switching.popleft()
        elif muted is not self._muted:
            self._muted = muted
            if muted:
                self._tell(contract.MutedByAdmin(""))

    def _permitted(self, who: Any, permissions: Any) -> None:
        if isinstance(who, rtc.LocalParticipant) and permissions.can_publish is not self._may_speak:
            self._may_speak = permissions.can_publish
            self._parts.own.admin_muted(not self._may_speak)
            if self._may_speak:
                self._publish_anew.set()
                self._tell(contract.AdminMuteLifted())
            else:
                self._track = None
                self._tell(contract.MutedByAdmin(""))
        self._changed(who)

    def _speaking(self, who: list[Any]) -> None:
        self._hearing.speaking(tuple(one.identity for one in who if isinstance(one, rtc.RemoteParticipant)))

    def _updated(self) -> None:
        self._tell(*self._parts.roomful.recording(on=self._room.is_recording))

    def _gone(self, why: str) -> None:
        if self._back.is_set():
            self._back.clear()
            self._away.set()
            self._parts.count("link_losses")
            self._tell(contract.PhaseChanged(LinkPhase.RECONNECTING, why))

    def _returned(self) -> None:
        """The library is back: for the server perhaps as somebody new, who has told nothing yet."""
        self._back.set()
        self.way.renew(self._loop.time())
        self._parts.own.begin()
        self._hearing.forget_asked()
        self._welcome()
        self._tell(contract.PhaseChanged(LinkPhase.IN_ROOM))

    def _disconnected(self, reason: int) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)


def _ignore(_why: str) -> None:
    """What the library tells is enough."""


async def _before(arriving: Any, back: asyncio.Event) -> None:
    await first_of(arriving, back.wait())


async def _close(room: rtc.Room, settles: float = 0.0) -> None:
    await asyncio.sleep(max(0.0, settles))
    with contextlib.suppress(Exception):  # the room is given up, whatever the library thinks of that
        await room.disconnect()


_BACKGROUND: set[asyncio.Task[None]] = set()


def _in_background(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(work)
    _BACKGROUND.add(task)
    task.add_done_callback(_BACKGROUND.discard)
    return task


async def closed() -> None:
    """Wait until all that was given up is closed, for a while: a server that is away may keep the library waiting."""
    left = set(_BACKGROUND)
    if left:
        _, late = await asyncio.wait(left, timeout=_LAST_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
