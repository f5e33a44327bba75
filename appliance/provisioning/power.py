"""What the caretaker asks of the machine, and what it can see of its network without asking anybody."""

import os
import time
from pathlib import Path
from typing import Protocol

_LOOPBACK = "lo"
_OWN_FOUR = "0000FEA9"
"""169.254.0.0, as the kernel writes it on a machine of least significant byte first."""
_OWN_SIX = ("fe8", "fe9", "fea", "feb", "ff")
"""Link-local, and multicast."""


class NotDone(Exception):
    """The machine did not do it; one sentence."""


class Power(Protocol):
    """:class:`appliance.provisioning.machine.Machine` is the real one."""

    async def reboot(self) -> None:
        """Start the machine anew, in order.

        :raises NotDone: it does not.
        """

    def uptime(self) -> float:
        """Seconds since the machine started, sleep included."""

    def has_route(self) -> bool:
        """Whether it knows a way to anywhere; see :func:`has_route`."""

    async def is_off(self, unit: str) -> bool:
        """Whether somebody stopped this unit, or it never was started; False when nobody knows."""

    async def state_of(self, unit: str) -> str:
        """How a unit stands: ``active``, ``activating``, ``deactivating``, ``inactive``, ``failed``; "": nobody knows."""

    async def start(self, unit: str) -> None:
        """Have a unit started. It is begun, not waited for.

        :raises NotDone: it is not.
        """

    async def restart(self, unit: str) -> None:
        """Have a unit started anew, whether it runs or not. It is begun, not waited for.

        :raises NotDone: it is not.
        """

    async def stop(self, unit: str) -> None:
        """Have a unit stopped. It is begun, not waited for.

        :raises NotDone: it is not.
        """

    async def name(self, hostname: str) -> None:
        """Give the machine a name until it is switched off.

        :raises NotDone: it has none now.
        """


class Foreground:
    """A machine that is not ours to start anew: somebody runs us by hand, or below another root."""

    async def reboot(self) -> None:
        """Never.

        :raises NotDone: always.
        """
        raise NotDone("this machine is not rebooted: kontor is not run as its service")

    async def is_off(self, _unit: str) -> bool:
        """Nobody knows."""
        return False

    async def state_of(self, _unit: str) -> str:
        """Nobody knows."""
        return ""

    async def start(self, unit: str) -> None:
        """Never.

        :raises NotDone: always.
        """
        raise NotDone(f"{unit} is not started: kontor is not run as this machine's service")

    async def stop(self, unit: str) -> None:
        """Never.

        :raises NotDone: always.
        """
        raise NotDone(f"{unit} is not stopped: kontor is not run as this machine's service")

    async def restart(self, unit: str) -> None:
        """Never.

        :raises NotDone: always.
        """
        await self.start(unit)

    async def name(self, hostname: str) -> None:
        """Never.

        :raises NotDone: always.
        """
        raise NotDone(f"the machine is not called {hostname}: kontor is not run as its service")

    def uptime(self) -> float:
        """Seconds since the machine started, sleep included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def has_route(self) -> bool:
        """Whether the machine knows a way to anywhere."""
        return has_route()


def is_service() -> bool:
    """Whether systemd itself started this process (systemd.exec(5), SYSTEMD_EXEC_PID)."""
    return os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid())


def has_route(root: Path = Path("/")) -> bool:
    """Whether the machine knows a way out of itself (proc(5), /proc/net); True where that cannot be known.

    One to its own network is enough: the server may stand there, and there may be no gateway. Addresses that a machine gives
    itself are none (RFC 3927, RFC 4291).
    """
    rows = [_rows(root / "proc/self/net" / name) for name in ("route", "ipv6_route")]
    if rows == [None, None]:
        return True
    four, six = (found or [] for found in rows)
    return any(len(row) > 7 and row[0] not in ("Iface", _LOOPBACK) and row[1] != _OWN_FOUR for row in four) or any(
        len(row) > 9 and row[9] != _LOOPBACK and not row[0].startswith(_OWN_SIX) for row in six
    )


def _rows(table: Path) -> list[list[str]] | None:
    try:
        return [line.split() for line in table.read_text().splitlines()]
    except OSError:  # a kernel without this family, or a sandbox that hides it
        return None
