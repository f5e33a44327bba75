"""Puts ``kontor demo`` together: a host, and a whole device with a virtual sound card and panel, on this machine.

The host runs here; sound and link are the real processes, watched as ``kontor run`` watches them. Everything lives in a
private folder of this user, is reached on the loopback interface, and is gone with this process. Only sound takes this machine's
own address, where it has one: Firefox sends none over loopback.
"""

import asyncio
import contextlib
import errno
import getpass
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from appliance.app.panel_route import PanelRoute
from appliance.app.panels import VIRTUAL_PANEL
from appliance.app.places import demo_base, one_at_a_time, private_folder
from appliance.app.process import NotAllowed, unless_stopped, until_stopped
from appliance.app.sound import STATUS
from appliance.app.speech import ATTRIBUTION, SYNTHETIC, find
from appliance.app.supervisor import Supervisor, device_children
from appliance.core.protocol import Claims, issue
from appliance.health.journal import Journal
from appliance.host.certificate import CertificateError
from appliance.host.config import DeviceConfig, HostConfig, RoomConfig
from appliance.host.server import Host
from appliance.rooms.device_key import DeviceKey
from appliance.settings.describe import toml_value

ROOM, TITLE, DEVICE, DEVICE_NAME = "studio", "Studio", "meeting-room", "Meeting room"
_KEY_ID = "demo"
_PORTS = 100
_SSH_PORT = "22"
_A_WEEK = 7 * 24 * 3600
_JOIN = 20.0
"""Seconds within which the device should be in the room."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of the command."""

    port: int = 8080
    record: Path | None = None
    microphone: str = "speech"


def free_port(tcp: str, first: int, udp: str = "") -> int:
    """The first port from ``first`` on that is free for TCP at the address ``tcp``, and for UDP there or at ``udp``.

    :raises NotAllowed: none of a hundred is.
    """
    for port in range(first, min(first + _PORTS, 65536)):
        # A browser takes "localhost" for ::1 first: whoever listens there would be shown instead.
        tcp_is_free = _binds(tcp, port, socket.SOCK_STREAM) and not _is_taken_at_v6(port)
        if tcp_is_free and _binds(udp or tcp, port, socket.SOCK_DGRAM):
            return port
    raise NotAllowed(f"no port is free from {first} to {first + _PORTS - 1}: name another with --port")


def _binds(address: str, port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _is_taken_at_v6(port: int) -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("::1", port))
    except OSError as error:
        return error.errno == errno.EADDRINUSE  # anything else: there is no IPv6 here
    return False


def _ssh_connection() -> list[str]:
    """SSH_CONNECTION (ssh(1)): client address and port, address and port here; empty outside an SSH session."""
    parts = os.environ.get("SSH_CONNECTION", "").split()
    return parts if len(parts) == 4 else []


def ssh_address() -> str:
    """The IPv4 address under which the far end of an SSH session reaches this machine, or "" without one.

    A terminal that outlives its session (tmux, screen) may name an address that is no longer ours: that is none.
    """
    address = "".join(_ssh_connection()[2:3])
    return address if address and ":" not in address and _binds(address, 0, socket.SOCK_DGRAM) else ""


def own_address() -> str:
    """The IPv4 address that this machine sends from, or "" while it has no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(
                ("198.51.100.1", 9)
            )  # asks for a way only: nothing is sent, and the address is nobody's (RFC 5737)
        except OSError:
            return ""
        return str(probe.getsockname()[0])


async def prepare_speech(folder: Path, wish: str) -> tuple[str, str]:
    """The microphone setting for ``wish``, and the line that says what it plays."""
    if wish != "speech":
        return wish, f"microphone plays {wish}"
    said = ATTRIBUTION if find() else SYNTHETIC
    target = folder.parent / ("speech.wav" if said == ATTRIBUTION else "voice.wav")
    if not target.exists():
        # Another process: decoding loads libraries that are not needed afterwards. Ctrl-C is for us alone to act on.
        unfinished = target.with_suffix(".new")
        command = [sys.executable, "-P", "-m", "appliance.app.speech", str(unfinished)]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, start_new_session=True
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise
        if code:
            return "tone:440", "microphone plays a tone: the speech could not be prepared"
        unfinished.rename(target)
    return str(target), said


def write_config(folder: Path, port: int, microphone: str, record: Path | None) -> Path:
    """The settings of the demo's device; returns the file."""
    text = f"""schema = 1

[device]
name = "{DEVICE_NAME}"
id = "{DEVICE}"
state_dir = {toml_value(str(folder / "state"))}
runtime_dir = {toml_value(str(folder))}

[room]
url = "http://127.0.0.1:{port}"
id = "{ROOM}"
support_bundle = true

[audio]
backend = "virtual"
array = "respeaker_usb_4"
direction = true
microphone = {toml_value(microphone)}
{f"record = {toml_value(str(record.absolute()))}" if record else ""}

[panel]
kind = "virtual"
mute = "latching"

[log]
level = "warning"
"""
    path = folder / "kontor.toml"
    path.write_text(text)
    return path


class Demo:
    """One demo: its folder, host and device."""

    def __init__(self, wishes: Wishes, journal: Journal) -> None:
        self._wishes, self._journal = wishes, journal
        self._secret = secrets.token_bytes(32)
        self._public = ssh_address()
        self._listen = "127.0.0.1"
        # Over SSH the page's sound does not pass the tunnel: it takes the way to this machine's own address.
        self._udp = "0.0.0.0" if self._public else own_address() or self._listen  # noqa: S104 - said above
        self.port = free_port(self._listen, wishes.port, self._udp)
        self.folder = demo_base() / str(self.port)
        shutil.rmtree(self.folder, ignore_errors=True)
        private_folder(self.folder)
        private_folder(self.folder / "state")
        private_folder(self.folder / "state" / "link")
        self._panel = PanelRoute(self.folder / STATUS)

    async def run(self, stop: asyncio.Event, started: Callable[[], None]) -> None:
        """Run until ``stop``; everything is ended and removed then. ``started`` is told when the ports are taken."""
        try:
            begun = await unless_stopped(stop, self._begin())
            if begun is None:
                return
            host, config, said = begun
            started()
            try:
                children = device_children(["--config", str(config)], {VIRTUAL_PANEL: "1"})
                async with Supervisor(children, self._journal) as supervisor:
                    parts = {
                        "host": host.wait,
                        "processes": supervisor.watch,
                        "greeting": lambda: self._greet(host, supervisor, said),
                    }
                    await until_stopped(stop, parts)
            finally:
                await self._panel.close()  # or the host would wait for the page to leave it
                await host.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _begin(self) -> tuple[Host, Path, str]:
        """A host that runs, the settings of the device, and the line that says what its microphone plays."""
        microphone, said = await prepare_speech(self.folder, self._wishes.microphone)
        config = write_config(self.folder, self.port, microphone, self._wishes.record)
        host = Host(self._host_config(), self._journal.write, [self._panel.route])
        await host.start()
        return host, config, said

    async def _greet(self, host: Host, supervisor: Supervisor, said: str) -> None:
        """Print the address as soon as the device is in the room, then wait for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_JOIN):
                await self._joined(host)
        joined = any(room["connected"] for room in host.state()["rooms"])
        print("\n".join(self._lines(supervisor, said, joined)), flush=True)  # noqa: T201 - this is what the command says
        await asyncio.Event().wait()

    async def _joined(self, host: Host) -> None:
        while not any(room["connected"] for room in host.state()["rooms"]):  # noqa: ASYNC110 - the host tells no event
            await asyncio.sleep(0.05)

    def _lines(self, supervisor: Supervisor, said: str, joined: bool) -> list[str]:
        pids = {child.name: child.pid for child in supervisor.children}
        record = f", written to {self._wishes.record}" if self._wishes.record else ""
        lines = [
            "",
            f"  {self.address()}",
            "",
            "  The same room for an admin, who mutes, makes links and looks after the device:",
            f"  {self.address('admin')}",
            "",
            f"  host    pid {os.getpid():<8} room “{TITLE}”, port {self.port} (TCP and UDP)",
            f"  sound   pid {pids['sound']:<8} virtual microphone, loudspeaker{record} and panel",
            f"  link    pid {pids['link']:<8} {'in the room' if joined else 'not in the room yet'}, as “{DEVICE_NAME}”",
            f"  {said}",
        ]
        if ssh := _ssh_connection():
            port = f"-p {ssh[3]} " if ssh[3] != _SSH_PORT else ""
            target = f"{port}{getpass.getuser()}@{self._public or socket.gethostname()}"
            lines += ["", f"  From your own computer:  ssh -L {self.port}:localhost:{self.port} {target}"]
            lines += ["  and open the address there: a browser gives the microphone on localhost only."]
        return [*lines, "", "  Ctrl-C ends everything.", ""]

    def address(self, role: Literal["speaker", "admin"] = "speaker") -> str:
        """The page's address, with a link for one guest and the panel's one-time token behind the #; for an admin without it."""
        claims = Claims(
            room=ROOM,
            identity="guest" if role == "speaker" else "admin",
            name="Guest" if role == "speaker" else "Admin",
            role=role,
            kind="person",
            expires=int(time.time()) + _A_WEEK,
            key_id=_KEY_ID,
        )
        panel = f"&panel={self._panel.token}" if role == "speaker" else ""
        return f"http://localhost:{self.port}/{ROOM}#{issue(claims, self._secret)}{panel}"

    def _host_config(self) -> HostConfig:
        key = DeviceKey.load_or_make(self.folder / "state" / "link")
        return HostConfig(
            listen_host=self._listen,
            http_port=self.port,
            udp_host=self._udp,
            udp_port=self.port,
            public_address=self._public or self._udp,
            max_members=50,
            rooms=(RoomConfig(ROOM, TITLE, {_KEY_ID: self._secret}),),
            devices=(DeviceConfig(DEVICE, DEVICE_NAME, ROOM, key.public),),
            certificate_path=self.folder / "state" / "host.pem",
        )


async def main(wishes: Wishes, stop: asyncio.Event, journal: Journal) -> None:
    """``kontor demo``.

    :raises NotAllowed: no port is free, or the folder cannot be had or is full.
    """
    try:
        with contextlib.ExitStack() as starting:
            # Another demo that starts now must not find our port free, and take and remove our folder.
            starting.enter_context(one_at_a_time(private_folder(demo_base())))
            await Demo(wishes, journal).run(stop, starting.close)
    except (OSError, CertificateError) as error:
        raise NotAllowed(_with_way_out(error)) from error


def _with_way_out(error: OSError | CertificateError) -> str:
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return f"{error}: make room in {demo_base()}, or set XDG_RUNTIME_DIR" if full else str(error)
