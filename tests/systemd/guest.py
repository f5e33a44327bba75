"""A guest that runs a systemd of its own, with our units in it as the package puts them there."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from appliance.health.status import ask

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "systemd"
SERVICES = ("sound", "link", "provision", "host")
_PLACES = {
    "sysusers.d": "usr/lib/sysusers.d",
    "tmpfiles.d": "usr/lib/tmpfiles.d",
    "udev": "usr/lib/udev/rules.d",
    "polkit": "usr/share/polkit-1/rules.d",
    "system.conf.d": "usr/lib/systemd/system.conf.d",
}
_INSIDE = "/opt/kontor"
_END = 15.0
_MASKS = """
systemd-udevd.service systemd-udev-trigger.service systemd-udev-settle.service systemd-hwdb-update.service
systemd-timesyncd.service systemd-networkd.service systemd-resolved.service NetworkManager.service
NetworkManager-wait-online.service networking.service ifupdown-pre.service wpa_supplicant.service getty@.service
serial-getty@.service console-getty.service getty-static.service getty.target systemd-random-seed.service
systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-binfmt.service systemd-firstboot.service
systemd-machine-id-commit.service systemd-pcrphase.service systemd-pcrphase-sysinit.service apparmor.service
keyboard-setup.service console-setup.service e2scrub_reap.service cron.service modprobe@.service
systemd-modules-load.service systemd-initctl.socket proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount
sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount
sys-kernel-config.mount systemd-ask-password-console.path systemd-ask-password-wall.path systemd-tmpfiles-clean.timer
"""
"""Units of this machine that have nothing to do in a guest, one word each."""
_TARGET = (
    "[Unit]\nDescription=The guest of a test\nRequires=multi-user.target\nAfter=multi-user.target\nAllowIsolate=yes\n"
)


class GuestError(Exception):
    """The guest did not start, or something in it did not do what it was told; the text has its output."""


class Guest:
    """Use as a context manager. Files and settings can be changed before it starts: :attr:`files`.

    :param settings: what /etc/kontor/kontor.toml says in the guest.
    :param patience: seconds that its start may take.
    """

    def __init__(self, settings: str, patience: float = 30.0) -> None:
        self._patience = patience
        self.folder = Path(tempfile.mkdtemp(prefix="kontor-guest-"))
        self.files = self.folder / "root"
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._lay_out(settings)

    def _lay_out(self, settings: str) -> None:
        for path in sorted(UNITS.rglob("*.*")):
            if path.is_file() and path.suffix != ".md":
                folder = path.parent.name if path.parent != UNITS else ""
                self.put(f"{_PLACES[folder] if folder else 'usr/lib/systemd/system'}/{path.name}", path.read_text())
        self.put("etc/kontor/kontor.toml", settings)
        self.put("usr/lib/systemd/system/guest.target", _TARGET)
        # What is tested is what lies here now, whatever somebody does to it meanwhile.
        shutil.copytree(
            ROOT / "appliance",
            self.files / _INSIDE[1:] / "code" / "appliance",
            ignore=shutil.ignore_patterns("__pycache__", "*.pyc"),
        )
        python = f"{_INSIDE}/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"
        run = (
            f"#!/bin/sh\nexport PYTHONPATH={_INSIDE}/code:{_INSIDE}/site LD_LIBRARY_PATH={_INSIDE}/python/lib\n"
            f"exec {python} -P -s"
        )
        self.put("usr/bin/kontor", f'{run} -m appliance "$@"\n', 0o755)
        self.put("usr/bin/guest-python", f'{run} "$@"\n', 0o755)
        links = {f"{_INSIDE}/python": sys.base_prefix, f"{_INSIDE}/site": sysconfig.get_path("purelib")}
        (self.folder / "links").write_text("".join(f"{place} {what}\n" for place, what in links.items()))
        (self.folder / "masks").write_text("".join(f"{unit}\n" for unit in _MASKS.split()))

    def put(self, place: str, content: str, mode: int = 0o644) -> None:
        """A file of the guest, before it starts."""
        path = self.files / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)

    def __enter__(self) -> Self:
        try:
            self._boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _boot(self) -> None:
        command = ["sh", str(Path(__file__).with_name("boot.sh")), str(self.folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + self._patience
        while not self._up():
            if time.monotonic() > end or self._process.poll() is not None:
                raise GuestError(f"the guest did not start:\n{self.console}")
            time.sleep(0.05)

    def _up(self) -> bool:
        assert self._process is not None
        self._leader = self._leader or first_inside(self._process.pid)
        if not self._leader:
            return False
        told = self.run("systemctl is-system-running", check=False).stdout.strip()
        return told in ("running", "degraded")

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            if self._leader:  # SIGRTMIN+14: power off at once, without a shutdown (systemd(1))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._leader, signal.SIGRTMIN + 14)
            try:
                self._process.wait(_END)
            except subprocess.TimeoutExpired:
                for pid in descendants(self._process.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                self._process.wait(_END)
        shutil.rmtree(self.folder)

    def ended(self) -> int:
        """Wait for the guest's end, and give nspawn's exit code: 133 is a reboot."""
        assert self._process is not None
        self._process.wait(60)
        self._leader = 0
        code = self.folder / "code"
        return int(code.read_text()) if code.exists() else 0

    @property
    def console(self) -> str:
        """What came on the guest's console."""
        path = self.folder / "console"
        return path.read_text(errors="replace") if path.exists() else ""

    def run(self, script: str, *, check: bool = True, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a shell script in the guest, as root.

        :raises GuestError: it ended with another code than 0.
        """
        enter = ["nsenter", "--target", str(self._leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_PAGER": "", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [*enter, "sh", "-c", script],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check and done.returncode:
            raise GuestError(f"{script}\ngave {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit."""
        wanted = " ".join(f"-p {name}" for name in names)
        lines = self.run(f"systemctl show {unit} {wanted}").stdout.splitlines()
        return dict(line.split("=", 1) for line in lines)

    def pid(self, part: str) -> int:
        """The main process of a service, as it is called here; 0: there is none."""
        inside = self.show(f"kontor-{part}.service", "MainPID")["MainPID"]
        if inside == "0":
            return 0
        for pid in descendants(self._leader):
            with contextlib.suppress(OSError, StopIteration):
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                if next(line for line in lines if line.startswith("NSpid:")).split()[-1] == inside:
                    return pid
        return 0

    def status(self, part: str) -> Mapping[str, Any]:
        """What a service says of itself; empty when it does not answer."""
        try:
            return ask(Path(f"/proc/{self._leader}/root/run/kontor/{part}.status"), {"do": "status"}, timeout=2)
        except OSError:
            return {}

    def ask(self, part: str, request: Mapping[str, object]) -> Mapping[str, Any]:
        """Any request to a service's socket, as root."""
        return ask(Path(f"/proc/{self._leader}/root/run/kontor/{part}.status"), request, timeout=5)

    def path(self, place: str) -> Path:
        """A file of the running guest, from here."""
        return Path(f"/proc/{self._leader}/root") / place.lstrip("/")

    def journal(self, part: str) -> str:
        """What a service has written, and what systemd has to say of it."""
        return self.run(f"journalctl --no-pager -o short-monotonic -u kontor-{part}.service").stdout

    def in_call(self) -> bool:
        """Whether the device is in its room, with the microphone open and sound that advances."""
        sound, link = self.status("sound"), self.status("link")
        return bool(sound.get("gate") == "open" and link.get("phase") == "in_room" and sound.get("exchange_connected"))

    def until_in_call(self, seconds: float = 30.0) -> float:
        """Wait for that; gives how long it took.

        :raises GuestError: it did not come.
        """
        began = time.monotonic()
        while not self.in_call():
            if time.monotonic() - began > seconds:
                told = "\n".join(f"{part}: {json.dumps(self.status(part))[:600]}" for part in ("sound", "link"))
                tails = "\n".join(self.journal(part)[-3000:] for part in SERVICES)
                raise GuestError(f"not in the room after {seconds} s:\n{told}\n{tails}")
            time.sleep(0.05)
        return time.monotonic() - began


def first_inside(nspawn: int) -> int:
    """The guest's PID 1 as it is called out here; 0: it is not there yet.

    :param nspawn: the process that holds the guest.
    """
    for pid in descendants(nspawn):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            spaces = next(line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
            if len(spaces) > 1 and spaces[-1] == "1" and "Name:\tsystemd\n" in status:
                return pid
    return 0


def descendants(pid: int) -> Sequence[int]:
    """All processes that ``pid`` has started, and theirs."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{waiting.pop()}/task").iterdir():
                children = [int(word) for word in (thread / "children").read_text().split()]
                found += children
                waiting += children
    return found


def missing() -> str:
    """Why no guest can run here; empty: one can."""
    if os.geteuid() != 0:
        return "needs root: a guest is made of namespaces and an overlay of this machine's root"
    for program in ("systemd-nspawn", "unshare", "nsenter"):
        if not shutil.which(program):
            return f"{program} is not installed: python3 -m tools.system systemd"
    return ""
