"""What this member shows of itself in a LiveKit room: whether it is muted, and attributes. Kept over all stays."""

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from appliance.rooms.contract import SiteReport
from appliance.rooms.livekit_members import ADMIN_MUTED, ASK, DOOR, HAND, KNOCK, RECORDS, SITE
from appliance.rooms.livekit_tokens import KIND
from appliance.rooms.presence import site_message

_MOMENT: Final = 0.4
"""Seconds that a meter may wait to be told: everybody in the room reads it each time."""
_SEND_EVERY: Final = 0.05
_UNKNOWN: Final = "\0"
"""What the room has of an attribute, which no attribute is."""
_KINDS: Final = {"site": "site", "person": ""}


class Own:
    """The last value of each thing, never a queue. Loop only.

    :param kind: "site" or "person".
    """

    def __init__(self, kind: str) -> None:
        self.gate_open = False
        self.silenced = False
        """An admin muted us, and the gate was not seen closed since: it is not opened by what was on its way."""
        self.mute_told = False
        """An admin's mute was told that is not told to be over."""
        self._shown: dict[str, str] = {KIND: _KINDS[kind], HAND: "", RECORDS: "", ADMIN_MUTED: "", SITE: ""}
        self._told: dict[str, str] = {}
        self._once: dict[str, str] = {}
        """What is told once, to whoever is there."""
        self._report: SiteReport | None = None
        self._changed = asyncio.Event()
        self._later: asyncio.TimerHandle | None = None

    @property
    def sounds(self) -> bool:
        """Whether the room is to know us unmuted."""
        return self.gate_open and not self.silenced

    def hand(self, up: bool) -> None:
        """A hand is up, or not."""
        self._show(HAND, "1" if up else "")

    def admin_muted(self, on: bool) -> None:
        """An admin took the right to speak, or gave it back."""
        self._show(ADMIN_MUTED, "1" if on else "")

    def knock(self) -> None:
        """Knock: told once, if there is a room to tell it to."""
        self._once[KNOCK] = secrets.token_hex(4)  # each knock is another word
        self._changed.set()

    def answered(self) -> None:
        """What an admin asked for was told: it can be asked for again."""
        self._once.update({ASK: "", DOOR: ""})
        self._changed.set()

    def report(self, report: SiteReport) -> None:
        """How this site is. What is for admins alone is not told: a LiveKit room shows attributes to all."""
        before, self._report = self._report, report
        self.gate_open = report.gate_open
        self.silenced &= report.gate_open
        self._show(RECORDS, "1" if report.recording else "")
        site = site_message(replace(report, details={})).site
        only_louder = before is not None and replace(before, loudspeaker=report.loudspeaker) == report
        self._show(SITE, json.dumps(site, separators=(",", ":"), ensure_ascii=False), at_once=not only_louder)

    def _show(self, key: str, value: str, *, at_once: bool = True) -> None:
        if self._shown[key] == value:
            return
        self._shown[key] = value
        if at_once:
            self._changed.set()
        elif self._later is None:
            self._later = asyncio.get_running_loop().call_later(_MOMENT, self._tell_later)

    def _tell_later(self) -> None:
        self._later = None
        self._changed.set()

    def begin(self) -> None:
        """Another connection, which knows nothing of us."""
        self._told = {}
        self._once.clear()
        self._changed.set()

    def end(self) -> None:
        """Nobody listens."""
        if self._later is not None:
            self._later.cancel()
            self._later = None

    async def next(self) -> Mapping[str, str]:
        """The attributes that changed, waiting for it; an empty one is to be taken away."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            new = {key: value for key, value in self._shown.items() if value != self._told.get(key, "")}
            self._told.update(new)
            new |= self._once
            self._once.clear()
            if new:
                return new

    def untold(self, attributes: Mapping[str, str]) -> None:
        """These did not arrive: they are told again, but for a knock, which is of its moment."""
        self._told.update({key: _UNKNOWN for key in attributes if key in self._shown})
        self._once = {key: value for key, value in attributes.items() if key in (ASK, DOOR)} | self._once
        self._changed.set()

    @staticmethod
    async def pause() -> None:
        """What changes faster than this is told as it is then."""
        await asyncio.sleep(_SEND_EVERY)
