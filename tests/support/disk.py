"""A disk with folders that loses its power: what may be on it afterwards, after the calls that were really made.

:class:`Recorder` notes every call of ``os`` that changes something below a folder. :attr:`Recorder.cuts` are the states in
which the disk may come back when the power goes after any of them, as little as POSIX promises:

- Content that was not flushed (fsync of the file) is there, or not at all, or half of it, or zeros in its length.
- A name that was not flushed (fsync of its folder) is there or not, each by itself: of a file, a folder or a link that was made,
  the new and the old name of one that was renamed, one that was removed.
- What was flushed is there.

tests/panel/disk.py is the finer one for a single file: it tears at every byte.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pytest

_MOST_LOOSE = 10
"""Names of one folder that may hang loose at a time; more would be a thousand states."""
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass
class File:
    """A file, safe and as a program sees it; or a link, whose target is its content."""

    safe: bytes
    seen: bytes
    link: bool = False

    def may_be(self) -> tuple[bytes, ...]:
        """What it may hold."""
        if self.safe == self.seen:
            return (self.seen,)
        half = self.seen[: len(self.seen) // 2]
        return tuple(dict.fromkeys((self.safe, self.seen, half, bytes(len(self.seen)))))


@dataclass
class Folder:
    """A folder: its names, safe and as a program sees them, and the changes between."""

    safe: dict[str, "Node"] = field(default_factory=dict)
    seen: dict[str, "Node"] = field(default_factory=dict)
    loose: list[tuple[str, "Node | None"]] = field(default_factory=list)

    def name(self, name: str, node: "Node | None") -> None:
        """Give a name, or take it away."""
        self.loose.append((name, node))
        if node is None:
            del self.seen[name]
        else:
            self.seen[name] = node

    def may_be(self) -> Iterator[dict[str, "Node"]]:
        """Which names it may have."""
        assert len(self.loose) <= _MOST_LOOSE, "too much hangs loose here"
        for happened in product((False, True), repeat=len(self.loose)):
            names = dict(self.safe)
            for (name, node), is_there in zip(self.loose, happened, strict=True):
                if is_there and node is None:
                    names.pop(name, None)
                elif is_there and node is not None:
                    names[name] = node
            yield names


Node = File | Folder
State = tuple[tuple[str, bytes | None, bool], ...]
"""Path, content (None: a folder), and whether it is a link; folders come before what is in them."""


class Recorder:
    """Keeps a model of what is below ``root`` up to date with the calls that are made, from when it is made.

    :param before: is told the name of each call before it is made: it may raise, as a disk that refuses does. No states are
        worked out then.
    """

    def __init__(self, root: Path, patch: pytest.MonkeyPatch, before: Callable[[str], None] | None = None) -> None:
        self._root, self._before = root, before
        self.disk = _read(root)
        self.calls: list[str] = []
        self.cuts: list[frozenset[State]] = [frozenset(_states(self.disk))]
        """After each number of calls, every state in which the disk may come back."""
        self._open: dict[int, Node] = {}
        self._at: dict[int, int] = {}
        for name in (
            "open",
            "write",
            "fsync",
            "close",
            "lseek",
            "mkdir",
            "rename",
            "replace",
            "symlink",
            "unlink",
            "rmdir",
        ):
            patch.setattr(os, name, self._instead(name, getattr(os, name)))
        for name in ("link", "remove", "truncate", "ftruncate", "pwrite", "writev", "fdatasync", "makedirs", "renames"):
            patch.setattr(os, name, self._unknown(name))

    def _instead(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            mine = self._concerns(name, given)
            if mine and self._before is not None:
                self._before(name)
            result = real(*given, **more)
            if mine:
                getattr(self, "_open_" if name == "open" else f"_{name}")(result, *given)
                if name not in ("close", "lseek"):
                    self.calls.append(name)
                    self.cuts += [] if self._before else [frozenset(_states(self.disk))]
            return result

        return call

    @staticmethod
    def _unknown(name: str) -> Callable[..., Any]:
        def call(*_: Any, **__: Any) -> Any:
            raise AssertionError(f"os.{name} is called, and the model of the disk does not know it")

        return call

    def _concerns(self, name: str, given: tuple[Any, ...]) -> bool:
        if name in ("write", "fsync", "close", "lseek"):
            return given[0] in self._open
        if name == "open":
            path, flags = Path(os.fspath(given[0])), given[1]
            return self._below(path) and bool(flags & (_CHANGES | os.O_DIRECTORY))
        return self._below(Path(given[1] if name == "symlink" else given[0]))

    def _below(self, path: Path) -> bool:
        return path == self._root or self._root in path.parents

    def _folder(self, path: Path) -> Folder:
        node: Node = self.disk
        for part in path.relative_to(self._root).parts:
            assert isinstance(node, Folder)
            node = node.seen[part]
        assert isinstance(node, Folder)
        return node

    # ---- the calls, each with what it gave back

    def _open_(self, handle: int, path: Any, flags: int, *_: Any) -> None:
        path = Path(os.fspath(path))
        if path == self._root:
            self._open[handle] = self.disk
            return
        folder = self._folder(path.parent)
        if flags & os.O_CREAT and path.name not in folder.seen:
            folder.name(path.name, File(b"", b""))
        self._open[handle], self._at[handle] = folder.seen[path.name], 0

    def _write(self, count: int, handle: int, data: Any) -> None:
        file, at = self._open[handle], self._at[handle]
        assert isinstance(file, File)
        file.seen = file.seen[:at] + bytes(data)[:count] + file.seen[at + count :]
        self._at[handle] = at + count

    def _lseek(self, at: int, handle: int, *_: Any) -> None:
        self._at[handle] = at

    def _fsync(self, _: None, handle: int) -> None:
        node = self._open[handle]
        if isinstance(node, File):
            node.safe = node.seen
        else:
            node.safe, node.loose = dict(node.seen), []

    def _close(self, _: None, handle: int) -> None:
        del self._open[handle]

    def _mkdir(self, _: None, path: Any, *__: Any) -> None:
        self._folder(Path(path).parent).name(Path(path).name, Folder())

    def _rename(self, _: None, old: Any, new: Any) -> None:
        source, target = self._folder(Path(old).parent), self._folder(Path(new).parent)
        node = source.seen[Path(old).name]
        target.name(Path(new).name, node)
        source.name(Path(old).name, None)

    _replace = _rename

    def _symlink(self, _: None, target: Any, path: Any, *__: Any) -> None:
        content = os.fsencode(target)
        self._folder(Path(path).parent).name(Path(path).name, File(content, content, link=True))

    def _unlink(self, _: None, path: Any) -> None:
        self._folder(Path(path).parent).name(Path(path).name, None)

    _rmdir = _unlink


def restore(state: State, root: Path) -> None:
    """Make what is below ``root`` as the disk has come back."""
    for path in root.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, content, link in state:
        path = root / name
        if content is None:
            path.mkdir()
        elif link:
            path.symlink_to(os.fsdecode(content))
        else:
            path.write_bytes(content)
            path.chmod(0o640)


def contents(root: Path) -> State:
    """What is below ``root`` now."""
    (state,) = _states(_read(root))
    return state


def _read(folder: Path) -> Folder:
    seen: dict[str, Node] = {}
    for path in folder.iterdir():
        if path.is_symlink():
            content = os.fsencode(path.readlink())
            seen[path.name] = File(content, content, link=True)
        elif path.is_dir():
            seen[path.name] = _read(path)
        else:
            seen[path.name] = File(path.read_bytes(), path.read_bytes())
    return Folder(dict(seen), seen)


def _states(folder: Folder, at: str = "") -> Iterator[State]:
    """Every state that the folder may come back in."""
    for names in folder.may_be():
        yield from _with_contents(names, at)


def _with_contents(names: Mapping[str, Node], at: str) -> Iterator[State]:
    choices: list[list[State]] = []
    for name, node in sorted(names.items()):
        path = at + name
        if isinstance(node, Folder):
            choices.append([((path, None, False), *inside) for inside in _states(node, f"{path}/")])
        else:
            choices.append([((path, content, node.link),) for content in node.may_be()])
    for chosen in product(*choices):
        yield tuple(entry for part in chosen for entry in part)
