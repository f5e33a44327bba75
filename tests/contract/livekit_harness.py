"""LiveKit for the contract suite: a real livekit-server in a network of the tests' own (tools/livekit.py builds it)."""

import asyncio
import contextlib
import functools
import itertools
import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from livekit import rtc

from appliance.core.roster import Role
from appliance.core.units import RATE, Pcm
from appliance.rooms.contract import Engine
from appliance.rooms.livekit import LiveKitEngine, LiveKitSettings
from appliance.rooms.livekit_stay import Stay
from appliance.rooms.livekit_tokens import Tokens, issue, own_tokens
from appliance.rooms.livekit_uplink import BlockUplink
from tests.contract.apart import ADDRESS, apart
from tests.contract.rig import Rig
from tests.support import need
from tests.support.leaks import PEERS, kept
from tools.livekit import SERVER

KEY, SECRET = "kontor", b"SECRET-of-at-least-32-characters-long"
_FREE = itertools.count(20_000)
"""Ports of the tests' own network, below those that the kernel gives away there."""
_BELONGS = 315_360_000
"""Seconds that an empty room is kept: ten years."""


class LiveKitServer:
    """One node, without Redis."""

    name = "livekit"

    def __init__(self, folder: Path, **room: Any) -> None:
        need(SERVER, "LiveKit's server is built by: make tools-livekit")
        self._folder = folder
        self._more = room
        self._apart = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._ports: tuple[int, ...] = ()
        self._used = 0

    def start(self) -> None:
        if not self._ports:
            self._apart.enter_context(apart())
            _wake_library()
            self._ports = tuple(next(_FREE) for _ in range(3))
            PEERS.add((ADDRESS, self._ports[0]))
            (self._folder / "livekit.yaml").write_text(json.dumps(self._settings()))
        with (self._folder / "livekit.log").open("ab") as log:
            self._process = subprocess.Popen(
                [SERVER, "--config", str(self._folder / "livekit.yaml")], stdout=log, stderr=log
            )
        self._await_answer()

    def _settings(self) -> dict[str, Any]:
        http, udp, tcp = self._ports
        kept = {"auto_create": True, "empty_timeout": _BELONGS, "departure_timeout": _BELONGS}
        return {
            "port": http,
            "bind_addresses": [ADDRESS],
            "rtc": {"udp_port": udp, "tcp_port": tcp, "use_external_ip": False, "node_ip": ADDRESS},
            "keys": {KEY: SECRET.decode()},
            "room": {**kept, **self._more},
            "logging": {"level": "info"},
        }

    def _await_answer(self) -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(self.url.replace("ws", "http", 1), timeout=1):
                    return
            except (OSError, urllib.error.URLError):
                time.sleep(0.02)
        self.kill()
        raise AssertionError(f"livekit-server did not start:\n{(self._folder / 'livekit.log').read_text()[-2000:]}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self.kill()  # asked to stop it waits for its last member
        self._apart.close()
        PEERS.discard((ADDRESS, self._ports[0]) if self._ports else None)
        self._ports = ()

    @property
    def url(self) -> str:
        return f"ws://{ADDRESS}:{self._ports[0]}"

    def room(self) -> "LiveKitRoom":
        self._used += 1
        return LiveKitRoom(self.url, f"room-{self._used}")


@functools.cache
def _wake_library() -> None:
    """The library starts its threads with the first thing that is asked of it: from inside the network in which it is to be."""

    async def ask() -> None:
        await rtc.AudioSource(RATE, 1).aclose()

    with kept():
        asyncio.run(ask())


class LiveKitRoom:
    """One of its rooms."""

    def __init__(self, url: str, room: str) -> None:
        self.url = url
        self.room = room

    @property
    def mutants(self) -> "LiveKitMutants":
        return LiveKitMutants(self)

    def tokens(self, identity: str, name: str = "", **grants: Any) -> Tokens:
        allowed = {
            "roomJoin": True,
            "room": self.room,
            "canPublish": True,
            "canSubscribe": True,
            "canPublishData": True,
        }
        granted = {**allowed, "canUpdateOwnMetadata": True, **grants}
        more = {"name": name or identity.capitalize()}
        return lambda: issue(KEY, SECRET, granted, round(time.time()), identity=identity, more=more)

    def site_settings(self, index: int = 0) -> LiveKitSettings:
        identity = f"{self.room}-site-{index}"
        return LiveKitSettings((self.url,), identity, own_tokens(KEY, SECRET, self.room, identity, identity))

    def site(self, index: int = 0) -> Rig:
        settings = self.site_settings(index)
        return Rig(LiveKitEngine(settings), settings.identity)

    def person(self, name: str, role: Role = "speaker") -> Rig:
        tokens = self.tokens(name, canPublish=role in ("speaker", "admin"))
        settings = LiveKitSettings((self.url,), name, tokens, kind="person")
        return Rig(LiveKitEngine(settings), name)

    def strangers(self) -> Mapping[str, Engine]:
        identity = f"{self.room}-site-0"
        hour_ago = round(time.time()) - 4000
        grants = {"roomJoin": True, "room": self.room}

        def engine(tokens: Tokens) -> Engine:
            return LiveKitEngine(LiveKitSettings((self.url,), identity, tokens))

        return {
            "a token that is none": engine(lambda: "SECRET.SECRET.SECRET"),
            "an expired token": engine(lambda: issue(KEY, SECRET, grants, hour_ago, identity=identity)),
            "a wrong secret": engine(own_tokens(KEY, b"x" * 32, self.room, identity, identity)),
            "a key that nobody knows": engine(own_tokens("nobody", SECRET, self.room, identity, identity)),
            "a token that lets nobody in": engine(self.tokens(identity, roomJoin=False)),
        }

    # ---- as the server's own interface lets an admin do it (Twirp, in JSON)

    async def ask_server(self, method: str, service: str = "RoomService", **request: Any) -> dict[str, Any]:
        grants = {"roomAdmin": True, "roomCreate": True, "roomList": True, "room": self.room}
        token = issue(KEY, SECRET, grants, round(time.time()))
        url = f"{self.url.replace('ws', 'http', 1)}/twirp/livekit.{service}/{method}"
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as http, http.post(url, json=request, headers=headers) as answer:
            said: dict[str, Any] = await answer.json()
            assert answer.status == 200, said
            return said

    async def permit(self, target: Rig, *, speak: bool) -> None:
        rights = {"can_subscribe": True, "can_publish": speak, "can_publish_data": True, "can_update_metadata": True}
        await self.ask_server("UpdateParticipant", room=self.room, identity=target.identity, permission=rights)

    async def mute(self, target: Rig) -> None:
        await self.permit(target, speak=False)

    async def lift(self, target: Rig) -> None:
        await self.permit(target, speak=True)

    async def mute_track(self, target: Rig, *, muted: bool = True) -> None:
        """As LiveKit's own dashboards do it: the member may undo it. Unmuting needs ``enable_remote_unmute``."""
        there = await self.ask_server("GetParticipant", room=self.room, identity=target.identity)
        track = there["tracks"][0]["sid"]
        await self.ask_server(
            "MutePublishedTrack", room=self.room, identity=target.identity, track_sid=track, muted=muted
        )

    async def set_attribute(self, target: Rig, **attributes: str) -> None:
        """Only the holder of the server's key can do that with somebody else."""
        named = {f"kontor.{key}": value for key, value in attributes.items()}
        await self.ask_server("UpdateParticipant", room=self.room, identity=target.identity, attributes=named)

    async def ask(self, target: Rig) -> None:
        await self.set_attribute(target, ask_unmute="Ada")

    async def shut_door(self, target: Rig) -> None:
        await self.set_attribute(target, door="closed")

    async def record(self, target: Rig, *, on: bool) -> None:
        target.report(gate_open=False, recording=on)

    async def remove(self, target: Rig) -> None:
        await self.ask_server("RemoveParticipant", room=self.room, identity=target.identity)


def stay_of(rig: Rig) -> Stay:
    """Its stay in the room just now."""
    assert isinstance(rig.engine, LiveKitEngine)
    assert rig.engine._stay is not None
    return rig.engine._stay


class LetsOneBlockThrough(BlockUplink):
    """One block waits always, and leaves when the gate has closed."""

    def _close(self) -> None:
        """Nothing is thrown away."""

    def _next(self) -> Pcm | None:
        if len(self._waiting) < 2 and not self._proof.closed:
            return None
        while self._waiting:
            block = self._waiting.popleft()
            if self._proof.leaving(block):
                return block
        return None


class ForgetsToEmpty(BlockUplink):
    """What waited when the gate closed waits until it opens again."""

    def _close(self) -> None:
        """Nothing is thrown away."""

    def _next(self) -> Pcm | None:
        return super()._next() if len(self._waiting) > 1 else None


class Repeats(BlockUplink):
    """What left last waits to leave once more."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._last: Pcm = np.zeros(480, np.int16)

    def _close(self) -> None:
        self._waiting.clear()
        self._waiting.append(self._last)

    def _next(self) -> Pcm | None:
        block = super()._next()
        if block is not None:
            self._last = block
        return block


class LiveKitMutants:
    """The engine with the mutants of its way up."""

    def __init__(self, room: LiveKitRoom) -> None:
        self._room = room

    def lets_one_block_through(self) -> Engine:
        return self._with(LetsOneBlockThrough)

    def forgets_to_reset(self) -> Engine:
        return self._with(ForgetsToEmpty)

    def repeats_frames(self) -> Engine:
        return self._with(Repeats)

    def _with(self, uplink: type[BlockUplink]) -> Engine:
        return LiveKitEngine(self._room.site_settings(), uplink=uplink)
