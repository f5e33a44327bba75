"""Factory reset, in provision: a file on the boot partition, and a machine that is started anew.

The next start finds the file before anything uses the data, and wipes it (image/root, kontor-reset.service).
Sound says in its status that ROOM was held; it is asked, at its own socket (what that does not keep out: docs/adr/0182).
"""

import asyncio
from pathlib import Path
from typing import NoReturn

from appliance.app.neighbours import Neighbours
from appliance.core.events import EventName
from appliance.health.journal import Journal
from appliance.provisioning.power import NotDone, Power
from appliance.settings.store import atomic_write, sync_folder

EVERY = 3.0
"""Seconds between two looks; sound goes on to say it for longer (:data:`appliance.app.desk.RESET_SHOWN`)."""
WIPES = Path("usr/lib/systemd/system/kontor-reset.service")
"""What does it at the next start. A machine without it is no image: its data is not ours to wipe."""
ASKS = Path("boot/firmware/factory-reset")
"""The file that asks for it; a person with the card in another computer may make it, too."""


class Reset:
    """A part of provision."""

    def __init__(self, neighbours: Neighbours, journal: Journal, power: Power, root: Path) -> None:
        self._neighbours, self._journal, self._power, self._root = neighbours, journal, power, root
        self._held = False

    async def run(self) -> NoReturn:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Act once each time that sound begins to say it."""
        before = self._held
        self._held = (await self._neighbours.ask("sound")).get("reset_held") is True
        if not self._held or before:
            return
        try:
            await self._reset()
        except (NotDone, OSError) as error:
            self._journal.tell(EventName.RESET_REFUSED, error=str(error))

    async def _reset(self) -> None:
        """Leave the file, and have the machine started anew.

        :raises NotDone: this machine is not wiped or not started anew by us; nothing is left behind then.
        :raises OSError: the boot partition cannot be written to.
        """
        if not (self._root / WIPES).exists():
            raise NotDone("this machine is no image of Kontor's: its data is wiped by whoever set it up")
        asks = self._root / ASKS
        await asyncio.to_thread(
            atomic_write, asks, b"Held at the panel. The next start wipes all data.\n", strict=False
        )
        self._journal.tell(EventName.RESETTING)
        try:
            await self._power.reboot()
        except NotDone:
            await asyncio.to_thread(_take_back, asks)
            raise


def _take_back(asks: Path) -> None:
    asks.unlink(missing_ok=True)
    sync_folder(asks.parent)
