"""The hosted room for the contract suite: our own host in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from appliance.core import protocol
from appliance.core.roster import Kind, Role
from appliance.rooms.contract import Engine
from appliance.rooms.held import MediaSettings
from appliance.rooms.hosted import HostedEngine, HostedSettings
from appliance.rooms.signalling import Credentials, device_credentials, fixed_credentials
from appliance.rooms.uplink import CodecSettings, Uplink
from tests.contract.rig import Rig
from tests.rooms.mutants import ForgetsToReset, LetsOneBlockThrough, RemembersFrames

ROOMS = 40
_KEY = bytes(range(32))


class HostedServer:
    """Our own host in a process of its own.

    :param more: where it listens and its ``tls``, as hosted_host.py takes them; else it is the loopback's, without.
    """

    name = "hosted"

    def __init__(self, folder: Path, **more: Any) -> None:
        self._folder = folder
        self._more = more
        self._device_key = Ed25519PrivateKey.generate()
        self._process: subprocess.Popen[str] | None = None
        self._ports = {"http": 0, "udp": 0}
        self._used = 0

    def start(self) -> None:
        rooms = [f"room-{n}" for n in range(ROOMS)]
        given = {
            "certificate": str(self._folder / "host.pem"),
            "key": _KEY.hex(),
            "rooms": rooms,
            "devices": {f"{room}-site-{n}": room for room in rooms for n in range(2)},
            "public_key": self._device_key.public_key().public_bytes_raw().hex(),
            "http_port": self._ports["http"],
            "udp_port": self._ports["udp"],
            **self._more,
        }
        with (self._folder / "host.log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.contract.hosted_host"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=Path(__file__).parents[2],
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        json.dump(given, self._process.stdin)
        self._process.stdin.close()
        line = self._process.stdout.readline()
        assert line, (self._folder / "host.log").read_text()
        self._ports = json.loads(line)

    def kill(self) -> None:
        self._finish(signal.SIGKILL)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        self._finish(signal.SIGTERM)

    def _signal(self, what: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(what)

    def _finish(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def room(self) -> "HostedRoom":
        self._used += 1
        assert self._used <= ROOMS, "more tests than rooms: raise ROOMS"
        return HostedRoom(self, f"room-{self._used - 1}")

    @property
    def url(self) -> str:
        scheme = "https" if "tls" in self._more else "http"
        return f"{scheme}://{self._more.get('listen', '127.0.0.1')}:{self._ports['http']}"

    def sign(self, text: bytes) -> bytes:
        return self._device_key.sign(text)

    def fingerprint(self) -> bytes:
        """Of the certificate that the media port shows."""
        pem = (self._folder / "host.pem").read_bytes()
        return x509.load_pem_x509_certificate(pem[pem.index(b"-----BEGIN CERTIFICATE") :]).fingerprint(SHA256())


class HostedRoom:
    """One of its rooms."""

    def __init__(self, server: HostedServer, room: str) -> None:
        self._server = server
        self.room = room

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def mutants(self) -> "UplinkMutants":
        return UplinkMutants(lambda uplink: HostedEngine(self.site_settings(), uplink=uplink))

    def token(self, identity: str, role: Role = "speaker", kind: Kind = "person", **changed: object) -> str:
        claims = {
            "room": self.room,
            "identity": identity,
            "name": identity.capitalize(),
            "role": role,
            "kind": kind,
            "expires": int(time.time()) + 600,
            "key_id": "k1",
        }
        return protocol.issue(protocol.Claims(**{**claims, **changed}), _KEY)  # type: ignore[arg-type]

    def settings(
        self, identity: str, credentials: Credentials, room: str = "", pinned: bytes | None = None
    ) -> HostedSettings:
        media = MediaSettings(pinned)
        return HostedSettings(self._server.url, room or self.room, identity, credentials, CodecSettings(), media)

    def site_settings(self, index: int = 0) -> HostedSettings:
        identity = f"{self.room}-site-{index}"
        return self.settings(identity, device_credentials(identity, self._server.sign))

    def site(self, index: int = 0) -> Rig:
        settings = self.site_settings(index)
        return Rig(HostedEngine(settings), settings.identity)

    def person(self, name: str, role: Role = "speaker") -> Rig:
        token = self.token(name, role)
        return Rig(HostedEngine(self.settings(name, fixed_credentials(token))), name)

    def strangers(self) -> Mapping[str, Engine]:
        foreign_key = Ed25519PrivateKey.generate()
        identity = f"{self.room}-site-0"

        def engine(credentials: Credentials, room: str = "", pinned: bytes | None = None) -> Engine:
            return HostedEngine(self.settings(identity, credentials, room, pinned))

        return {
            "a token that is none": engine(fixed_credentials("SECRET.SECRET")),
            "an expired token": engine(fixed_credentials(self.token(identity, expires=1))),
            "a token for another room": engine(fixed_credentials(self.token(identity, room="room-x"))),
            "a token by a key that was rotated": engine(fixed_credentials(self.token(identity, key_id="k0"))),
            "a device with another key": engine(device_credentials(identity, foreign_key.sign)),
            "a device that nobody knows": engine(device_credentials("nobody", foreign_key.sign)),
            "a device of another room": engine(device_credentials(identity, self._server.sign), "room-39"),
            "a room that is not there": engine(fixed_credentials(self.token(identity)), "room-x"),
            "another certificate than the pinned one": engine(
                fixed_credentials(self.token(identity)), pinned=bytes(32)
            ),
        }

    async def mute(self, target: Rig) -> None:
        await self._as_ada(protocol.MuteMember(target.identity))

    async def lift(self, target: Rig) -> None:
        await self._as_ada(protocol.UnmuteMember(target.identity))

    async def ask(self, target: Rig) -> None:
        await self._as_ada(protocol.AskUnmute(target.identity))

    async def shut_door(self, target: Rig) -> None:
        await self._as_ada(protocol.AskDoor(target.identity, "closed"))

    async def remove(self, target: Rig) -> None:
        await self._as_ada(protocol.RemoveMember(target.identity))

    async def record(self, target: Rig, *, on: bool) -> None:
        target.report(gate_open=False, recording=on)

    async def _as_ada(self, message: protocol.ClientMessage) -> None:
        """Say one thing as an admin who only watches."""
        await self._as("ada", "admin", message)

    async def _as(self, who: str, role: Role, message: protocol.ClientMessage) -> None:
        """Say one thing as somebody who only watches."""
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{self._server.url}/rooms/{self.room}/presence") as socket,
        ):
            await socket.send_str(protocol.client_text(protocol.Hello(self.token(who, role))))
            await socket.receive_str()
            await socket.send_str(protocol.client_text(message))


class UplinkMutants:
    """An engine that sends RTP itself, with the mutants of its way up.

    :param made: the engine of one device with this way up.
    :param repeats: the mutant that sends frames of before once more.
    """

    def __init__(self, made: Callable[[type[Uplink]], Engine], repeats: type[Uplink] = RemembersFrames) -> None:
        self._made, self._repeats = made, repeats

    def lets_one_block_through(self) -> Engine:
        return self._made(LetsOneBlockThrough)

    def forgets_to_reset(self) -> Engine:
        return self._made(ForgetsToReset)

    def repeats_frames(self) -> Engine:
        return self._made(self._repeats)
