"""A Debian package as a file: what it says of itself, its maintainer scripts, and its data. No dpkg is needed.

Format: deb(5), an ``ar`` archive (60 bytes of header a member, at even places) of debian-binary, control.tar.* and data.tar.*.
"""

from __future__ import annotations

import contextlib
import io
import lzma
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.image.errors import ImageError

_MAGIC, _HEADER = b"!<arch>\n", 60


@dataclass(frozen=True, slots=True)
class Deb:
    """A package: ``control`` is its paragraph as it stands in there, ``scripts`` every other file of its control archive."""

    path: Path
    control: str
    scripts: dict[str, bytes]

    @property
    def name(self) -> str:
        return self.field("Package")

    def field(self, name: str) -> str:
        """A field of its control paragraph, its first line; empty if it has none."""
        for line in self.control.splitlines():
            if line.lower().startswith(f"{name.lower()}:"):
                return line.partition(":")[2].strip()
        return ""


def read(path: Path) -> Deb:
    """Read what a package says of itself.

    :raises ImageError: the file is no Debian package, or packed in a way that is not known here.
    """
    found = {}
    with _archive(path, "control.tar") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            if file is not None:
                found[member.name.removeprefix("./")] = file.read()
    if "control" not in found:
        raise ImageError(f"{path.name} is no Debian package: it has no control file")
    return Deb(path, found.pop("control").decode().strip("\n") + "\n", found)


@contextlib.contextmanager
def data(path: Path) -> Iterator[tarfile.TarFile]:
    """The data of a package.

    :raises ImageError: as for :func:`read`.
    """
    with _archive(path, "data.tar") as archive:
        yield archive


@contextlib.contextmanager
def _archive(path: Path, wanted: str) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(fileobj=io.BytesIO(_member(path, wanted))) as archive:
            yield archive
    except (
        tarfile.TarError,
        lzma.LZMAError,
        EOFError,
    ) as error:  # also zstd: neither Python 3.11 knows nor Debian uses it
        raise ImageError(f"{path.name} cannot be unpacked: {error}") from error


def _member(path: Path, wanted: str) -> bytes:
    """The first member whose name begins with this."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ImageError(f"{path.name} is no Debian package")
        while len(header := file.read(_HEADER)) == _HEADER:
            size = header[48:58].strip()
            if not size.isdigit():
                break
            if header.startswith(wanted.encode()):
                return file.read(int(size))
            file.seek(int(size) + int(size) % 2, io.SEEK_CUR)
    raise ImageError(f"{path.name} is no Debian package: it has no {wanted}")
