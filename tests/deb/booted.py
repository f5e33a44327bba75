"""A clean root whose own systemd runs: what maintainer scripts do to services is seen only there."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.deb.roots import Root
from tests.support.need import need
from tests.systemd.guest import descendants, first_inside

_MASKED = (
    "systemd-udevd.service",
    "systemd-networkd.service",
    "getty.target",
    "console-getty.service",
    "systemd-timesyncd.service",
)
_START, _END = 60.0, 20.0

_BOOT = """
name=kontor-deb-$$
groups=$(while read -r _ at kind options _; do
    case $kind,$options in cgroup2,* | cgroup,*name=systemd*) echo "$at/$name" ;; esac
done </proc/mounts)
for group in $groups; do mkdir -p "$group"; done
trap '' INT TERM
GROUPS_OF=$groups unshare -m --propagation private sh -c '
for group in $GROUPS_OF; do echo $$ >"$group/cgroup.procs"; done
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 exec systemd-nspawn --quiet --directory="$0" --boot --register=no --keep-unit \
    --private-network --machine="$1" --capability=all --system-call-filter="bpf add_key keyctl"' \
    "$1" "$name" >"$2" 2>&1 </dev/null
for group in $groups; do
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
        [ -d "$group" ] || break
        sleep 0.2
    done
done
"""
"""A cgroup of its own, so that two of these, or one and the machine's systemd, do not meet; then systemd as PID 1."""


class Booted:
    """A root that runs; a context manager. It has no network but its own loopback."""

    def __init__(self, root: Root, console: Path) -> None:
        self.root = root
        self._console = console
        self._leader = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        need("systemd-nspawn", "systemd-container is not installed: python3 -m tools.system packages")
        masks = self.root.folder / "etc/systemd/system"
        for unit in _MASKED:
            (masks / unit).unlink(missing_ok=True)
            (masks / unit).symlink_to("/dev/null")
        command = ["sh", "-c", _BOOT, "boot", str(self.root.folder), str(self._console)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + _START
        while not self._up():
            if time.monotonic() > end or self._process.poll() is not None:
                self.__exit__(None, None, None)
                raise AssertionError(f"it did not start:\n{self._console.read_text(errors='replace')}")
            time.sleep(0.1)
        return self

    def _up(self) -> bool:
        assert self._process is not None
        self._leader = self._leader or first_inside(self._process.pid)
        return self._leader != 0 and self.run("systemctl is-system-running", check=False).strip() in (
            "running",
            "degraded",
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
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

    def run(self, script: str, *, check: bool = True) -> str:
        """Run a shell script in it as root; what it said on standard output."""
        enter = ["nsenter", "--target", str(self._leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        settings = [
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "DEBIAN_FRONTEND=noninteractive",
            "LC_ALL=C.UTF-8",
        ]
        done = subprocess.run(
            [*enter, *settings, "sh", "-c", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{script}\ngave {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def pids(self) -> dict[str, str]:
        """The main process of each service that runs."""
        found = {}
        for part in ("sound", "link", "provision", "host"):
            told = self.run(f"systemctl show -p MainPID -p ActiveState kontor-{part}.service")
            if "ActiveState=active" in told:
                found[part] = next(line for line in told.splitlines() if line.startswith("MainPID")).partition("=")[2]
        return found
