"""Settings from files: the machine's own, those beside it, and the boot partition's; or one that was named, alone.

Later ones have the last word. What is not there is left out, except the one that was named.
"""

import os
import stat
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
    return [source(named)] if named else list(_standard(root))


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


def _standard(root: Path) -> Iterator[Source]:
    if _there(root / MACHINE):
        yield source(root / MACHINE)
    yield from _beside(root / BESIDE)
    yield from [source(root / path) for path in BOOT if _there(root / path)][:1]


def _beside(folder: Path) -> list[Source]:
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
