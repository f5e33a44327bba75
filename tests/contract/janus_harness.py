"""Debian's Janus for the contract suite: its AudioBridge with permanent rooms, in a network of the tests' own."""

import asyncio
import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import ipaddress
import json
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.core.roster import Kind, Role
from appliance.rooms.contract import Engine
from appliance.rooms.janus import JanusEngine, JanusSettings
from appliance.rooms.janus_gateway import PLUGIN
from tests.contract.apart import apart
from tests.contract.hosted_harness import UplinkMutants
from tests.contract.rig import Rig
from tests.rooms.mutants import RemembersFrames
from tests.support import need

ROOMS = 60
PIN = "SECRET-pin"
_ADMIN = "SECRET-of-admins"
_SIGNS = "SECRET-that-signs-tokens"
_UP = 15.0
"""Seconds that it may take to start."""

_KEPT_OFF = (
    "voicemail",
    "recordplay",
    "lua",
    "duktape",
    "sip",
    "nosip",
    "videocall",
    "videoroom",
    "textroom",
    "echotest",
)


def token(seconds: float = 3600) -> str:
    """One that Janus' own authentication takes for so long (its signed mode)."""
    what = f"{int(time.time() + seconds)},janus,{PLUGIN},janus.plugin.streaming"
    return f"{what}:{base64.b64encode(hmac.digest(_SIGNS.encode(), what.encode(), hashlib.sha1)).decode()}"


class JanusServer:
    """Janus in a process of its own.

    :param more: what stands in its files besides, by their names.
    """

    name = "janus"

    def __init__(self, folder: Path, more: Mapping[str, str] = MappingProxyType({})) -> None:
        self._folder = folder
        self._more = more
        self._process: subprocess.Popen[bytes] | None = None
        self._inside = contextlib.ExitStack()
        self._used = 0
        self.address, self.port, self.safe_port = "", 0, 0

    def start(self) -> None:
        need("janus", "Debian's janus is the server that its engine is tried with")
        if not self.port:
            self.address = self._inside.enter_context(apart())
            with socket.create_server((self.address, 0)) as free, socket.create_server((self.address, 0)) as safe:
                self.port, self.safe_port = free.getsockname()[1], safe.getsockname()[1]
            certificate(self.address, self._folder)
            files = configuration(self._folder, self.address, self.port, self.safe_port)
            for name in {*files, *self._more}:
                (self._folder / name).write_text(merged(files.get(name, ""), self._more.get(name, "")))
        with (self._folder / "janus.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["janus", "--configs-folder", str(self._folder), "--config", str(self._folder / "janus.jcfg")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait_until_it_listens()

    def _wait_until_it_listens(self) -> None:
        end = time.monotonic() + _UP
        while True:
            try:
                socket.create_connection((self.address, self.port), 1).close()
            except OSError:
                assert self._process is not None
                assert self._process.poll() is None, self.log()[-2000:]
                assert time.monotonic() < end, self.log()[-2000:]
                time.sleep(0.02)
            else:
                return

    def log(self) -> str:
        """All that it has said."""
        return (self._folder / "janus.log").read_text(errors="replace")

    def kill(self) -> None:
        self._finish(signal.SIGKILL)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        self._finish(signal.SIGTERM)
        self._inside.close()

    def _signal(self, what: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(what)

    def _finish(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._process = None

    def room(self) -> "JanusRoom":
        self._used += 1
        assert self._used <= ROOMS, "more tests than rooms: raise ROOMS"
        return JanusRoom(self, self._used)

    @property
    def url(self) -> str:
        return f"ws://{self.address}:{self.port}"

    @property
    def safe_url(self) -> str:
        """With TLS, by a certificate that nobody has signed."""
        return f"wss://{self.address}:{self.safe_port}"

    @property
    def certificate(self) -> Path:
        return self._folder / "tls.pem"


def certificate(address: str, folder: Path) -> None:
    """One for TLS, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "janus")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "tls.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "tls.key").write_bytes(secret)


def merged(ours: str, theirs: str) -> str:
    """Two files of Janus' as one: where both have a section, what is in it."""
    for name, inside in re.findall(r"^(\w+): \{\n(.*?)^\}", theirs, re.MULTILINE | re.DOTALL):
        head = f"{name}: {{"
        if head in ours:
            told = set(re.findall(r"^\s*(\w+) =", inside, re.MULTILINE))
            kept = "\n".join(line for line in ours.split("\n") if line.strip().split(" =")[0] not in told)
            ours = kept.replace(head, f"{head}\n{inside}", 1)
            theirs = theirs.replace(f"{head}\n{inside}}}", "")
    return f"{ours}\n{theirs}"


def configuration(folder: Path, address: str, port: int, safe_port: int) -> Mapping[str, str]:
    """Its files by their names. Rooms of the configuration are there again after a restart."""
    home = Path(shutil.which("janus") or "/usr/bin/janus").parent.parent / "lib"
    parts = next(iter(home.glob("*/janus")), home / "janus")
    off = ",".join(f"libjanus_{name}.so" for name in _KEPT_OFF)
    ways = ",".join(f"libjanus_{name}.so" for name in ("http", "rabbitmq", "mqtt", "nanomsg", "pfunix"))
    rooms = "\n".join(
        f'room-{n}: {{ description = "Room {n}", secret = "{_ADMIN}", pin = "{PIN}", sampling_rate = 48000,'
        " audiolevel_ext = true, audiolevel_event = true, record = false }"
        for n in range(1, ROOMS + 1)
    )
    return {
        "janus.jcfg": f"""general: {{
            configs_folder = "{folder}"
            plugins_folder = "{parts}/plugins"
            transports_folder = "{parts}/transports"
            events_folder = "{parts}/events"
            loggers_folder = "{parts}/loggers"
            interface = "{address}"
            debug_level = 4
            event_loops = 2
            token_auth = true
            token_auth_secret = "{_SIGNS}"
        }}
        media: {{
            rtp_port_range = "20000-29999"
        }}
        nat: {{ ice_enforce_list = "{address}" }}
        plugins: {{ disable = "{off}" }}
        transports: {{ disable = "{ways}" }}
        """,
        "janus.transport.websockets.jcfg": f"""general: {{
            ws = true
            ws_port = {port}
            ws_ip = "{address}"
            wss = true
            wss_port = {safe_port}
            wss_ip = "{address}"
        }}
        certificates: {{ cert_pem = "{folder}/tls.pem", cert_key = "{folder}/tls.key" }}
        admin: {{ admin_ws = false }}
        """,
        "janus.plugin.audiobridge.jcfg": f"general: {{ }}\n{rooms}\n",
    }


class JanusRoom:
    """One of its rooms."""

    def __init__(self, server: JanusServer, room: int) -> None:
        self.server = server
        self.room = room

    @property
    def mutants(self) -> UplinkMutants:
        return UplinkMutants(lambda uplink: JanusEngine(self.site_settings(), uplink=uplink), SendsAgain)

    def settings(self, identity: str, kind: Kind = "site", **changed: Any) -> JanusSettings:
        given: dict[str, Any] = {
            "url": self.server.url,
            "room": self.room,
            "identity": identity,
            "name": identity.capitalize(),
            "kind": kind,
            "pin": PIN,
            "token": token(),
            "secret": identity.encode(),
        }
        return JanusSettings(**{**given, **changed})

    def site_settings(self, index: int = 0) -> JanusSettings:
        return self.settings(f"room-{self.room}-site-{index}")

    def site(self, index: int = 0) -> Rig:
        settings = self.site_settings(index)
        return Rig(JanusEngine(settings), settings.identity)

    def person(self, name: str, role: Role = "speaker") -> Rig:  # the AudioBridge knows no roles
        return Rig(JanusEngine(self.settings(name, "person")), name)

    def strangers(self) -> Mapping[str, Engine]:
        def engine(**changed: Any) -> Engine:
            return JanusEngine(self.settings("stranger", **changed))

        return {
            "a wrong PIN": engine(pin="SECRET-but-wrong"),
            "no PIN": engine(pin=""),
            "a room that is not there": engine(room=4711),
            "no token": engine(token=""),
            "a token that is none": engine(token="SECRET"),
            "an expired token": engine(token=token(-60)),
        }

    async def mute(self, target: Rig) -> None:
        await self.as_admin("mute", target)

    async def lift(self, target: Rig) -> None:
        await self.as_admin("unmute", target)

    async def remove(self, target: Rig) -> None:
        await self.as_admin("kick", target)

    async def ask(self, target: Rig) -> None:
        raise NotImplementedError

    async def shut_door(self, target: Rig) -> None:
        raise NotImplementedError

    async def record(self, target: Rig, *, on: bool) -> None:
        raise NotImplementedError

    async def as_admin(self, request: str, target: Rig | None = None, **about: Any) -> None:
        """Do something with the room's secret, to ``target`` or to all."""
        async with self.client() as client:
            if target is not None:
                about["id"] = next(
                    one["id"] for one in await client.participants() if target.identity in one["display"]
                )
            await client.plugin({"request": request, "secret": _ADMIN, **about})

    @contextlib.asynccontextmanager
    async def client(self, of: str = PLUGIN) -> AsyncIterator["Client"]:
        """Another client of Janus, which knows nothing of ours."""
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(self.server.url, protocols=("janus-protocol",)) as socket,
        ):
            client = Client(socket, self.room)
            client.ids["session_id"] = (await client.ask("create"))["data"]["id"]
            client.ids["handle_id"] = (await client.ask("attach", plugin=of))["data"]["id"]
            yield client


class Client:
    """Speaks to Janus, one request after another."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, room: int) -> None:
        self._socket = socket
        self.room = room
        self.ids: dict[str, int] = {}

    async def ask(self, what: str, **fields: Any) -> dict[str, Any]:
        transaction = secrets.token_hex(4)
        await self._socket.send_json(
            {"janus": what, "transaction": transaction, "token": token(), **self.ids, **fields}
        )
        async with asyncio.timeout(5):
            while True:
                said: dict[str, Any] = json.loads(await self._socket.receive_str())
                if said.get("transaction") == transaction and said["janus"] != "ack":
                    return said

    async def plugin(self, body: Mapping[str, Any]) -> dict[str, Any]:
        said = await self.ask("message", body={"room": self.room, **body})
        data: dict[str, Any] = said["plugindata"]["data"]
        assert "error" not in data, data
        return data

    async def participants(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.plugin({"request": "listparticipants"}))["participants"]
        return found


class SendsAgain(RemembersFrames):
    """It does so in packets of their own: Janus takes none that have earlier frames in them."""

    def _send(self, payload: bytes, stream: Any) -> None:
        if self._talkspurt and self._sent:
            super()._send(self._sent[-1][1], stream)
        super()._send(payload, stream)
