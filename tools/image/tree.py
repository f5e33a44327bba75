"""A file system as a folder and a table: bytes, names and links are in the folder, owners and modes in the table.

So it is the same whoever makes it, root or not, and whatever the builder's file system, umask and clock are. :meth:`Tree.pack`
writes both as one tar archive, in the order of names.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.image.errors import ImageError

_MERGED = ("bin", "sbin", "lib", "lib64")
"""Links at the top to folders below usr: what a package has there comes to lie below usr."""
_LINK_MODE, _FOLDER_MODE, _FILE_MODE, _PROGRAM_MODE = 0o777, 0o755, 0o644, 0o755


@dataclass(frozen=True, slots=True)
class Owned:
    """Whose a path is: numbers, and the mode with set-user-id and the like."""

    mode: int
    uid: int = 0
    gid: int = 0


class Tree:
    """A root file system below ``folder``. Paths are relative to it, without a slash at the beginning."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._owned: dict[str, Owned] = {}

    def path(self, name: str) -> Path:
        """Where a path of the tree lies, for whoever reads or replaces it.

        :raises ImageError: it leads out of the tree, or through a link.
        """
        parts = place(name).split("/")
        if ".." in parts:
            raise ImageError(f"a path leads out of the root file system: {name}")
        at = self.folder
        for part in parts[:-1]:
            at /= part
            if at.is_symlink():
                raise ImageError(f"a path leads through a link of the root file system: {name}")
        return at / parts[-1]

    def add_folder(self, name: str, owned: Owned | None = None) -> None:
        """A folder and those above it. Who comes first says whose it is."""
        path = self.path(name)
        if not path.is_dir() or path.is_symlink():
            path.mkdir(parents=True)
        if owned is not None:
            self._owned.setdefault(place(name), owned)

    def add_file(self, name: str, data: bytes, owned: Owned | None = None) -> None:
        """A file; it takes the place of another one."""
        path = self._free(name)
        path.write_bytes(data)
        owned = owned or Owned(_FILE_MODE)
        path.chmod((owned.mode & 0o777) | stat.S_IRUSR | stat.S_IWUSR)
        self._owned[place(name)] = owned

    def add_link(self, name: str, to: str) -> None:
        """A symbolic link; it takes the place of another one, or of a file."""
        self._free(name).symlink_to(to)
        self._owned[place(name)] = Owned(_LINK_MODE)

    def add_name(self, name: str, first: str) -> None:
        """Another name for the same file (a hard link)."""
        os.link(self.path(first), self._free(name), follow_symlinks=False)
        self._owned[place(name)] = self.owned(first)

    def give(self, name: str, owned: Owned) -> None:
        """Say whose a path is.

        :raises ImageError: there is none.
        """
        if not os.path.lexists(self.path(name)):
            raise ImageError(f"the root file system has no {name}")
        self._owned[place(name)] = owned

    def remove(self, name: str) -> None:
        """Take a path away with all below it, if it is there."""
        path = self.path(name)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def prune(self, name: str) -> None:
        """Take away the folders below a path, and itself, in which there is nothing."""
        path = self.path(name)
        for folder, _folders, _files in os.walk(path, topdown=False):
            if not os.listdir(folder):
                Path(folder).rmdir()

    def owned(self, name: str) -> Owned:
        """Whose a path is; as far as nobody said: root's, and for all to read."""
        said = self._owned.get(place(name))
        if said is not None:
            return said
        found = self.path(name).lstat().st_mode
        if stat.S_ISLNK(found):
            return Owned(_LINK_MODE)
        if stat.S_ISDIR(found):
            return Owned(_FOLDER_MODE)
        return Owned(_PROGRAM_MODE if found & stat.S_IXUSR else _FILE_MODE)

    def names(self) -> Iterator[str]:
        """Every path, each after the folder that it is in, in the order of names."""
        found = []
        for at, folders, files in os.walk(self.folder):
            base = Path(at).relative_to(self.folder)
            found += [str(base / name) for name in (*folders, *files)]
        yield from sorted(found, key=os.fsencode)

    def pack(self, archive: Path, epoch: int) -> None:
        """Write all of it as a tar archive; every time in it is ``epoch`` (seconds)."""
        firsts: dict[int, str] = {}
        with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape") as out:
            for name in self.names():
                path = self.folder / name
                found, owned = path.lstat(), self.owned(name)
                info = tarfile.TarInfo(name)
                info.mode, info.uid, info.gid, info.mtime = owned.mode, owned.uid, owned.gid, epoch
                if stat.S_ISDIR(found.st_mode):
                    info.type = tarfile.DIRTYPE
                    out.addfile(info)
                elif stat.S_ISLNK(found.st_mode):
                    info.type, info.linkname = tarfile.SYMTYPE, str(path.readlink())
                    out.addfile(info)
                elif found.st_nlink > 1 and found.st_ino in firsts:
                    info.type, info.linkname = tarfile.LNKTYPE, firsts[found.st_ino]
                    out.addfile(info)
                elif stat.S_ISREG(found.st_mode):
                    firsts[found.st_ino] = name
                    info.size = found.st_size
                    with path.open("rb") as file:
                        out.addfile(info, file)
                else:
                    raise ImageError(f"the root file system has {name}, which is no file, folder or link")

    def _free(self, name: str) -> Path:
        """The place for something that is no folder, with nothing in it."""
        path = self.path(name)
        if path.is_dir() and not path.is_symlink():
            raise ImageError(f"{name} is a folder of the root file system, and would become something else")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        return path


def place(name: str, *, folder: bool = False) -> str:
    """A path as the tree has it: without dots and slashes around it, and below usr where that is only linked to."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    merged = parts[:1] and parts[0] in _MERGED and (folder or len(parts) > 1)
    return "/".join(["usr", *parts] if merged else parts)
