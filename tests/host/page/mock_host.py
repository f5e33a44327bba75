"""A host for page tests: serves the page under its real policy, and says over presence whatever a test wants said.

It obeys the presence protocol only as far as the page can see; what a member may do is the real host's affair. Media is
answered by a browser page of the same test (:mod:`tests.host.page.answering`), or refused with a status.
"""

import asyncio
import functools
import json
import time
from typing import Any

import segno
from aiohttp import WSMsgType, web
from multidict import CIMultiDict

from appliance.host.http import Refusal
from appliance.host.pages import Pages
from tests.host.page.mock_state import Message, RoomState, member, site, studio, token

__all__ = ["Message", "MockHost", "member", "site", "studio", "token"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class MockHost(RoomState):
    """One room, by default "studio", and its page on 127.0.0.1. Further rooms of the same host are made by :meth:`add`."""

    def __init__(self, room: str = "studio", title: str = "Studio") -> None:
        super().__init__(room, title)
        self.room = room
        self.others: list[MockHost] = []
        """Further rooms; each is spoken for like this one."""
        self.host = self
        """The one that has the port."""
        self.pages = _pages()
        self.away = False
        """There is only a proxy, which says so."""
        self._sockets: set[web.WebSocketResponse] = set()
        self._panels: set[web.WebSocketResponse] = set()
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def address(self) -> str:
        """The page's address, with a token that nobody checks."""
        return f"http://localhost:{self.host.port}/{self.room}#{self.token}"

    @property
    def overview(self) -> str:
        """The address of the overview, with a token for every room."""
        return f"http://localhost:{self.port}/#{'&'.join(one.token for one in (self, *self.others))}"

    def add(self, room: str, title: str, members: list[Message] | None = None) -> "MockHost":
        """Another room of this host; before :meth:`start`."""
        other = MockHost(room, title)
        other.members = members or []
        other.host = self
        self.others.append(other)
        return other

    async def start(self, port: int = 0) -> None:
        """Listen, by default on any port."""
        app = web.Application()
        for one in (self, *self.others):
            one._add_routes(app)
        app.router.add_get("/rooms", self._rooms)
        app.router.add_get("/demo/panel", self._panel)
        for path in ("/page/{file:.+}", "/worker.js", "/", "/{room}", "/devices/{device}"):
            app.router.add_get(path, self._page)
        app.on_response_prepare.append(_add_policy)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        listener = web.TCPSite(self._runner, "127.0.0.1", port)
        await listener.start()
        self.port = self._runner.addresses[0][1]

    def _add_routes(self, app: web.Application) -> None:
        here = f"/rooms/{self.room}"
        app.router.add_get(f"{here}/presence", self._presence)
        app.router.add_post(f"{here}/media", self._media)
        app.router.add_delete(f"{here}/media/{{session}}", self._leave)
        app.router.add_post(f"{here}/token", self._name)
        app.router.add_get(f"{here}/devices", self._devices)
        app.router.add_post(f"{here}/devices/{{device}}/bundle", self._ask_bundle)
        app.router.add_get(f"{here}/bundles/{{word}}", self._bundle)
        app.router.add_post(f"{here}/devices{{rest:.*}}", self._devices)
        app.router.add_post(f"{here}/links", self._links)
        app.router.add_get(f"{here}/removed", self._removed)
        app.router.add_delete(f"{here}/removed/{{member}}", self._allow)

    async def stop(self) -> None:
        """Close every socket and stop listening."""
        for one in (self, *self.others):
            await one.close(1001)
        for panel in list(self._panels):
            await panel.close()
        if self._runner is not None:
            await self._runner.cleanup()

    # ---- what a test does

    async def push(self, *messages: Message) -> None:
        """Say something to every page that watches."""
        for message in messages:
            for socket in list(self._sockets):
                await socket.send_json(message)

    async def speak(self, **levels: int) -> None:
        """Levels in dBov by member; whoever is above -55 dBov speaks."""
        await self.push({"type": "levels", "levels": levels, "speaking": [i for i, v in levels.items() if v > -55]})

    async def change(self, identity: str, **fields: Any) -> None:
        """Change a member and tell it."""
        changed = next(m for m in self.members if m["id"] == identity)
        changed.update(fields)
        await self.push({"type": "member", "member": changed})

    async def push_panel(self, **fields: Any) -> None:
        """Change what the demo's panel shows, and tell it."""
        assert self.panel_state is not None
        self.panel_state.update(fields)
        for panel in list(self._panels):
            await panel.send_json(self.panel_state)

    async def close(self, code: int, reason: str = "") -> None:
        """Close every presence socket with ``code``."""
        for socket in list(self._sockets):
            await socket.close(code=code, message=reason.encode())

    async def heard(self, message: Message, where: list[Message] | None = None) -> None:
        """Wait until the page has said ``message``."""
        said = self.received if where is None else where
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: message in said), 5.0)

    # ---- what the page meets

    async def _presence(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False)  # no thread for long messages
        await socket.prepare(request)
        hello = await socket.receive_json()
        assert hello == {"type": "hello", "v": 1, "token": self.token}
        if self.silent:
            await socket.receive()
            return socket
        if self.refuse is not None:
            await socket.close(code=self.refuse, message=self.reason.encode())
            return socket
        await socket.send_json(self._welcome())
        self._sockets.add(socket)
        await self._changed()
        try:
            await self._read(socket, self.received)
        finally:
            self._sockets.discard(socket)
        return socket

    def _welcome(self) -> Message:
        return {
            "type": "welcome",
            "v": 1,
            "you": self.own,
            "room": {"id": self.room, "title": self.title},
            "now": self.now,
            "recording": self.recording,
            "last_spoke": self.last_spoke,
            "members": self.members,
            "slots": self.slots,
            "capabilities": {"levels": self.levels, "hands": True, "admin_mute": True, "volumes": True},
            "listen_only": self.listen_only,
            "guest": self.you["role"] == "guest",
            "mute_new": False,
        }

    @property
    def now(self) -> float:
        """Unix seconds by the host's clock."""
        return time.time() + self.clock

    async def record(self, seconds: float, **by: str) -> None:
        """Tell that a recording begins in so many seconds, or has been going on for as many."""
        starts = self.now + seconds
        self.recording = {"since": self.now if seconds > 0 else starts - 5, "starts": starts, "by": by or None}
        await self.push({"type": "recording", "on": True, **self.recording})

    async def stop_recording(self) -> None:
        """Tell that it is over."""
        self.recording = None
        await self.push({"type": "recording", "on": False})

    def _is_admin(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self.token}" and self.you["role"] == "admin"

    async def _links(self, request: web.Request) -> web.Response:
        if not self._is_admin(request):
            return refusal(403, "forbidden")
        self.links_asked.append(await request.json())
        if self.links_refuse:
            return refusal(400, self.links_refuse)
        url = f"https://kontor.example/studio#{token(name=self.links_asked[-1]['name'], room='studio')}"
        rows = ["".join(str(module & 1) for module in row) for row in segno.make(url, micro=False).matrix]
        return web.json_response({"url": url, "expires": int(self.now) + 86400 * 30, "qr": rows}, status=201)

    async def _removed(self, request: web.Request) -> web.Response:
        if not self._is_admin(request):
            return refusal(403, "forbidden")
        return web.json_response({"removed": self.removed})

    async def _allow(self, request: web.Request) -> web.Response:
        before = len(self.removed)
        self.removed = [one for one in self.removed if one["id"] != request.match_info["member"]]
        if not self._is_admin(request) or len(self.removed) == before:
            return refusal(404, "not_removed")
        return web.json_response({"allowed": request.match_info["member"]})

    async def _devices(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return refusal(401, "malformed")
        if request.method == "GET":
            return web.json_response({"devices": [], "invited": [], "asking": self.asking})
        self.devices_asked.append({"path": request.path} | await request.json())
        if self.devices_refuse:
            return refusal(409, self.devices_refuse)
        return web.json_response({"id": "room-3", "expires": 1_900_000_000, "toml": "schema = 1\n"})

    async def _ask_bundle(self, request: web.Request) -> web.Response:
        if not self._is_admin(request):
            return refusal(403, "forbidden")
        if self.bundle_refuse:
            return refusal(409, self.bundle_refuse)
        return web.json_response({"bundle": f"of-{request.match_info['device']}"}, status=202)

    async def _bundle(self, request: web.Request) -> web.Response:
        assert self._is_admin(request)
        if self.bundle_refuse:
            return refusal(404, self.bundle_refuse)
        if self.bundle is None:
            return web.Response(status=202)
        return web.Response(body=self.bundle, content_type="application/gzip")

    async def _panel(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False)  # no thread for long messages
        await socket.prepare(request)
        assert await socket.receive_json() == {"token": "once"}
        await socket.send_json(self.panel_state)
        self._panels.add(socket)
        try:
            await self._read(socket, self.panel_received)
        finally:
            self._panels.discard(socket)
        return socket

    async def _read(self, socket: web.WebSocketResponse, into: list[Message]) -> None:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                into.append(json.loads(message.data))
                await self._obey(into[-1])
                await self._changed()

    async def _obey(self, message: Message) -> None:
        """Tell what the page's own mute and hand have come to, as the host does."""
        if code := self.refuses.get(str(message.get("type"))):
            await self.push({"type": "error", "code": code, "text": "In the host's own words."})
        if message.get("type") == "knock" and not self.deaf:
            await self.push({"type": "knock", "by": {"id": self.you["id"], "name": self.you["name"]}})
        if message.get("type") == "title":
            await self._retitle(message["title"])
        own = [m for m in self.members if m["id"] == self.you["id"]]
        if not own or message.get("type") not in ("muted", "hand"):
            return
        muted = message.get("muted", own[0]["muted"])
        hand = message.get("up", own[0]["hand"])
        state = "admin_muted" if own[0]["admin_muted"] else "hand" if hand else "muted" if muted else "listening"
        await self.change(own[0]["id"], muted=muted, hand=hand, state=state)

    async def _retitle(self, title: str) -> None:
        if self.title_refuse:
            await self.push({"type": "error", "code": "bad_title", "text": self.title_refuse})
        else:
            self.title = title
            await self.push({"type": "title", "title": title})

    async def _name(self, _request: web.Request) -> web.Response:
        if self.named is None:
            return web.Response(status=401)
        self.token = self.named
        return web.json_response({"token": self.named})

    async def _rooms(self, _request: web.Request) -> web.Response:
        return web.Response(status=401) if self.rooms is None else web.json_response({"rooms": self.rooms})

    async def _media(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == f"Bearer {self.token}"
        assert request.content_type == "application/sdp"
        offer = await request.text()
        to_answer = self.host.answer
        if self.media_status != 201 or to_answer is None:
            return web.Response(status=self.media_status, text="No.", headers={"Retry-After": "20"})
        answer = await to_answer(offer)
        await self._join()
        headers = CIMultiDict({"Location": f"/rooms/{self.room}/media/1", "ETag": '"1"'})
        for relay in self.relays:
            headers.add("Link", relay)
        return web.Response(status=201, text=answer, content_type="application/sdp", headers=headers)

    async def _join(self) -> None:
        mine = self.you["id"]
        self.members = [m for m in self.members if m["id"] != mine]
        own = member(mine, self.you["name"], *self.sign, role=self.you["role"], muted=True, state="muted")
        self.members.append(own)
        await self.push({"type": "member", "member": own})

    async def _leave(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == f"Bearer {self.token}"
        self.deleted.append(request.match_info["session"])
        self.members = [m for m in self.members if m["id"] != self.you["id"]]
        await self.push({"type": "left", "id": self.you["id"]})
        await self._changed()
        return web.Response()

    async def _page(self, request: web.Request) -> web.StreamResponse:
        if self.away:
            return web.Response(status=502, text="Bad gateway")
        serve = self.pages.worker if request.path == "/worker.js" else self.pages.index
        try:
            return await (self.pages.file if "file" in request.match_info else serve)(request)
        except Refusal as refusal:
            return refusal.response()

    async def _changed(self) -> None:
        async with self._news:
            self._news.notify_all()


def refusal(status: int, why: str) -> web.Response:
    """By a code, with a sentence that no page is to show; or by a sentence of a host that gives no codes."""
    return (Refusal(status, why) if " " in why else Refusal(status, "In the host's own words.", code=why)).response()


@functools.cache
def _pages() -> Pages:
    """The page as it is served, made ready once for all tests."""
    return Pages()


async def _add_policy(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = "no-cache"
