"""A device without a room looks for one that is announced nearby, shows it, and joins it when a hand here has asked for it.

The press is that of ROOM, held as for the door, or of KNOCK (docs/adr/0156-press-to-join.md). Sound counts the presses, since
only it has the panel; this runs in provision, since only it may change settings.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from appliance.app.neighbours import Neighbours
from appliance.app.one_box import has_room
from appliance.core.events import EventName
from appliance.core.text import quoted
from appliance.health.journal import Journal
from appliance.provisioning.nearby import Found, look, with_authority
from appliance.settings import SCHEMA, Settings

LOOK_EVERY = 15.0
"""Seconds between two questions to the network."""
ASK_EVERY = 1.0
"""Seconds between two looks whether somebody has pressed."""
REST = 5.0
"""Seconds between two looks whether the device has a room, while it has one."""

Adopt = Callable[[bytes, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Network:
    """How rooms are looked for, and how their authority is had; tests have another."""

    look: Callable[[], Awaitable[Sequence[Found]]] = look
    authority: Callable[[Found], Awaitable[Found | None]] = with_authority


class Nearby:
    """A part of provision.

    :param adopt: takes in settings, with the name that people read of where they are from.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        neighbours: Neighbours,
        adopt: Adopt,
        journal: Journal,
        network: Network | None = None,
    ) -> None:
        self._settings, self._neighbours, self._adopt, self._journal = settings, neighbours, adopt, journal
        self._network = network or Network()
        self._found: Sequence[Found] = ()
        self._pressed: int | None = None
        """The presses that sound had counted; None: it was not asked since the device has no room."""

    def found(self) -> list[Mapping[str, object]]:
        """The rooms nearby, as status shows them; none while the device has a room."""
        return [each.as_dict() for each in self._found]

    async def run(self) -> NoReturn:
        """Look for as long as there is no room, and again when there is none any more."""
        due = 0.0
        while True:
            settings = self._settings()
            if has_room(settings):
                self._found, self._pressed, due = (), None, 0.0
                await asyncio.sleep(REST)
                continue
            if time.monotonic() >= due:
                self._found = await self._network.look()
                due = time.monotonic() + LOOK_EVERY
            if self._was_pressed(await self._neighbours.ask("sound")):
                await self._join()
                due = time.monotonic() + LOOK_EVERY
            await asyncio.sleep(ASK_EVERY)

    def _was_pressed(self, sound: Mapping[str, Any]) -> bool:
        presses = sound.get("presses")
        if not isinstance(presses, int):
            return False  # sound says nothing: what it counts when it comes back is the new beginning
        before, self._pressed = self._pressed, presses
        return before is not None and presses > before

    async def _join(self) -> None:
        if len(self._found) != 1:
            why = "several rooms are announced" if self._found else "no room is announced"
            self._journal.tell(EventName.NEARBY_NOT_JOINED, why=why, rooms=len(self._found))
            return
        found = await self._network.authority(self._found[0])
        if found is None:
            why = "its certificate cannot be had, or is another than was announced"
            self._journal.tell(EventName.NEARBY_NOT_JOINED, why=why, rooms=1)
            return
        self._journal.tell(EventName.NEARBY_JOINED, room=found.nearby.room, url=found.url)
        await self._adopt(settings_of(found, self._settings()).encode(), f"the room found nearby, {found.nearby.title}")


def settings_of(found: Found, settings: Settings) -> str:
    """What the device takes in to be in that room.

    A device that nobody has named gets an id of its own: two such ones would take each other for themselves.
    """
    own = settings.device
    device = [] if own.id else ["[device]", f"id = {quoted(f'{own.identity[:56]}-{secrets.token_hex(2)}')}"]
    lines = [
        f"schema = {SCHEMA}",
        *device,
        "[room]",
        f"url = {quoted(found.url)}",
        f"id = {quoted(found.nearby.room)}",
        f"certificate_sha256 = {quoted(found.nearby.certificate)}",
        *(["[network]", f'ca = """\n{found.authority_pem.strip()}\n"""'] if found.authority_pem else []),
    ]
    return "\n".join(lines) + "\n"
