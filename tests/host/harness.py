"""A host under test, and the tokens that open it."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from appliance.core.events import Event, EventName
from appliance.core.protocol import Claims, issue
from appliance.core.roster import Kind, Role
from appliance.host.config import HostConfig, RoomConfig
from appliance.host.server import Host

KEY = b"k" * 32
ROOM = "studio"
OTHER_ROOM = "workshop"


def token(identity: str, role: Role = "speaker", kind: Kind = "person", **claims: Any) -> str:
    """A token for the room under test; ``key`` signs it."""
    key = claims.pop("key", KEY)
    fields: dict[str, Any] = {
        "room": ROOM,
        "identity": identity,
        "name": identity.title(),
        "role": role,
        "kind": kind,
        "expires": int(time.time()) + 600,
        "key_id": "k1",
    }
    return issue(Claims(**{**fields, **claims}), key)


class House:
    """A running host, an HTTP client, and everything the host told."""

    def __init__(self, host: Host, http: aiohttp.ClientSession, events: list[Event]) -> None:
        self.host = host
        self.http = http
        self.events = events
        self.base = f"http://127.0.0.1:{host.address[1]}"

    def told(self, name: EventName) -> list[Event]:
        return [event for event in self.events if event.name is name]

    def count(self, name: str) -> int:
        return self.host.counters.get(name)

    def url(self, path: str = f"/rooms/{ROOM}/media") -> str:
        return self.base + path


@asynccontextmanager
async def house(folder: Path, extra_routes: Sequence[web.RouteDef] = (), **settings: Any) -> AsyncIterator[House]:
    """A host with two rooms on loopback; ``settings`` change its config."""
    events: list[Event] = []
    fields: dict[str, Any] = {
        "certificate_path": folder / "host.pem",
        "rooms": (RoomConfig(ROOM, "Studio", {"k1": KEY}), RoomConfig(OTHER_ROOM, "Workshop", {"k1": b"w" * 32})),
    }
    host = Host(HostConfig(**{**fields, **settings}), events.append, extra_routes)
    await host.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield House(host, http, events)
    finally:
        await host.stop()
        await asyncio.sleep(0)  # transports say goodbye in the loop's next turn
