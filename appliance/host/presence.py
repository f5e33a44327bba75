"""The presence socket: hello, then messages both ways, and a close code for everything that is not accepted."""

import asyncio
import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Mapping

from aiohttp import WSMessage, WSMsgType, web

from appliance.core.events import EventName
from appliance.core.protocol import Claims, CloseCode, Hello, ProtocolError, TokenError, parse_client
from appliance.host.approach import Approach
from appliance.host.conference import Conference
from appliance.host.http import Refusal
from appliance.host.limits import Bucket, sender_of
from appliance.host.services import Services
from appliance.host.turns import Turns
from appliance.host.watcher import Told, Watcher

_FRAME = 64 * 1024
"""Bytes of a frame that are read at all. Messages over 4 KiB get our own close code, frames over this aiohttp's 1009."""

_MOST_GREETING = 256
"""Sockets that may be open without having said hello,"""

_MOST_GREETING_OF_ONE = 64
"""and how many of them from one address."""

_ENDS = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})


class _Flood(ProtocolError):
    """More than anybody has to say."""


class Presence:
    """Serves the presence sockets of all rooms."""

    def __init__(
        self, conferences: Mapping[str, Conference], services: Services, on_error: Callable[[Exception], None]
    ) -> None:
        self._conferences = conferences
        self._services = services
        self._on_error = on_error
        self._greeting: Counter[str] = Counter()
        self._turns = Turns()

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        return [web.get("/rooms/{room}/presence", self.serve)]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """``GET /rooms/{room}/presence``."""
        socket = web.WebSocketResponse(max_msg_size=_FRAME, autoping=False, timeout=1.0, compress=False)
        try:
            await socket.prepare(request)
        except ValueError:  # aiohttp expects its headers to be ASCII
            raise Refusal(400, "The handshake of the socket is not valid.") from None
        approach = self._services.approach(request)
        try:
            with self._services.gate.socket(approach.address, self._services.now()) as is_taken:
                if is_taken:
                    await self._converse(request, socket, approach)
                else:
                    await _close(socket, CloseCode.TRY_AGAIN)
        except ProtocolError as refusal:
            flooded = isinstance(refusal, _Flood)
            self._services.counters.add("host_presence_flooded" if flooded else "host_presence_junk")
            await _close(socket, refusal.code)
        except TokenError as refusal:
            self._services.counters.add("host_refused")
            self._services.tell(EventName.MEMBER_REFUSED, room=request.match_info["room"], why=refusal.code)
            await _close(socket, refusal.close_code, refusal.code)
        except Exception as error:  # noqa: BLE001  # one socket must never disturb the others
            self._on_error(error)
            await _close(socket, CloseCode.INTERNAL)
        return socket

    async def _converse(self, request: web.Request, socket: web.WebSocketResponse, approach: Approach) -> None:
        conference = self._conferences.get(request.match_info["room"])
        if conference is None:
            self._services.counters.add("host_rooms_unknown")
            await _close(socket, CloseCode.UNKNOWN_ROOM)
            return
        if conference.is_crowded or self._greets_too_many(sender_of(approach.address)):
            await _close(socket, CloseCode.TRY_AGAIN)
            return
        sender = sender_of(approach.address)
        self._greeting[sender] += 1
        try:
            claims = await self._greet(socket, conference, approach)
        finally:
            self._greeting[sender] -= 1
            self._greeting += Counter()  # forgets who has none
        if claims is None:
            return
        tell = functools.partial(conference.bring_up_to_date, for_admin=claims.role == "admin")
        told = Told(tell, self._services.counters, self._services.limits, self._turns)
        watcher = Watcher(socket, _abort_of(request), claims, told, approach.listen_only)
        writer = asyncio.create_task(watcher.run(), name=f"presence of {claims.identity}")
        conference.attach(watcher)
        try:
            await self._listen(socket, watcher, conference)
        finally:
            conference.detach(watcher)
            # After an orderly close() the writer ends by itself, and the last message may be on its way.
            if not watcher.closing:
                writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer

    def _greets_too_many(self, sender: str) -> bool:
        too_many = self._greeting.total() >= _MOST_GREETING or self._greeting[sender] >= _MOST_GREETING_OF_ONE
        if too_many:
            self._services.counters.add("host_presence_limited")
        return too_many

    async def _greet(self, socket: web.WebSocketResponse, conference: Conference, approach: Approach) -> Claims | None:
        """The claims of whoever says hello in time; None when the socket is closed already."""
        try:
            async with asyncio.timeout(self._services.times.hello):
                message = await _receive(socket, self._bound())
        except TimeoutError:
            self._services.counters.add("host_hellos_missing")
            await _close(socket, CloseCode.NO_HELLO)
            return None
        if message is None:
            return None
        hello = parse_client(message)
        if not isinstance(hello, Hello):
            raise ProtocolError("The first message has to be the hello.")
        return conference.admission.verify(hello.token, approach=approach)

    async def _listen(self, socket: web.WebSocketResponse, watcher: Watcher, conference: Conference) -> None:
        bound = self._bound()

        def heard(kind: WSMsgType) -> None:
            bound(kind)
            if kind is WSMsgType.PONG:
                watcher.pong_at = self._services.now()

        while (text := await _receive(socket, heard)) is not None:
            if watcher.closing:
                continue
            message = parse_client(text)
            if isinstance(message, Hello):
                raise ProtocolError("There is one hello.")
            conference.handle(watcher, message)

    def _bound(self) -> Callable[[WSMsgType], None]:
        """Called with the kind of each frame of a socket; raises :class:`_Flood` when there are too many."""
        allowance = Bucket(self._services.limits.messages, self._services.now())

        def one_more(_kind: WSMsgType) -> None:
            if not allowance.take(self._services.now()):
                raise _Flood("Too many messages.")

        return one_more


async def _receive(socket: web.WebSocketResponse, heard: Callable[[WSMsgType], None]) -> str | None:
    """The next message; None when the socket has ended. ``heard`` is told the kind of each frame, pings and pongs too.

    :raises ProtocolError: a binary frame, or what ``heard`` raises.
    """
    while True:
        message: WSMessage = await socket.receive()
        if message.type in _ENDS:
            return None
        heard(message.type)
        if message.type is WSMsgType.TEXT:
            return str(message.data)
        if message.type is WSMsgType.PING:
            await socket.pong(message.data)
        elif message.type is not WSMsgType.PONG:
            raise ProtocolError("Messages are text.")


def _abort_of(request: web.Request) -> Callable[[], None]:
    def abort() -> None:
        if request.transport is not None:
            request.transport.abort()

    return abort


async def _close(socket: web.WebSocketResponse, code: int, why: str = "") -> None:
    with contextlib.suppress(ConnectionError, RuntimeError):
        await socket.close(code=code, message=why.encode())
