"""What is asked of the machine's own services: a reboot, a name, how a unit stands, to start it and to stop it."""

from appliance.provisioning.bus import Bus, BusError
from appliance.provisioning.power import Foreground, NotDone

_LOGIND = "org.freedesktop.login1"
_HOSTNAMED = "org.freedesktop.hostname1"
_SYSTEMD = "org.freedesktop.systemd1"
_RESTS = ("inactive", "failed")
_NO_JOB = (0, "/")
"""As org.freedesktop.systemd1(5) has a unit's job where there is none."""


class Machine(Foreground):
    """Asks over D-Bus. What this user may do is said by polkit (systemd/polkit)."""

    def __init__(self, bus: Bus | None = None) -> None:
        self._bus = bus or Bus()

    async def reboot(self) -> None:
        """Start the machine anew, in order: logind lets everything end first (org.freedesktop.login1(5)).

        :raises NotDone: it refuses, or nobody is there to be asked.
        """
        try:
            await self._bus.call(_LOGIND, "/org/freedesktop/login1", f"{_LOGIND}.Manager.Reboot", "b", False)
        except BusError as error:
            raise NotDone(str(error)) from error

    async def is_off(self, unit: str) -> bool:
        """Whether somebody stopped this unit, or it never was started; False when nobody knows."""
        return await self.state_of(unit) == "inactive"

    async def state_of(self, unit: str) -> str:
        """How a unit stands: ``active``, ``activating``, ``deactivating``, ``inactive``, ``failed``; "": nobody knows."""
        path = "/org/freedesktop/systemd1/unit/" + "".join(
            sign if sign.isascii() and sign.isalnum() else f"_{ord(sign):02x}" for sign in unit
        )
        try:
            found = await self._bus.properties(_SYSTEMD, path, f"{_SYSTEMD}.Unit")
        except BusError:
            return ""
        state = str(found.get("ActiveState", ""))
        # A start that was just asked for is a job in systemd's queue first, while the unit stands as before.
        job, _ = found.get("Job", _NO_JOB)
        return "activating" if job and state in _RESTS else state

    async def start(self, unit: str) -> None:
        """Have systemd start a unit. It is begun, not waited for.

        :raises NotDone: it refuses, or nobody is there to be asked.
        """
        await self._manage("StartUnit", unit)

    async def restart(self, unit: str) -> None:
        """Have systemd start a unit anew, whether it runs or not. It is begun, not waited for.

        :raises NotDone: it refuses, or nobody is there to be asked.
        """
        await self._manage("RestartUnit", unit)

    async def stop(self, unit: str) -> None:
        """Have systemd stop a unit. It is begun, not waited for.

        :raises NotDone: it refuses, or nobody is there to be asked.
        """
        await self._manage("StopUnit", unit)

    async def name(self, hostname: str) -> None:
        """Give the machine a name until it is switched off (org.freedesktop.hostname1(5)).

        :raises NotDone: hostnamed refuses, or nobody is there to be asked.
        """
        place = _HOSTNAMED.replace(".", "/")
        try:
            await self._bus.call(_HOSTNAMED, f"/{place}", f"{_HOSTNAMED}.SetHostname", "sb", hostname, False)
        except BusError as error:
            raise NotDone(str(error)) from error

    async def _manage(self, verb: str, unit: str) -> None:
        manager = f"{_SYSTEMD}.Manager"
        try:
            await self._bus.call(_SYSTEMD, "/org/freedesktop/systemd1", f"{manager}.{verb}", "ss", unit, "replace")
        except BusError as error:
            raise NotDone(str(error)) from error

    async def close(self) -> None:
        """Leave the bus."""
        await self._bus.close()
