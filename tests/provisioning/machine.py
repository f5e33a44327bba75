"""A NetworkManager of the test's own, on a D-Bus of its own, in a network namespace with one cable. Not the machine's.

It needs root, or a kernel that gives it to namespaces; and veth. What else NetworkManager writes (/etc, /run, /var/lib) lies in
the test's folder. Wi-Fi and VLANs need a kernel of their own: tests/network.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from appliance.provisioning.bus import Bus
from appliance.provisioning.network_manager import NetworkManager
from tests.support.need import need

CABLE = "eth0"
_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>custom</type><listen>unix:path={bus}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>
"""
_CONFIG = """[main]
plugins=keyfile
dhcp=internal
auth-polkit=false
rc-manager=unmanaged
dns=none
[keyfile]
unmanaged-devices=interface-name:far*
"""
# NetworkManager waits for udev unless /sys is read-only: so it is in a container.
_INSIDE = """set -e
mount -t sysfs -o ro sysfs /sys
mount --bind {folder}/run /run
mount --bind {folder}/etc /etc/NetworkManager
mount --bind {folder}/lib /var/lib/NetworkManager
mkdir -p /run/NetworkManager
ip link set lo up
ip link add eth0 type veth peer name far0
ip link set far0 up
exec {program} --no-daemon
"""


@dataclass(slots=True)
class Box:
    """The machine. ``folder`` is short enough for a socket's path."""

    folder: Path
    _bus: subprocess.Popen[bytes] | None = None
    _manager: subprocess.Popen[bytes] | None = None
    _time: subprocess.Popen[bytes] | None = None
    _given: list[NetworkManager] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Of its D-Bus."""
        return f"unix:path={self.folder}/bus"

    @property
    def pid(self) -> int:
        """Of its NetworkManager, whose namespaces are the machine's."""
        assert self._manager is not None
        return self._manager.pid

    def network(self, seconds: float = 2.0) -> NetworkManager:
        """The network as provision of this machine has it; a new one is what a new process has."""
        state = self.folder / "state"
        state.mkdir(exist_ok=True)
        given = NetworkManager(state, Bus(self.address), seconds=lambda _name: seconds, grace=0.0)
        self._given.append(given)
        return given

    def stored(self) -> dict[str, str]:
        """Profiles on its disk, by name."""
        found = (self.folder / "etc/system-connections").glob("*.nmconnection")
        return {path.stem: path.read_text() for path in found}

    def start(self) -> None:
        """Switch it on: D-Bus and NetworkManager."""
        program = shutil.which("NetworkManager", path="/usr/sbin:/usr/bin:/sbin") or ""
        for name in ("run", "etc/conf.d", "etc/system-connections", "lib"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "etc/NetworkManager.conf").write_text(_CONFIG)
        (self.folder / "bus.conf").write_text(_BUS.format(bus=self.folder / "bus"))
        quiet = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._bus = subprocess.Popen(  # type: ignore[call-overload]
            ["dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork"], **quiet
        )
        _until((self.folder / "bus").exists)
        inside = _INSIDE.format(folder=self.folder, program=program)
        environment = {"DBUS_SYSTEM_BUS_ADDRESS": self.address, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        with (self.folder / "log").open("ab") as log:
            self._manager = subprocess.Popen(
                ["unshare", "--mount", "--net", "sh", "-c", inside],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )
        asyncio.run(_answers(self.address))

    def keep_time(self) -> None:
        """Start systemd-timesyncd in it; the machine's own clock is out of its reach."""
        program = need(Path("/lib/systemd/systemd-timesyncd"), "systemd-timesyncd is missing")
        self.folder.chmod(0o755)  # it becomes a user of its own, who has to reach the bus
        (self.folder / "time").mkdir(exist_ok=True)
        inside = f"mount --bind {self.folder}/time /run && exec {program}"
        with (self.folder / "log").open("ab") as log:
            self._time = subprocess.Popen(
                ["unshare", "--mount", "--net", "sh", "-c", inside],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"DBUS_SYSTEM_BUS_ADDRESS": self.address, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )

    def power_cut(self) -> None:
        """Off and on again: what was in memory is gone."""
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder / "run")
        self.start()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Switch it off."""
        for process in filter(None, (self._time, self._manager, self._bus)):
            process.send_signal(how)
            process.wait()
        (self.folder / "bus").unlink(missing_ok=True)

    async def close(self) -> None:
        """Leave its D-Bus, for each network that was given."""
        while self._given:
            await self._given.pop().bus.close()


async def _answers(address: str) -> None:
    bus, name = Bus(address), "org.freedesktop.NetworkManager"
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(Exception):
                if (await bus.properties(name, "/org/freedesktop/NetworkManager", name)).get("Startup") is not None:
                    break
            await asyncio.sleep(0.05)
    await bus.close()


def _until(done: object) -> None:
    end = time.monotonic() + 30
    while callable(done) and not done():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextlib.contextmanager
def box(folder: Path) -> Iterator[Box]:
    """A machine that runs; skips where there can be none."""
    need("dbus-daemon", "dbus-daemon is missing: make system")
    need(Path("/usr/sbin/NetworkManager"), "NetworkManager is missing: make system")
    allowed = subprocess.run(
        ["unshare", "--mount", "--net", "ip", "link", "add", "name", "near0", "type", "veth", "peer", "name", "far0"],
        capture_output=True,
        check=False,
    )
    need(os.geteuid() == 0 and not allowed.returncode, "a network of one's own needs root and veth")
    made = Box(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
