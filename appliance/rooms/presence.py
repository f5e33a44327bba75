"""The hosted room's presence socket as a member sees it: what it tells, and what comes back as events of the contract."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import aiohttp

from appliance.core import protocol
from appliance.core.controls import Door
from appliance.core.protocol import ClientMessage, CloseCode, ServerMessage
from appliance.core.reconnect import Fault, FaultKind
from appliance.core.roster import Member
from appliance.core.site_details import by_the_host
from appliance.core.units import SILENCE
from appliance.rooms import contract
from appliance.rooms.contract import RoomEvent, SiteReport
from appliance.rooms.signalling import Lost, Signalling

_HELLO_SECONDS = 4.0
_HEARTBEAT = 4.0
"""Seconds between pings of ours; the host pings more often, but only ours tell us that the socket is dead."""
_SEND_EVERY = 0.05
"""Seconds between two batches of messages: what changes faster is sent as it is then."""

_MOMENT = 0.4
"""Seconds that a meter may wait to be told: everybody in the room reads it each time."""

_DOORS: Mapping[str, Door] = MappingProxyType({"listening": Door.LISTENING, "closed": Door.CLOSED})

_NOTICES: Mapping[type, Callable[[Any], RoomEvent]] = MappingProxyType(
    {
        protocol.MutedByAdmin: lambda message: contract.MutedByAdmin(message.by.name),
        protocol.AdminMuteLifted: lambda _: contract.AdminMuteLifted(),
        protocol.AskedToUnmute: lambda message: contract.AskedToUnmute(message.by.name),
        protocol.Knocked: lambda message: contract.Knocked(message.by.name),
        protocol.BundleAsked: lambda message: contract.BundleAsked(message.word),
        protocol.DoorAsked: lambda message: contract.DoorAsked(_DOORS[message.door]),
    }
)

_CLOSED: Mapping[int, tuple[FaultKind, str]] = MappingProxyType(
    {
        CloseCode.BAD_TOKEN: ("refused", "The room does not accept this key."),
        CloseCode.FOREIGN_TOKEN: ("refused", "This key is for another room."),
        CloseCode.UNKNOWN_ROOM: ("gone", "The server has no such room."),
        CloseCode.REPLACED: ("replaced", "Another session with this device's key took its place."),
        CloseCode.REMOVED: ("network", "The server had not heard from this device for too long."),
        CloseCode.GOING_AWAY: ("server", "The server is going away."),
        CloseCode.TRY_AGAIN: ("full", "The server takes no more members just now."),
    }
)


class Outbox:
    """What is to be told: the last value of each thing, never a queue. Loop only."""

    def __init__(self) -> None:
        self._stands: dict[str, ClientMessage] = {"muted": protocol.SetMuted(muted=True)}
        self._pending: dict[str, ClientMessage] = {}
        self._changed = asyncio.Event()
        self._open = False
        self._unknown: Collection[str] = ()
        self._later: asyncio.TimerHandle | None = None

    def put(self, key: str, message: ClientMessage, *, at_once: bool = True) -> None:
        """Something stands like this now: told when it has changed, and anew after each joining.

        :param at_once: False lets it wait a moment, for what comes to replace it.
        """
        if self._stands.get(key) == message:
            return
        self._stands[key] = message
        if at_once:
            self.once(key, message)
        elif self._open:
            self._pending[key] = message
            self._later = self._later or asyncio.get_running_loop().call_later(_MOMENT, self._tell_later)

    def _tell_later(self) -> None:
        self._later = None
        self._changed.set()

    def once(self, key: str, message: ClientMessage) -> None:
        """Something happens now: told once, if there is a room to tell it to."""
        if self._open and key not in self._unknown:
            self._pending[key] = message
            self._changed.set()

    def open(self, unknown: Collection[str] = ()) -> None:
        """We are in the room: all that stands has to be told.

        :param unknown: what this host does not understand: it is not told.
        """
        self._open, self._unknown = True, unknown
        self._pending = {key: message for key, message in self._stands.items() if key not in unknown}
        self._changed.set()

    def close(self) -> None:
        """We are out of the room: nobody listens."""
        self._open = False
        self._pending.clear()
        self._changed.clear()
        if self._later is not None:
            self._later.cancel()
            self._later = None

    async def next(self) -> list[ClientMessage]:
        """What has changed, waiting for it."""
        await self._changed.wait()
        self._changed.clear()
        pending, self._pending = self._pending, {}
        return list(pending.values())


def site_message(report: SiteReport, ahead: int = 0) -> protocol.Report:
    """A report as the host takes it.

    :param ahead: seconds that our clock is before the host's.
    :raises ProtocolError: it says something that may not be said, or in another form.
    """
    site: dict[str, Any] = {
        "gate": "open" if report.gate_open else "closed",
        "reasons": list(report.reasons),
        "door": report.door.name.lower(),
        "lamps": dict(report.lamps),
        "loudspeaker": round(report.loudspeaker),
        "extra": dict(report.extra),
    }
    if report.gate_open and report.direction is not None:
        site["direction"] = report.direction
    if report.quiet_until is not None:
        site["quiet_until"] = report.quiet_until
    if report.details:
        site["details"] = by_the_host(report.details, ahead)
    if report.bridge is not None:
        site["bridge"] = report.bridge.as_fields()
    return protocol.Report(protocol.read_site(site))


class Roomful:
    """Who is in the room by what the host told, over all its sockets; makes events of what changes."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._levels: dict[str, float] = {}
        self._recorded = False

    def understand(self, message: ServerMessage) -> Iterator[RoomEvent]:
        """The events that a message means."""
        match message:
            case protocol.Welcome(members=members, recording=recorded):
                yield from self._welcome(members)
                yield from self._recording(recorded)
            case protocol.Recording(recorded):
                yield from self._recording(recorded)
            case protocol.MemberChanged(member):
                yield from self._came(member)
            case protocol.MemberLeft(who):
                yield from self._left(who)
            case protocol.MembersChanged(members, left):
                for who in left:
                    yield from self._left(who)
                for member in members:
                    yield from self._came(member)
            case protocol.LevelsChanged(levels, speaking):
                self._levels.update((who, level) for who, level in levels.items() if who in self._members)
                yield contract.Levels(dict(levels), speaking)
            case _ if type(message) in _NOTICES:
                yield _NOTICES[type(message)](message)

    def silence(self) -> Iterator[RoomEvent]:
        """The room is not heard any more: nobody's meter may stand still at a level."""
        if any(level > SILENCE for level in self._levels.values()):
            yield contract.Levels(dict.fromkeys(self._levels, SILENCE), frozenset())
        self._levels.clear()

    def empty(self) -> Iterator[RoomEvent]:
        """We are out of the room: nobody is in it as far as we know, and nobody records us."""
        yield from self.silence()
        yield from self._recording(on=False)
        for who in list(self._members):
            yield from self._left(who)

    def _welcome(self, members: tuple[Member, ...]) -> Iterator[RoomEvent]:
        there = {member.id for member in members}
        for who in [who for who in self._members if who not in there]:
            yield from self._left(who)
        for member in members:
            yield from self._came(member)

    def _recording(self, on: bool) -> Iterator[RoomEvent]:
        # A device that comes into a room that is recorded closes its gate for the announcement, as if it began then.
        if on is not self._recorded:
            self._recorded = on
            yield contract.Recording(on)

    def _came(self, member: Member) -> Iterator[RoomEvent]:
        # A host that makes up members without end does not fill our memory.
        if member.id in self._members or len(self._members) < protocol.MOST_MEMBERS:
            self._members[member.id] = member
            yield contract.MemberChanged(member)

    def _left(self, who: str) -> Iterator[RoomEvent]:
        self._levels.pop(who, None)
        if self._members.pop(who, None) is not None:
            yield contract.MemberLeft(who)


class Presence:
    """One presence socket, from hello to its end."""

    def __init__(self, outbox: Outbox, take: Callable[[ServerMessage], None], junk: Callable[[], None]) -> None:
        self._outbox = outbox
        self._take = take
        self._junk = junk

    async def run(self, http: aiohttp.ClientSession, signalling: Signalling, token: str) -> None:
        """Be present. Ends only by raising.

        :raises Lost: the socket ended, or never was.
        """
        try:
            async with http.ws_connect(
                signalling.presence_url,
                heartbeat=_HEARTBEAT,
                max_msg_size=protocol.MOST_SERVER_BYTES,
                timeout=aiohttp.ClientWSTimeout(ws_close=0.1),  # a cut network says no goodbye
            ) as socket:
                await socket.send_str(protocol.client_text(protocol.Hello(token)))
                await self._welcome(socket)
                telling = asyncio.create_task(self._tell(socket), name="presence-tell")
                try:
                    while True:
                        self._read(await socket.receive(), socket)
                finally:
                    telling.cancel()
                    await asyncio.wait([telling])
        except aiohttp.WSServerHandshakeError as refusal:
            kind: FaultKind = "gone" if refusal.status == 404 else "server"
            raise Lost(Fault(kind), f"The server refuses the presence socket ({refusal.status}).") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise await signalling.fault(error, "The presence socket was lost.") from None

    async def _welcome(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async with asyncio.timeout(_HELLO_SECONDS):
            self._read(await socket.receive(), socket)

    def _read(self, frame: aiohttp.WSMessage, socket: aiohttp.ClientWebSocketResponse) -> None:
        if frame.type is aiohttp.WSMsgType.BINARY:
            raise _closed(CloseCode.JUNK)
        if frame.type is not aiohttp.WSMsgType.TEXT:
            raise _closed(socket.close_code, str(frame.extra or ""))
        try:
            message = protocol.parse_server(frame.data)
        except protocol.ProtocolError:
            self._junk()
            raise Lost(Fault("server"), "The server sent a presence message that is not understood.") from None
        if message is not None:
            self._take(message)

    async def _tell(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Send what changes. A socket that fails is noticed where it is read."""
        try:
            while True:
                for message in await self._outbox.next():
                    await socket.send_str(protocol.client_text(message))
                await asyncio.sleep(_SEND_EVERY)
        except (aiohttp.ClientError, OSError):
            return


def _closed(code: int | None, reason: str = "") -> Lost:
    if code == CloseCode.REMOVED and reason == "removed":  # the same code without it is for who was not heard from
        return Lost(Fault("refused"), "An admin sent this member out of the room.")
    kind, why = _CLOSED.get(code or 0, ("network", "The presence socket was closed."))
    return Lost(Fault(kind), why, token_refused=code == CloseCode.BAD_TOKEN)
