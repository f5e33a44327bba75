"""A little internet of network namespaces: a host behind address translation, a member behind a firewall, a relay between.

::

    host 10.1.0.2 -- [10.1.0.1 home 203.0.113.1] -- inet -- [203.0.113.2 fire 10.2.0.1] -- member 10.2.0.2
                                                 203.0.113.10
                                                   (coturn)

``home`` forwards one port, TCP and UDP, to the host. ``fire`` lets the member out, and of UDP what :meth:`Nets.let_out` says.
Everything is made by :meth:`Nets.__enter__` and gone after :meth:`Nets.__exit__`; it needs root, ``ip`` and ``nft``.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Literal, Self

from tests.support import need

PUBLIC, MEMBERS_PUBLIC, RELAY = "203.0.113.1", "203.0.113.2", "203.0.113.10"
HOST, MEMBER = "10.1.0.2", "10.2.0.2"
RELAY_PORT, RELAY_TLS_PORT = 3478, 5349
EXAMPLES = Path(__file__).parents[2] / "examples"

_CLONE_NEWNET = 0x40000000
_PLACES = ("inet", "home", "host", "fire", "member")


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread, what it starts and the sockets that it makes are in another namespace meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)
    ours = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    theirs = os.open(f"/run/netns/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(theirs, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        libc.setns(ours, _CLONE_NEWNET)
        os.close(theirs)
        os.close(ours)


class Nets:
    """The namespaces, by the names of the picture above. ``port`` is what ``home`` forwards to the host."""

    def __init__(self, port: int) -> None:
        need(os.geteuid() == 0, "network namespaces are made by root")
        need("ip", "Debian's iproute2 makes network namespaces")
        need("nft", "Debian's nftables translates addresses")
        self.port = port
        self._names = {place: f"k{os.getpid()}{place}" for place in _PLACES}

    def name(self, place: str) -> str:
        """The namespace's own name, for ``ip netns exec`` and :func:`inside`."""
        return self._names[place]

    def __enter__(self) -> Self:
        try:
            for name in self._names.values():
                _run("ip", "netns", "add", name)
                _run("ip", "-n", name, "link", "set", "lo", "up")
            self._cables()
            self._translate()
            self.let_out("relay")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._names.values():
            with suppress(subprocess.CalledProcessError):
                _run("ip", "netns", "delete", name)

    def let_out(self, what: Literal["all", "relay", "nothing"]) -> None:
        """How much UDP leaves the member's network: all, only to the relay, nothing. TCP always does."""
        rule = {"all": "accept", "relay": f"ip daddr != {RELAY} drop", "nothing": "drop"}[what]
        self._nft(
            "fire",
            f"""add table ip fire
            delete table ip fire
            table ip fire {{
                chain out {{
                    type filter hook forward priority 0
                    iifname "in" meta l4proto udp {rule}
                }}
            }}""",
        )

    def command(self, place: str, *command: str) -> list[str]:
        """A command line that runs there."""
        return ["ip", "netns", "exec", self.name(place), *command]

    def _cables(self) -> None:
        inet, names = self.name("inet"), self._names
        _run("ip", "-n", inet, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
        _run("ip", "-n", inet, "address", "add", f"{RELAY}/24", "dev", "br0")
        _run("ip", "-n", inet, "link", "set", "br0", "up")
        for router, outer, inner, end, address in (
            ("home", PUBLIC, "10.1.0.1", "host", HOST),
            ("fire", MEMBERS_PUBLIC, "10.2.0.1", "member", MEMBER),
        ):
            _cable(names[router], "out", inet, router)
            _run("ip", "-n", inet, "link", "set", router, "master", "br0")
            _cable(names[router], "in", names[end], "eth0")
            for name, device, owned in ((router, "out", outer), (router, "in", inner), (end, "eth0", address)):
                _run("ip", "-n", names[name], "address", "add", f"{owned}/24", "dev", device)
            _run("ip", "-n", names[end], "route", "add", "default", "via", inner)
            _run("ip", "netns", "exec", names[router], "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")

    def _translate(self) -> None:
        for router in ("home", "fire"):
            forward = f"iifname out meta l4proto {{ tcp, udp }} th dport {self.port} dnat to {HOST}"
            self._nft(
                router,
                f"""table ip nat {{
                    chain before {{
                        type nat hook prerouting priority -100
                        {forward if router == "home" else ""}
                    }}
                    chain after {{
                        type nat hook postrouting priority 100
                        oifname "out" masquerade
                    }}
                }}""",
            )

    def _nft(self, place: str, rules: str) -> None:
        subprocess.run(self.command(place, "nft", "-f", "-"), input=rules, text=True, check=True, timeout=10)


def _cable(one: str, device: str, other: str, far: str) -> None:
    _run("ip", "link", "add", device, "netns", one, "type", "veth", "peer", "name", far, "netns", other)
    _run("ip", "-n", one, "link", "set", device, "up")
    _run("ip", "-n", other, "link", "set", far, "up")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=10, capture_output=True)


@asynccontextmanager
async def running(*command: str, ends: signal.Signals = signal.SIGTERM, log: Path) -> AsyncIterator[int]:
    """A process until the end of the block; gives its pid. What it says goes to ``log``."""
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield process.pid
    finally:
        if process.returncode is None:
            process.send_signal(ends)
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise


@asynccontextmanager
async def relay(nets: Nets, folder: Path, secret: bytes, certificate: tuple[Path, Path]) -> AsyncIterator[Path]:
    """Coturn at :data:`RELAY` as examples/turnserver.conf has it, UDP, TCP and TLS; gives its log.

    :param certificate: its chain and its key.
    """
    program = need("turnserver", "Debian's coturn is the relay")
    config, log = folder / "turn.conf", folder / "turn.log"
    text = (EXAMPLES / "turnserver.conf").read_text()
    for old, new in (
        ("/etc/kontor/tls/server.crt", str(certificate[0])),
        ("/etc/kontor/tls/server.key", str(certificate[1])),
        ("CHANGE-ME", secret.decode()),
        ("allowed-peer-ip=203.0.113.5", f"allowed-peer-ip={PUBLIC}"),
    ):
        assert old in text
        text = text.replace(old, new)
    more = f"verbose\nlog-file=stdout\nsimple-log\npidfile={folder}/turn.pid\nuserdb={folder}/turn.db\n"
    config.write_text(text + more)
    config.chmod(0o600)
    async with running(*nets.command("inet", program, "-c", str(config)), log=log):
        for _ in range(100):
            if listens(nets, "inet", RELAY_PORT) and listens(nets, "inet", RELAY_TLS_PORT):
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError(f"coturn did not start: {log.read_text(errors='replace')[-2000:]}")
        yield log


def listens(nets: Nets, place: str, port: int) -> bool:
    """Whether somebody listens on a TCP port there."""
    with inside(nets.name(place)):
        text = Path("/proc/thread-self/net/tcp").read_text()
    return any(f":{port:04X} " in line.split(":", 1)[1][:16] and " 0A " in line for line in text.splitlines()[1:])
