"""What a program writes into the partitions of a card, as the log of a disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.update.made import write_log
from tests.update.writes import FLUSH
from tools.image import layout


class Recorder:
    """Notes what is written into files that stand for partitions: it comes to the disk, in its order, when it is flushed.

    :param places: where on the card each file stands, in bytes.
    """

    def __init__(self, places: Mapping[Path, int], patch: pytest.MonkeyPatch) -> None:
        self._places = {str(path.resolve()): place for path, place in places.items()}
        self._loose: dict[str, list[tuple[int, bytes, int]]] = {}
        self.entries: list[tuple[int, bytes, int]] = []
        for name, instead in (("write", self._write), ("fsync", self._fsync)):
            patch.setattr(os, name, instead(getattr(os, name)))
        for name in ("pwrite", "writev", "pwritev", "fdatasync", "sync"):
            patch.setattr(os, name, self._unknown(name))

    def _write(self, real: Callable[..., int]) -> Callable[..., int]:
        def write(handle: int, data: Any) -> int:
            at, path = self._at(handle)
            count = real(handle, data)
            if path in self._places:
                start = self._places[path] + at
                assert start % layout.SECTOR == count % layout.SECTOR == 0, "a write of half a sector"
                self._loose.setdefault(path, []).append((start // layout.SECTOR, bytes(data[:count]), 0))
            return count

        return write

    def _fsync(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def fsync(handle: int) -> None:
            _, path = self._at(handle)
            real(handle)
            if path in self._places:
                self.entries += [*self._loose.pop(path, []), (0, b"", FLUSH)]

        return fsync

    @staticmethod
    def _unknown(name: str) -> Callable[..., Any]:
        def call(*_: Any, **__: Any) -> Any:
            raise AssertionError(f"os.{name} is called, and the recorder does not know it")

        return call

    @staticmethod
    def _at(handle: int) -> tuple[int, str]:
        path = os.readlink(f"/proc/self/fd/{handle}")
        return (os.lseek(handle, 0, os.SEEK_CUR) if path.startswith("/") and Path(path).is_file() else 0), path

    def save(self, path: Path) -> None:
        """Write the log; what was never flushed is not in it."""
        assert not self._loose, "something was written and never flushed"
        write_log(path, self.entries)
