"""The accepted settings on the disk: whole sets that are never changed, and two links that say which one holds.

``sets/DIGEST/`` holds the files of one set. ``active`` is the one that every process reads, ``good`` the last that was
confirmed; while both differ, ``active`` is on trial. Each is a symbolic link that is replaced in one step, and everything
is on the disk before the step that leads to it: after a power cut there is the old state or the new one.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from appliance.core.documents import kind_of
from appliance.provisioning.files import NAMES
from appliance.provisioning.publication import Published
from appliance.settings import Source
from appliance.settings.store import create, sync_folder

BOOT_LAYER = "20-boot.toml"
_DOCUMENT_LAYERS = {"all": "30-all.toml", "group": "31-group.toml", "device": "32-device.toml"}
_DIGITS = 16
_FOLDER, _FILE = 0o750, 0o640
"""Readable for all services of ours (group kontor), writable for provisioning alone."""

Link = Literal["active", "good"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One file of a set."""

    file: str
    """Its name in the set; they are read in the order of their names."""
    name: str
    """As people know it: the path of the boot file, or ``all (version 42)``."""
    content: bytes = field(repr=False)
    folder: Path = Path("/")
    """Relative paths in it start here."""
    document: Published | None = None
    """The signed document that it is."""

    @property
    def source(self) -> Source:
        """For the loader."""
        return Source(self.name, self.content, self.folder)


def layer_of(document: Published) -> Layer:
    """The layer that a signed document makes."""
    return Layer(_DOCUMENT_LAYERS[kind_of(document.scope)], document.name, document.content, document=document)


def digest_of(layers: Sequence[Layer]) -> str:
    """By what a set is known: other files, other names or other versions have another one. No files at all have none."""
    if not layers:
        return ""
    whole = hashlib.sha256(_names(layers))
    for layer in layers:
        whole.update(hashlib.sha256(layer.content).digest())
    return whole.hexdigest()[:_DIGITS]


class Sets:
    """The sets below ``folder``. Everything here blocks until it is on the disk: call it off the loop."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._sets = folder, folder / "sets"

    def linked(self, link: Link) -> str:
        """The digest that ``link`` leads to; empty: to none."""
        try:
            return Path(os.readlink(self._folder / link)).name
        except OSError:
            return ""

    def read(self, digest: str) -> tuple[Layer, ...]:
        """The files of a set.

        :raises OSError, ValueError: it is not there, or damaged.
        """
        folder = self._sets / digest
        names = json.loads((folder / NAMES).read_bytes())
        layers = tuple(_layer(file, facts, (folder / file).read_bytes()) for file, facts in sorted(names.items()))
        if digest_of(layers) != digest:
            raise ValueError(f"the settings in {folder} are damaged")
        return layers

    def add(self, layers: Sequence[Layer]) -> str:
        """Put a set on the disk, unless it is there already; returns its digest. Sets that nothing leads to are removed.

        :raises OSError: it could not be written; nothing has changed then.
        """
        digest = digest_of(layers)
        make_folder(self._sets, _FOLDER)
        self._tidy(digest)
        if not self._whole(digest):
            new = self._sets / f".{digest}.new"
            try:
                self._write(new, layers)
                new.rename(self._sets / digest)
            except BaseException:
                _remove(new)
                raise
        # Even if it was there: a power cut may have come between its rename and this.
        sync_folder(self._sets)
        return digest

    def point(self, link: Link, digest: str) -> None:
        """Let ``link`` lead to a set that is on the disk, in one step. An empty digest removes the link.

        :raises OSError: it could not be written. The link may lead to the new set all the same.
        """
        path, new = self._folder / link, self._folder / f".{link}.new"
        if digest:
            new.unlink(missing_ok=True)
            new.symlink_to(Path("sets") / digest)
            new.replace(path)
        else:
            path.unlink(missing_ok=True)
        sync_folder(self._folder)

    def _whole(self, digest: str) -> bool:
        try:
            self.read(digest)
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError):
            _remove(self._sets / digest)
            return False
        return True

    def _write(self, new: Path, layers: Sequence[Layer]) -> None:
        new.mkdir()
        new.chmod(_FOLDER)  # whatever the umask
        for name, content in [*((layer.file, layer.content) for layer in layers), (NAMES, _names(layers))]:
            create(new / name, content, _FILE)
        sync_folder(new)

    def _tidy(self, wanted: str) -> None:
        """Here and not when a set is left: whoever has just begun to read the old one reads on."""
        for path in self._sets.iterdir():
            if path.name not in {wanted, self.linked("active"), self.linked("good")}:
                _remove(path)


def _names(layers: Sequence[Layer]) -> bytes:
    """What stands beside the files, for whoever shows them to people."""
    names = {layer.file: {"name": layer.name, "folder": str(layer.folder), **_facts(layer)} for layer in layers}
    return json.dumps(names, indent=1, sort_keys=True).encode()


def _facts(layer: Layer) -> dict[str, object]:
    document = layer.document
    if document is None:
        return {}
    return {"scope": document.scope, "version": document.version, "expires": document.expires, "key": document.key}


def _layer(file: str, facts: Mapping[str, Any], content: bytes) -> Layer:
    document = None
    if "scope" in facts:
        document = Published(facts["scope"], facts["version"], content, facts["expires"], facts["key"])
    return Layer(file, facts["name"], content, Path(facts["folder"]), document)


def make_folder(folder: Path, mode: int) -> None:
    """Make a folder, and those above it, unless it is there: on return it is on the disk, under its name.

    :raises OSError: it cannot be made.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent, mode)
    folder.mkdir(exist_ok=True)
    with contextlib.suppress(OSError):  # a sandbox may forbid what tmpfiles.d has done on a device
        folder.chmod(mode)
    sync_folder(folder.parent)


def _remove(folder: Path) -> None:
    """As far as it goes: what is left of it is tried again with the next set."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
