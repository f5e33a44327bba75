r"""Network namespaces with a host and members behind a router that can be cut: for benchmarks and tests of coming back.

::

    host 10.9.0.2 (and "birch", a device that nothing cuts off) -- router -- wifi 10.9.1.2, cable 10.9.2.2: device
                                                                       \--- wifi 10.9.3.2, cable 10.9.4.2: page
                                                                        \-- wifi 10.9.5.2, cable 10.9.6.2: plain

All of it is made by :meth:`Lab.__enter__` and gone after :meth:`Lab.__exit__`; it needs root and ``ip``. The device "amber" is
``kontor run``, the host ``kontor host``, with https by an authority of the lab's own.
"""

import base64
import contextlib
import datetime as dt
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from appliance.app.panels import VIRTUAL_PANEL
from appliance.core.protocol import Claims, issue
from appliance.health.status import ask
from appliance.host import authority
from appliance.rooms.device_key import DeviceKey

ROOT = Path(__file__).resolve().parents[2]
HOST, NAME = "10.9.0.2", "room.test"
PORT, ROOM = 8443, "lab"
MEMBERS = ("device", "page", "plain")
Link = Literal["wifi", "cable"]

_TONES = {"amber": "tone:440", "birch": "tone:880"}
_PLACES = {"amber": "device", "birch": "host"}


class Lab:
    """``folder`` has to have a short path: Unix sockets are made in it."""

    def __init__(self, folder: Path, url: str = f"https://{HOST}:{PORT}", room: str = "") -> None:
        self.folder, self.url, self._more = folder, url, room
        self._secret = base64.b64encode(secrets.token_bytes(32))
        self._names = {place: f"kl{os.getpid()}{place}" for place in ("router", "host", *MEMBERS)}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    # ---- the networks

    def __enter__(self) -> Self:
        try:
            for name in self._names.values():
                _run("ip", "netns", "add", name)
                _run("ip", "-n", name, "link", "set", "lo", "up")
            self.cable("host", "lan", 0)
            _run("ip", "-n", self._names["host"], "route", "add", "default", "via", "10.9.0.1")
            for number, place in enumerate(MEMBERS):
                for which, link in enumerate(("wifi", "cable")):
                    self.cable(place, link, 1 + 2 * number + which)
                self.roam(place, "wifi")
            self.mend()
            self._write()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._running):
            self.end(name)
        for name in self._names.values():
            with contextlib.suppress(subprocess.CalledProcessError):
                _run("ip", "netns", "delete", name)
            shutil.rmtree(Path("/etc/netns") / name, ignore_errors=True)

    def cable(self, place: str, device: str, net: int) -> None:
        """A cable from the router to ``place``: .1 and .2 of 10.9.``net``.0/24."""
        router, name = self._names["router"], self._names[place]
        _run(*f"ip link add net{net} netns {router} type veth peer name {device} netns {name}".split())
        for where, what, last in ((router, f"net{net}", 1), (name, device, 2)):
            _run("ip", "-n", where, "address", "add", f"10.9.{net}.{last}/24", "dev", what)
            _run("ip", "-n", where, "link", "set", what, "up")

    def cut(self) -> None:
        """Let nothing through between the host and the members; nobody is told."""
        self._forward("0")

    def mend(self) -> None:
        """Let everything through again."""
        self._forward("1")

    def _forward(self, on: str) -> None:
        _run(*self.inside("router", "sysctl", "-q", "-w", f"net.ipv4.ip_forward={on}"))

    def roam(self, place: str, link: Link) -> None:
        """The other address is gone, and one on this link is there, with a way by it. Both links carry all the time."""
        net = 1 + 2 * MEMBERS.index(place) + (link == "cable")
        other = "wifi" if link == "cable" else "cable"
        steps = (
            f"address flush dev {other}\naddress replace 10.9.{net}.2/24 dev {link}\n"
            f"route replace default via 10.9.{net}.1 dev {link}\n"
        )
        subprocess.run(["ip", "-n", self._names[place], "-batch", "-"], input=steps, text=True, check=True, timeout=10)

    def move_host(self, net: int) -> None:
        """The host is in another network from now on: 10.9.``net``.2."""
        name = self._names["host"]
        _run("ip", "-n", name, "link", "delete", "lan")
        self.cable("host", "lan", net)
        _run("ip", "-n", name, "route", "add", "default", "via", f"10.9.{net}.1")

    def resolve(self, place: str, address: str) -> None:
        """Let :data:`NAME` be ``address`` there, for processes that are started after the first time."""
        folder = Path("/etc/netns") / self._names[place]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "hosts").write_text(f"127.0.0.1 localhost\n{address} {NAME}\n")

    def inside(self, place: str, *command: str) -> list[str]:
        """A command line that runs there."""
        return ["ip", "netns", "exec", self._names[place], *command]

    # ---- what runs in them

    def _write(self) -> None:
        """All settings, keys and certificates."""
        tls = self.folder / "tls"
        names = authority.general_names([NAME, HOST, "10.9.7.2"])  # the last: where a host is moved to
        own = authority.make(names, now := dt.datetime.now(dt.UTC))
        authority.store(tls, own)
        authority.issue(tls, own, names, now)
        (self.folder / "room.key").write_bytes(self._secret + b"\n")
        (self.folder / "room.key").chmod(0o600)
        devices = ""
        for name in _TONES:
            state = self.folder / name / "state"
            (state / "link").mkdir(parents=True)
            key = base64.b64encode(DeviceKey.load_or_make(state / "link").public).decode()
            devices += (
                f'[[host.devices]]\nid = "{name}"\nname = "{name.title()}"\nroom = "{ROOM}"\npublic_key = "{key}"\n'
            )
            (self.folder / name / "kontor.toml").write_text(self._device(name, state))
        (self.folder / "host.toml").write_text(f"""schema = 1
[device]
state_dir = "{self.folder}/host"
runtime_dir = "{self.folder}/host-run"
[host]
listen = "0.0.0.0"
port = {PORT}
[host.tls]
certificate = "{tls / authority.CHAIN}"
key = "{tls / authority.KEY}"
[[host.rooms]]
id = "{ROOM}"
title = "Lab"
key_files = {{ k = "{self.folder}/room.key" }}
{devices}""")

    def _device(self, name: str, state: Path) -> str:
        return f"""schema = 1
[device]
name = "{name.title()}"
id = "{name}"
state_dir = "{state}"
runtime_dir = "{self.folder / name}"
[room]
url = "{self.url if name == "amber" else f"https://{HOST}:{PORT}"}"
id = "{ROOM}"
ca_file = "{self.folder / "tls" / authority.PUBLIC}"
{self._more if name == "amber" else ""}
[audio]
microphone = "{_TONES[name]}"
[panel]
kind = "virtual"
"""

    def start(self, name: str, place: str, *command: str, out: Any = None) -> subprocess.Popen[bytes]:
        """Start a process there, under a name of ours; what it says goes to a file of that name, or to ``out``."""
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            process = subprocess.Popen(
                self.inside(place, *command),
                stdin=subprocess.DEVNULL,
                stdout=out or log,
                stderr=log,
                env={**os.environ, VIRTUAL_PANEL: "1", "PYTHONPATH": str(ROOT)},
            )
        self._running[name] = process
        return process

    def kontor(self, name: str, place: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command of ours there."""
        return self.start(name, place, sys.executable, "-P", "-m", "appliance", *arguments)

    def host(self) -> float:
        """Start the host; gives the time at which it listens."""
        process = self.kontor("host", "host", "host", "--config", str(self.folder / "host.toml"))
        end = time.monotonic() + 30
        while not _listens(process.pid, PORT):
            if time.monotonic() > end or process.poll() is not None:
                raise TimeoutError("the host did not start")
            time.sleep(0.005)
        return time.monotonic()

    def device(self, name: str) -> None:
        """Start a device."""
        self.kontor(name, _PLACES[name], "run", "--config", str(self.folder / name / "kontor.toml"))

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End a process; one that does not end by itself is killed."""
        process = self._running.pop(name)
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def status(self, name: str, part: str) -> Mapping[str, Any]:
        """What a part of a device says of itself; empty while it is not there."""
        try:
            return dict(ask(self.folder / name / f"{part}.status", {"do": "status"}, 0.5))
        except OSError:
            return {}

    def level(self, name: str) -> float:
        """How loud a device's loudspeaker is, dBov."""
        return float(self.status(name, "sound").get("loudspeaker", -127))

    def token(self, identity: str) -> str:
        """A link's token."""
        expires = int(time.time()) + 3600
        return issue(Claims(ROOM, identity, identity.title(), "speaker", "person", expires, "k"), self._secret)


def _listens(pid: int, port: int) -> bool:
    """Whether somebody listens on a TCP port in the namespace of a process."""
    try:
        text = Path(f"/proc/{pid}/net/tcp").read_text()
    except OSError:
        return False
    return any(f":{port:04X} " in line[:40] and " 0A " in line for line in text.splitlines()[1:])


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=10, capture_output=True)
