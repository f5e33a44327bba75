"""``kontor host`` behind address translation, https by its own authority, a relay, and members far away (see nets.py)."""

import asyncio
import datetime as dt
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from appliance.host import authority
from appliance.host.config import Turn
from tests.e2e.nets import HOST, PUBLIC, RELAY, RELAY_PORT, RELAY_TLS_PORT, Nets, inside, relay, running
from tests.e2e.rig import ROOT
from tests.host.harness import KEY, ROOM, House

PORT = 8443
URLS = {
    "udp": f"turn:{RELAY}:{RELAY_PORT}?transport=udp",
    "tcp": f"turn:{RELAY}:{RELAY_PORT}?transport=tcp",
    "tls": f"turns:{RELAY}:{RELAY_TLS_PORT}?transport=tcp",
}
"""How the relay is spoken to."""
SECRET = b"a-secret-that-only-relay-and-host-know"


class Distant(House):
    """The host as somebody reaches it from elsewhere; use it inside that place's namespace."""

    def __init__(self, http: aiohttp.ClientSession, scheme: str) -> None:
        self.http = http
        self.base = f"{scheme}://{PUBLIC}:{PORT}"


@dataclass(frozen=True, slots=True)
class Afar:
    """The rig while it runs."""

    nets: Nets
    folder: Path
    turn: Turn
    ca_file: Path
    relay_log: Path
    scheme: str

    @asynccontextmanager
    async def seen_from(self, place: str) -> AsyncIterator[Distant]:
        """The host's HTTP from one of the namespaces; everything that is opened in the block is opened there."""
        trusting = ssl.create_default_context(cafile=str(self.ca_file))
        with inside(self.nets.name(place)):
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as http:
                yield Distant(http, self.scheme)
                await http.close()
                await asyncio.sleep(0.05)  # TLS says goodbye


@asynccontextmanager
async def afar(
    folder: Path, transports: tuple[str, ...] = ("udp",), more: str = "", scheme: str = "https"
) -> AsyncIterator[Afar]:
    """The rig: namespaces, relay and host, up when this begins.

    :param transports: how the relay is spoken to, of :data:`URLS`.
    :param more: further settings of the host.
    :param scheme: how the host is spoken to; http is without encryption.
    """
    certificates = folder / "host" / "host" / "authority"
    names = authority.general_names([PUBLIC, RELAY])
    now = dt.datetime.now(dt.UTC)
    own = authority.make(names, now)
    authority.store(certificates, own)
    authority.issue(certificates, own, names, now)
    turn = Turn(tuple(URLS[transport] for transport in transports), SECRET)
    config = _settings(folder, certificates, turn, more, scheme)
    with Nets(PORT) as nets:
        chain_and_key = (certificates / authority.CHAIN, certificates / authority.KEY)
        async with relay(nets, folder, SECRET, chain_and_key) as relay_log:
            # The commands run where they are told to; nothing of this process moves.
            path = f"PYTHONPATH={ROOT}"
            command = nets.command(
                "host", "env", path, sys.executable, "-m", "appliance", "host", "--config", str(config)
            )
            async with running(*command, log=folder / "host.log"):
                rig = Afar(nets, folder, turn, certificates / authority.PUBLIC, relay_log, scheme)
                await _answers(rig)
                yield rig


def _settings(folder: Path, certificates: Path, turn: Turn, more: str, scheme: str) -> Path:
    for name, secret in (("room.key", KEY), ("turn.secret", SECRET)):
        (folder / name).write_bytes(secret)
        (folder / name).chmod(0o600)
    tls = f'[host.tls]\ncertificate = "{certificates}/server.crt"\nkey = "{certificates}/server.key"'
    path = folder / "host.toml"
    path.write_text(f"""schema = 1
[device]
state_dir = "{folder}/host"
runtime_dir = "{folder}/run"
[host]
listen = "{HOST}"
port = {PORT}
public_address = "{PUBLIC}"
{tls if scheme == "https" else ""}
[host.turn]
urls = [{", ".join(f'"{url}"' for url in turn.urls)}]
secret_file = "{folder}/turn.secret"
[[host.rooms]]
id = "{ROOM}"
title = "Studio"
key_files = {{ k1 = "{folder}/room.key" }}
{more}""")
    return path


async def _answers(rig: Afar) -> None:
    async with rig.seen_from("member") as home:
        for _ in range(200):
            try:
                async with home.http.get(home.url("/health")) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
    raise AssertionError((rig.folder / "host.log").read_text(errors="replace")[-2000:])
