"""A stand-in host for the page alone: as many members as one likes, and levels as often as one likes.

The page is served as the real host serves it. What presence says here means nothing: no sound is behind it.
"""

import asyncio
import base64
import itertools
import json
import random
import time
from typing import Any

from aiohttp import web

from appliance.host.http import Refusal
from appliance.host.pages import Pages

ROOM = "bench"
TALKERS = 12
"""So many members' levels change with each update,"""
AT_ONCE = 3
"""and so many of them speak, for"""
TURN = 90
"""updates each: 3 s at 30 a second."""

Message = dict[str, Any]


def member(number: int) -> Message:
    """One of many, as presence carries it."""
    name = f"Member {number:03}"
    return {
        "id": f"m{number}",
        "name": name,
        "initials": f"M{number % 10}",
        "kind": "person",
        "role": "speaker",
        "state": "listening",
        "joined": True,
        "muted": False,
        "admin_muted": False,
        "hand": False,
        "sign": {"hue": number % 8, "place": number % 12},
        "site": None,
    }


def token() -> str:
    """A token that nobody checks."""
    claims = base64.urlsafe_b64encode(json.dumps({"room": ROOM, "name": "Bench"}).encode()).decode().rstrip("=")
    return f"{claims}.signature"


class Stage:
    """A host with ``members`` members on 127.0.0.1."""

    def __init__(self, members: int, seed: int = 1, role: str = "speaker") -> None:
        """:param role: of whoever looks on."""
        self._role = role
        self.members = [member(number) for number in range(members)]
        self.sent = 0
        """Level updates so far."""
        self._random = random.Random(seed)  # noqa: S311  # levels, no secrets
        self._pages = Pages()
        self._socket: web.WebSocketResponse | None = None
        self.watched = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.address = ""

    async def start(self) -> None:
        """Listen on any port."""
        app = web.Application()
        app.router.add_get(f"/rooms/{ROOM}/presence", self._presence)
        for path in ("/page/{file:.+}", "/worker.js", "/{room}"):
            app.router.add_get(path, self._page)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"http://localhost:{self._runner.addresses[0][1]}/{ROOM}#{token()}"

    async def stop(self) -> None:
        """Close everything."""
        if self._socket is not None:
            await self._socket.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def levels(self, times: int = 1) -> None:
        """Say levels, so many times."""
        for _ in range(times):
            turn = self.sent // TURN
            shift = [f"m{(turn * AT_ONCE + n) % len(self.members)}" for n in range(TALKERS)]
            said = {who: self._random.randint(-45, -10) if n < AT_ONCE else -127 for n, who in enumerate(shift)}
            await self._say(type="levels", levels=said, speaking=shift[:AT_ONCE])
            self.sent += 1

    async def happenings(self) -> None:
        """What else happens in a room in a minute: somebody leaves and somebody comes, mutes, raises a hand, is seated."""
        going = self.members.pop(self._random.randrange(len(self.members)))
        await self._say(type="left", id=going["id"])
        await self._say(type="member", member=going)
        self.members.append(going)
        for one in self._random.sample(self.members, 4):
            one["muted"] = not one["muted"]
            one["state"] = "muted" if one["muted"] else "listening"
            await self._say(type="member", member=one)
        slots = [one["id"] for one in self._random.sample(self.members, 3)]
        await self._say(type="slots", slots=slots)

    async def a_day(self, pause: float = 0.4) -> None:
        """Once all that comes without a press of whoever looks on, so many seconds apart; at the end the room is shut."""
        first, last = member(0) | {"id": "first", "name": "Aaron"}, member(1) | {"id": "last", "name": "Zoe Zander"}
        raised = self.members[2] | {"hand": True, "state": "hand"}
        starts = time.time() + 1
        for happens in (
            {"type": "member", "member": raised},
            {"type": "member", "member": last},
            {"type": "member", "member": first},
            {"type": "slots", "slots": [one["id"] for one in self.members[3:6]]},
            {"type": "left", "id": "first"},
            {"type": "left", "id": "last"},
            {"type": "knock", "by": {"id": "sam", "name": "Sam Okafor"}},
            {"type": "title", "title": "A room with a long title"},
            {
                "type": "recording",
                "on": True,
                "since": starts - 1,
                "starts": starts,
                "by": {"id": "m3", "name": "Member 003"},
            },
            {"type": "device_asks", "device": {"id": "attic", "name": "Attic"}},
            {"type": "recording", "on": False},
        ):
            await self._say(**happens)
            await self.at_rate(30, pause if happens["type"] != "recording" else 7)
        await self._close(4401, b"expired")

    async def _close(self, code: int, reason: bytes) -> None:
        if self._socket is not None:
            await self._socket.close(code=code, message=reason)

    async def _say(self, **message: Any) -> None:
        if self._socket is None:
            raise RuntimeError("Nobody watches.")
        await self._socket.send_json(message)

    async def at_rate(self, rate: int, seconds: float) -> None:
        """Say levels ``rate`` times a second."""
        began = time.monotonic()
        for number in itertools.count(1):
            await self.levels()
            if (ahead := began + number / rate - time.monotonic()) > 0:
                await asyncio.sleep(ahead)
            if number >= rate * seconds:
                return

    async def _presence(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await socket.receive_json()
        await socket.send_json(self._welcome())
        self._socket = socket
        self.watched.set()
        async for _ in socket:
            pass
        return socket

    def _welcome(self) -> Message:
        return {
            "type": "welcome",
            "v": 1,
            "you": {"id": "bench", "name": "Bench", "role": self._role, "kind": "person"},
            "room": {"id": ROOM, "title": "Bench"},
            "now": time.time(),
            "recording": None,
            "last_spoke": None,
            "members": self.members,
            "slots": [None, None, None],
            "capabilities": {"levels": "real", "hands": True, "admin_mute": True, "volumes": True},
            "listen_only": None,
            "guest": False,
            "mute_new": False,
        }

    async def _page(self, request: web.Request) -> web.StreamResponse:
        serve = self._pages.worker if request.path == "/worker.js" else self._pages.index
        try:
            return await (self._pages.file if "file" in request.match_info else serve)(request)
        except Refusal as refusal:
            return refusal.response()
