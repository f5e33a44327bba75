"""The demo's way from the page to the virtual panel (DESIGN.md, rule 3).

A WebSocket at ``/demo/panel``: for this machine only, opened with a one-time token. It forwards to sound's Unix socket and
back; it is no message of the room, and outside ``kontor demo`` the route does not exist.
"""

import asyncio
import contextlib
import hmac
import ipaddress
import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from aiohttp import WSMsgType, web

from appliance.core.wire import CloseCode
from appliance.health.status import parse

_LARGEST = 512
_HELLO = 5.0
_GOODBYE = 0.3
"""Seconds that a page may take to answer our closing."""
_CONTACTS = frozenset({"mute", "door", "knock"})


class PanelRoute:
    """``token`` opens the panel once; whoever opened it gets a key for coming back after a reload."""

    def __init__(self, status_socket: Path) -> None:
        self._socket = status_socket
        self.token = secrets.token_urlsafe(24)
        self._key = secrets.token_urlsafe(24)
        self._used = False
        self._open_sockets: set[web.WebSocketResponse] = set()

    async def close(self) -> None:
        """The demo ends: send everybody away, and do not wait long for them to go."""
        await asyncio.gather(
            *(socket.close(code=CloseCode.GOING_AWAY) for socket in self._open_sockets), return_exceptions=True
        )

    @property
    def route(self) -> web.RouteDef:
        """The route for the host."""
        return web.get("/demo/panel", self._open)

    async def _open(self, request: web.Request) -> web.StreamResponse:
        if not _is_loopback(request.remote):
            raise web.HTTPNotFound
        origin = request.headers.get("Origin")
        if origin is not None and origin.split("//")[-1] != request.host:  # no foreign page moves the panel
            raise web.HTTPForbidden
        connection = web.WebSocketResponse(max_msg_size=_LARGEST, heartbeat=5.0, timeout=_GOODBYE)
        await connection.prepare(request)
        self._open_sockets.add(connection)
        try:
            await self._converse(connection)
        finally:
            self._open_sockets.discard(connection)
        return connection

    async def _converse(self, connection: web.WebSocketResponse) -> None:
        try:
            async with asyncio.timeout(_HELLO):
                hello = await connection.receive()
        except TimeoutError:
            hello = None
        if not (hello and hello.type is WSMsgType.TEXT and self._admits(parse(hello.data).get("token"))):
            await connection.close(code=CloseCode.BAD_TOKEN)
            return
        await connection.send_json({"token": self._key})
        await self._forward(connection)

    def _admits(self, token: object) -> bool:
        if not isinstance(token, str) or not token.isascii():
            return False
        if hmac.compare_digest(token, self._key):
            return True
        admitted = not self._used and hmac.compare_digest(token, self.token)
        self._used = self._used or admitted
        return admitted

    async def _forward(self, connection: web.WebSocketResponse) -> None:
        pushing = asyncio.ensure_future(self._push(connection))
        try:
            async for message in connection:
                request = _request(message.data) if message.type is WSMsgType.TEXT else None
                if request is None:
                    await connection.close(code=CloseCode.JUNK)
                    return
                with contextlib.suppress(OSError):
                    await self._move(request)
        finally:
            pushing.cancel()
            await asyncio.gather(pushing, return_exceptions=True)

    async def _move(self, request: Mapping[str, str]) -> None:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        try:
            writer.write(json.dumps({"do": "panel", **request}).encode() + b"\n")
            async with asyncio.timeout(2):
                await reader.readline()
        except TimeoutError as error:
            raise OSError("sound does not answer") from error
        finally:
            writer.close()
            await writer.wait_closed()

    async def _push(self, connection: web.WebSocketResponse) -> None:
        """States of the panel as they change; when sound is gone, ask again until it is back."""
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                try:
                    writer.write(b'{"do": "watch"}\n')
                    while line := await reader.readline():
                        await connection.send_str(line.decode())
                finally:
                    writer.close()
            await asyncio.sleep(0.2)


def _is_loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


def _request(text: str) -> Mapping[str, str] | None:
    found = parse(text)
    if found.get("switch") in ("open", "closed"):
        return {"switch": found["switch"]}
    if found.get("press") in _CONTACTS:
        return {"press": found["press"]}
    return None
