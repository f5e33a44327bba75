"""Puts ``kontor update work`` together: one act of the user who alone may write the other slot, and may do nothing else.

Whoever has it started (appliance/app/updating.py) says by a small file what is wanted; how it went is told by another.
"""

import asyncio
import contextlib
import json
import re
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from appliance.app.places import one_at_a_time
from appliance.app.process import make_folders
from appliance.core.documents import Floor, NotTaken, Why
from appliance.core.events import Severity
from appliance.core.exits import Exit
from appliance.core.updating import SCOPE
from appliance.health.journal import Journal
from appliance.provisioning.fetch import Place
from appliance.provisioning.files import Files
from appliance.provisioning.minisign import PublicKey
from appliance.settings import Settings
from appliance.settings.model_provisioning import MOST_KEYS, folder_url
from appliance.settings.store import atomic_write
from appliance.update.slots import running_slot
from appliance.update.source import Folder, Offer, Web, named, offered
from appliance.update.work import Updater

Verb = Literal["apply", "confirm", "rollback"]
KEYS = Path("usr/share/kontor/update.pub")
"""Who may sign where no settings say so: public keys of minisign, one or more files of them in one."""
_MANIFEST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}")
_LARGEST = 16 * 1024
_SHARED = 0o640


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted beside the verb."""

    full: bool = False
    """Of confirm: a version on trial has proved itself."""
    reason: str = ""
    """Of rollback: why, in a sentence."""
    by_hand: bool = False
    """Of rollback: this version is not tried again by itself."""
    again: bool = False
    """Of apply: also what did not prove itself."""
    source: str = ""
    """Of apply: an address or a path of a manifest; empty: the channel of the settings."""


def runtime_of(settings: Settings) -> Path:
    """The folder in which the service tells how it is."""
    return settings.device.runtime_dir / "update"


def ask_for(settings: Settings, wanted: Wanted) -> None:
    """Say what is wanted, for the service to read once it is started.

    :raises OSError: it cannot be written.
    """
    path = _asked(settings)
    path.parent.mkdir(exist_ok=True, mode=0o750)
    atomic_write(path, json.dumps(asdict(wanted)).encode(), _SHARED)


def ask_no_more(settings: Settings) -> None:
    """What was wanted is done: whoever starts the service from now on is somebody else."""
    with contextlib.suppress(OSError):
        _asked(settings).unlink()


def _asked(settings: Settings) -> Path:
    return settings.device.runtime_dir / "asked" / "update.json"


def _wanted(settings: Settings) -> Wanted:
    """What provision wants; by itself the service is started by people alone (``kontor update rollback``)."""
    try:
        with _asked(settings).open("rb") as file:
            found: Mapping[str, Any] = json.loads(file.read(_LARGEST))
        return Wanted(**{name: type(value)(found[name]) for name, value in asdict(Wanted()).items()})
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Wanted(reason="somebody asked for it", by_hand=True)


def act(verb: Verb, root: Path) -> int:
    """Do it; returns the exit code: 0 also when it could not be done, which is told by the status."""
    slot = running_slot(root)
    if slot is None:
        sys.stderr.write("This machine has no slots: it was not started from an image.\n")
        return Exit.UNAVAILABLE
    settings = Files(None, (), root).load_or_salvage().settings
    state = settings.device.state_dir / "update"
    make_folders(state, settings.device.runtime_dir, runtime_of(settings))
    journal = Journal("update", least=Severity[settings.log.level.name])
    wanted = _wanted(settings)
    with one_at_a_time(state):
        updater = Updater(root, slot, state=state, runtime=runtime_of(settings), journal=journal)
        if verb == "confirm":
            updater.confirm(full=wanted.full)
        elif verb == "rollback":
            updater.roll_back(wanted.reason, by_hand=wanted.by_hand)
        else:
            asyncio.run(_apply(updater, settings, root, wanted))
    return Exit.OK


async def _apply(updater: Updater, settings: Settings, root: Path, wanted: Wanted) -> None:
    async with AsyncExitStack() as stack:

        async def find(floors: Mapping[str, Floor]) -> Offer | None:
            keys = _keys(settings, root)
            if wanted.source:
                return await _named(wanted.source, settings, keys, stack)
            if not settings.update.url:
                return None
            place = _place(settings.update.url, settings, keys)
            web = await stack.enter_async_context(Web(place, SCOPE))
            return await offered(web, place, settings.update.channel, floors, time.time())

        await updater.apply(find, again=wanted.again)


async def _named(source: str, settings: Settings, keys: tuple[PublicKey, ...], stack: AsyncExitStack) -> Offer:
    folder, _, manifest = source.rpartition("/")
    if "://" not in source:
        return await named(Folder(Path(folder or ".")), _place("", settings, keys), manifest, time.time())
    if not _MANIFEST.fullmatch(manifest):
        raise NotTaken(Why.MISSING, "The address of the update must end with the name of a manifest.")
    try:
        place = _place(folder_url(folder), settings, keys)
    except ValueError as error:  # without the address: a password or a token may stand in it
        raise NotTaken(Why.MISSING, f"The address of the update {error}.") from None
    web = await stack.enter_async_context(Web(place))
    return await named(web, place, manifest, time.time())


def _place(url: str, settings: Settings, keys: tuple[PublicKey, ...]) -> Place:
    proxy = settings.network.proxy.on_the_way_to(urlsplit(url).hostname or "")
    return Place(url, keys, settings.network.ca, proxy)


def _keys(settings: Settings, root: Path) -> tuple[PublicKey, ...]:
    """Who may sign.

    :raises NotTaken: nobody may.
    """
    try:
        found = settings.update.keys or _lines(root / KEYS)
        keys = tuple(map(PublicKey.parse, found))
    except (OSError, ValueError) as error:
        raise NotTaken(Why.FOREIGN_KEY, f"Nobody may sign updates here: {root / KEYS}: {error}.") from None
    if not keys:
        raise NotTaken(Why.FOREIGN_KEY, "Nobody may sign updates here: [update] keys is empty.")
    return keys


def _lines(path: Path) -> tuple[str, ...]:
    """The keys in a file, without its comments."""
    with path.open() as file:
        lines = file.read(_LARGEST).splitlines()
    return tuple(line for line in lines if line and not line.startswith("untrusted comment:"))[:MOST_KEYS]
