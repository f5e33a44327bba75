"""What a package is made of: one commit, and nothing that merely lies in the checkout."""

import io
import os
import re
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TAKEN = ("appliance", "systemd", "packaging", "requirements", "docs", "LICENSE", "CHANGELOG.md")


class SourceError(Exception):
    """There is no commit to make a package of; one sentence."""


@dataclass(frozen=True, slots=True)
class Source:
    """A commit: its files by path, and the Unix time at which it was made, that of every file in the package."""

    files: dict[str, bytes]
    epoch: int

    def text(self, path: str) -> str:
        """A file as text.

        :raises SourceError: the commit has no such file.
        """
        try:
            return self.files[path].decode()
        except KeyError:
            raise SourceError(f"the commit has no {path}: commit it first") from None

    def below(self, folder: str) -> dict[str, bytes]:
        """The files below a folder, by their path in it."""
        return {
            path.removeprefix(f"{folder}/"): data for path, data in self.files.items() if path.startswith(f"{folder}/")
        }

    @property
    def version(self) -> str:
        """Kontor's version.

        :raises SourceError: the commit tells none.
        """
        found = re.search(r'^__version__ = "([^"]+)"$', self.text("appliance/__init__.py"), re.MULTILINE)
        if found is None:
            raise SourceError('appliance/__init__.py has no line __version__ = "…"')
        return found[1]


def read(checkout: Path, commit: str = "HEAD") -> Source:
    """A commit of a checkout. ``SOURCE_DATE_EPOCH`` in the environment stands for its time.

    :raises SourceError: no checkout, or no such commit.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or _git(checkout, "log", "-1", "--format=%ct", commit).decode()
    names = _git(checkout, "ls-tree", "--name-only", commit).decode().splitlines()
    packed = _git(checkout, "archive", "--format=tar", commit, *(name for name in _TAKEN if name in names))
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = {entry.name: file.read() for entry in archive if (file := archive.extractfile(entry)) is not None}
    return Source(files, int(epoch))


def changed(checkout: Path, taken: Sequence[str] = _TAKEN) -> list[str]:
    """Files of what a package is made of that are not as committed, and so not in it; or of other folders."""
    lines = _git(checkout, "status", "--porcelain", "--", *taken).decode().splitlines()
    return [line[3:] for line in lines]


def _git(checkout: Path, *arguments: str) -> bytes:
    # A checkout of another user is refused otherwise, and reading one runs nothing of it.
    command = ["git", "-c", f"safe.directory={checkout.resolve()}", "-C", str(checkout), *arguments]
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout
    except FileNotFoundError:
        raise SourceError("a package is made of a commit: sudo apt-get install git") from None
    except subprocess.CalledProcessError as error:
        raise SourceError(f"a package is made of a commit: {error.stderr.decode().strip()}") from None
