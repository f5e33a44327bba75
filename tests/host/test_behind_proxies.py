"""Behind real reverse proxies, as examples/ sets them up: WebSockets, addresses, encryption, and names that nobody forges."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector, web

from appliance.host.approach import approach_of
from appliance.host.authority import CHAIN, KEY, PUBLIC
from appliance.host.config import Proxy
from appliance.host.http import json_response
from tests.e2e.nets import running
from tests.host.harness import House, house, token
from tests.host.member import Member, Presence
from tests.host.sound import decoded, share_of, tone
from tests.host.test_tls import own_authority
from tests.support import free_port, need, until

EXAMPLES = Path(__file__).parents[2] / "examples"
BEHIND = Proxy(("127.0.0.1",), "X-Forwarded-User")

Prepare = Callable[[Path, int, int], list[str]]


def caddy(folder: Path, port: int, host: int) -> list[str]:
    """The command line of a Caddy that does what the example says, on other ports and with our certificate."""
    text = (EXAMPLES / "Caddyfile").read_text()
    own = folder / "authority"
    for old, new in (
        ("kontor.example.org {", f"https://localhost:{port} {{"),
        ("# tls /etc/kontor/server.crt /etc/kontor/server.key", f"tls {own / CHAIN} {own / KEY}"),
        ("127.0.0.1:8080", f"127.0.0.1:{host}"),
    ):
        assert old in text
        text = text.replace(old, new)
    config = folder / "Caddyfile"
    options = f"{{\n\tadmin off\n\tauto_https disable_redirects\n\tstorage file_system {folder}/caddy\n}}\n"
    config.write_text(options + text)
    return [need("caddy", "Debian's caddy stands in front"), "run", "--adapter", "caddyfile", "--config", str(config)]


def nginx(folder: Path, port: int, host: int) -> list[str]:
    """The same for nginx."""
    text = (EXAMPLES / "nginx.conf").read_text()
    own = folder / "authority"
    for old, new in (
        ("listen 443 ", f"listen 127.0.0.1:{port} "),
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("/etc/kontor/server.crt", str(own / CHAIN)),
        ("/etc/kontor/server.key", str(own / KEY)),
        ("127.0.0.1:8080", f"127.0.0.1:{host}"),
    ):
        assert old in text
        text = text.replace(old, new)
    config = folder / "nginx.conf"
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"pid {folder}/nginx.pid;\ndaemon off;\nworker_processes 1;\nerror_log stderr;\nuser root;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}\n{text}\n}}\n"
    )
    return [need(_NGINX, "Debian's nginx stands in front"), "-p", str(folder), "-c", str(config)]


_NGINX = Path("/usr/sbin/nginx")


async def whence(request: web.Request) -> web.Response:
    """How a request came, as the host sees it."""
    found = approach_of(request, BEHIND, tls=False)
    return json_response({"address": found.address, "secure": found.secure, "name": found.name, "host": request.host})


@asynccontextmanager
async def behind(prepare: Prepare, folder: Path) -> AsyncIterator[House]:
    """A host on loopback, reached through a proxy alone."""
    own = folder / "authority"
    own_authority(own)
    async with house(folder, [web.get("/test/whence", whence)], proxy=BEHIND) as home:
        port = free_port()
        command = prepare(folder, port, home.host.address[1])
        trusting = ssl.create_default_context(cafile=str(own / PUBLIC))
        async with running(*command, log=folder / "proxy.log"):
            connector = TCPConnector(ssl=trusting, local_addr=("127.0.0.5", 0))
            async with ClientSession(connector=connector) as http:
                home.http, direct = http, home.http
                home.base = f"https://localhost:{port}"
                await until(lambda: _accepts(port), 20, (folder / "proxy.log").read_text())
                yield home
                home.http = direct
                await asyncio.sleep(0.05)  # TLS says goodbye


def _accepts(port: int) -> bool:
    return f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text() + Path(
        "/proc/net/tcp6"
    ).read_text().replace("00000000000000000000000000000000:0000", "00000000:0000")


@pytest.mark.parametrize("prepare", [caddy, nginx])
async def test_members_come_in_and_nothing_is_forged(tmp_path: Path, prepare: Prepare) -> None:
    async with behind(prepare, tmp_path) as home:
        forged = {
            "X-Forwarded-For": "198.51.100.9, 127.0.0.1",
            "X-Forwarded-Proto": "http",
            "X-Forwarded-User": "Eve",
            "X-Forwarded-Host": "elsewhere.example.org",
        }
        async with home.http.get(home.url("/test/whence"), headers=forged) as answer:
            assert await answer.json() == {
                "address": "127.0.0.5",
                "secure": True,
                "name": None,
                "host": home.base.removeprefix("https://"),
            }
        async with (
            Member(home, "anna") as anna,
            Member(home, "ben") as ben,
            Presence(anna) as presence,
        ):
            welcome = presence.of("welcome")[0]
            assert (welcome["you"]["role"], welcome["listen_only"]) == ("speaker", None)
            await anna.connect()
            await ben.connect()
            await presence.send(type="muted", muted=False)
            await until(lambda: presence.state("anna") == "listening")
            for packet in tone(440, 1.0):
                anna.say(packet, 18)
                await asyncio.sleep(0.02)
            await until(lambda: len(ben.heard) > 30)
            assert share_of(decoded(ben.heard)[9_600:], 440) > 0.9
            assert await anna.leave() == 200


async def test_a_proxy_on_an_open_network_lets_nobody_speak(tmp_path: Path) -> None:
    """The same host, asked by a trusted proxy that says http: everybody is a listener."""
    async with house(tmp_path, proxy=BEHIND) as home:
        headers = {"X-Forwarded-For": "198.51.100.9", "X-Forwarded-Proto": "http"}
        async with home.http.ws_connect(home.url("/rooms/studio/presence"), headers=headers) as presence:
            await presence.send_json({"type": "hello", "v": 1, "token": token("ada", role="admin")})
            welcome = await presence.receive_json()
        assert (welcome["you"]["role"], welcome["listen_only"]) == ("listener", "no_https")
