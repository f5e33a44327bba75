"""Where devices under test find updates: a folder of this machine, shown by https to whoever QEMU's own network lets in.

``python -m tests.update.shop FOLDER PORT CHAIN KEY`` shows it until it is ended.
"""

from __future__ import annotations

import datetime as dt
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from appliance.core.updating import SCOPE
from appliance.host import authority
from appliance.provisioning.publication import pointer_path
from appliance.provisioning.signing import SecretKey
from appliance.update.publish import publish
from tests.image.card import UNHEARD
from tests.support.ports import free_port
from tools.kernel.fetch import ROOT

HOST = "10.0.2.2"
"""This machine, as QEMU's own network names it."""
CHANNEL = "stable"
_UP = 30.0


@dataclass
class Shop:
    """What is published, and by whose key."""

    folder: Path
    port: int
    ca: str
    """The authority of its certificate, PEM."""
    key: SecretKey = field(default_factory=SecretKey.make)

    def publish(self, manifest: Path, key: SecretKey | None = None) -> None:
        """Sign a bundle and show it."""
        own = key or self.key
        publish(manifest, self.folder, CHANNEL, own, trusted=(self.key.public, own.public))

    def withdraw(self) -> None:
        """Show nothing any more."""
        (self.folder / pointer_path(SCOPE + CHANNEL)).unlink()

    def settings(self, *more: SecretKey) -> str:
        """A kontor.toml of a device that takes what is shown here, as soon as it is.

        Its sound runs on a card that is none: a slot on trial has to show sound that goes on, and no test here listens to it.
        """
        keys = ", ".join(f'"{key.public}"' for key in (self.key, *more))
        return f"""schema = 1
[update]
url = "https://{HOST}:{self.port}"
window = "any"
keys = [{keys}]
confirm_s = 3600
{UNHEARD}[network]
ca = \"\"\"
{self.ca}\"\"\"
"""


@contextmanager
def opened(folder: Path) -> Iterator[Shop]:
    """Show an empty folder."""
    now, names = dt.datetime.now(dt.UTC), authority.general_names([HOST, "127.0.0.1"])
    trust, public, port = folder / "trust", folder / "public", free_port()
    trust.mkdir()
    public.mkdir()
    own = authority.make(names, now)
    authority.store(trust, own)
    authority.issue(trust, own, names, now)
    words = [str(public), str(port), str(trust / authority.CHAIN), str(trust / authority.KEY)]
    with (folder / "shop.log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-m", "tests.update.shop", *words], cwd=ROOT, stdout=log, stderr=log)
        try:
            _wait(port, trust / authority.PUBLIC)
            yield Shop(public, port, (trust / authority.PUBLIC).read_text())
        finally:
            server.terminate()
            server.wait()


def _wait(port: int, ca: Path) -> None:
    end, tls = time.monotonic() + _UP, ssl.create_default_context(cafile=ca)
    while True:
        try:
            with urllib.request.urlopen(f"https://127.0.0.1:{port}/up", context=tls, timeout=5):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def main(folder: str, port: str, chain: str, key: str) -> None:
    """Show a folder until the process is ended."""

    async def up(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/up", up)
    app.router.add_static("/", folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    web.run_app(app, host="127.0.0.1", port=int(port), ssl_context=tls, print=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
