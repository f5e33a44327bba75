"""A crowd before a real host: a port of ours through which a device joins, and which says that thousands are with it.

All that the device says goes to the host, and its sound never comes by here. What presence tells it is the host's, with more
members in the welcome, and with levels of ours in place of the host's.
"""

import asyncio
import itertools
import json
import random
import time
from typing import Any

import aiohttp
from aiohttp import web

from tools.bench.page_stage import Message, member

_OF_ONE_HOP = frozenset({"host", "connection", "transfer-encoding", "content-length", "content-encoding"})
_GATHERS = aiohttp.ClientTimeout(total=30)


def with_crowd(welcome: Message, count: int) -> Message:
    """The welcome of a room in which ``count`` more are."""
    return {**welcome, "members": [*welcome["members"], *(member(number) for number in range(count))]}


class Crowd:
    """A host's port for one device.

    :param count: members that the device is told of and who are not there.
    :param talkers: who speaks, by identity; they are really there.
    :param rate: level updates a second.
    """

    def __init__(self, count: int, talkers: tuple[str, ...], rate: float) -> None:
        self._count, self._talkers, self._every = count, talkers, 1 / rate
        self._host = ""
        self._random = random.Random(count)  # noqa: S311  # levels, no secrets
        self._runner: web.AppRunner | None = None
        self._http: aiohttp.ClientSession | None = None
        self.updates = 0
        """Level updates told so far."""

    async def start(self, port: int) -> None:
        """Listen on 127.0.0.1."""
        self._http = aiohttp.ClientSession(timeout=_GATHERS, auto_decompress=False)
        app = web.Application()
        app.router.add_get("/rooms/{room}/presence", self._presence)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()

    def stand_before(self, host: str) -> None:
        """Pass all on to the host at this address: "http://…"."""
        self._host = host

    async def stop(self) -> None:
        """Close everything."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._http is not None:
            await self._http.close()

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("the crowd has not been started")
        return self._http

    async def _pass_on(self, request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_HOP}
        async with self._session.request(
            request.method, self._host + request.path_qs, headers=headers, data=await request.read()
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_ONE_HOP}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    async def _presence(self, request: web.Request) -> web.StreamResponse:
        down = web.WebSocketResponse(compress=False)
        await down.prepare(request)
        async with self._session.ws_connect(self._host + request.path_qs, max_msg_size=0) as up:
            ways = [asyncio.create_task(self._upward(down, up)), asyncio.create_task(self._downward(up, down))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        await down.close()
        return down

    async def _upward(self, down: web.WebSocketResponse, up: aiohttp.ClientWebSocketResponse) -> None:
        async for message in down:
            await up.send_str(message.data)

    async def _downward(self, up: aiohttp.ClientWebSocketResponse, down: web.WebSocketResponse) -> None:
        telling: asyncio.Task[None] | None = None
        try:
            async for message in up:
                said = json.loads(message.data)
                if said["type"] == "welcome":
                    said = with_crowd(said, self._count)
                    telling = asyncio.create_task(self._tell(down, said["members"]))
                if said["type"] != "levels":
                    await down.send_json(said)
        finally:
            if telling is not None:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)

    async def _tell(self, down: web.WebSocketResponse, members: list[Message]) -> None:
        """Say levels, and each second that somebody else than the talkers mutes or is to be heard again."""
        others = [one for one in members if one["id"] not in self._talkers and one["kind"] == "person"]
        began, each = time.monotonic(), round(1 / self._every)
        for number in itertools.count(1):
            await down.send_json(self._levels())
            if others and number % each == 0:
                changed = others[self._random.randrange(len(others))]
                changed["muted"] = not changed["muted"]
                await down.send_json({"type": "member", "member": changed})
            await asyncio.sleep(max(0.0, began + number * self._every - time.monotonic()))

    def _levels(self) -> dict[str, Any]:
        self.updates += 1
        levels = {who: self._random.randint(-40, -12) for who in self._talkers}
        return {"type": "levels", "levels": levels, "speaking": list(self._talkers)}
