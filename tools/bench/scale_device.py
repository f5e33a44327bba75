"""What a device's link costs in rooms of ten to thousands: all rooms at once, so that all see the same machine.

Each room is a real host's, and has three members that really talk. Up to a hundred the others have really joined as well; beyond,
the device is told of them by a port of ours before the host (scale_crowd.py), which says everybody's levels too.
"""

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.app.demo import free_port
from appliance.app.panels import VIRTUAL_PANEL
from appliance.app.speech import prepare
from appliance.app.supervisor import kontor
from appliance.core.protocol import MOST_MEMBERS
from appliance.host.config import DeviceConfig, HostConfig, Limits, Rate, RoomConfig
from appliance.host.server import Host
from appliance.rooms.device_key import DeviceKey
from tools.bench.call import config, processes, status
from tools.bench.light_member import ROOM
from tools.bench.processes import ran_seconds
from tools.bench.room import said
from tools.bench.room_load import KEY
from tools.bench.scale_crowd import Crowd

TALKERS = 3
LEVELS = 30.0
"""Updates a second."""
REAL = 100
"""Largest room whose members have all joined: more would take the machine from what is measured."""
_SETTLES = 8.0
_PATIENCE = 60.0
_TRIES = 3
"""On a loaded machine a device may lose its room for a moment."""
_LOOKS = 30
"""Looks at a level before it is believed that nothing is heard: speech has pauses."""
_MANY = Rate(1000.0, 2000.0)
_PLAIN = 'echo = "off"\nnoise = "off"\ngain_control = false\n'


@dataclass(frozen=True)
class Device:
    """A device in a room of ``members``, and what its link took."""

    members: int
    percent: float
    """Of a core."""


@dataclass(frozen=True)
class Place:
    """A device's room before anything runs in it."""

    size: int
    name: str
    port: int
    """Of the crowd, through which the device joins."""
    crowd: Crowd

    @property
    def listeners(self) -> int:
        """Those who join besides the talkers and the device."""
        return others(self.size)[0]

    def commands(self, settings: Path) -> list[list[str]]:
        """Sound and link; a link whose room is larger than one of our own may be has its bounds lifted."""
        lifted = [sys.executable, "-m", "tools.bench.scale_link", "--config", str(settings)]
        link = kontor("link", "--config", str(settings)) if self.size <= MOST_MEMBERS else lifted
        return [kontor("sound", "--config", str(settings)), link]


def others(size: int) -> tuple[int, int]:
    """How many of a room's members besides the talkers and the device really join, and how many are only told of."""
    rest = size - TALKERS - 1
    return (rest, 0) if size <= REAL else (0, rest)


def places(sizes: Sequence[int]) -> list[Place]:
    """A place for each size."""
    talkers = tuple(f"t{number}" for number in range(TALKERS))
    ports = [free_port("127.0.0.1", 18_600 + 20 * index) for index in range(len(sizes))]
    return [
        Place(size, f"d{size}", port, Crowd(others(size)[1], talkers, LEVELS))
        for size, port in zip(sizes, ports, strict=True)
    ]


async def costs(folder: Path, sizes: Sequence[int], seconds: float) -> list[Device]:
    """CPU of one link in a room of each size, over the same seconds.

    :raises RuntimeError: a device was not told of all, or did not hear the talkers, however often it was tried.
    """
    for number in range(_TRIES - 1):
        try:
            return await _costs(folder / f"{number}", sizes, seconds)
        except (RuntimeError, TimeoutError) as wrong:
            print(f"kontor: once more, {wrong}", flush=True)
    return await _costs(folder / "last", sizes, seconds)


async def _costs(folder: Path, sizes: Sequence[int], seconds: float) -> list[Device]:
    await asyncio.to_thread(folder.mkdir)
    key, there = secrets.token_bytes(32), places(sizes)
    prepare(folder / "speech.wav")
    settings = [_settings(folder, place) for place in there]
    async with contextlib.AsyncExitStack() as stack:
        rooms = []
        for place in there:
            host = await stack.enter_async_context(_host(folder, place, key))
            rooms += [host, str(place.listeners), str(TALKERS)]
        environment = {**os.environ, VIRTUAL_PANEL: "1", "OPENBLAS_NUM_THREADS": "1"}
        commands = [each for place, path in zip(there, settings, strict=True) for each in place.commands(path)]
        running = stack.enter_context(processes(commands, env=environment, stderr=subprocess.DEVNULL))
        await asyncio.to_thread(_wait, folder, there)
        load = await stack.enter_async_context(_load(key, seconds + 2 * _SETTLES, rooms))
        await said(load)
        if load.stdin is not None:
            load.stdin.write(b"go\n")
        await asyncio.sleep(_SETTLES)
        links = [link.pid for link in running[1::2]]
        before, began = [ran_seconds(link) for link in links], time.monotonic()
        await asyncio.sleep(seconds)
        after, passed = [ran_seconds(link) for link in links], time.monotonic() - began
        await asyncio.to_thread(_check, folder, there)
        await said(load)
    used = [100 * (end - start) / passed for start, end in zip(before, after, strict=True)]
    return [Device(place.size, percent) for place, percent in zip(there, used, strict=True)]


def _settings(folder: Path, place: Place) -> Path:
    path = config(folder, place.name, place.port, folder / "speech.wav")
    path.write_text(path.read_text().replace("[audio]\n", f"[audio]\n{_PLAIN}"))
    return path


@contextlib.asynccontextmanager
async def _host(folder: Path, place: Place, key: bytes) -> AsyncIterator[str]:
    """A host with the device's room, and the crowd before it; gives the host's own address."""
    public = DeviceKey.load_or_make(folder / place.name / "state" / "link").public
    host = Host(
        HostConfig(
            certificate_path=folder / "host.pem",
            rooms=(RoomConfig(ROOM, "Bench", {"k": key}),),
            devices=(DeviceConfig(place.name, place.name, ROOM, public),),
            limits=Limits(joins=_MANY, address_joins=_MANY, address_sockets=_MANY, address_challenges=_MANY),
        ),
        lambda _event: None,
    )
    await host.start()
    await place.crowd.start(place.port)
    try:
        address = f"http://127.0.0.1:{host.address[1]}"
        place.crowd.stand_before(address)
        yield address
    finally:
        await place.crowd.stop()
        await host.stop()


@contextlib.asynccontextmanager
async def _load(key: bytes, seconds: float, rooms: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools.bench.scale_load", str(seconds), *rooms),
        env={**os.environ, KEY: key.hex()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _wait(folder: Path, there: Sequence[Place]) -> None:
    end = time.monotonic() + _PATIENCE
    while {status(folder, place.name, "link").get("phase") for place in there} != {"in_room"}:
        if time.monotonic() > end:
            words = {place.name: status(folder, place.name, "link").get("why") for place in there}
            raise TimeoutError(f"the devices did not come into their rooms: {words}")
        time.sleep(0.2)


def _check(folder: Path, there: Sequence[Place]) -> None:
    """What is measured is what is said."""
    for place in there:
        link = status(folder, place.name, "link")
        if link.get("members") != place.size or len(link.get("speaking", ())) < TALKERS:
            raise RuntimeError(f"{place.name} knows {link.get('members')} members, {link.get('speaking')} speak")
        loudest, looks = -127, 0
        while loudest < -60 and looks < _LOOKS:
            loudest, looks = status(folder, place.name, "sound").get("loudspeaker", -127), looks + 1
            time.sleep(0.1)
        if loudest < -60:
            raise RuntimeError(f"{place.name} does not hear its room")
