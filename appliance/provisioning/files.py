"""Settings from files: the machine's own, those beside it, and what provisioning has accepted; or one that was named, alone.

Later ones have the last word. What is not there is left out, except the one that was named. Boot partition and network are
read by ``kontor provision`` alone; what it accepts lies in :data:`ACTIVE` for all (appliance/provisioning/sets.py).
"""

import json
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.settings import Settings, SettingsError, Source, load, resolve
from appliance.settings.sources import LARGEST

MACHINE = Path("etc/kontor/kontor.toml")
BESIDE = Path("etc/kontor/conf.d")
ACTIVE = Path("var/lib/kontor/settings/active")
"""A link to the folder of the accepted settings that are in force."""
NAMES = "names.json"
"""Beside accepted settings: under which name people know each file."""
BOOT = (Path("boot/firmware/kontor.toml"), Path("boot/kontor.toml"))
"""Where the boot partition may be mounted; the first that is there counts."""
MOST_BESIDE = 100
_ROOT = "KONTOR_ROOT"


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, and which of the accepted settings are among it."""

    sources: tuple[Source, ...]
    digest: str = ""
    """Of the accepted settings; empty: there are none."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and which accepted ones are among them."""

    settings: Settings
    digest: str = ""
    salvaged: bool = False
    """They are wrong somewhere: this is what is left of them, and no reason to take anything away."""


class Files:
    """Where a process has its settings from, and may read them again."""

    def __init__(self, named: Path | None, secrets: Collection[str] | None = (), root: Path | None = None) -> None:
        """``secrets`` are the sections whose secret files the process may look into; None: all."""
        self.named, self._secrets, self._root = named, secrets, root
        self.current = Loaded(Settings())
        """What the process runs with; whoever takes new ones up says so here."""

    def load(self) -> Loaded:
        """Read them again; :attr:`current` stays as it is.

        :raises SettingsError: they cannot be used.
        """
        found = find(self.named, self._root)
        return Loaded(load(found.sources, self._secrets), found.digest)

    def load_or_salvage(self) -> Loaded:
        """Read them again, as far as they can be used. Never raises."""
        try:
            return self.load()
        except SettingsError:
            return self.salvage()

    def salvage(self) -> Loaded:
        """Those of them that can be used where others are wrong: above all where better ones are fetched from. Never raises."""
        found = find(self.named, self._root)
        sources, without = list(found.sources), set[tuple[str, str]]()
        while sources:
            try:
                return Loaded(resolve(sources, self._secrets, without).settings, found.digest, salvaged=True)
            except SettingsError as error:
                more = {(each.file, each.key.split(".")[0].split("[")[0]) for each in error.problems if each.key}
                # A file that is wrong as a whole goes as a whole, and so does one that is no better without its section.
                wrong = {each.file for each in error.problems if not each.key or more <= without}
                left = [source for source in sources if source.name not in wrong]
                if more <= without and len(left) == len(sources):
                    break
                sources, without = left, without | more
        return Loaded(Settings(), found.digest, salvaged=True)


def root_folder() -> Path:
    """Under which folder all of this is looked for: ``KONTOR_ROOT``, or /."""
    return Path(os.environ.get(_ROOT) or "/")


def sources(named: Path | None = None, root: Path | None = None) -> list[Source]:
    """All files that settings come from, in the order of their say; with ``named`` (``--config``) that one alone.

    Never raises: what cannot be read is a source that says why.
    """
    return list(find(named, root).sources)


def find(named: Path | None = None, root: Path | None = None) -> Found:
    """The same, with the digest of the accepted ones. Never raises."""
    if named:
        return Found((source(named),))
    root = root or root_folder()
    accepted = _accepted(root / ACTIVE)
    return Found((*of_machine(root), *accepted.sources), accepted.digest)


def of_machine(root: Path) -> Iterator[Source]:
    """The files that the machine itself has, which nobody changes from afar."""
    if _there(root / MACHINE):
        yield source(root / MACHINE)
    yield from _in_folder(root / BESIDE)


def boot_file(root: Path) -> Path | None:
    """The settings on the boot partition, if there are any."""
    return next((root / path for path in BOOT if _there(root / path)), None)


def source(path: Path) -> Source:
    """One file. Never raises."""
    name, folder = str(path), path.absolute().parent
    try:
        # Looked at before it is opened: a named pipe would hold up the start.
        if not stat.S_ISREG(path.stat().st_mode):
            return Source(name, folder=folder, unreadable="is no file")
        with path.open("rb") as file:
            # One byte too many is enough for the loader to see that it is too long.
            return Source(name, file.read(LARGEST + 1), folder)
    except (OSError, ValueError) as error:
        return Source(name, folder=folder, unreadable=_why(error))


def _accepted(active: Path) -> Found:
    try:
        # Followed once: what is switched meanwhile is another folder, not other files in this one.
        folder = active.parent / os.readlink(active)
    except FileNotFoundError:
        return Found(())
    except OSError as error:
        return Found((Source(str(active), folder=active, unreadable=_why(error)),))
    if not folder.is_dir():  # accepted settings that are gone must not read as if there had been none
        return Found((Source(str(active), folder=folder, unreadable="does not exist"),))
    return Found(tuple(_with_names(folder)), folder.name)


def _with_names(folder: Path) -> Iterator[Source]:
    """Accepted settings under the names that people know. Relative paths start where each was written."""
    try:
        names = json.loads((folder / NAMES).read_bytes())
    except (OSError, ValueError):
        names = {}
    for each in _in_folder(folder):
        known = names.get(Path(each.name).name, {})
        yield replace(each, name=known.get("name", each.name), folder=Path(known.get("folder", "/")))


def _in_folder(folder: Path) -> list[Source]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        gone = isinstance(error, FileNotFoundError)
        return [] if gone else [Source(str(folder), folder=folder, unreadable=_why(error))]
    names = [name for name in names if name.endswith(".toml") and not name.startswith(".")]
    if len(names) > MOST_BESIDE:
        return [Source(str(folder), folder=folder, unreadable=f"holds more than {MOST_BESIDE} settings files")]
    return [source(folder / name) for name in names]


def _there(path: Path) -> bool:
    """Whether something is there, be it a link that leads nowhere, or something in a folder that may not be read."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "does not exist"
    return "is not readable for this user" if isinstance(error, PermissionError) else "cannot be read"
