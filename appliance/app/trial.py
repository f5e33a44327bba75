"""Asks the parts of the device whether they run with new settings, and tells them to take these up."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from appliance.app.neighbours import Neighbours
from appliance.core.rollout import Seen, Trial, Verdict, waits_for_room

PARTS = ("sound", "link", "host")
LOOK = 1.0
"""Seconds between two looks at parts that take up new settings."""
RELOAD_AGAIN = 5.0
"""Seconds after which a part that still runs with other settings is told again."""
SETTLED = 20.0
"""Seconds that a device on its way into its room is waited for before new settings are tried."""
_FETCH_AGAIN = 5.0

Said = Mapping[str, Any]


class Parts:
    """Sound, link and host, by their status sockets in ``runtime``."""

    def __init__(self, runtime: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._neighbours, self._clock = Neighbours(runtime), clock
        self._told: dict[str, tuple[str, float]] = {}
        """By part, the digest that it was told to take up, and when."""
        self._errors: dict[str, str] = {}
        self._wanted = ""

    @property
    def errors(self) -> tuple[str, ...]:
        """Why parts do not take up the settings that they were told to, as they say it."""
        return tuple(f"{part}: {why}" for part, why in self._errors.items())

    async def look(self, digest: str) -> Seen:
        """How they are. Whoever runs with other settings than ``digest`` is told to take these up."""
        if digest != self._wanted:
            self._wanted, self._errors = digest, {}
        said = await self._ask()
        digests = {part: str(each.get("settings", "")) for part, each in said.items()}
        for part, runs_with in digests.items():
            if runs_with != digest:
                await self._reload(part, digest)
            else:
                self._errors.pop(part, None)
        link, sound = said.get("link", {}), said.get("sound", {})
        blocks = (sound["pid"], sound["counters"]["blocks_played"]) if "counters" in sound else None
        return Seen(digests, str(link.get("phase", "")), str(link.get("why", "")), blocks, errors=self.errors)

    async def settled(self, digest: str) -> tuple[frozenset[str], bool]:
        """Who is there, and whether the device is in its room, once all run with ``digest`` and that can be told."""
        end = self._clock() + SETTLED
        while True:
            seen = await self.look(digest)
            behind = any(runs_with != digest for runs_with in seen.digests.values())
            known = "sound" in seen.digests and not waits_for_room(seen.phase) and not behind
            if known or self._clock() >= end:
                return frozenset(seen.digests), seen.phase == "in_room"
            await asyncio.sleep(LOOK)

    async def on_trial(self, on: bool) -> None:
        """Tell link, and by it sound, that settings are on trial: the gate closes. Told again and again, or it lapses."""
        await self._neighbours.tell("link", {"do": "trial", "on": on})

    async def show(self, why: str) -> None:
        """Let the FAULT lamp tell that something is not as it should be; it lapses, too. Empty: all is well."""
        await self._neighbours.tell("sound", {"do": "fault", "why": why})

    async def _ask(self) -> dict[str, Said]:
        answers = await asyncio.gather(*(self._neighbours.tell(part, {"do": "status"}) for part in PARTS))
        return {part: said for part, said in zip(PARTS, answers, strict=True) if said}

    async def reload(self) -> None:
        """Tell all to read their settings again, whatever they run with."""
        await asyncio.gather(*(self._neighbours.tell(part, {"do": "reload"}) for part in PARTS))

    async def _reload(self, part: str, digest: str) -> None:
        told, when = self._told.get(part, ("", 0.0))
        if told == digest and self._clock() - when < RELOAD_AGAIN:
            return
        self._told[part] = digest, self._clock()
        said = await self._neighbours.tell(part, {"do": "reload"})
        if "error" in said:
            self._errors[part] = str(said["error"])
        else:
            self._errors.pop(part, None)


async def judge(
    trial: Trial,
    parts: Parts,
    *,
    closes_gate: bool,
    fetch: Callable[[], Awaitable[bool]],
    clock: Callable[[], float] = time.monotonic,
) -> Verdict:
    """Look again and again until ``trial`` is decided; the gate is closed meanwhile where the change wants it.

    :param fetch: looks whether settings can be fetched with the new ones.
    """
    fetched = False

    async def fetching() -> None:
        nonlocal fetched
        while not fetched:
            fetched = await fetch()
            await asyncio.sleep(_FETCH_AGAIN)

    looking = asyncio.create_task(fetching()) if trial.needs_fetch else None
    try:
        while True:
            if closes_gate:
                await parts.on_trial(True)
            seen = await parts.look(trial.digest)
            verdict = trial.look(replace(seen, fetched=fetched), clock())
            if verdict is not Verdict.WAIT:
                return verdict
            await asyncio.sleep(LOOK)
    finally:
        if looking is not None:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
