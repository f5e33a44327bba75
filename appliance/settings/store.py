"""Writing a file so that a power cut leaves either the old one or the new one, never half of it."""

import contextlib
import os
import tempfile
from pathlib import Path

PRIVATE = 0o600
"""Mode of a file that only its owner reads."""


def atomic_write(path: Path, content: bytes, mode: int = PRIVATE, *, strict: bool = True) -> None:
    """Replace ``path`` by ``content``: on return it is on the disk, under its name, with exactly ``mode``.

    The new file is written beside the old one, so both are on the same file system and the rename is one step. It is
    never readable by more than ``mode`` allows, not even for a moment, and a symbolic link at ``path`` is replaced.

    :param strict: False leaves mode and owner to a file system that has none, as FAT.
    :raises OSError: it could not be written (no such folder, disk full, read-only); the old file is untouched then.
    """
    # mkstemp makes the file 0600 whatever the umask, under a name that nobody else has.
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        try:
            write_all(handle, content)
            with contextlib.nullcontext() if strict else contextlib.suppress(OSError):
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
    sync_folder(path.parent)


def create(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Make a new file, never over an old one: on return its content is on the disk, with exactly ``mode``.

    Its name is not, before :func:`sync_folder`.

    :raises OSError: it could not be written, or there is one already (FileExistsError); no new file is left then.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            write_all(handle, content)
            os.fchmod(handle, mode)  # whatever the umask
            os.fsync(handle)
        finally:
            os.close(handle)
    except BaseException:
        os.unlink(path)
        raise


def give(new: int | Path, folder: Path) -> None:
    """What root puts into a service's folder belongs to that service, or it could not read its own state any more.

    :raises OSError: ``folder`` is gone.
    """
    found = folder.stat()
    if os.geteuid() != 0 or found.st_uid == 0:
        return
    if isinstance(new, int):
        os.fchown(new, found.st_uid, found.st_gid)
    else:  # the service may have put a link in its place meanwhile, to something that is not to be its own
        os.lchown(new, found.st_uid, found.st_gid)


def write_all(handle: int, content: bytes) -> None:
    """Write all of it, be it in pieces (write(2) may take less than it is given).

    :raises OSError: the disk refuses.
    """
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk: a rename is only then sure to outlive a power cut.

    :raises OSError: the disk refuses.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
