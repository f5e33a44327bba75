"""Puts ``kontor run`` together: sound and link in the foreground, watched; on the image each is a unit of its own.

With ``[host] enabled`` the server runs beside them, and this box's device is a member of it. Where settings come from the boot
partition or from afar, ``kontor provision`` takes them in; a device without a room looks for one nearby by it.
"""

import asyncio
from collections.abc import Sequence

from appliance.app.one_box import has_room, is_member, place_of
from appliance.app.places import state_of
from appliance.app.process import NotAllowed, make_folders, until_stopped
from appliance.app.supervisor import Child, Supervisor, device_children, kontor
from appliance.core.events import EventName
from appliance.health.journal import Journal
from appliance.provisioning.files import boot_file, root_folder
from appliance.rooms.device_key import DeviceKey
from appliance.settings import Settings


async def main(settings: Settings, config: Sequence[str], stop: asyncio.Event, journal: Journal) -> None:
    """Run a device until ``stop``.

    :param config: the options that name the settings, handed on to all processes.
    :raises NotAllowed: the settings of a box that is device and server do not go together.
    """
    children = device_children(config)
    if settings.host.enabled:
        place_of(settings)  # one sentence now is better than three processes that refuse
        if is_member(settings):
            _make_key(settings)
        children.insert(0, Child("host", kontor("host", *config), EventName.HOST_RESTARTED))
    needs_room = not has_room(settings)
    provided = not config and (needs_room or boot_file(root_folder()) is not None or bool(settings.provisioning.url))
    if provided:
        children.append(Child("provision", kontor("provision"), EventName.PROVISION_RESTARTED))
    async with Supervisor(children, journal, mended=provided) as supervisor:
        await until_stopped(stop, {"processes": supervisor.watch})


def _make_key(settings: Settings) -> None:
    """The device's key, before two processes that need it would each make one."""
    make_folders(settings.device.state_dir, state_of(settings, "link"))
    try:
        DeviceKey.load_or_make(state_of(settings, "link"))
    except (OSError, ValueError) as error:
        raise NotAllowed(f"the device's key: {error}") from error
