"""What we ask of NetworkManager over D-Bus, verb by verb; the polkit rule in systemd/polkit allows these and no others.

Source: NetworkManager's D-Bus reference, version 1.42 (Debian 12) and later.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from appliance.provisioning.bus import Bus, BusError, plain, variant
from appliance.provisioning.network_profiles import Table

SERVICE = "org.freedesktop.NetworkManager"
ROOT = "/org/freedesktop/NetworkManager"
SIGNALS = f"type='signal',sender='{SERVICE}'"

_SETTINGS, _SETTINGS_ROOT = f"{SERVICE}.Settings", f"{ROOT}/Settings"
_PROFILE = f"{_SETTINGS}.Connection"
_ACTIVE = f"{SERVICE}.Connection.Active"
_DEVICE = f"{SERVICE}.Device"
_NONE = "/"
_TO_DISK, _IN_MEMORY = 0x1, 0x2
_WHOLE = 0x1 | 0x2 | 0x4
"""Of a checkpoint: end others, delete profiles that are new, disconnect devices that are new."""
_UNSAVED = 0x1
_ACTIVATED = 2
_FAILED = 120
_LOOK = 0.2
_SECRETS = ("802-11-wireless-security", "802-1x")
_WIFI = 2
"""NMDeviceType."""

KINDS: Mapping[str, str] = {"802-3-ethernet": "ethernet", "802-11-wireless": "wifi", "vlan": "vlan"}
"""How the types of connections are called among people; others are not told of."""

NOT_LET_IN = "the network did not let the device in"
REFUSED = "the password is wrong or missing"
LOGIN_FAILED = "the login failed"
OUT_OF_RANGE = "the network is not in range"
REASONS: Mapping[int, str] = {
    5: "no address could be had",
    7: REFUSED,
    8: NOT_LET_IN,
    9: "the login could not be set up",
    10: LOGIN_FAILED,
    11: "the login took too long",
    15: "no address could be had by DHCP",
    16: "no address could be had by DHCP",
    17: "no address could be had by DHCP",
    40: "there is no cable in it",
    53: OUT_OF_RANGE,
    60: "a device above it failed",
}
"""By NMDeviceStateReason: why a connection did not come up."""


class Held(NamedTuple):
    """A profile of ours as NetworkManager has it."""

    path: str
    table: Mapping[str, Any]
    """As it came, with the types of D-Bus and without secrets."""
    unsaved: bool


class Standing(NamedTuple):
    """A connection that stands, or is about to."""

    path: str
    name: str
    uuid: str
    kind: str
    interface: str
    up: bool
    addresses: list[str]


@dataclass(slots=True)
class Manager:
    """NetworkManager. Every method raises :class:`BusError`."""

    bus: Bus
    reasons: dict[str, int] = field(default_factory=dict)
    """Why a device failed last, by its path."""

    async def listen(self) -> None:
        """Hear why devices fail; the bus's listener must give each signal to :meth:`heard`."""
        await self.bus.listen(SIGNALS)

    def heard(self, path: str, member: str, values: Sequence[Any]) -> None:
        """A signal."""
        if member == "StateChanged" and len(values) == 3 and values[0] == _FAILED:
            self.reasons[path] = int(values[2])

    async def version(self) -> str:
        """As in ``1.42.4``."""
        return str((await self.bus.properties(SERVICE, ROOT, SERVICE))["Version"])

    # profiles

    async def held(self, prefix: str) -> dict[str, Held]:
        """Profiles whose name begins with ``prefix``, by UUID."""
        found: dict[str, Held] = {}
        for path in (await self.bus.call(SERVICE, _SETTINGS_ROOT, f"{_SETTINGS}.ListConnections"))[0]:
            try:
                table = (await self.bus.call(SERVICE, path, f"{_PROFILE}.GetSettings"))[0]
                name = plain(table["connection"])
                if str(name["id"]).startswith(prefix):
                    flags = (await self.bus.properties(SERVICE, path, _PROFILE)).get("Flags", 0)
                    found[name["uuid"]] = Held(path, table, bool(flags & _UNSAVED))
            except BusError as error:
                if not error.gone:  # somebody deletes it at this moment
                    raise
        return found

    async def with_secrets(self, held: Held) -> Mapping[str, Any]:
        """Its table with its secrets in it."""
        table = {name: dict(values) for name, values in held.table.items()}
        for name in _SECRETS:
            if name in table:
                try:
                    secrets = (await self.bus.call(SERVICE, held.path, f"{_PROFILE}.GetSecrets", "s", name))[0]
                except BusError as error:
                    if error.refused or not error.name:
                        raise
                    continue  # it has none: a login by a key without a password
                table[name] |= secrets.get(name, {})
        return table

    async def add(self, table: Table) -> str:
        """A new profile, in memory alone; gives its path.

        NetworkManager may use it by itself at once. Its flag against that (BLOCK_AUTOCONNECT) would hold until somebody brings
        the profile up by hand: the second Wi-Fi would never take over from the first.
        """
        answer = await self.bus.call(
            SERVICE, _SETTINGS_ROOT, f"{_SETTINGS}.AddConnection2", "a{sa{sv}}ua{sv}", typed(table), _IN_MEMORY, {}
        )
        return str(answer[0])

    async def change(self, path: str, table: Mapping[str, Any], *, keep: bool) -> None:
        """Another content: for good, or in memory alone. ``table`` is as D-Bus wants it."""
        flags = _TO_DISK if keep else _IN_MEMORY
        await self.bus.call(SERVICE, path, f"{_PROFILE}.Update2", "a{sa{sv}}ua{sv}", table, flags, {})

    async def delete(self, path: str) -> None:
        """A profile is gone, also from the disk."""
        await self.bus.call(SERVICE, path, f"{_PROFILE}.Delete")

    # connections

    async def standing(self) -> list[Standing]:
        """All that stand or are about to, of the kinds that people know."""
        root = await self.bus.properties(SERVICE, ROOT, SERVICE)
        found = []
        for path in root["ActiveConnections"]:
            try:
                found.append(await self._standing(path))
            except BusError as error:
                if not error.gone:
                    raise
        return [each for each in found if each.kind]

    async def activate(self, path: str, seconds: float) -> str | None:
        """Bring a profile up; gives None when it stands, "" when there is no device for it now, else why it failed."""
        try:
            active = str(
                (await self.bus.call(SERVICE, ROOT, f"{SERVICE}.ActivateConnection", "ooo", path, _NONE, _NONE))[0]
            )
        except BusError as error:
            if error.refused:
                raise
            return ""
        devices: list[str] = []
        try:
            async with asyncio.timeout(seconds):
                while True:
                    now = await self.bus.properties(SERVICE, active, _ACTIVE)
                    devices = now["Devices"] or devices
                    if now["State"] == _ACTIVATED:
                        return None
                    if now["State"] > _ACTIVATED:
                        break
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            return "it took too long"
        except BusError as error:
            if not error.gone:
                raise
        reason = next((self.reasons[device] for device in devices if device in self.reasons), 0)
        return REASONS.get(reason, "it did not come up")

    async def deactivate(self, path: str) -> None:
        """Take a connection down; its path is that of :class:`Standing`."""
        await self.bus.call(SERVICE, ROOT, f"{SERVICE}.DeactivateConnection", "o", path)

    async def in_range(self, seconds: float) -> set[str] | None:
        """Names of the Wi-Fi networks that are heard, after a new look; None where there is no Wi-Fi."""
        radios = [path for path, device in (await self.devices()).items() if device["DeviceType"] == _WIFI]
        if not radios:
            return None
        if not (await self.bus.properties(SERVICE, ROOT, SERVICE))["WirelessEnabled"]:
            await self.bus.set(SERVICE, ROOT, SERVICE, "WirelessEnabled", "b", True)
            await asyncio.sleep(1.0)
        found: set[str] = set()
        for radio in radios:
            await self._scan(radio, seconds)
            for point in (await self.bus.properties(SERVICE, radio, f"{_DEVICE}.Wireless"))["AccessPoints"]:
                try:
                    name = (await self.bus.properties(SERVICE, point, f"{SERVICE}.AccessPoint"))["Ssid"]
                    found.add(bytes(name).decode(errors="replace"))
                except BusError as error:
                    if not error.gone:
                        raise
        return found

    async def devices(self) -> dict[str, Mapping[str, Any]]:
        """Devices that NetworkManager manages, with their properties, by path."""
        paths = (await self.bus.properties(SERVICE, ROOT, SERVICE))["Devices"]
        found: dict[str, Mapping[str, Any]] = {}
        for path in paths:
            try:
                found[path] = await self.bus.properties(SERVICE, path, _DEVICE)
            except BusError as error:
                if not error.gone:
                    raise
        return {path: device for path, device in found.items() if device["Managed"]}

    # checkpoints

    async def checkpoint(self, seconds: float) -> str:
        """Remember every device as it is, and bring that back after so many seconds; gives the checkpoint's path."""
        answer = await self.bus.call(SERVICE, ROOT, f"{SERVICE}.CheckpointCreate", "aouu", [], round(seconds), _WHOLE)
        return str(answer[0])

    async def prolong(self, checkpoint: str, seconds: float) -> None:
        """So many seconds from now."""
        await self.bus.call(
            SERVICE, ROOT, f"{SERVICE}.CheckpointAdjustRollbackTimeout", "ou", checkpoint, round(seconds)
        )

    async def forget(self, checkpoint: str) -> None:
        """Nothing is brought back any more."""
        await self.bus.call(SERVICE, ROOT, f"{SERVICE}.CheckpointDestroy", "o", checkpoint)

    async def roll_back(self, checkpoint: str) -> None:
        """Bring back now."""
        await self.bus.call(SERVICE, ROOT, f"{SERVICE}.CheckpointRollback", "o", checkpoint)

    async def _standing(self, path: str) -> Standing:
        active = await self.bus.properties(SERVICE, path, _ACTIVE)
        interface, addresses = "", []
        if active["Devices"]:
            interface = str((await self.bus.properties(SERVICE, active["Devices"][0], _DEVICE))["Interface"])
        if active["Ip4Config"] != _NONE:
            config = await self.bus.properties(SERVICE, active["Ip4Config"], f"{SERVICE}.IP4Config")
            addresses = [f"{each['address']}/{each['prefix']}" for each in config["AddressData"]]
        kind = KINDS.get(active["Type"], "")
        return Standing(path, active["Id"], active["Uuid"], kind, interface, active["State"] == _ACTIVATED, addresses)

    async def _scan(self, radio: str, seconds: float) -> None:
        interface = f"{_DEVICE}.Wireless"

        async def last() -> int:
            return int((await self.bus.properties(SERVICE, radio, interface))["LastScan"])

        before = await last()
        try:
            await self.bus.call(SERVICE, radio, f"{interface}.RequestScan", "a{sv}", {})
        except BusError as error:
            if error.refused:
                raise
            # It has just looked, or is looking: what it finds is as good.
        try:
            async with asyncio.timeout(seconds):
                while await last() == before:  # noqa: ASYNC110 - it is another process that looks
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            pass


def typed(table: Table) -> dict[str, dict[str, Any]]:
    """A table as D-Bus carries it."""
    return {name: {key: _typed(*value) for key, value in values.items()} for name, values in table.items()}


def _typed(signature: str, value: Any) -> Any:
    if signature == "aa{sv}":
        value = [{key: _typed(*each) for key, each in item.items()} for item in value]
    return variant(signature, value)
