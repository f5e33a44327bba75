"""What the SD image does for the machine around Kontor, as the settings in force say: its name, ssh, the country of its radio.

Nothing of it is done elsewhere: a machine that was there before Kontor has a name, an ssh and a country of its own. A unit for
each thing is started, as polkit lets provision, and what a unit cannot be told stands in a file that it asks for.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from appliance.core.events import EventName
from appliance.health.journal import Journal
from appliance.provisioning.power import NotDone, Power
from appliance.settings import Settings
from appliance.settings.store import atomic_write

IMAGE = Path("/usr/lib/kontor-image")
"""It is there on the image, and nowhere else."""
SSH = "kontor-ssh.service"
DATA = Path("/run/kontor-data")
"""What became of the data partition at this start (image/root/usr/lib/kontor-image/data.sh): ``kept``, ``anew``, ``memory``."""
KEYS = "ssh_keys"
"""In provision's state: what sshd asks for (image/root/usr/lib/kontor-image/sshd_config)."""
COUNTRY = "kontor-country@{}.service"
EVERY = 5.0
"""Seconds between two looks."""
_AGAIN = 12
"""Looks after which what failed is tried once more."""
_PRIVATE = 0o600


class Surroundings:
    """Run :meth:`run` beside the rest of provision.

    :param settings: gives those in force now, also while they are on trial.
    :param state: the folder of provision's state.
    :param data: the file that tells of the data partition.
    """

    def __init__(
        self, settings: Callable[[], Settings], journal: Journal, machine: Power, state: Path, data: Path = DATA
    ) -> None:
        self.data = data.read_text().strip() if data.is_file() else ""
        """What became of the data partition at this start; "" when nobody knows."""
        self._settings, self._journal, self._machine = settings, journal, machine
        self._keys = state / KEYS
        self._done: dict[str, str] = {}
        """What is so, by what it is about."""
        self._failed: dict[str, tuple[str, str]] = {}
        """What was wanted and could not be done, and why."""
        self._looks = 0

    async def run(self) -> None:
        """Look and do until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    def as_dict(self) -> Mapping[str, object]:
        """For the status of provision."""
        shown = {about: what for about, what in self._done.items() if about != "ssh"}
        failed = {about: why for about, (_, why) in self._failed.items()}
        return {**shown, "data": self.data, "ssh": bool(self._done.get("ssh")), "failed": failed}

    def trouble(self) -> str:
        """What FAULT is to tell; "" for nothing."""
        return "nothing is kept: the data partition cannot be used" if self.data == "memory" else ""

    async def look(self) -> None:
        """One look, and what follows from it."""
        self._looks += 1
        settings = self._settings()
        keys = "".join(f"{key}\n" for key in settings.device.ssh_keys)
        hostname, country = hostname_of(settings), settings.network.country
        await self._see_to("ssh", keys, lambda: self._let_in(keys))
        if hostname:
            await self._see_to("hostname", hostname, lambda: self._machine.name(hostname))
        if country:
            await self._see_to("country", country, lambda: self._machine.start(COUNTRY.format(country)))

    async def _see_to(self, about: str, wanted: str, do: Callable[[], Awaitable[None]]) -> None:
        """Do it, if it is not so yet; what fails is told once, and tried again now and then."""
        failed = self._failed.get(about)
        waits = failed is not None and failed[0] == wanted and self._looks % _AGAIN != 0
        if self._done.get(about) == wanted or waits:
            return
        told = {"what": about, "value": "keys" if about == "ssh" and wanted else wanted or "off"}
        try:
            await do()
        except (NotDone, OSError) as error:
            if failed != (wanted, str(error)):
                self._journal.tell(EventName.MACHINE_NOT_SET, error=str(error), **told)
            self._failed[about] = (wanted, str(error))
            return
        self._failed.pop(about, None)
        if about in self._done or wanted:
            self._journal.tell(EventName.MACHINE_SET, **told)
        self._done[about] = wanted

    async def _let_in(self, keys: str) -> None:
        """Let those in whose keys these are. Whoever is in and may not any more is out at once.

        :raises OSError: the keys cannot be stored.
        :raises NotDone: ssh cannot be started or stopped.
        """
        if not keys:
            self._keys.unlink(missing_ok=True)
            if (
                await self._machine.state_of(SSH) != "inactive"
            ):  # mostly it is, and polkit need not be started to be asked
                await self._machine.stop(SSH)
        elif self._keys.exists() and self._keys.read_text() == keys:
            await self._machine.start(SSH)
        else:
            await asyncio.to_thread(atomic_write, self._keys, keys.encode(), _PRIVATE)
            await self._machine.restart(SSH)


def hostname_of(settings: Settings) -> str:
    """The machine's name, of letters, digits and hyphens (RFC 1123); "" while nobody gave the device one."""
    device = settings.device
    if not device.id and device.name == type(device)().name:
        return ""
    return re.sub("[^a-z0-9]+", "-", device.identity)[:63].strip("-")
