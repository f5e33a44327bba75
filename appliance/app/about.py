"""What this device tells its room of itself beside what sound says of the gate: ``extra`` for all, ``details`` for admins.

It goes to the host, so there is nothing in it of people, and nothing secret; nothing in it follows what is said in the room while
the gate is closed (UX.md, mute rule 9; docs/site-report.md). Numbers are coarse and looked at seldom, since each change is told.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

from appliance import __version__
from appliance.app.answering import DIRECTION_ERROR
from appliance.app.hearing import array_of
from appliance.app.measures import Dropouts, Processor, processor_seconds
from appliance.app.neighbours import Neighbours, Said
from appliance.core.arrays import MONO, Array, by_name
from appliance.core.documents import KINDS
from appliance.core.enrolment import fingerprint
from appliance.core.protocol import MOST_NAME
from appliance.core.site_details import fitting
from appliance.core.state import ProofState, WayState
from appliance.core.text import one_line
from appliance.health.machine import Machine, machine, own_process
from appliance.rooms.device_key import DeviceKey
from appliance.settings.model import AudioSettings

EVERY = 10.0
"""Seconds between two looks: a published change is to be seen in the list of devices soon."""
_DEGREES = 5
"""Steps of the temperature: every change goes to everybody in the room."""
_TENTHS = 1
"""Digits of a percentage of loss."""

Extra = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Own:
    """What link itself knows at a look."""

    engine: str = ""
    proof: ProofState = field(default_factory=ProofState)
    way: WayState = field(default_factory=WayState)
    audio: AudioSettings = field(default_factory=AudioSettings)
    since: float = 0.0
    """Unix time at which link began: its proof counts from there."""
    opening: int | None = None
    """Which opening of the gate this is; None: it is closed."""
    back_s: int | None = None
    """Seconds that link was out of the room for the settings in force; None: not known yet."""
    bundle: bool = False
    """Whether a support bundle may be asked for."""


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
    limits = _limits(sound, machine)
    extra["limited"], extra["limited_by"] = _short(", ".join(limits.values())), " ".join(limits)
    if machine.temperature is not None:
        extra["temperature"] = _degrees(machine.temperature)
    return {key: value for key, value in extra.items() if value != ""}


def details_of(own: Own, provision: Said, sound: Said, figures: Mapping[str, object]) -> dict[str, Any]:
    """What the admins are told (core/site_details.py), but for what is known at once: reasons, and the link.

    :param figures: those of ``health`` that take time to be known.
    """
    array = _array(own.audio, sound)
    violations = _object(sound, "proof").get("violations")
    ours = own.proof.violations
    details: dict[str, object] = {
        "proof": {
            "violations": ours + violations if isinstance(violations, int) else ours,
            "checked": own.proof.looked,
            "since": int(own.since),
            "engine": own.engine,
        },
        "config": _config(_object(provision, "config"), own.back_s),
        "health": {**figures, **_way(own.way)},
        "bundle": own.bundle,
    }
    if len(array.positions) > 1:
        details["array"] = {"mics": [[x, y] for x, y, _ in array.positions]}
        if own.audio.direction:
            details["direction_error"] = DIRECTION_ERROR
    return fitting(details)


def _config(config: Said, back_s: int | None) -> dict[str, object]:
    """Of the document that has the last word, and of the set as a whole."""
    if not config.get("digest"):
        return {}
    versions, keys = _object(config, "versions"), _object(config, "signed_by")
    last = next((kind for kind in reversed(KINDS) if kind in versions), "")
    return {
        "version": versions.get(last),
        "digest": config.get("digest"),
        "signed_by": keys.get(last),
        "applied": int(since) if isinstance(since := config.get("since"), int | float) and isfinite(since) else None,
        "back_s": back_s,
    }


def _way(way: WayState) -> dict[str, object]:
    whole = {"round_trip_ms": way.rtt_ms, "playout_ms": way.delay_ms}
    figures: dict[str, object] = {name: round(ms) for name, ms in whole.items() if ms is not None}
    if way.loss is not None:
        figures["loss_percent"] = round(100 * way.loss, _TENTHS)
    return figures


def _array(audio: AudioSettings, sound: Said) -> Array:
    """The one of the settings; else the one by which the front end knows the card."""
    if audio.geometry_mm or audio.array != "auto":
        return array_of(audio, None)
    with contextlib.suppress(KeyError):
        return by_name(str(_object(sound, "front_end").get("array")))
    return MONO


def _limits(sound: Said, machine: Machine) -> dict[str, str]:
    """What does not work as it should, by its code (docs/site-report.md), in words; empty when all of it does."""
    problems = {"sound": _object(sound, "front_end").get("degraded"), "panel": sound.get("panel_problem")}
    slowed = {code: code.replace("_", " ") for code in machine.throttled}
    return {code: str(problem) for code, problem in problems.items() if problem} | slowed


def _degrees(temperature: float) -> int:
    return _DEGREES * round(temperature / _DEGREES)


def _object(said: Said, key: str) -> Mapping[str, Any]:
    found = said.get(key)
    return found if isinstance(found, Mapping) else {}


def _short(value: object) -> str:
    text = one_line(str(value or ""))
    return text if len(text) <= MOST_NAME else text[: MOST_NAME - 1] + "…"


class About:
    """Looks now and then, and tells when something has changed.

    :param state: link's own folder.
    :param own: what link itself knows.
    :param told: called on the loop.
    """

    def __init__(self, neighbours: Neighbours, state: Path, own: Callable[[], Own], told: Callable[[], None]) -> None:
        self._neighbours, self._state, self._own, self._told = neighbours, state, own, told
        self._dropouts, self._processor = Dropouts(), Processor()
        self.extra: Extra = {"version": __version__}
        self.details: Mapping[str, Any] = {}
        self.held: Mapping[str, list[int | None]] = {}
        """When reasons held, as sound saw it; not told by itself, as link knows first."""
        self.key = ""
        """The fingerprint of the device's key, as its host shows it; "" until it is known."""

    async def run(self) -> NoReturn:
        """Look for ever."""
        with contextlib.suppress(OSError, ValueError):  # whoever needs the key itself says what is wrong with it
            self.key = fingerprint(await asyncio.to_thread(DeviceKey.public_in, self._state))
        while True:
            opening = self._own().opening
            provision, sound = await self._neighbours.ask("provision"), await self._neighbours.ask("sound")
            how = await asyncio.to_thread(machine, self._state)
            own = self._own()
            if own.opening != opening:  # it changed while the others were asked: their figures may be of a closed gate
                own = replace(own, opening=None)
            extra = extra_of(provision, sound, how)
            self.held = fitting({"held": sound.get("held")}).get("held", {})
            details = details_of(own, provision, sound, self._figures(own, provision, sound, how))
            if (extra, details) != (self.extra, self.details):
                self.extra, self.details = extra, details
                self._told()
            await asyncio.sleep(EVERY)

    def _figures(self, own: Own, provision: Said, sound: Said, how: Machine) -> dict[str, object]:
        now = time.monotonic()
        self._dropouts.look(sound, now)
        took = processor_seconds(link=own_process(), sound=sound, provision=provision)
        self._processor.look(took, now, own.opening)
        figures: dict[str, object] = {"dropouts_day": self._dropouts.in_a_day}
        if self._processor.percent is not None:
            figures["processor_percent"] = self._processor.percent
        if how.temperature is not None:
            figures["temperature_c"] = _degrees(how.temperature)
        return figures
