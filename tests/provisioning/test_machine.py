"""What the caretaker asks of logind and systemd, over a D-Bus of the test's own; polkit's word is tested in tests/systemd."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated

import pytest
from dbus_fast import DBusError, PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusBool, DBusObjectPath, DBusSignature, DBusStr
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

from appliance.provisioning.bus import Bus
from appliance.provisioning.machine import Machine
from appliance.provisioning.power import Foreground, NotDone, is_service
from tests.support.need import need

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>custom</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>
"""


@pytest.fixture
def address(short_dir: Path) -> Iterator[str]:
    """Where a bus of its own listens."""
    daemon = need("dbus-daemon", "dbus-daemon (Debian: dbus-daemon) is the bus that is asked over")
    path = short_dir / "bus"
    (short_dir / "bus.conf").write_text(CONFIG.format(path=path))
    with subprocess.Popen(
        [daemon, f"--config-file={short_dir / 'bus.conf'}", "--nofork", "--print-address=1"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield f"unix:path={path}"
        finally:
            process.terminate()


class Logind(ServiceInterface):
    """As org.freedesktop.login1(5) describes the one method."""

    def __init__(self) -> None:
        super().__init__("org.freedesktop.login1.Manager")
        self.asked: list[bool] = []
        self.refuses = False

    @dbus_method("Reboot")
    def reboot(self, interactive: DBusBool) -> None:
        if self.refuses:
            raise DBusError("org.freedesktop.DBus.Error.AccessDenied", "Permission denied")
        self.asked.append(interactive)


class Manager(ServiceInterface):
    """As org.freedesktop.systemd1(5) describes the three methods."""

    def __init__(self) -> None:
        super().__init__("org.freedesktop.systemd1.Manager")
        self.asked: list[tuple[str, str, str]] = []

    @dbus_method("StartUnit")
    def start_unit(self, name: DBusStr, mode: DBusStr) -> DBusObjectPath:
        if name.startswith("ssh"):
            raise DBusError("org.freedesktop.DBus.Error.AccessDenied", "Permission denied")
        self.asked.append(("start", name, mode))
        return "/org/freedesktop/systemd1/job/1"

    @dbus_method("RestartUnit")
    def restart_unit(self, name: DBusStr, mode: DBusStr) -> DBusObjectPath:
        self.asked.append(("restart", name, mode))
        return "/org/freedesktop/systemd1/job/3"

    @dbus_method("StopUnit")
    def stop_unit(self, name: DBusStr, mode: DBusStr) -> DBusObjectPath:
        self.asked.append(("stop", name, mode))
        return "/org/freedesktop/systemd1/job/2"


class Hostnamed(ServiceInterface):
    """As org.freedesktop.hostname1(5) describes the one method."""

    def __init__(self) -> None:
        super().__init__("org.freedesktop.hostname1")
        self.name_now = ""

    @dbus_method("SetHostname")
    def set_hostname(self, hostname: DBusStr, interactive: DBusBool) -> None:
        if hostname == "refused" or interactive:
            raise DBusError("org.freedesktop.DBus.Error.AccessDenied", "Permission denied")
        self.name_now = hostname


class Unit(ServiceInterface):
    """As org.freedesktop.systemd1(5) describes the two properties."""

    def __init__(self) -> None:
        super().__init__("org.freedesktop.systemd1.Unit")
        self.state = "active"
        self.job = 0
        self.manager = Manager()
        self.hostnamed = Hostnamed()

    @dbus_property(access=PropertyAccess.READ, name="ActiveState")
    def active_state(self) -> DBusStr:
        return self.state

    @dbus_property(access=PropertyAccess.READ, name="Job")
    def current_job(self) -> Annotated[tuple[int, str], DBusSignature("(uo)")]:
        return self.job, "/" if not self.job else f"/org/freedesktop/systemd1/job/{self.job}"


@contextlib.asynccontextmanager
async def served(address: str) -> AsyncIterator[tuple[Logind, Unit, Machine]]:
    bus = await MessageBus(address).connect()
    logind, unit = Logind(), Unit()
    bus.export("/org/freedesktop/login1", logind)
    bus.export("/org/freedesktop/systemd1/unit/kontor_2dlink_2eservice", unit)
    bus.export("/org/freedesktop/systemd1", unit.manager)
    bus.export("/org/freedesktop/hostname1", unit.hostnamed)
    for name in ("org.freedesktop.login1", "org.freedesktop.systemd1", "org.freedesktop.hostname1"):
        await bus.request_name(name)
    machine = Machine(Bus(address))
    try:
        yield logind, unit, machine
    finally:
        await machine.close()
        bus.disconnect()
        async with asyncio.timeout(5):
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]


async def test_a_reboot_is_asked_of_logind_without_a_dialogue(address: str) -> None:
    async with served(address) as (logind, _, machine):
        await machine.reboot()
        assert logind.asked == [False]
        logind.refuses = True
        with pytest.raises(NotDone, match="Permission denied"):
            await machine.reboot()


async def test_a_unit_that_somebody_stopped_is_off(address: str) -> None:
    async with served(address) as (_, unit, machine):
        for state, off in (("active", False), ("activating", False), ("failed", False), ("inactive", True)):
            unit.state = state
            assert await machine.is_off("kontor-link.service") is off
        assert not await machine.is_off("kontor-none.service"), "nobody knows"


async def test_a_unit_whose_start_waits_in_systemds_queue_is_on_its_way(address: str) -> None:
    """Whoever asked for the start and waits for the end of it would take it for over, and take back what it needs."""
    async with served(address) as (_, unit, machine):
        unit.job = 711
        for state in ("inactive", "failed"):
            unit.state = state
            assert await machine.state_of("kontor-link.service") == "activating"
            assert not await machine.is_off("kontor-link.service")
        unit.state = "active"  # it is to be stopped
        assert await machine.state_of("kontor-link.service") == "active"


async def test_units_are_started_and_stopped_by_systemd(address: str) -> None:
    async with served(address) as (_, unit, machine):
        await machine.start("kontor-update@apply.service")
        await machine.stop("kontor-update@apply.service")
        await machine.restart("kontor-ssh.service")
        assert unit.manager.asked == [
            ("start", "kontor-update@apply.service", "replace"),
            ("stop", "kontor-update@apply.service", "replace"),
            ("restart", "kontor-ssh.service", "replace"),
        ]
        with pytest.raises(NotDone, match="Permission denied"):
            await machine.start("ssh.service")
        assert await machine.state_of("kontor-link.service") == "active"
        assert await machine.state_of("kontor-none.service") == ""


async def test_the_machine_gets_its_name_from_hostnamed(address: str) -> None:
    async with served(address) as (_, unit, machine):
        await machine.name("buro-2")
        assert unit.hostnamed.name_now == "buro-2"
        with pytest.raises(NotDone, match="Permission denied"):
            await machine.name("refused")


async def test_without_a_bus_nothing_is_done_and_it_says_so(short_dir: Path) -> None:
    machine = Machine(Bus(f"unix:path={short_dir}/nobody"))
    with pytest.raises(NotDone, match="D-Bus is not there"):
        await machine.reboot()
    assert not await machine.is_off("kontor-link.service")
    assert machine.uptime() > 0


async def test_whoever_runs_it_by_hand_keeps_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    hand = Foreground()
    with pytest.raises(NotDone, match="not rebooted"):
        await hand.reboot()
    assert not await hand.is_off("kontor-link.service")
    for asked in (hand.restart("kontor-ssh.service"), hand.name("buro-2")):
        with pytest.raises(NotDone, match="not run as"):
            await asked
    assert await hand.state_of("kontor-link.service") == ""
    for ask in (hand.start, hand.stop):
        with pytest.raises(NotDone, match=r"kontor-link\.service is not st"):
            await ask("kontor-link.service")
    assert hand.uptime() > 0
    assert isinstance(hand.has_route(), bool)
    monkeypatch.delenv("SYSTEMD_EXEC_PID", raising=False)
    assert not is_service()
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getppid()))
    assert not is_service(), "a child of a service is none"
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    assert is_service()
