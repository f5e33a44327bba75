"""Time servers, told to systemd-timesyncd over D-Bus for as long as it runs; nothing is written."""

from collections.abc import Sequence

from appliance.provisioning.bus import Bus

_SERVICE = "org.freedesktop.timesync1"
_PATH = "/org/freedesktop/timesync1"
_INTERFACE = f"{_SERVICE}.Manager"


async def time_servers(bus: Bus) -> tuple[str, ...]:
    """Those that were set by us or another program since timesyncd started.

    :raises BusError: timesyncd does not run.
    """
    return tuple((await bus.properties(_SERVICE, _PATH, _INTERFACE))["RuntimeNTPServers"])


async def set_time_servers(bus: Bus, servers: Sequence[str]) -> None:
    """Ask these from now on; none: those that the machine or DHCP knows.

    :raises BusError: timesyncd does not run, or refuses.
    """
    await bus.call(_SERVICE, _PATH, f"{_INTERFACE}.SetRuntimeNTPServers", "as", list(servers))
