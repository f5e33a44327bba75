"""A stand-in for ``kontor sound`` and ``kontor link``, as ``kontor provision`` sees them: status, reload, trial, fault.

It obeys their rules: settings are read anew when it is told to, a change of the room is a new join, one of the sound card is a
new process. It costs next to nothing, so that forty devices fit into one machine.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from appliance.app.reload import NOTHING, own_effects, takes_of
from appliance.health.status import StatusServer
from appliance.provisioning.files import Files
from appliance.settings import Effect, Settings, SettingsError

JOINING = 1.0
"""Seconds that a join takes."""
STARTING = 2.0
"""Seconds that a process takes from its end to its first answer."""
_BLOCKS = 100
"""Blocks in a second."""

Room = Callable[[Settings], str]
"""Why settings do not lead into the room; empty: they do."""


class StandIn:
    """Both parts of one device.

    :param root: the folder below which the device lives.
    :param room: says of settings whether they lead into the room.
    """

    def __init__(self, root: Path, room: Room, clock: Callable[[], float] = time.monotonic) -> None:
        self._room, self._clock = room, clock
        self.files = {"sound": Files(None, (), root), "link": Files(None, {"room"}, root)}
        for files in self.files.values():
            files.current = files.load()
        self._runtime = Path(self.settings.device.runtime_dir)
        self._servers: dict[str, StatusServer] = {}
        self._starts: set[asyncio.Task[None]] = set()
        self._pid, self._began = 1, clock()
        self._joined = clock() + JOINING
        self.trial = False
        self.door = "open"
        """``closed`` closes the gate too; the device stays in its room, as the others see it, and plays its blocks of silence."""
        self.fault = ""
        self.taken: list[str] = []
        """What was taken up, one after the other: ``link rejoin``."""

    @property
    def settings(self) -> Settings:
        """What link runs with."""
        return self.files["link"].current.settings

    @property
    def in_room(self) -> bool:
        """Whether the device is in its room now."""
        return bool(self.settings.room.url) and not self._room(self.settings) and self._clock() >= self._joined

    async def start(self) -> None:
        """Answer at both sockets."""
        for part in self.files:
            await self._serve(part)

    async def stop(self) -> None:
        """Answer no more."""
        for start in self._starts:
            start.cancel()
        await asyncio.gather(*self._starts, return_exceptions=True)
        for server in self._servers.values():
            await server.stop()

    async def _serve(self, part: str) -> None:
        async def reload(_request: Mapping[str, Any]) -> Mapping[str, object]:
            return await self._reload(part)

        own = {"trial": self._on_trial, "status": self._link} if part == "link" else {"status": self._sound}
        handlers = {"reload": reload, "fault": self._on_fault, **own}
        self._servers[part] = StatusServer(self._runtime / f"{part}.status", handlers)
        await self._servers[part].start()

    async def _reload(self, part: str) -> Mapping[str, object]:
        files = self.files[part]
        try:
            new = files.load()
        except SettingsError as error:
            return {"error": str(error)}
        changed = own_effects(part, files.current.settings, new.settings)
        takes = takes_of(changed, can_rejoin=part == "link")
        if takes != NOTHING:
            self.taken.append(f"{part} {takes}")
        if takes in (Effect.RESTART, Effect.HAND):
            start = asyncio.create_task(self._start_anew(part))
            self._starts.add(start)
            start.add_done_callback(self._starts.discard)
        else:
            files.current = new
            if takes == Effect.REJOIN:
                self._joined = self._clock() + JOINING
        return {"effects": {key: effect.value for key, effect in changed.items()}, "takes": takes}

    async def _start_anew(self, part: str) -> None:
        await self._servers[part].stop()
        await asyncio.sleep(STARTING)
        files = self.files[part]
        files.current = files.load()
        if part == "sound":
            self._pid, self._began = self._pid + 1, self._clock()
        else:
            self._joined = self._clock() + JOINING
        await self._serve(part)

    async def _sound(self, _request: Mapping[str, Any]) -> Mapping[str, object]:
        played = int((self._clock() - self._began) * _BLOCKS)
        return {
            "pid": self._pid,
            "settings": self.files["sound"].current.digest,
            "exchange_connected": True,
            "reasons": ["door"] if self.door == "closed" else [],
            "door": self.door,
            "counters": {"blocks_played": played},
        }

    async def _link(self, _request: Mapping[str, Any]) -> Mapping[str, object]:
        why = self._room(self.settings) if self.settings.room.url else "no server is named"
        phase = (
            "in_room" if self.in_room else "left" if not self.settings.room.url else "refused" if why else "connecting"
        )
        digest = self.files["link"].current.digest
        return {"pid": 1, "settings": digest, "exchange_connected": True, "phase": phase, "why": why}

    async def _on_trial(self, request: Mapping[str, Any]) -> Mapping[str, object]:
        self.trial = request.get("on") is True
        return {"trial": self.trial}

    async def _on_fault(self, request: Mapping[str, Any]) -> Mapping[str, object]:
        self.fault = str(request.get("why", ""))
        return {"why": self.fault}
