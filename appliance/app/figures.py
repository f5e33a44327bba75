"""What Prometheus is told, put together: a device asks its other parts, a host in several processes asks each of them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from appliance import __version__
from appliance.app.neighbours import Neighbours
from appliance.app.places import state_of
from appliance.core.counters import total
from appliance.health.journal import Journal
from appliance.health.machine import machine, own_process
from appliance.health.metrics import Families, Metrics
from appliance.settings import Settings

State = Mapping[str, Any]
Part = Callable[[], Awaitable[object]]
_PATIENCE = aiohttp.ClientTimeout(total=1.0)


def of_device(settings: Settings, link: Callable[[], State], journal: Journal) -> dict[str, Part]:
    """The part of link that answers Prometheus; empty where nobody wants it.

    :param link: gives the status of link itself.
    """
    if not settings.metrics.listen:
        return {}
    neighbours, state = Neighbours(settings.device.runtime_dir), state_of(settings, "link")

    async def collect() -> Families:
        from appliance.health.families import device  # noqa: PLC0415 - it takes memory, and few want it

        sound, provision = await asyncio.gather(neighbours.ask("sound"), neighbours.ask("provision"))
        return device(link(), sound, provision, machine(state), __version__)

    return {"metrics": Metrics(settings.metrics.listen, collect, journal).run}


def of_host(settings: Settings, state: Callable[[], Awaitable[State]], journal: Journal) -> dict[str, Part]:
    """The part of a host that answers Prometheus; empty where nobody wants it.

    :param state: gives that of the whole host.
    """
    if not settings.metrics.host_listen:
        return {}
    folder = state_of(settings, "host")

    async def collect() -> Families:
        from appliance.health.families import host  # noqa: PLC0415 - as above

        return host(await state(), own_process(), machine(folder), __version__)

    return {"metrics": Metrics(settings.metrics.host_listen, collect, journal).run}


async def of_shards(sockets: Sequence[Path], own: Mapping[str, int]) -> State:
    """The state of a host in several processes; a shard that does not answer is missing in it.

    :param sockets: where each takes its keeper's commands.
    :param own: what the front itself has counted.
    """
    found = [state for state in await asyncio.gather(*map(_state, sockets)) if state]
    rooms = [room for state in found for room in state["rooms"]]
    return {"rooms": rooms, "counters": total(own, *(state["counters"] for state in found))}


async def _state(path: Path) -> State:
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path)), timeout=_PATIENCE) as session,
            session.get("http://shard/state") as response,
        ):
            answer = await response.json()
    except (aiohttp.ClientError, OSError, ValueError):
        return {}
    return answer if isinstance(answer, dict) and "rooms" in answer else {}
