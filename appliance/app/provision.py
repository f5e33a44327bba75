"""Puts ``kontor provision`` together: it takes in settings from the boot partition and from afar, tries them, and keeps them.

Nobody else reads the boot partition or fetches settings; the other processes read what lies accepted on the disk
(appliance/provisioning/sets.py). Whatever is wrong with settings, this process goes on: it is the way to better ones.
"""

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from appliance.app.caretaker import Caretaker
from appliance.app.nearby import Nearby
from appliance.app.neighbours import Neighbours
from appliance.app.places import state_of
from appliance.app.process import beat, make_folders, until_stopped
from appliance.app.reset import Reset
from appliance.app.rollout import Rollout, needs
from appliance.app.surroundings import IMAGE, Surroundings
from appliance.app.updating import Updating
from appliance.core.events import EventName, Severity
from appliance.health.journal import Journal
from appliance.health.machine import own_process
from appliance.health.notify import Notifier
from appliance.health.status import Handler, StatusServer
from appliance.provisioning.candidate import SECRETS
from appliance.provisioning.fetch import pause
from appliance.provisioning.files import Files, root_folder
from appliance.provisioning.network import Network
from appliance.provisioning.power import Foreground, Power, is_service
from appliance.provisioning.virtual import VirtualNetwork
from appliance.settings import Settings, SettingsError

STATUS = "provision.status"
BOOT_LOOK = 5.0
"""Seconds between two looks at the boot partition, and at parts that may run with other settings."""

Found = Sequence[Mapping[str, object]]
Part = Callable[[], Awaitable[object]]


class Provision:
    """The daemon. Others hang in what else it does: ``further``, and what they have to show: :attr:`found`."""

    def __init__(self, files: Files, journal: Journal, network: Network, root: Path | None = None) -> None:
        self._files, self._journal, self._network = files, journal, network
        self.rollout = Rollout(files, journal, network, root or root_folder())
        self.found: Callable[[], Found] = tuple
        """The rooms that announce themselves nearby; see appliance/provisioning/nearby.py."""
        self.health: Callable[[], Mapping[str, object]] = dict
        """What the device did to mend itself; see appliance/app/caretaker.py."""
        self.updating: Updating | None = None
        """None: nothing is updated by this process."""
        self.around: Callable[[], Mapping[str, object]] = dict
        """What is done for the machine on the image; see appliance/app/surroundings.py."""
        self._pulls: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()

    @property
    def settings(self) -> Settings:
        """Those in force now."""
        return self._files.current.settings

    async def run(self, stop: asyncio.Event, notifier: Notifier, further: Mapping[str, Part]) -> None:
        """Run until ``stop``; a vital part that ends raises."""
        handlers: dict[str, Handler] = {"status": self._status, "pull": self._pull}
        if self.updating is not None:
            handlers["update"] = self.updating.ask
        status = StatusServer(Path(self.settings.device.runtime_dir) / STATUS, handlers)
        await self.rollout.begin()
        await status.start()
        try:
            notifier.tell("READY=1")  # what was on trial when the power went is taken back: sound and link may read
            self._journal.tell(EventName.PROVISION_STARTED, digest=self._files.current.digest or "none")
            parts: dict[str, Part] = {
                "rollout": lambda: self._keep_up(stop),
                "network": self._network.run,
                "watchdog": lambda: beat(notifier, lambda: True, self._journal),
                **further,
            }
            await until_stopped(stop, parts)
        finally:
            await status.stop()
            self._journal.tell(EventName.PROVISION_STOPPED)

    async def adopt(self, content: bytes, name: str) -> None:
        """Take settings that were found nearby; what the boot file or a document says has more to say.

        :param name: where they are from, as people are to read it.
        """
        self.rollout.intake.adopt(content, name)
        self._wake.set()

    async def _keep_up(self, stop: asyncio.Event) -> None:
        runtime, state = self.settings.device.runtime_dir, self.settings.device.state_dir
        await self.rollout.settle()
        due = 0.0
        while (self.settings.device.runtime_dir, self.settings.device.state_dir) == (runtime, state):
            self._wake.clear()
            pulls, self._pulls = self._pulls, []
            if pulls:
                self.rollout.try_again()
            fetches = bool(pulls) or time.monotonic() >= due
            await self.rollout.round(fetches=fetches)
            if fetches:
                due = time.monotonic() + pause(self.settings.provisioning.poll_s, random.random())  # noqa: S311 - jitter
            for pull in pulls:
                if not pull.done():
                    pull.set_result(None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(BOOT_LOOK, max(0.0, due - time.monotonic()))):
                    await self._wake.wait()
        stop.set()  # our own folders are elsewhere now: begin anew there
        await asyncio.Event().wait()

    async def _status(self, _request: Mapping[str, Any]) -> Mapping[str, object]:
        return {
            "config": self.rollout.as_dict(),
            "network": dict(self._network.state()),
            "needs": needs(self.settings),
            "found": [dict(each) for each in self.found()],
            "recovery": dict(self.health()),
            "machine": dict(self.around()),
            "update": dict(self.updating.as_dict()) if self.updating else {},
            **own_process(),
        }

    async def _pull(self, request: Mapping[str, Any]) -> Mapping[str, object]:
        """Answers when everything was looked at, and tried if there was something to try."""
        pull: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pulls.append(pull)
        self._wake.set()
        await pull
        return await self._status(request)


def begin_with(root: Path) -> tuple[Files, Severity]:
    """The settings in force, as far as they can be used, and the least grave event that they want written."""
    files = Files(None, SECRETS, root)
    try:
        files.current = files.load()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        # What was accepted does not fit any more, perhaps after an update, or the machine's own files are wrong.
        files.current = files.salvage()
    return files, Severity[files.current.settings.log.level.name]


async def main(files: Files, stop: asyncio.Event, journal: Journal) -> None:
    """``kontor provision``.

    :raises NotAllowed: its folders cannot be made.
    """
    settings = files.current.settings
    own = state_of(settings, "provision")
    make_folders(settings.device.state_dir, own, settings.device.runtime_dir)
    notifier = Notifier()
    machine = power()
    try:
        provision = Provision(files, journal, network_of(own))

        def trying() -> bool:
            return provision.rollout.as_dict()["state"] == "trying"

        caretaker = Caretaker(lambda: provision.settings, journal, machine, trying=trying, state=own)
        provision.health = caretaker.as_dict
        updating = Updating(lambda: provision.settings, journal, machine, trying=trying, root=root_folder())
        provision.updating = updating
        neighbours = Neighbours(Path(settings.device.runtime_dir))
        nearby = Nearby(lambda: provision.settings, neighbours, provision.adopt, journal)
        provision.found = nearby.found
        reset = Reset(neighbours, journal, machine, root_folder())
        parts = {"caretaker": caretaker.run, "nearby": nearby.run, "reset": reset.run, "updating": updating.run}
        if is_service() and IMAGE.is_dir():
            around = Surroundings(lambda: provision.settings, journal, machine, own)
            provision.around, provision.rollout.trouble = around.as_dict, around.trouble
            parts["surroundings"] = around.run
        await provision.run(stop, notifier, parts)
    finally:
        notifier.close()


def power() -> Power:
    """What can be asked of this machine: nothing by a process that is not its service."""
    if not is_service():
        return Foreground()
    from appliance.provisioning.machine import Machine  # noqa: PLC0415 - D-Bus is on a device only

    return Machine()


def network_of(folder: Path) -> Network:
    """Whoever has this machine's network; below another root there is no machine. ``folder`` is provision's own."""
    if root_folder() != Path("/"):
        return VirtualNetwork()
    from appliance.provisioning.network_manager import NetworkManager  # noqa: PLC0415 - D-Bus is on a device only

    return NetworkManager(folder)
