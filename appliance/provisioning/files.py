"""Settings from files: the machine's own, those beside it, and the boot partition's; or one that was named, alone.

Later ones have the last word. What is not there is left out, except the one that was named.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from appliance.settings import Source
from appliance.settings.sources import LARGEST

MACHINE = Path("etc/kontor/kontor.toml")
BESIDE = Path("etc/kontor/conf.d")
BOOT = (Path("boot/firmware/kontor.toml"), Path("boot/kontor.toml"))
"""Where the boot partition may be mounted; the first that is there counts."""
MOST_BESIDE = 100


def sources(named: Path | None = None, root: Path = Path("/")) -> list[Source]:
    """All files that settings come from, in the order of their say; with ``named`` (``--config``) that one alone.

    Never raises: what cannot be read is a source that says why.
    """
    return [source(path) for path in ([named] if named else _standard(root))]


def source(path: Path) -> Source:
    """One file. Never raises."""
    name, folder = str(path), path.absolute().parent
    try:
        if not path.is_file():
            return Source(name, folder=folder, unreadable="is no file" if path.exists() else "does not exist")
        with path.open("rb") as file:
            # One byte too many is enough for the loader to see that it is too long.
            return Source(name, file.read(LARGEST + 1), folder)
    except (OSError, ValueError) as error:
        why = "is not readable for this user" if isinstance(error, PermissionError) else "cannot be read"
        return Source(name, folder=folder, unreadable=why)


def _standard(root: Path) -> Iterator[Path]:
    if _there(root / MACHINE):
        yield root / MACHINE
    yield from _beside(root / BESIDE)
    yield from [root / path for path in BOOT if _there(root / path)][:1]


def _beside(folder: Path) -> list[Path]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError:
        return []
    return [folder / name for name in names if name.endswith(".toml") and not name.startswith(".")][:MOST_BESIDE]


def _there(path: Path) -> bool:
    return os.path.lexists(path)
