"""The network around a device: a namespace with the other end of its cable, a DHCP server, a room.

And somebody who writes down what the device sends. Root only, as network namespaces are.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import aiohttp

from appliance.host import authority
from tests.e2e.nets import inside
from tests.host.harness import ROOM, House, token
from tools.kernel.fetch import ROOT

GATEWAY, DEVICE = "10.77.0.1", "10.77.0.23"
TAP = "cable0"
MAC = "52:54:00:4b:6f:17"
PORT = 8443
URL = f"https://{GATEWAY}:{PORT}"
"""By the server's own authority: without encryption a device may only listen."""
_UP = 30.0


class Room(House):
    """The room as a member in the office reaches it."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http
        self.base = URL


class Office:
    """While it is entered it is there; ``folder`` keeps its logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"k{os.getpid()}office"
        self.key = secrets.token_hex(16).encode()
        self._stack = contextlib.ExitStack()
        self._config = folder / "host.toml"
        self._certificates = folder / "host" / "host" / "authority"

    def __enter__(self) -> Self:
        try:
            self._cable()
            self._process("dhcp", sys.executable, "-m", "tests.image.dhcp", TAP, GATEWAY, DEVICE)
            self._process("sniffer", sys.executable, "-m", "tests.image.sniffer", TAP, MAC)
            self._settings()
            self._kontor("host", "certificate", GATEWAY, "--config", str(self._config))
            self._encrypt()
            self._process("host", sys.executable, "-m", "appliance", "host", "--config", str(self._config))
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def command(self, *words: str) -> list[str]:
        """A command line that runs in the office."""
        return ["ip", "netns", "exec", self.name, *words]

    def card(self, name: str, identity: str) -> str:
        """A kontor.toml that lets a device into the room, once: what ``kontor host member invite`` makes."""
        words = ["invite", ROOM, "--name", name, "--id", identity, "--url", URL]
        out = self.folder / f"{identity}.toml"
        self._kontor("host", "member", *words, "--out", str(out), "--config", str(self._config))
        return out.read_text()

    def sent(self) -> list[str]:
        """What kinds of packets the device sent so far (:mod:`tests.image.sniffer`)."""
        return (self.folder / "sniffer.log").read_text().splitlines()

    def leases(self) -> list[str]:
        """What the DHCP server answered so far."""
        return (self.folder / "dhcp.log").read_text().splitlines()

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[Room]:
        """The room's HTTP; every socket that is made in the block is in the office."""
        with inside(self.name):
            trust = ssl.create_default_context(cafile=self._certificates / authority.PUBLIC)
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as http:
                yield Room(http)
                await http.close()
                await asyncio.sleep(0.05)

    def token(self, identity: str) -> str:
        """A link's token for a person."""
        return token(identity, key=self.key)

    def _kontor(self, *words: str) -> None:
        done = subprocess.run(
            self.command(sys.executable, "-m", "appliance", *words),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"kontor {' '.join(words[:3])}: {done.stdout}{done.stderr}")

    def _cable(self) -> None:
        ip = ("ip", "-n", self.name)
        _run("ip", "netns", "add", self.name)
        self._stack.callback(subprocess.run, ["ip", "netns", "delete", self.name], check=False)
        _run(*ip, "link", "set", "lo", "up")
        _run(*ip, "tuntap", "add", "dev", TAP, "mode", "tap")
        _run(*ip, "address", "add", f"{GATEWAY}/24", "dev", TAP)
        _run(*ip, "link", "set", TAP, "up")

    def _process(self, name: str, *words: str) -> None:
        log = self._stack.enter_context((self.folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            self.command(*words), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        self._stack.callback(_ended, process)

    def _settings(self) -> None:
        key = self.folder / "room.key"
        key.write_bytes(self.key)
        key.chmod(0o600)
        self._config.write_text(f"""schema = 1
[device]
state_dir = "{self.folder}/host"
runtime_dir = "{self.folder}/run"
[host]
listen = "{GATEWAY}"
port = {PORT}
public_address = "{GATEWAY}"
[[host.rooms]]
id = "{ROOM}"
title = "Studio"
key_files = {{ k1 = "{key}" }}
""")

    def _encrypt(self) -> None:
        chain, key = self._certificates / authority.CHAIN, self._certificates / authority.KEY
        with self._config.open("a") as file:
            file.write(f'[host.tls]\ncertificate = "{chain}"\nkey = "{key}"\n')

    def _wait(self) -> None:
        end = time.monotonic() + _UP
        own = str(self._certificates / authority.PUBLIC)
        look = ["curl", "-sf", "-o", "/dev/null", "--cacert", own, f"{URL}/health"]
        while subprocess.run(self.command(*look), check=False).returncode:
            if time.monotonic() > end:
                raise RuntimeError((self.folder / "host.log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _run(*command: Sequence[str] | str) -> None:
    subprocess.run([str(word) for word in command], check=True, timeout=10, capture_output=True)
