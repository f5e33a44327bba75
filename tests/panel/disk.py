"""A disk that loses its power: what may be on it afterwards, after the calls that were really made.

:class:`Recorder` notes every call of ``os`` that changes a folder or a file in it. :func:`after_power_cut` gives every state in
which a disk may come back when the power goes after the first ``n`` of them. It allows more than ext4 does in its default
mode (data=ordered), as little is promised by POSIX:

- Content that was not flushed (fsync of the file) is there up to any byte, or not at all; what is missing is missing, zeros, or
  what stood on the disk before. So is its mode.
- A name that was not flushed (fsync of the folder) is there or not, each by itself: a file that was made, the new name of one
  that was renamed, and its old name.
- What was flushed is there.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Call:
    """One call: ``what`` is make, write, mode, flush, rename, remove or flush folder; ``file`` numbers the files made."""

    what: str
    file: int = -1
    name: str = ""
    to: str = ""
    data: bytes = b""

    def __str__(self) -> str:
        return self.what


class Recorder:
    """Notes what is called in ``folder`` while it is there. ``before`` is told each call before it is made."""

    def __init__(
        self, folder: Path, patch: pytest.MonkeyPatch, before: Callable[[Call], None] = lambda _: None
    ) -> None:
        self.calls: list[Call] = []
        self._folder = str(folder)
        self._files: dict[int, int] = {}
        self._made = 0
        self._before = before
        for name in ("open", "write", "fchmod", "fsync", "close", "replace", "unlink"):
            patch.setattr(os, name, self._instead(name, getattr(os, name)))
        for name in ("rename", "link", "symlink", "remove", "truncate", "ftruncate", "pwrite", "writev", "fdatasync"):
            patch.setattr(os, name, self._unknown(name))

    def _instead(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            noted = getattr(self, f"_{name}")(*given, **more)
            if noted is not None:
                self._before(noted)
            result = real(*given, **more)
            if name == "open":
                self._opened(given, result)
            if name == "write" and noted is not None:
                noted = Call("write", noted.file, data=noted.data[:result])
            if noted is not None:
                self.calls.append(noted)
            return result

        return call

    @staticmethod
    def _unknown(name: str) -> Callable[..., Any]:
        def call(*_: Any, **__: Any) -> Any:
            raise AssertionError(f"os.{name} is called, and the model of the disk does not know it")

        return call

    def _here(self, path: Any) -> str:
        """The name in our folder, or ""."""
        return Path(path).name if Path(path).parent == Path(self._folder) else ""

    def _opened(self, given: tuple[Any, ...], handle: int) -> None:
        if os.fspath(given[0]) == self._folder:
            self._files[handle] = -1
        elif self._here(given[0]) and given[1] & os.O_CREAT:
            self._files[handle] = self._made
            self._made += 1

    def _open(self, path: Any, flags: int, *_: Any, **__: Any) -> Call | None:
        name = self._here(path)
        if not name or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return None
        assert flags & os.O_EXCL, "what is written in place is half written after a power cut"
        return Call("make", self._made, name)

    def _write(self, handle: int, data: Any) -> Call | None:
        return Call("write", self._files[handle], data=bytes(data)) if handle in self._files else None

    def _fchmod(self, handle: int, _mode: int) -> Call | None:
        return Call("mode", self._files[handle]) if handle in self._files else None

    def _fsync(self, handle: int) -> Call | None:
        if handle not in self._files:
            return None
        return Call("flush folder") if self._files[handle] < 0 else Call("flush", self._files[handle])

    def _close(self, handle: int) -> None:
        self._files.pop(handle, None)

    def _replace(self, old: Any, new: Any) -> Call | None:
        return Call("rename", name=self._here(old), to=self._here(new)) if self._here(new) else None

    def _unlink(self, path: Any) -> Call | None:
        return Call("remove", name=self._here(path)) if self._here(path) else None


@dataclass
class _File:
    safe: bytes = b""
    written: bytes = b""


@dataclass
class _Disk:
    """What is surely there, and what may be."""

    files: list[_File] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    """As a program sees them."""
    safe_names: dict[str, int] = field(default_factory=dict)
    may_be: list[tuple[str, int | None]] = field(default_factory=list)
    """Changes of names that were not flushed, in their order: a name, and its file or None."""

    def make(self, call: Call) -> None:
        """Take one call."""
        match call.what:
            case "make":
                self.files.append(_File())
                self._name(call.name, call.file)
            case "write":
                self.files[call.file].written += call.data
            case "flush":
                self.files[call.file].safe = self.files[call.file].written
            case "rename":
                file = self.names[call.name]
                self._name(call.to, file)
                self._name(call.name, None)
            case "remove":
                self._name(call.name, None)
            case "flush folder":
                self.safe_names, self.may_be = dict(self.names), []

    def _name(self, name: str, file: int | None) -> None:
        self.may_be.append((name, file))
        if file is None:
            del self.names[name]
        else:
            self.names[name] = file

    def left(self) -> Iterator[dict[str, bytes]]:
        """Every state in which it may come back."""
        for happened in product((False, True), repeat=len(self.may_be)):
            names = dict(self.safe_names)
            for (name, file), is_there in zip(self.may_be, happened, strict=True):
                if is_there and file is None:
                    names.pop(name, None)
                elif is_there and file is not None:
                    names[name] = file
            files = sorted(set(names.values()))
            for contents in product(*(_torn(self.files[file]) for file in files)):
                chosen = dict(zip(files, contents, strict=True))
                yield {name: chosen[file] for name, file in names.items()}


def _torn(file: _File) -> tuple[bytes, ...]:
    if file.safe == file.written:
        return (file.safe,)
    before = (b'{"schema": 1, "reasons": 0, "door": 0, "sum": "' + b"0" * 16 + b'"}') * 40
    length = len(file.written)
    found: dict[bytes, None] = {}
    for there in range(len(file.safe), length + 1):
        kept = file.written[:there]
        for rest in (b"", bytes(length - there), before[there:length]):
            found[kept + rest] = None
    return tuple(found)


def after_power_cut(start: dict[str, bytes], calls: list[Call]) -> list[list[dict[str, bytes]]]:
    """For each number of calls that were made, from none to all: every state of the folder, its files by name.

    :param start: what is surely there before the first call.
    """
    disk = _Disk()
    for name, content in start.items():
        disk.names[name] = disk.safe_names[name] = len(disk.files)
        disk.files.append(_File(content, content))
    states = [_different(disk.left())]
    for call in calls:
        disk.make(replace(call, file=call.file + len(start)))
        states.append(_different(disk.left()))
    return states


def _different(states: Iterator[dict[str, bytes]]) -> list[dict[str, bytes]]:
    return [dict(some) for some in {tuple(sorted(state.items())): None for state in states}]
