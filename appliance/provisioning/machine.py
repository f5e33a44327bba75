"""The two things that are asked of the machine's own services: a reboot of logind, and of systemd how a unit stands."""

from appliance.provisioning.bus import Bus, BusError
from appliance.provisioning.power import Foreground, NotDone

_LOGIND = "org.freedesktop.login1"
_SYSTEMD = "org.freedesktop.systemd1"


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
        path = "/org/freedesktop/systemd1/unit/" + "".join(
            sign if sign.isascii() and sign.isalnum() else f"_{ord(sign):02x}" for sign in unit
        )
        try:
            found = await self._bus.properties(_SYSTEMD, path, f"{_SYSTEMD}.Unit")
        except BusError:
            return False
        return found.get("ActiveState") == "inactive"

    async def close(self) -> None:
        """Leave the bus."""
        await self._bus.close()
