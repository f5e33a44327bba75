"""What provisioning is told: by the file on the boot partition, by what is published, and by a room found nearby.

What was taken in before and is missing now, or cannot be had, goes on to hold: an empty file (``schema = 1``) ends it.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from appliance.core.documents import Faults, Floor, expired, scopes_of
from appliance.core.events import EventName
from appliance.health.journal import Journal
from appliance.provisioning import boot
from appliance.provisioning.fetch import Fetcher, Look, Place
from appliance.provisioning.files import boot_file
from appliance.provisioning.minisign import PublicKey
from appliance.provisioning.publication import Published
from appliance.provisioning.sets import BOOT_LAYER, Layer
from appliance.settings import Problem, Settings

NEARBY_LAYER = "10-nearby.toml"
_SECRETS = Path("var/lib/kontor/secrets")
_HOW_TO_WRITE = "Mount the boot partition with the options uid=kontor-provision,umask=0077 (in /etc/fstab)."


def publisher_of(settings: Settings) -> Place | None:
    """Where settings are fetched with these; None: nowhere."""
    provisioning = settings.provisioning
    if not provisioning.url:
        return None
    keys = tuple(map(PublicKey.parse, provisioning.keys))
    proxy = settings.network.proxy.on_the_way_to(urlsplit(provisioning.url).hostname or "")
    return Place(provisioning.url, keys, settings.network.ca, proxy)


class Intake:
    """Keeps the newest of everything. ``floors`` is told when a newer version of a document was seen, before it counts."""

    def __init__(
        self,
        root: Path,
        journal: Journal,
        floors: Callable[[Mapping[str, Floor]], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._root, self._journal, self._store_floors, self._now = root, journal, floors, now
        self._layers: dict[str, Layer] = {}
        """The boot file's and the nearby room's, by the names of their files."""
        self.documents: Mapping[str, Published] = {}
        """By scope."""
        self.problems: tuple[Problem, ...] = ()
        """What is wrong with how secrets are written on the boot partition."""
        self.up_to_date = False
        """What is published was seen since the start."""
        self.reached = False
        """Something genuine came with the last look."""
        self._stat: tuple[int, ...] = ()
        self._fetcher: Fetcher | None = None
        self._faults = Faults()
        self._expired: set[str] = set()

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers below the documents."""
        return tuple(self._layers[file] for file in sorted(self._layers))

    @property
    def faults(self) -> Sequence[str]:
        """What is wrong with what is published, a sentence each."""
        return [f"{fault.scope}: {fault.text}" for fault in self._faults.open.values()]

    def remember(self, kept: Sequence[Layer]) -> None:
        """Begin with what was taken in before."""
        self._layers = {layer.file: layer for layer in kept if layer.document is None}
        self.documents = {layer.document.scope: layer.document for layer in kept if layer.document is not None}

    def adopt(self, content: bytes, name: str) -> None:
        """Take in settings found nearby."""
        self._layers[NEARBY_LAYER] = Layer(NEARBY_LAYER, name, content)

    def forget_nearby(self, tried: Sequence[Layer], kept: Sequence[Layer]) -> None:
        """A room found nearby that was not kept is gone: a press was for then, and a bad one must not hinder what comes."""
        nearby = self._layers.get(NEARBY_LAYER)
        if nearby in tried and nearby not in kept:
            del self._layers[NEARBY_LAYER]

    async def look_at_boot(self) -> None:
        """Read the boot file anew when it was changed.

        :raises OSError: a secret in it could not be stored.
        """
        path = await asyncio.to_thread(boot_file, self._root)
        stat = await asyncio.to_thread(_stat, path)
        if path is None or not stat or stat == self._stat:
            return
        taken = await asyncio.to_thread(boot.take, path, self._root / _SECRETS)
        self._stat = await asyncio.to_thread(_stat, path)
        self._layers[BOOT_LAYER], self.problems = taken.layer, taken.problems
        if taken.moved:
            self._journal.tell(EventName.SECRETS_MOVED, file=path, secrets=",".join(taken.moved))
        if taken.not_blanked:
            self._journal.tell(EventName.SECRETS_NOT_BLANKED, file=path, why=taken.not_blanked, remedy=_HOW_TO_WRITE)

    def forget_secrets(self, contents: Sequence[bytes]) -> None:
        """Remove moved secrets that nothing can need any more. Blocks.

        :raises OSError: it cannot be looked at.
        """
        boot.forget(self._root / _SECRETS, contents)

    async def fetch(self, settings: Settings, floors: Mapping[str, Floor]) -> None:
        """Look at what is published for a device with these settings.

        :param floors: the newest versions ever seen, by scope.
        :raises OSError: newer versions could not be remembered; they are not taken in then.
        """
        place = publisher_of(settings)
        if place is None:
            self._fetcher, self.up_to_date, self.reached = None, True, False
            return
        if self._fetcher is None or self._fetcher.place != place:
            self._fetcher = Fetcher(place, self._now, self.documents, floors)
        scopes = scopes_of(settings.provisioning.group, settings.device.identity)
        look = await self._fetcher.look(scopes)
        self._tell(look, scopes)
        # Not only with news: the disk may have refused them the last time, and what is no text counts too.
        if self._fetcher.floors != floors:
            await asyncio.to_thread(self._store_floors, self._fetcher.floors)
        self.documents, self.reached = look.documents, look.reached
        self.up_to_date = self.up_to_date or look.reached or not look.faults

    def _tell(self, look: Look, scopes: Sequence[str]) -> None:
        for scope in look.news:
            document = look.documents[scope]
            self._journal.tell(EventName.DOCUMENT_FETCHED, scope=scope, version=document.version, key=document.key)
        for told in self._faults.look(look.faults, tuple(scopes)):
            if told.over is not None:
                self._journal.tell(EventName.DOCUMENT_FAULT_OVER, was=told.over.why, times=told.times)
            if told.fault is not None:
                self._journal.tell(
                    EventName.DOCUMENT_REFUSED, scope=told.fault.scope, kind=told.fault.why, why=told.fault.text
                )

    def tell_expired(self, kept: Sequence[Layer]) -> None:
        """Tell once of each document in force that has expired: it stays in force, since nothing better is known."""
        for document in (layer.document for layer in kept if layer.document is not None):
            if expired(document.expires, self._now()) and document.name not in self._expired:
                self._expired.add(document.name)
                self._journal.tell(EventName.SETTINGS_EXPIRED, document=document.name)


def _stat(path: Path | None) -> tuple[int, ...]:
    try:
        found = os.stat(path) if path else None
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found else ()
