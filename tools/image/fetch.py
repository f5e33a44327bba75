"""Locked Debian packages, from a cache by hash; what is not there comes from the mirrors of this machine's own apt.

A lock file has no address: a line is ``NAME VERSION ARCHITECTURE SIZE SHA256 ARCHIVE PATH``, the path below the archive
(``debian`` or ``debian-security``) on whichever mirror. Mirrors drop packages, those of backports within weeks: a snapshot
archive stands in, see :func:`fetch`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools import debian
from tools.image import space
from tools.image.errors import ImageError, MissingError

LABELS = {"Debian": "debian", "Debian-Security": "debian-security"}
"""How apt calls an archive, and how a lock file does."""

_HELPER = "/usr/lib/apt/apt-helper"
_AT_ONCE = 40
"""Files in one call of apt's."""


@dataclass(frozen=True, slots=True)
class Package:
    """A line of a lock file; ``size`` in bytes, ``path`` below the archive."""

    name: str
    version: str
    architecture: str
    size: int
    sha256: str
    archive: str
    path: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.architecture} {self.size} {self.sha256} {self.archive} {self.path}"


def read_lock(path: Path) -> tuple[Package, ...]:
    """The packages of a lock file, in its order.

    :raises ImageError: it cannot be read, or a line is none; says which.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(f"{path.name} cannot be read: {error}") from None
    return tuple(
        _package(line, f"{path.name} line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith("#")
    )


def _package(line: str, place: str) -> Package:
    words = line.split()
    if len(words) != 7 or not words[3].isdigit() or not re.fullmatch(r"[0-9a-f]{64}", words[4]):
        raise ImageError(f"{place} is no locked package: make image-lock makes the file anew")
    name, version, architecture, size, sha256, archive, path = words
    if archive not in LABELS.values() or not re.fullmatch(r"pool/[\w.+~:/-]+\.deb", path) or ".." in path:
        raise ImageError(f"{place} names no package of Debian's: make image-lock makes the file anew")
    return Package(name, version, architecture, int(size), sha256, archive, path)


def fetch(packages: Sequence[Package], cache: Path, snapshot: str = "") -> dict[str, Path]:
    """The files of locked packages by their SHA-256, all verified; fetched into ``cache`` if they are not there.

    ``snapshot`` stands in for what the mirrors no longer have: an address in which ``{archive}``, ``{path}`` and ``{sha256}``
    are filled in, as ``https://HOST/archive/{archive}/20260101T000000Z``; without ``{path}`` and ``{sha256}`` it ends in the
    path, without all three in archive and path. A release's own package cache is named ``file:///DIR/{sha256}.deb``.

    :raises ImageError: a file of the cache is not what its name says.
    :raises MissingError: a package cannot be had, or there is no room for it.
    """
    found = {package.sha256: cache / f"{package.sha256}.deb" for package in packages}
    missing = [package for package in packages if not found[package.sha256].exists()]
    if missing:
        space.require(cache, sum(package.size for package in missing), "what is to be fetched for the image")
        cache.mkdir(parents=True, exist_ok=True)
        missing = _missing_after(missing, cache, _from_mirrors(missing))
        if missing and snapshot:
            missing = _missing_after(missing, cache, {p.sha256: _in_snapshot(snapshot, p) for p in missing})
    if missing:
        raise MissingError(_vanished(missing, snapshot))
    for package in packages:
        if sha256_of(found[package.sha256]) != package.sha256:
            name = found[package.sha256]
            raise ImageError(f"{name} should be {package.name} {package.version}, but has another hash: delete it")
    return found


def _vanished(missing: Sequence[Package], snapshot: str) -> str:
    names = ", ".join(f"{package.name} {package.version}" for package in missing[:5])
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    if snapshot:
        return f"neither a mirror nor the snapshot has {names}{more}: make image-lock takes what there is now"
    return f"no mirror of this machine has {names}{more}: SNAPSHOT= names an archive that does, make image-lock takes newer ones"


def mirrors() -> dict[str, str]:
    """The mirrors of this machine's apt by archive (``debian``, ``debian-security``), each ending in a slash; maybe none."""
    if not debian.available():
        return {}
    debian.update()
    form = "$(REPO_URI) $(LABEL)"
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found: dict[str, str] = {}
    for line in told.splitlines():
        address, _, label = line.partition(" ")
        if label in LABELS:
            found.setdefault(LABELS[label], address.rstrip("/") + "/")
    return found


def _from_mirrors(packages: Iterable[Package]) -> dict[str, str]:
    there = mirrors()
    return {p.sha256: there[p.archive] + p.path for p in packages if p.archive in there}


def _in_snapshot(snapshot: str, package: Package) -> str:
    address = snapshot.rstrip("/")
    if "{archive}" not in address and "{sha256}" not in address and "{path}" not in address:
        address += "/{archive}"
    if "{path}" not in address and "{sha256}" not in address:
        address += "/{path}"
    words = {"archive": package.archive, "path": package.path, "sha256": package.sha256}
    for word, meaning in words.items():
        address = address.replace(f"{{{word}}}", meaning)
    return address


def _missing_after(packages: Sequence[Package], cache: Path, addresses: dict[str, str]) -> list[Package]:
    """Fetch what has an address, all at once and then, if that failed, each alone; what is missing still."""
    wanted = [package for package in packages if package.sha256 in addresses]
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as folder:
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            if not _download(part, Path(folder), addresses):
                for package in part:
                    _download([package], Path(folder), addresses)
        for package in wanted:
            unfinished = Path(folder) / f"{package.sha256}.deb"
            if unfinished.is_symlink():  # apt's way with a mirror on this machine; the cache keeps files of its own
                shutil.copyfile(unfinished, unfinished := unfinished.with_suffix(".copy"))
            if unfinished.exists() and sha256_of(unfinished) == package.sha256:
                unfinished.replace(cache / f"{package.sha256}.deb")
    return [package for package in packages if not (cache / f"{package.sha256}.deb").exists()]


def _download(packages: Sequence[Package], folder: Path, addresses: dict[str, str]) -> bool:
    """One call of apt's downloader, with this machine's proxies and certificates; whether all came."""
    triples = [
        word
        for package in packages
        for word in (addresses[package.sha256], str(folder / f"{package.sha256}.deb"), f"SHA256:{package.sha256}")
        if not (folder / f"{package.sha256}.deb").exists()
    ]
    if not triples:
        return True
    command = [_HELPER, "-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2", "download-file", *triples]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def sha256_of(path: Path) -> str:
    """Of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
