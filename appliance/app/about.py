"""What this device tells its room of its settings and its health, beside what sound says of the gate (SiteReport.extra).

It goes to the host and to everybody in the room, so there is nothing in it of people, and nothing secret; numbers are coarse
and looked at seldom, since each change of them is told to all.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from appliance import __version__
from appliance.app.neighbours import Neighbours, Said
from appliance.core.documents import KINDS
from appliance.core.enrolment import fingerprint
from appliance.core.protocol import MOST_NAME
from appliance.core.text import one_line
from appliance.health.machine import Machine, machine
from appliance.rooms.device_key import DeviceKey

EVERY = 10.0
"""Seconds between two looks: a published change is to be seen in the list of devices soon."""
_DEGREES = 5
"""Steps of the temperature: every change goes to everybody in the room."""

Extra = Mapping[str, object]


def extra_of(provision: Said, sound: Said, machine: Machine) -> Extra:
    """At most 12 plain values, each name and text short enough for the presence protocol.

    :param provision: what it answers to "status"; empty: nobody provides settings here.
    """
    extra: dict[str, object] = {"version": __version__}
    config = _object(provision, "config")
    if config:
        extra["config"] = _short(config.get("state"))
        extra["digest"] = _short(config.get("digest"))[:16]
        versions = _object(config, "versions")
        extra |= {scope: versions[scope] for scope in KINDS if isinstance(versions.get(scope), int)}
        extra["in_group"] = _short(config.get("group"))
        extra["why"] = _short(config.get("why"))
    extra["limited"] = _limited(sound, machine)
    if machine.temperature is not None:
        extra["temperature"] = _DEGREES * round(machine.temperature / _DEGREES)
    return {key: value for key, value in extra.items() if value != ""}


def _limited(sound: Said, machine: Machine) -> str:
    """What does not work as it should, in words; "" when all of it does."""
    problems = [_object(sound, "front_end").get("degraded"), sound.get("panel_problem")]
    problems += [word.replace("_", " ") for word in machine.throttled]
    return _short(", ".join(str(problem) for problem in problems if problem))


def _object(said: Said, key: str) -> Mapping[str, Any]:
    found = said.get(key)
    return found if isinstance(found, Mapping) else {}


def _short(value: object) -> str:
    text = one_line(str(value or ""))
    return text if len(text) <= MOST_NAME else text[: MOST_NAME - 1] + "…"


class About:
    """Looks now and then, and tells when something has changed.

    :param state: link's own folder.
    :param told: called on the loop.
    """

    def __init__(self, neighbours: Neighbours, state: Path, told: Callable[[], None]) -> None:
        self._neighbours, self._state, self._told = neighbours, state, told
        self.extra: Extra = {"version": __version__}
        self.key = ""
        """The fingerprint of the device's key, as its host shows it; "" until it is known."""

    async def run(self) -> NoReturn:
        """Look for ever."""
        with contextlib.suppress(OSError, ValueError):  # whoever needs the key itself says what is wrong with it
            self.key = fingerprint(await asyncio.to_thread(DeviceKey.public_in, self._state))
        while True:
            provision, sound = await self._neighbours.ask("provision"), await self._neighbours.ask("sound")
            found = extra_of(provision, sound, await asyncio.to_thread(machine, self._state))
            if found != self.extra:
                self.extra = found
                self._told()
            await asyncio.sleep(EVERY)
