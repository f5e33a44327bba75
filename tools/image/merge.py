"""Debian packages into one tree, as dpkg would unpack them, and dpkg's own list of what is installed.

Nothing of a package runs: what its maintainer scripts would do is done by tools/image/configure.py, after somebody has read
them (tools/image/scripts.py).
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.image import deb
from tools.image.errors import ImageError
from tools.image.tree import Owned, Tree, place

_DATABASE = "var/lib/dpkg"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which paths of packages are taken: rules of dpkg's path-exclude and path-include, of which the last that fits holds."""

    rules: tuple[tuple[bool, re.Pattern[str]], ...]

    @classmethod
    def read(cls, path: Path) -> Filter:
        """Read a file of rules: ``-pattern`` leaves out, ``+pattern`` takes; ``*`` stands for slashes too.

        :raises ImageError: a line is neither.
        """
        rules = []
        for number, line in enumerate(path.read_text().splitlines(), 1):
            rule = line.partition("#")[0].strip()
            if not rule:
                continue
            if rule[0] not in "+-" or not rule[1:].startswith("/"):
                raise ImageError(f"{path.name}:{number}: a rule is -/pattern or +/pattern, and not {rule}")
            rules.append((rule[0] == "+", re.compile(fnmatch.translate(rule[1:]))))
        return cls(tuple(rules))

    def takes(self, name: str, *, folder: bool = False) -> bool:
        """Whether a path of a tree is taken: a folder only if something in it might be, whatever its name."""
        if folder and not self.takes(f"{name}/ "):
            return False
        for include, pattern in reversed(self.rules):
            if pattern.match(f"/{name}"):
                return include
        return True


class Merger:
    """Packages into ``tree``, one after the other; :meth:`finish` writes what dpkg remembers of them."""

    def __init__(self, tree: Tree, wanted: Filter) -> None:
        self._tree, self._wanted = tree, wanted
        self._whose: dict[str, str] = {}
        self._status: dict[str, str] = {}

    def add(self, package: deb.Deb, *, installed: bool = True) -> None:
        """Unpack one; dpkg is to know of it if it counts as installed.

        :raises ImageError: it has a file that another one has too and that is not the same.
        """
        kept: dict[str, None] = {}
        with deb.data(package.path) as archive:
            for member in archive:
                name = place(member.name, folder=member.isdir())
                if name and self._wanted.takes(name, folder=member.isdir()):
                    self._unpack(archive, member, name, package.name)
                    kept[name] = None
        if installed:
            self._remember(package, kept)

    def finish(self) -> None:
        """Write dpkg's list of packages, so that dpkg and scanners know what is there."""
        text = "\n".join(self._status[name] for name in sorted(self._status))
        self._tree.add_file(f"{_DATABASE}/status", text.encode())
        self._tree.add_file(f"{_DATABASE}/info/format", b"1\n")  # a list is named after package and architecture
        self._tree.add_folder(f"{_DATABASE}/updates")

    def _unpack(self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, package: str) -> None:
        owned = Owned(member.mode & 0o7777, member.uid, member.gid)
        if member.isdir():
            self._tree.add_folder(name, owned)
            return
        if member.issym():
            if self._is_new(name, package, member.linkname.encode()):
                self._tree.add_link(name, member.linkname)
        elif member.islnk():
            if self._is_new(name, package, None):
                self._tree.add_name(name, place(member.linkname))
        elif member.isreg():
            file = archive.extractfile(member)
            data = b"" if file is None else file.read()
            if self._is_new(name, package, data):
                self._tree.add_file(name, data, owned)
        else:
            raise ImageError(f"{package} has {name}, which is no file, folder or link")

    def _is_new(self, name: str, package: str, data: bytes | None) -> bool:
        """Whether nobody has this path yet; the same twice is one (packages of one source for several processors).

        :raises ImageError: another package has it, and it is another file.
        """
        before = self._whose.setdefault(name, package)
        if before == package:
            return True
        path = self._tree.path(name)
        there = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        if there != data:
            raise ImageError(f"{before} and {package} both have {name}, and not the same")
        return False

    def _remember(self, package: deb.Deb, kept: Mapping[str, None]) -> None:
        lines = package.control.splitlines()
        lines.insert(1, "Status: install ok installed")
        conffiles = package.scripts.get("conffiles", b"").decode().splitlines()
        there = [line for line in conffiles if line.startswith("/") and place(line) in kept]
        if there:
            lines.append("Conffiles:")
            lines += [f" {line} {self._sum(line)}" for line in there]
        self._status[package.name] = "\n".join(lines) + "\n"
        same = package.field("Multi-Arch") == "same"
        of = f"{package.name}:{package.field('Architecture')}" if same else package.name
        listed = "".join(f"/{name}\n" for name in sorted(kept))
        self._tree.add_file(f"{_DATABASE}/info/{of}.list", f"/.\n{listed}".encode())

    def _sum(self, name: str) -> str:
        return hashlib.md5(self._tree.path(name).read_bytes(), usedforsecurity=False).hexdigest()
