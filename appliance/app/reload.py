"""What a process does when its settings may have changed: ``{"do": "reload"}`` on its status socket.

It reads them again, off the loop. Wrong ones are answered with ``{"error": …}``, and nothing changes. Else the answer says
what changed for this process, and what it does about it: ``nothing``, ``live``, ``rejoin``, ``restart`` or ``hand``.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from appliance.app.mending import NOT_STORED, end_soon
from appliance.app.process import NotAllowed, make_folders
from appliance.core.events import EventName, Severity
from appliance.health.journal import Journal
from appliance.health.status import StatusServer
from appliance.provisioning.files import Files, Loaded
from appliance.settings import Effect, Settings, SettingsError
from appliance.settings.describe import effects

NOTHING = "nothing"
_ORDER = (NOTHING, *Effect)
ADVICE_LASTS = 20.0
"""Seconds for which the lamp shows what it was told, unless it is told again."""

OWN: Mapping[str, tuple[str, ...]] = {
    "sound": (
        "audio.",
        "panel.",
        "door.",
        "quiet.",
        "device.state_dir",
        "device.runtime_dir",
        "log.",
    ),
    "link": (
        "room.",
        "livekit.",
        "janus.",
        "telegram.",
        "device.",
        "host.enabled",
        "host.listen",
        "host.port",
        "host.rooms",
        "audio.frame_ms",
        "audio.bitrate",
        "audio.complexity",
        "network.ca",
        "network.proxy",
        "metrics.",
        "log.",
    ),
    "host": ("host.", "device.", "room.url", "room.token_file", "metrics.", "log."),
}
"""The settings that each process runs with, by how their keys begin."""
_NOT_OWN: Mapping[str, tuple[str, ...]] = {"sound": ("audio.bitrate", "audio.complexity")}


class Reload:
    """The handler. ``rejoin`` and ``hand`` are what the process does on those effects before anything else.

    :param end: ends the process in order, with 0: whoever watches it starts it anew.
    :param rejoin: leaves the room and joins with new settings; None: the process starts anew instead.
    :param hand: closes the gate until a hand acts, and returns whether that is on the disk.
    :param stored: stores what the next start has to know, and returns whether it is on the disk: else nothing is restarted.
    """

    def __init__(
        self,
        part: str,
        files: Files,
        journal: Journal,
        end: Callable[[], object],
        *,
        rejoin: Callable[[Settings], Awaitable[None]] | None = None,
        hand: Callable[[], Awaitable[bool]] | None = None,
        stored: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._part, self._files, self._journal, self._end = part, files, journal, end
        self._rejoin, self._hand, self._stored = rejoin, hand, stored
        self._one = asyncio.Lock()

    @property
    def digest(self) -> str:
        """Of the accepted settings that the process runs with."""
        return self._files.current.digest

    async def __call__(self, _request: Mapping[str, Any]) -> Mapping[str, object]:
        """Answer the request, and act."""
        async with self._one:
            try:
                return await self._reload()
            except (SettingsError, NotAllowed) as error:
                return {"error": str(error)}

    async def _reload(self) -> Mapping[str, object]:
        new = await asyncio.to_thread(self._files.load)
        changed = own_effects(self._part, self._files.current.settings, new.settings)
        takes = takes_of(changed, can_rejoin=self._rejoin is not None)
        if takes == Effect.HAND and self._hand is not None and not await self._hand():
            return {"error": "that the microphone is to stay closed until a hand acts could not be stored"}
        if takes == Effect.RESTART and self._stored is not None and not await self._stored():
            return {"error": NOT_STORED}
        if takes in (Effect.RESTART, Effect.HAND):
            end_soon(self._end)
        else:
            await self._take(new, rejoins=takes == Effect.REJOIN)
        if changed:
            self._journal.tell(EventName.SETTINGS_RELOADED, takes=takes, keys=",".join(changed))
        return {"effects": {key: effect.value for key, effect in changed.items()}, "takes": takes}

    async def _take(self, new: Loaded, *, rejoins: bool) -> None:
        if rejoins and self._rejoin is not None:
            await self._rejoin(new.settings)
        self._journal.least = Severity[new.settings.log.level.name]
        self._files.current = new


class Advice:
    """What the FAULT lamp tells because provisioning says so (``{"do": "fault", "why": …}``), until it lapses."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._why, self._until = "", 0.0

    @property
    def why(self) -> str:
        """What is not as it should be; empty: nothing, or nobody says so any more."""
        return self._why if self._clock() < self._until else ""

    async def take(self, request: Mapping[str, Any]) -> Mapping[str, object]:
        """Answer the request."""
        self._why, self._until = str(request.get("why", "")), self._clock() + ADVICE_LASTS
        return {"why": self._why}


@contextlib.asynccontextmanager
async def answering(part: str, files: Files, journal: Journal, end: Callable[[], object]) -> AsyncIterator[None]:
    """Answer ``status`` and ``reload`` at ``PART.status``, for a process that has nothing else to say there."""
    runtime = Path(files.current.settings.device.runtime_dir)
    make_folders(runtime)
    reload = Reload(part, files, journal, end)

    async def status(_request: Mapping[str, Any]) -> Mapping[str, object]:
        return {"pid": os.getpid(), "settings": reload.digest}

    server = StatusServer(runtime / f"{part}.status", {"status": status, "reload": reload})
    await server.start()
    try:
        yield
    finally:
        await server.stop()


def own_effects(part: str, old: Settings, new: Settings) -> dict[str, Effect]:
    """What changes for a process, and when each change takes effect."""
    return {
        key: effect
        for key, effect in effects(old, new).items()
        if key.startswith(OWN[part]) and not key.startswith(_NOT_OWN.get(part, ("-",)))
    }


def takes_of(changed: Mapping[str, Effect], *, can_rejoin: bool) -> str:
    """The gravest of all effects; a process that is in no room starts anew instead of joining anew."""
    gravest = max(map(str, changed.values()), key=_ORDER.index, default=NOTHING)
    return str(Effect.RESTART) if gravest == Effect.REJOIN and not can_rejoin else gravest
