"""What is asked of systemd and its own services beside a reboot: units that start and end, and the name of the machine.

Which units and which names is said by polkit's rules (systemd/polkit, image/root): without one everything here is refused.
"""

from typing import Protocol

from appliance.provisioning.bus import Bus, BusError
from appliance.provisioning.power import NotDone

_SYSTEMD = "org.freedesktop.systemd1"
_MANAGER = "/org/freedesktop/systemd1"
_HOSTNAME = "org.freedesktop.hostname1"


class Services(Protocol):
    """:class:`MachineServices` is the real one."""

    async def start(self, unit: str) -> None:
        """Start a unit; one that runs goes on.

        :raises NotDone: it is not there, or we may not.
        """

    async def restart(self, unit: str) -> None:
        """Start a unit anew, whether it runs or not.

        :raises NotDone: it is not there, or we may not.
        """

    async def stop(self, unit: str) -> None:
        """Stop a unit; one that does not run stays so.

        :raises NotDone: we may not.
        """

    async def state(self, unit: str) -> str:
        """How it stands, as systemd says it: ``active``, ``activating``, ``inactive``, ``failed`` …; "" when nobody knows."""

    async def name(self, hostname: str) -> None:
        """Give the machine a name, until it is switched off.

        :raises NotDone: we may not, or nobody is there to be asked.
        """


class MachineServices:
    """Asks over D-Bus (org.freedesktop.systemd1(5), org.freedesktop.hostname1(5))."""

    def __init__(self, bus: Bus | None = None) -> None:
        self._bus = bus or Bus()

    async def start(self, unit: str) -> None:
        """Have it started; whether it came up is told by :meth:`state`.

        :raises NotDone: it is not there, or we may not.
        """
        await self._manager("StartUnit", "ss", unit, "replace")

    async def restart(self, unit: str) -> None:
        """Have it started anew, whether it runs or not.

        :raises NotDone: it is not there, or we may not.
        """
        await self._manager("RestartUnit", "ss", unit, "replace")

    async def stop(self, unit: str) -> None:
        """Have it stopped; whether it has ended is told by :meth:`state`.

        :raises NotDone: we may not.
        """
        await self._manager("StopUnit", "ss", unit, "replace")

    async def state(self, unit: str) -> str:
        """How it stands; "" when nobody knows."""
        try:
            (path,) = await self._bus.call(_SYSTEMD, _MANAGER, f"{_SYSTEMD}.Manager.LoadUnit", "s", unit)
            found = await self._bus.properties(_SYSTEMD, path, f"{_SYSTEMD}.Unit")
        except BusError:
            return ""
        return str(found.get("ActiveState", ""))

    async def name(self, hostname: str) -> None:
        """Give the machine a name, until it is switched off.

        :raises NotDone: we may not, or nobody is there to be asked.
        """
        await self._ask(_HOSTNAME, "/org/freedesktop/hostname1", f"{_HOSTNAME}.SetHostname", "sb", hostname, False)

    async def close(self) -> None:
        """Leave the bus."""
        await self._bus.close()

    async def _manager(self, verb: str, signature: str, *values: object) -> None:
        await self._ask(_SYSTEMD, _MANAGER, f"{_SYSTEMD}.Manager.{verb}", signature, *values)

    async def _ask(self, service: str, path: str, method: str, signature: str, *values: object) -> None:
        try:
            await self._bus.call(service, path, method, signature, *values)
        except BusError as error:
            raise NotDone(str(error)) from error
