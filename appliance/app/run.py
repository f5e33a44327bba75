"""Puts ``kontor run`` together: sound and link in the foreground, watched; on the image each is a unit of its own."""

import asyncio
from collections.abc import Sequence

from appliance.app.process import until_stopped
from appliance.app.supervisor import Supervisor, device_children
from appliance.health.journal import Journal


async def main(config: Sequence[str], stop: asyncio.Event, journal: Journal) -> None:
    """Run a device until ``stop``.

    :param config: the options that name the settings, handed on to both processes.
    """
    async with Supervisor(device_children(config), journal) as supervisor:
        await until_stopped(stop, {"processes": supervisor.watch})
