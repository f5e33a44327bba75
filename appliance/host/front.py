"""The front of a host whose rooms are shared out over processes (shards): it has the port and the pages, and hands on the rest.

A shard is a whole :class:`appliance.host.server.Host` that listens on a Unix socket. Whatever concerns a room goes to the shard
that holds it, unread, WebSockets message by message with their pings and close codes; sound does not pass here, each shard
has a UDP port of its own. While a shard is away, its rooms are told to try again, and the others notice nothing.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import WSMsgType, hdrs, web
from multidict import CIMultiDict
from yarl import URL

from appliance.core.wire import ProtocolError, read_object
from appliance.host.approach import REACHED, is_trusted
from appliance.host.config import Proxy
from appliance.host.cors import OPEN
from appliance.host.http import Refusal, json_response, read_body, read_bounded

_HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
        *("transfer-encoding", "upgrade", "content-length", "x-forwarded-proto", REACHED.lower()),
    }
)
"""Headers of one connection (RFC 9110, 7.6.1), and those that we write ourselves."""

_AGAIN = "1"
"""Seconds after which a shard that was away may be there again."""

_SECONDS = 20.0
"""For a body to come, and for a shard to answer."""
_TIMEOUT = aiohttp.ClientTimeout(total=_SECONDS, sock_connect=2.0)
_HANDING_IN = aiohttp.ClientTimeout(total=70.0, sock_connect=2.0)
"""For a support bundle, of which a shard waits 60 s."""
_CHUNK = 64 * 1024
_HEALTH = aiohttp.ClientTimeout(total=1.0)
_FRAME = 8 * 1024 * 1024
"""Bytes of a shard's WebSocket message,"""

_MOST_FRAME = 64 * 1024
"""and of one from outside: as much as a shard reads. Strangers may open thousands of sockets, each with one in memory."""

_SLOW = 15.0
"""Seconds that one message may wait for its reader; whoever does not read at all would hold a socket for ever."""

_MOST_DEVICE_BODY = 4096
_ENDS = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})
_RESTARTS = 1012
"""WebSocket close code "service restart" (IANA registry): come again."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Where one shard listens, and what it holds."""

    path: Path
    rooms: frozenset[str]
    devices: frozenset[str] = frozenset()


class Front:
    """Hands requests on to shards.

    :param tls: whether whoever comes directly comes encrypted.
    :param rooms: all ids, in the order in which they are listed.
    """

    def __init__(
        self, shards: Sequence[Shard], proxy: Proxy, *, tls: Callable[[web.Request], bool], rooms: Sequence[str] = ()
    ) -> None:
        self._shards = shards
        self._rooms = rooms
        self._proxy = proxy
        self._tls = tls
        self._by_room = {room: shard for shard in shards for room in shard.rooms}
        self._by_device = {device: shard for shard in shards for device in shard.devices}
        self._sessions: dict[Path, aiohttp.ClientSession] = {}

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        return [
            web.get("/rooms", self.rooms, allow_head=False),
            web.route("*", "/rooms/{room}/{rest:.*}", self.room),
            web.post("/devices/{what}", self.device),
            web.get("/health", self.health),
        ]

    async def open(self) -> None:
        """Make ready; nothing is connected to yet."""
        for shard in self._shards:
            connector = aiohttp.UnixConnector(path=str(shard.path), limit=0)
            self._sessions[shard.path] = aiohttp.ClientSession(connector=connector, auto_decompress=False)

    async def close(self) -> None:
        """Let go of all shards."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def room(self, request: web.Request) -> web.StreamResponse:
        """``/rooms/{room}/…``: to the shard that holds the room."""
        try:
            return await self._room(request)
        except Refusal as refusal:  # pages of other origins are to read it, as they would what the shard says
            headers = {**OPEN, **(refusal.headers or {})}
            raise Refusal(refusal.status, str(refusal), headers, code=refusal.code) from None

    async def _room(self, request: web.Request) -> web.StreamResponse:
        shard = self._by_room.get(request.match_info["room"])
        if shard is None:
            raise Refusal(404, "There is no such room.", code="no_room")
        if request.headers.get(hdrs.UPGRADE, "").lower() == "websocket":
            return await self._converse(request, shard)
        if request.method == hdrs.METH_PUT and request.match_info["rest"].startswith("bundles/"):
            # Handed on as it comes: the shard reads it only from a device that it has asked, and ends it when it is too big.
            return await self._pass_on(request, shard, request.content.iter_chunked(_CHUNK), _HANDING_IN)
        body = await read_bounded(request, _SECONDS)
        return await self._pass_on(request, shard, body)

    async def rooms(self, request: web.Request) -> web.Response:
        """``/rooms``: what each shard lists. One that is away lists none: its rooms are seen when one comes again."""
        asked = await asyncio.gather(*(self._ask_rooms(request, shard) for shard in self._shards))
        found = [answer for answer in asked if answer is not None]
        if not found:
            raise Refusal(503, "The rooms are being restarted.", {hdrs.RETRY_AFTER: _AGAIN}, code="restarting")
        refused = next((answer for answer in found if answer.status != 200), None)
        if refused is not None:
            return refused
        listed = {room["id"]: room for answer in found for room in json.loads(answer.text or "")["rooms"]}
        return json_response({"rooms": [listed[room] for room in self._rooms if room in listed]})

    async def _ask_rooms(self, request: web.Request, shard: Shard) -> web.Response | None:
        """What a shard lists; None while it is away."""
        try:
            return await self._pass_on(request, shard, b"")
        except Refusal as refusal:
            if refusal.status == 503:
                return None
            raise

    async def device(self, request: web.Request) -> web.StreamResponse:
        """``/devices/…``: to the shard that holds the device's room. One that nobody knows is refused by any."""
        body = await read_body(request, "application/json", _SECONDS)
        try:
            fields = read_object(body, _MOST_DEVICE_BODY)
        except ProtocolError as error:
            raise Refusal(400, str(error), code="bad_request") from None
        device, room = (str(fields.get(key)) for key in ("device", "room"))
        shard = self._by_device.get(device) or self._by_room.get(room)  # the former: of the settings
        return await self._pass_on(request, shard or self._shards[0], body)

    async def health(self, _request: web.Request) -> web.Response:
        """``/health``: whether every shard answers."""
        found = await asyncio.gather(*(self._answers(shard) for shard in self._shards))
        if all(found):
            return json_response({"status": "ok"})
        response = json_response({"status": "degraded"})
        response.set_status(503)
        return response

    async def _answers(self, shard: Shard) -> bool:
        try:
            async with self._sessions[shard.path].get("http://shard/health", timeout=_HEALTH) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    # ---- one request

    async def _pass_on(
        self,
        request: web.Request,
        shard: Shard,
        body: bytes | AsyncIterator[bytes],
        patience: aiohttp.ClientTimeout = _TIMEOUT,
    ) -> web.Response:
        try:
            async with self._sessions[shard.path].request(
                request.method,
                _inner(request),
                headers=self._headers(request),
                data=body,
                timeout=patience,
                allow_redirects=False,
            ) as answer:
                content = await answer.read()
                return web.Response(status=answer.status, body=content, headers=_end_to_end(answer.headers))
        except (aiohttp.ClientError, TimeoutError, OSError):
            again: Mapping[str, str] = {hdrs.RETRY_AFTER: _AGAIN}
            raise Refusal(503, "This room is being restarted.", again, code="restarting") from None

    def _headers(self, request: web.Request) -> CIMultiDict[str]:
        """The request's headers, with what a shard has to know of the connection (see approach.py)."""
        headers = _end_to_end(request.headers)
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        if not isinstance(peer, tuple):  # gone; in its place a shard would believe what it wrote itself
            raise Refusal(400, "The sender of this request is gone.", code="bad_request")
        near = str(peer[0])
        headers.add(hdrs.X_FORWARDED_FOR, near)
        if is_trusted(near, self._proxy):
            for value in request.headers.getall(hdrs.X_FORWARDED_PROTO, ()):
                headers.add(hdrs.X_FORWARDED_PROTO, value)
        else:
            headers[hdrs.X_FORWARDED_PROTO] = "https" if self._tls(request) else "http"
        reached = request.transport.get_extra_info("sockname") if request.transport is not None else None
        if isinstance(reached, tuple):
            headers[REACHED] = str(reached[0])
        return headers

    # ---- one WebSocket

    async def _converse(self, request: web.Request, shard: Shard) -> web.StreamResponse:
        outer = web.WebSocketResponse(max_msg_size=_MOST_FRAME, autoping=False, timeout=1.0, compress=False)
        await outer.prepare(request)
        try:
            async with self._inner_socket(request, shard) as inner:
                too_slow = await _first_to_end(_pump(outer, inner), _pump(inner, outer))
                if too_slow and request.transport is not None:
                    request.transport.abort()
                code = inner.close_code or outer.close_code or _RESTARTS
        except (aiohttp.ClientError, TimeoutError, OSError):
            code = _RESTARTS
        if not outer.closed:
            with contextlib.suppress(ConnectionError, RuntimeError):
                await outer.close(code=_sendable(code))
        return outer

    @contextlib.asynccontextmanager
    async def _inner_socket(self, request: web.Request, shard: Shard) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        headers = self._headers(request)
        for name in [name for name in headers if name.lower().startswith("sec-websocket-")]:
            headers.popall(name, None)
        async with self._sessions[shard.path].ws_connect(
            _inner(request), headers=headers, autoping=False, max_msg_size=_FRAME, compress=0, timeout=_WS_CLOSING
        ) as inner:
            yield inner


_WS_CLOSING = aiohttp.ClientWSTimeout(ws_close=1.0)
_Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _pump(source: _Socket, target: _Socket) -> None:
    """Hand on what ``source`` says until it ends. Waits while ``target`` is slow, so that nothing is heaped up here.

    :raises TimeoutError: ``target`` is too slow.
    """
    while True:
        message = await source.receive()
        if message.type in _ENDS:
            return
        with contextlib.suppress(ConnectionError, RuntimeError):
            async with asyncio.timeout(_SLOW):
                await _hand_on(message, target)


async def _hand_on(message: aiohttp.WSMessage, target: _Socket) -> None:
    match message.type:
        case WSMsgType.TEXT:
            await target.send_str(message.data)
        case WSMsgType.BINARY:
            await target.send_bytes(message.data)
        case WSMsgType.PING:
            await target.ping(message.data)
        case WSMsgType.PONG:
            await target.pong(message.data)


async def _first_to_end(*pumps: Coroutine[Any, Any, None]) -> bool:
    """Run all until one ends; whether that was because nobody read."""
    tasks = [asyncio.create_task(pump) for pump in pumps]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    return any(isinstance(end, TimeoutError) for end in ends)


def _inner(request: web.Request) -> URL:
    return URL(f"http://shard{request.raw_path}", encoded=True)


def _end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP)


def _sendable(code: int) -> int:
    """Codes that stand for something no close frame may say (RFC 6455, 7.4.1) become one that it may."""
    return _RESTARTS if code in (1005, 1006, 1015) or not 1000 <= code <= 4999 else code
