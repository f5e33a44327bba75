"""A device as provisioning sees it: files below a folder, stand-ins for sound and link, a server with signed settings."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from appliance.app import intake, rollout
from appliance.app.provision import begin_with
from appliance.app.rollout import Rollout
from appliance.core.documents import Fault, Floor, Why
from appliance.provisioning.fetch import Look, Place
from appliance.provisioning.files import ACTIVE
from appliance.provisioning.network import Network
from appliance.provisioning.publication import Published
from appliance.provisioning.virtual import VirtualNetwork
from appliance.settings import Settings
from tests.app.parts import journal
from tools.bench.stand_in import StandIn

ROOM = "https://rooms.example.org"
OTHER = "https://elsewhere.example.org"
BOOT = "boot/firmware/kontor.toml"


def in_room(settings: Settings) -> str:
    """Only this server lets the device in."""
    return "" if settings.room.url == ROOM else "Unknown device."


class Shown:
    """What is published. It stands in for the fetcher: nothing is signed, nothing goes over a network."""

    def __init__(self) -> None:
        self.published: dict[str, Published] = {}
        self.down = False
        self.asked: list[Place] = []

    def publish(self, scope: str, version: int, text: str, expires: float | None = None) -> None:
        self.published[scope] = Published(scope, version, f"schema = 1\n{text}".encode(), expires, "ABCD")

    def fetcher(
        self, place: Place, _now: object, known: Mapping[str, Published], floors: Mapping[str, Floor]
    ) -> "Fake":
        return Fake(self, place, known, floors)


class Fake:
    """As :class:`appliance.provisioning.fetch.Fetcher`."""

    def __init__(self, shown: Shown, place: Place, known: Mapping[str, Published], floors: Mapping[str, Floor]) -> None:
        self._shown, self.place, self._known = shown, place, dict(known)
        self.floors = {**{scope: each.floor for scope, each in known.items()}, **floors}

    async def look(self, scopes: tuple[str, ...]) -> Look:
        self._shown.asked.append(self.place)
        news: list[str] = []
        if self._shown.down or "unreachable" in self.place.url:
            faults = {scope: Fault(scope, Why.UNREACHABLE, "It cannot be reached.") for scope in scopes}
            return Look(dict(self._known), faults=faults)
        for scope in scopes:
            found = self._shown.published.get(scope)
            if found is None or found == self._known.get(scope):
                continue
            if scope in self.floors and found.version < self.floors[scope].version:
                continue
            self._known[scope], self.floors[scope] = found, found.floor
            news.append(scope)
        return Look({scope: each for scope, each in self._known.items() if scope in scopes}, tuple(news), reached=True)


class Device:
    """The device. :meth:`begin` is a start of provisioning; the parts run on."""

    def __init__(self, root: Path, network: Network | None = None) -> None:
        self.root, self.network = root, network or VirtualNetwork()
        self.shown = Shown()
        self.log, self.lines = journal()
        self.now = time.time()
        self.rollout: Rollout

    async def begin(self) -> Rollout:
        files, _least = begin_with(self.root)
        self.rollout = Rollout(
            files,
            self.log,
            self.network,
            self.root,
            now=lambda: self.now,
            clock=asyncio.get_running_loop().time,
        )
        await self.rollout.begin()
        await self.rollout.settle()
        return self.rollout

    async def round(self, *, fetches: bool = True) -> Mapping[str, object]:
        await self.rollout.round(fetches=fetches)
        return self.rollout.as_dict()

    def boot(self, text: str) -> None:
        path = self.root / BOOT
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"schema = 1\n{text}")

    def machine(self, text: str) -> None:
        path = self.root / "etc/kontor/conf.d/50-test.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"schema = 1\n{text}")

    @property
    def active(self) -> str:
        """The digest of what every process reads."""
        path = self.root / ACTIVE
        return path.readlink().name if path.is_symlink() else ""

    @property
    def good(self) -> str:
        path = (self.root / ACTIVE).with_name("good")
        return path.readlink().name if path.is_symlink() else ""


async def at_once(call: Callable[..., object], *given: object) -> object:
    """In place of a thread: virtual time does not wait for one."""
    return call(*given)


def make_device(root: Path, patch: pytest.MonkeyPatch, network: Network | None = None) -> Device:
    """A device that lives in ``root``; nothing that it fetches comes over a network."""
    device = Device(root, network)
    patch.setattr(asyncio, "to_thread", at_once)
    for module in (intake, rollout):
        patch.setattr(module, "Fetcher", device.shown.fetcher)
    runtime = root.parent / f"{root.name}-run"  # sockets are on no disk
    for folder in (runtime, root / "state/provision", root / "etc/kontor"):
        folder.mkdir(parents=True, exist_ok=True)
    own = f'[device]\nstate_dir = "{root}/state"\nruntime_dir = "{runtime}"\n'
    (root / "etc/kontor/kontor.toml").write_text(f"schema = 1\n{own}")
    return device


@contextlib.asynccontextmanager
async def parts(device: Device) -> AsyncIterator[StandIn]:
    """Sound and link of the device."""
    standing = StandIn(device.root, in_room, asyncio.get_running_loop().time)
    await standing.start()
    try:
        yield standing
    finally:
        await standing.stop()
