"""What ``make bench-room`` compares our host with: LiveKit's server and Janus' AudioBridge, each with a load of its own."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from appliance.app.demo import free_port
from tools import livekit
from tools.bench.processes import cpu_seconds

FRAME = 0.02
AUDIOBRIDGE = 100
"""Payload type of Opus that Janus' plain participants use here."""


@dataclass(frozen=True)
class Cost:
    """What a server took while ``listeners`` listened."""

    listeners: int
    cores: float
    per_second: float
    """Packets that arrived, all listeners together."""

    @property
    def per_core(self) -> float:
        """Listeners that one core would carry."""
        return self.listeners / self.cores

    @property
    def complete(self) -> float:
        """How much of the 50 packets a second arrived."""
        return self.per_second / (50 * self.listeners)


@contextlib.asynccontextmanager
async def server(*command: str, **environment: str) -> AsyncIterator[int]:
    """A server in a process group of its own; gives its pid."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def until_open(port: int) -> None:
    """Wait until somebody listens on this port of 127.0.0.1.

    :raises TimeoutError: nobody does after 20 s.
    """
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        await asyncio.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")


# ---- LiveKit

_CONFIG = """port: {port}
bind_addresses: ["127.0.0.1"]
rtc: {{udp_port: {udp}, tcp_port: {tcp}, use_external_ip: false, node_ip: 127.0.0.1, enable_loopback_candidate: true}}
room: {{auto_create: true, empty_timeout: 3600, departure_timeout: 3600}}
logging: {{level: error}}
keys: {{{key}: {secret}}}
"""


async def livekit_cost(listeners: int, seconds: float, packets: Sequence[bytes]) -> Cost:
    """One talker to ``listeners`` members of a LiveKit room."""
    key, secret = "bench", secrets.token_hex(32)
    port = free_port("127.0.0.1", 21_000)
    with tempfile.TemporaryDirectory() as folder:
        config, speech = Path(folder) / "livekit.yaml", Path(folder) / "speech.opus"
        config.write_text(_CONFIG.format(port=port, udp=port + 2, tcp=port + 1, key=key, secret=secret))
        speech.write_bytes(b"".join(struct.pack("!H", len(packet)) + packet for packet in packets))
        async with server(str(livekit.SERVER), "--config", str(config)) as pid:
            await until_open(port)
            load = await asyncio.create_subprocess_exec(
                *(str(livekit.LOAD), f"ws://127.0.0.1:{port}", "1", str(listeners), str(speech)),
                env={**os.environ, "LIVEKIT_KEY": key, "LIVEKIT_SECRET": secret},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            try:
                return await _watched(load, pid, listeners, seconds)
            finally:
                load.kill()
                await load.wait()


async def _watched(load: asyncio.subprocess.Process, pid: int, listeners: int, seconds: float) -> Cost:
    """Wait until all hear something, then measure."""
    looks = 60
    while (hearing := (await _said(load))["tracks"]) < listeners:
        looks -= 1
        if not looks:
            raise TimeoutError(f"only {hearing} of {listeners} listeners hear something")
    await _said(load)
    before, cpu, begin = await _said(load), cpu_seconds(pid), time.monotonic()
    after = before
    while time.monotonic() < begin + seconds:
        after = await _said(load)
    passed = time.monotonic() - begin
    return Cost(listeners, (cpu_seconds(pid) - cpu) / passed, (after["packets"] - before["packets"]) / passed)


async def _said(load: asyncio.subprocess.Process) -> dict[str, int]:
    if load.stdout is None:
        raise RuntimeError("the load client has no output")
    found: dict[str, int] = json.loads(await load.stdout.readline())
    return found


# ---- Janus

_PLUGINS = "/usr/lib/{}-linux-gnu/janus"
_JANUS = {
    "janus.jcfg": """general: {{
 configs_folder = "{folder}"
 plugins_folder = "{libraries}/plugins"
 transports_folder = "{libraries}/transports"
 events_folder = "{folder}/none"
 loggers_folder = "{folder}/none"
 interface = "127.0.0.1"
 debug_level = 2
 api_secret = "{secret}"
 {general}
}}
{more}
plugins: {{ disable = "{others}" }}
transports: {{ disable = "libjanus_rabbitmq.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_websockets.so" }}
""",
    "janus.transport.http.jcfg": """general: {{
 json = "compact", base_path = "/janus", http = true, port = {port}, ip = "127.0.0.1", https = false
}}
admin: {{ admin_http = false }}
""",
    "janus.plugin.audiobridge.jcfg": """general: {{ local_ip = "127.0.0.1", rtp_port_range = "50000-59999" }}
room-1: {{ description = "bench", sampling_rate = 48000, audiolevel_ext = true, audiolevel_event = false,
 allow_rtp_participants = true, record = false{room} }}
""",
}


class Janus:
    """A session of Janus' HTTP interface, as far as the AudioBridge needs it."""

    def __init__(self, http: aiohttp.ClientSession, url: str, secret: str) -> None:
        self._http, self._url, self._secret = http, url, secret

    async def ask(self, path: str, **message: Any) -> dict[str, Any]:
        """One request and its answer."""
        body = {"transaction": secrets.token_hex(6), "apisecret": self._secret, **message}
        async with self._http.post(self._url + path, json=body) as response:
            found: dict[str, Any] = await response.json(content_type=None)
        if found.get("janus") == "error":
            raise RuntimeError(found["error"]["reason"])
        return found

    async def event(self, session: str) -> dict[str, Any]:
        """The next event of the session."""
        async with self._http.get(self._url + session, params={"apisecret": self._secret}) as response:
            found: dict[str, Any] = await response.json(content_type=None)
        return found


def write_janus(folder: Path, port: int, secret: str, plugins: Sequence[str] = ("audiobridge",), **more: str) -> None:
    """Write what Janus is told.

    :param more: what stands further in its ``general``, after it (``more``), and in the ``room``.
    """
    libraries = _PLUGINS.format(os.uname().machine)
    there = [path.name for path in Path(libraries, "plugins").glob("*.so")]
    others = ",".join(name for name in there if not any(kept in name for kept in plugins))
    words = {"general": "", "more": "", "room": "", **more}
    for name, text in _JANUS.items():
        made = text.format(folder=folder, libraries=libraries, secret=secret, port=port, others=others, **words)
        (folder / name).write_text(made)


async def audiobridge_cost(listeners: int, seconds: float, packets: Sequence[bytes]) -> Cost:
    """One talker to ``listeners`` plain RTP participants of an AudioBridge: no SRTP to pay for, unlike ours."""
    port, secret = free_port("127.0.0.1", 22_000), secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as folder:
        write_janus(Path(folder), port, secret)
        async with server("janus", "-F", folder, "-C", f"{folder}/janus.jcfg") as pid, aiohttp.ClientSession() as http:
            await until_open(port)
            janus = Janus(http, f"http://127.0.0.1:{port}/janus", secret)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
                own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
                own.bind(("127.0.0.1", 0))
                ways = await participants(janus, listeners, own.getsockname()[1])
                return await asyncio.to_thread(_bridged, own, ways, pid, seconds, packets)


async def participants(janus: Janus, count: int, port: int) -> list[tuple[str, int]]:
    """Join plain RTP participants that are sent to ``port``; gives where each sends to."""
    session = f"/{(await janus.ask('', janus='create'))['data']['id']}"
    ways = []
    for number in range(count):
        attached = await janus.ask(session, janus="attach", plugin="janus.plugin.audiobridge")
        await janus.ask(
            f"{session}/{attached['data']['id']}",
            janus="message",
            body={
                "request": "join",
                "room": 1,
                "display": f"p{number}",
                "muted": number > 0,
                "rtp": {"ip": "127.0.0.1", "port": port, "payload_type": AUDIOBRIDGE, "audiolevel_ext": 1},
            },
        )
        data: dict[str, Any] = {}
        while "rtp" not in data:
            data = (await janus.event(session)).get("plugindata", {}).get("data", {})
            if "error" in data:
                raise RuntimeError(data["error"])
        ways.append((data["rtp"]["ip"], data["rtp"]["port"]))
    return ways


def _bridged(
    own: socket.socket, ways: Sequence[tuple[str, int]], pid: int, seconds: float, packets: Sequence[bytes]
) -> Cost:
    """Talk as the first participant, count what all get."""
    own.setblocking(False)
    for way in ways:  # a participant is sent to once it has sent something
        own.sendto(struct.pack("!BBHII", 0x80, AUDIOBRIDGE, 0, 0, 9) + packets[0], way)
    begin, number, received = time.monotonic(), 0, 0
    cpu, measured = 0.0, 0.0
    while (now := time.monotonic()) < begin + seconds + 2:
        if not measured and now >= begin + 2:  # by then the bridge has begun to mix for all
            measured, cpu, received = now, cpu_seconds(pid), 0
        if now >= begin + number * FRAME:
            head = struct.pack("!BBHII", 0x80, AUDIOBRIDGE, number & 0xFFFF, number * 960 & 0xFFFFFFFF, 7)
            own.sendto(head + packets[number % len(packets)], ways[0])
            number += 1
        received += _drained(own)
        time.sleep(0.002)
    passed = time.monotonic() - measured
    return Cost(len(ways), (cpu_seconds(pid) - cpu) / passed, received / passed)


def _drained(own: socket.socket) -> int:
    count = 0
    try:
        while True:
            own.recv(2048)
            count += 1
    except BlockingIOError:
        return count
