"""``kontor host`` with ``[host] processes``: the front in this process, the rooms shared out over others, which it watches.

A shard that ends is started anew, alone; all end with the front. Rooms are dealt out in the order of the settings, so that
every process of ours knows where each is.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from appliance.app import figures
from appliance.app.host import allow_descriptors, host_config
from appliance.app.places import state_of
from appliance.app.process import NotAllowed, beat, make_folders, until_stopped
from appliance.app.supervisor import Child, Supervisor, kontor
from appliance.core.events import EventName
from appliance.health.journal import Journal
from appliance.health.notify import Notifier
from appliance.host.announce import announcement
from appliance.host.certificate import CertificateError, load_or_make
from appliance.host.config import HostConfig
from appliance.host.control import CONTROL
from appliance.host.front import Shard
from appliance.host.front_server import FrontServer
from appliance.settings import Settings


def count(settings: Settings) -> int:
    """How many shards there are: no more than rooms."""
    return max(1, min(settings.host.processes, len(settings.host.rooms)))


def shard_of(settings: Settings, room: str) -> int:
    """Which shard holds ``room``, from 0."""
    ids = [each.id for each in settings.host.rooms]
    return ids.index(room) % count(settings) if room in ids else 0


def shard_config(settings: Settings, number: int) -> HostConfig:
    """What shard ``number`` is told: its rooms and their devices, behind the front's socket, with a UDP port of its own.

    :raises NotAllowed: as :func:`appliance.app.host.host_config`.
    """
    whole = host_config(settings)
    rooms = whole.rooms[number :: count(settings)]
    ids = {room.id for room in rooms}
    return replace(
        whole,
        rooms=rooms,
        devices=tuple(device for device in whole.devices if device.room in ids),
        udp_port=whole.udp_port + number if whole.udp_port else 0,
        unix_path=_path(settings, number),
        control_path=control_path(settings, number),
        tls=None,
        authority=None,
        announce="",
    )


def control_path(settings: Settings, number: int) -> Path:
    """Where shard ``number``, or the one host that there is, takes its keeper's commands."""
    name = CONTROL if count(settings) == 1 else f"host-{number}.sock"
    return Path(settings.device.runtime_dir) / name


def _path(settings: Settings, number: int) -> Path:
    return Path(settings.device.runtime_dir) / f"host-{number}.http"


def shards(settings: Settings, config: HostConfig) -> list[Shard]:
    """All of them, as the front knows them."""
    found = []
    for number in range(count(settings)):
        rooms = frozenset(room.id for room in config.rooms[number :: count(settings)])
        devices = frozenset(device.id for device in config.devices if device.room in rooms)
        found.append(Shard(_path(settings, number), rooms, devices))
    return found


async def main(options: Sequence[str], settings: Settings, stop: asyncio.Event, journal: Journal) -> None:
    """Run front and shards until ``stop``.

    :param options: those that name the settings, handed on to the shards.
    :raises NotAllowed: the settings name no room, or an address that cannot be had.
    """
    config = host_config(settings)
    allow_descriptors()
    make_folders(settings.device.state_dir, state_of(settings, "host"), settings.device.runtime_dir)
    try:  # once, here: the shards would make one each
        await asyncio.to_thread(load_or_make, config.certificate_path)
        front = FrontServer(config, shards(settings, config), journal.write)
        await front.start()
    except OSError as error:
        raise NotAllowed(f"[host] listen and port: {error}") from error
    except CertificateError as error:
        raise NotAllowed(str(error)) from error
    children = [
        Child(f"shard {number}", kontor("host", *options, "--shard", str(number)), EventName.SHARD_RESTARTED)
        for number in range(count(settings))
    ]
    sockets = [control_path(settings, number) for number in range(count(settings))]
    notifier = Notifier()
    try:
        async with Supervisor(children, journal) as supervisor:
            notifier.tell("READY=1")
            parts = {
                "front": front.wait,
                "shards": supervisor.watch,
                "watchdog": lambda: beat(notifier, lambda: True, journal),
                **figures.of_host(settings, lambda: figures.of_shards(sockets, front.counters.snapshot()), journal),
                **announcement(config, lambda: front.address[1], journal.tell),
            }
            await until_stopped(stop, parts)
    finally:
        notifier.close()
        await front.stop()
