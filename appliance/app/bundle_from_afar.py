"""A support bundle for an admin of the room: made by link, handed in to the host that passed the wish on.

It has what :mod:`appliance.app.bundle` collects, less what somebody far away could learn of a closed room from it, and less what
link may not read: its journal is empty on a device whose services are shut in. It is made only if the settings say so, one at a
time, and the journal of the device tells of each.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from appliance.app.neighbours import Neighbours
from appliance.core.events import EventName
from appliance.health.journal import Journal
from appliance.provisioning.files import Files, sources
from appliance.rooms.contract import Engine
from appliance.settings import Settings, SettingsError, resolve
from appliance.settings.describe import as_toml

_PAUSE = 30.0
"""Seconds between two bundles: each reads and packs for a moment, and an admin's page may ask again and again."""

Status = Callable[[], Mapping[str, Any]]


class BundleFromAfar:
    """Loop only.

    :param settings: those in force.
    :param engine: the one that link has now.
    :param status: what link says of itself.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        files: Files | None,
        engine: Callable[[], Engine],
        status: Status,
        journal: Journal,
    ) -> None:
        self._settings, self._files, self._engine = settings, files, engine
        self._status, self._journal = status, journal
        self._word = ""
        self._asked = asyncio.Event()

    @property
    def offered(self) -> bool:
        """Whether the settings allow it."""
        return (self._files.current.settings if self._files else self._settings()).room.support_bundle

    def ask(self, word: str) -> None:
        """Somebody wants one. Who asks while one is made is served after it, the last of several."""
        if not self.offered:
            self._journal.tell(EventName.BUNDLE_REFUSED, why="[room] support_bundle is off")
            return
        self._word = word
        self._asked.set()

    async def run(self) -> None:
        """Make what is asked for, for ever."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            why = await self._hand_in(self._word)
            if why:
                self._journal.tell(EventName.BUNDLE_REFUSED, why=why)
            else:
                self._journal.tell(EventName.BUNDLE_HANDED_IN)
            await asyncio.sleep(_PAUSE)

    async def _hand_in(self, word: str) -> str:
        neighbours = Neighbours(Path(self._settings().device.runtime_dir))
        said = {"link": self._status(), **{part: await neighbours.ask(part) for part in ("sound", "provision")}}
        try:
            packed = await asyncio.to_thread(self._pack, {part: words for part, words in said.items() if words})
        except (OSError, ValueError) as error:  # a disk that fails; whatever it is, link goes on
            return f"it cannot be made: {error}"
        return await self._engine().hand_in(word, packed)

    def _pack(self, said: Mapping[str, Mapping[str, Any]]) -> bytes:
        from appliance.app import bundle  # noqa: PLC0415 - it takes memory, and few want it

        device = self._settings().device
        folders = [Path(device.state_dir), Path("/etc/kontor"), Path(device.runtime_dir)]
        files = bundle.collect(self._in_force(), said, folders, afar=True)
        return bundle.pack(f"kontor-{time.strftime('%Y%m%d-%H%M%S')}", files)

    def _in_force(self) -> str:
        try:
            return as_toml(resolve(sources(self._files.named if self._files else None), ()))
        except SettingsError as error:
            return "".join(f"# {line}\n" for line in str(error).splitlines())
