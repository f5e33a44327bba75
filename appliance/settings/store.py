"""Writing a file so that a power cut leaves either the old one or the new one, never half of it."""

import os
import tempfile
from pathlib import Path

PRIVATE = 0o600
"""Mode of a file that only its owner reads."""


def atomic_write(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Replace ``path`` by ``content``: on return it is on the disk, under its name, with exactly ``mode``.

    The new file is written beside the old one, so both are on the same file system and the rename is one step. It is
    never readable by more than ``mode`` allows, not even for a moment, and a symbolic link at ``path`` is replaced.

    :raises OSError: it could not be written (no such folder, disk full, read-only); the old file is untouched then.
    """
    # mkstemp makes the file 0600 whatever the umask, under a name that nobody else has.
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        try:
            _write(handle, content)
            os.fchmod(handle, mode)
            give(handle, path.parent)
            # Without this the name may reach the disk before the content: an empty file after a power cut.
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(path.parent)


def give(new: int | Path, folder: Path) -> None:
    """What root puts into a service's folder belongs to that service, or it could not read its own state any more.

    :raises OSError: ``folder`` is gone.
    """
    found = folder.stat()
    if os.geteuid() == 0 and found.st_uid != 0:
        os.chown(new, found.st_uid, found.st_gid)


def _write(handle: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]


def _sync_folder(folder: Path) -> None:
    """Put the folder's own entry on the disk: a rename is only then sure to outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
