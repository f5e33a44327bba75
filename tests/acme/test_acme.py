"""A certificate by ACME and DNS-01, as examples/acme gets and renews it: real lego, pebble in Let's Encrypt's place."""

import asyncio
import datetime as dt
import json
import os
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from appliance.core.events import EventName
from appliance.host import authority
from appliance.host.authority import CHAIN, KEY, PUBLIC, general_names
from tests.e2e.nets import running
from tests.host.harness import house
from tests.support import free_port, need, until
from tools import pebble

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "acme" / "kontor-acme"
NAME = "kontor.example.org"


class Acme:
    """An ACME server, and the DNS that it asks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.roots, self.dns, self.names = (free_port() for _ in range(4))
        self.ca_file = folder / "ca" / PUBLIC

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Acme"]:
        self._prepare()
        names = [str(pebble.NAMES), "-dns01", f"127.0.0.1:{self.dns}", "-management", f"127.0.0.1:{self.names}"]
        for unused in ("http01", "https01", "tlsalpn01", "doh"):
            names += [f"-{unused}", ""]
        server = [
            str(pebble.SERVER),
            "-config",
            str(self.folder / "pebble.json"),
            "-dnsserver",
            f"127.0.0.1:{self.dns}",
        ]
        async with running(*names, log=self.folder / "names.log"), running(*server, log=self.folder / "pebble.log"):
            await until(lambda: "ACME directory available" in (self.folder / "pebble.log").read_text(), 20)
            yield self

    def _prepare(self) -> None:
        own = general_names(["localhost", "127.0.0.1"])
        now = dt.datetime.now(dt.UTC)
        made = authority.make(own, now)
        authority.store(self.ca_file.parent, made)
        authority.issue(self.ca_file.parent, made, own, now)
        config = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self.roots}",
            "certificate": str(self.ca_file.parent / CHAIN),
            "privateKey": str(self.ca_file.parent / KEY),
            "httpPort": 5002,
            "tlsPort": 5001,
            "retryAfter": {"authz": 1, "order": 1},
        }
        (self.folder / "pebble.json").write_text(json.dumps({"pebble": config}))
        # lego's provider "exec": a program that puts the record into the DNS, here pebble's.
        hook = self.folder / "dns"
        hook.write_text(f"""#!/bin/sh
case $1 in
present) curl -fsS -d "{{\\"host\\":\\"$2\\",\\"value\\":\\"$3\\"}}" http://127.0.0.1:{self.names}/set-txt ;;
cleanup) curl -fsS -d "{{\\"host\\":\\"$2\\"}}" http://127.0.0.1:{self.names}/clear-txt ;;
esac
""")
        hook.chmod(0o700)

    async def root(self) -> str:
        """The certificate of the authority that signs."""
        trusting = ssl.create_default_context(cafile=str(self.ca_file))
        url = f"https://localhost:{self.roots}/roots/0"
        async with aiohttp.ClientSession() as http, http.get(url, ssl=trusting) as answer:
            return await answer.text()

    async def certificate(self, to: Path, **more: str) -> None:
        """Run the example once."""
        environment = {
            **os.environ,
            "KONTOR_NAME": NAME,
            "KONTOR_MAIL": "admin@example.org",
            "KONTOR_DNS": "exec",
            "EXEC_PATH": str(self.folder / "dns"),
            "KONTOR_ACME_DIRECTORY": f"https://localhost:{self.port}/dir",
            "LEGO_CA_CERTIFICATES": str(self.ca_file),
            "KONTOR_LEGO": f"--dns.disable-cp --dns.resolvers 127.0.0.1:{self.dns}",
            "STATE_DIRECTORY": str(self.folder / "lego"),
            "KONTOR_TLS": str(to),
            "KONTOR_GROUP": str(os.getgid()),
            **more,
        }
        process = await asyncio.create_subprocess_exec(
            str(EXAMPLE), env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == 0, said.decode()


async def test_a_certificate_is_had_used_and_renewed_without_a_restart(tmp_path: Path) -> None:
    need("lego", "Debian's lego speaks ACME")
    need("curl", "Debian's curl is the DNS provider's client")
    wrong = await asyncio.to_thread(pebble.build)
    if wrong:
        pytest.skip(wrong)  # Go is no package of Debian's that could be installed: theirs is too old
    to = tmp_path / "tls"
    async with Acme(tmp_path).serve() as acme:
        await acme.certificate(to)
        assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in to.iterdir()} == {
            "server.crt": 0o640,
            "server.key": 0o640,
        }
        trusting = ssl.create_default_context(cadata=await acme.root())
        async with house(tmp_path, tls=(to / "server.crt", to / "server.key")) as home:
            serials = [await shown(home.host.address, trusting)]
            before = (to / "server.crt").stat()
            await acme.certificate(to)
            after = (to / "server.crt").stat()
            assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns), "nothing was due"
            await acme.certificate(to, KONTOR_DAYS="3650")
            await until(lambda: home.told(EventName.TLS_RELOADED), 15)
            serials.append(await shown(home.host.address, trusting))
        assert serials[0] != serials[1]


async def shown(address: tuple[str, int], trusting: ssl.SSLContext) -> str:
    """The serial number of the certificate that a new connection is shown, which has to be trusted, for the name."""
    _, writer = await asyncio.open_connection(*address, ssl=trusting, server_hostname=NAME)
    serial = writer.get_extra_info("peercert")["serialNumber"]
    writer.close()
    await writer.wait_closed()
    return str(serial)
