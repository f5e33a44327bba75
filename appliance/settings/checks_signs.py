"""Devices of one room that nobody could tell apart: they would have the same sign on every page and ring.

What somebody wrote down is refused; what follows from two ids by chance (1 in 96 for two devices) is only told, since a device
that was added yesterday must not stop the server today.
"""

from collections.abc import Iterator

from appliance.core.roster import HUES, PLACES, Sign, sign_of
from appliance.settings.clash import Clash
from appliance.settings.model import Settings
from appliance.settings.model_host import HostedDevice


def signs(settings: Settings) -> Iterator[Clash]:
    """Devices whose sign is set to what another one of their room has."""
    devices = settings.host.devices
    for item, other in _alike(devices):
        if devices[item].sign is not None:
            key = "hue" if devices[item].hue is not None else "place"
            words = f'gives {devices[item].id} the sign of "{other.id}": nobody in {other.room} could tell them apart'
            yield Clash(f"host.devices[].{key}", words, _way_out(devices, item), item, ("host.rooms",))


def same_by_chance(settings: Settings) -> list[str]:
    """A sentence for each device that looks like another one of its room without anybody having said so."""
    devices = settings.host.devices
    return [
        f'In {other.room} the devices "{devices[item].id}" and "{other.id}" have the same sign.'
        f" Give one of them another. {_way_out(devices, item)}"
        for item, other in _alike(devices)
        if devices[item].sign is None
    ]


def _alike(devices: tuple[HostedDevice, ...]) -> Iterator[tuple[int, HostedDevice]]:
    """Devices (by their number) that look like another one of their room; of two the one whose sign was set, or the later."""
    seen: dict[tuple[str, Sign], HostedDevice] = {}
    for item, device in sorted(enumerate(devices), key=lambda numbered: numbered[1].sign is not None):
        other = seen.setdefault((device.room, _sign(device)), device)
        if other is not device:
            yield item, other


def _sign(device: HostedDevice) -> Sign:
    return device.sign or sign_of(device.id)


def _way_out(devices: tuple[HostedDevice, ...], item: int) -> str:
    own = _sign(devices[item])
    taken = {
        _sign(device).place for device in devices if device.room == devices[item].room and _sign(device).hue == own.hue
    }
    free = [str(place) for place in range(PLACES) if place not in taken]
    return f"Free with {HUES[own.hue]}: place {', '.join(free)}." if free else "Take another hue."
