"""A card as bytes: a file, changes over it, its partitions, and what stands in their FATs."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SECTOR = 512
_EXTENDED = (0x05, 0x0F)


class Disk(Protocol):
    """What has bytes at places."""

    size: int

    def read(self, at: int, size: int) -> bytes: ...
    def write(self, at: int, data: bytes) -> None: ...


class FileDisk:
    """A file, sparse or not; close it."""

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        self._handle = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        self.size = path.stat().st_size

    def read(self, at: int, size: int) -> bytes:
        data = os.pread(self._handle, size, at)
        return data + bytes(min(size, self.size - at) - len(data))

    def write(self, at: int, data: bytes) -> None:
        assert at + len(data) <= self.size, "behind the end of the card"
        os.pwrite(self._handle, data, at)

    def close(self) -> None:
        """Give the file back."""
        os.close(self._handle)


class Overlay:
    """Changes, sector by sector, over a disk that stays as it is."""

    def __init__(self, below: Disk) -> None:
        self._below, self.size = below, below.size
        self.sectors: dict[int, bytes] = {}
        """Sectors that differ, by number."""

    def read(self, at: int, size: int) -> bytes:
        first, last = at // SECTOR, (at + size + SECTOR - 1) // SECTOR
        span = last - first
        mine = (
            [number for number in self.sectors if first <= number < last]
            if len(self.sectors) < span
            else [number for number in range(first, last) if number in self.sectors]
        )
        if not mine:
            return self._below.read(at, size)
        data = bytearray(self._below.read(first * SECTOR, span * SECTOR))
        for number in mine:
            data[(number - first) * SECTOR : (number - first + 1) * SECTOR] = self.sectors[number]
        return bytes(data[at - first * SECTOR :][:size])

    def write(self, at: int, data: bytes) -> None:
        assert at % SECTOR == len(data) % SECTOR == 0, "not whole sectors"
        assert at + len(data) <= self.size, "behind the end of the card"
        for offset in range(0, len(data), SECTOR):
            self.sectors[(at + offset) // SECTOR] = data[offset : offset + SECTOR]


@dataclass(frozen=True, slots=True)
class Partition:
    """Where a partition is, in bytes, and the kind that its entry claims."""

    number: int
    start: int
    size: int
    kind: int
    uuid: str

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.start + self.size


def partitions(disk: Disk) -> dict[int, Partition]:
    """The partitions of an MBR by number, those in the extended one from 5 on."""
    record = disk.read(0, SECTOR)
    assert record[510:] == b"\x55\xaa", "no partition table"
    (identity,) = struct.unpack_from("<I", record, 440)
    found: dict[int, Partition] = {}

    def add(number: int, kind: int, start: int, count: int) -> None:
        uuid = f"{identity:08x}-{number:02x}"
        found[number] = Partition(number, start * SECTOR, count * SECTOR, kind, uuid)

    for number in range(1, 5):
        kind, start, count = _entry(record, number - 1)
        if kind:
            add(number, kind, start, count)
        if kind in _EXTENDED:
            for more, (inner, at, length) in enumerate(_logical(disk, start), 5):
                add(more, inner, at, length)
    return found


def _entry(record: bytes, index: int) -> tuple[int, int, int]:
    kind, start, count = struct.unpack_from("<4xB3xII", record, 446 + 16 * index)
    return kind, start, count


def _logical(disk: Disk, extended: int) -> list[tuple[int, int, int]]:
    """Kind, first sector and sectors of the partitions in an extended one."""
    found: list[tuple[int, int, int]] = []
    at = extended
    while len(found) < 16:
        record = disk.read(at * SECTOR, SECTOR)
        assert record[510:] == b"\x55\xaa", "a broken chain of logical partitions"
        kind, start, count = _entry(record, 0)
        found.append((kind, at + start, count))
        kind, start, _ = _entry(record, 1)
        if kind not in _EXTENDED:
            return found
        at = extended + start
    raise AssertionError("a chain of logical partitions without end")


class Fat:
    """Files in the top folder of a FAT16 or FAT32; names as on DOS (8.3), in any case.

    :raises ValueError: this is no FAT, or one whose chains lead nowhere.
    """

    def __init__(self, disk: Disk, start: int) -> None:
        self._disk, self._start = disk, start
        head = disk.read(start, SECTOR)
        self._bytes, self._per, reserved, copies, self._entries, total, _, per_fat = struct.unpack_from(
            "<HBHBHHBH", head, 11
        )
        if head[510:] != b"\x55\xaa" or self._bytes != SECTOR or self._per == 0 or copies not in (1, 2):
            raise ValueError("no FAT here")
        total = total or struct.unpack_from("<I", head, 32)[0]
        self._wide = per_fat == 0
        per_fat = per_fat or struct.unpack_from("<I", head, 36)[0]
        self._root = struct.unpack_from("<I", head, 44)[0] if self._wide else 0
        self._top = reserved + copies * per_fat
        self._data = self._top + (self._entries * 32 + SECTOR - 1) // SECTOR
        self._clusters = (total - self._data) // self._per
        if not self._wide and self._clusters < 4085:
            raise ValueError("a FAT12")
        self._table = disk.read(start + reserved * SECTOR, per_fat * SECTOR)

    def size(self, name: str) -> int | None:
        """Bytes of a file; None if there is none."""
        found = self._find(name)
        return None if found is None else found[1]

    def read(self, name: str) -> bytes | None:
        """A file; None if there is none."""
        found = self._find(name)
        if found is None:
            return None
        cluster, size = found
        each = self._per * SECTOR
        data = self._chain(cluster, (size + each - 1) // each)
        if len(data) < size:
            raise ValueError("a file is shorter than its folder says")
        return data[:size]

    def _find(self, name: str) -> tuple[int, int] | None:
        stem, _, ending = name.lstrip("/").upper().partition(".")
        assert len(stem) <= 8 and len(ending) <= 3, f"{name}: this reader knows names of 8.3 alone"
        wanted = f"{stem:<8}{ending:<3}".encode()
        folder = self._chain(self._root, None) if self._wide else self._at(self._top, self._entries * 32)
        for at in range(0, len(folder), 32):
            entry = folder[at : at + 32]
            if entry[0] == 0:
                return None
            if entry[:11] == wanted and not entry[11] & 0x18:
                high, low, size = struct.unpack_from("<H4xHI", entry, 20)
                return (high << 16 if self._wide else 0) | low, size
        return None

    def _chain(self, cluster: int, most: int | None) -> bytes:
        """The clusters of a chain, in order, those that lie together in one read."""
        runs: list[list[int]] = []
        end = 0x0FFFFFF8 if self._wide else 0xFFF8
        count = 0
        while cluster < end and count != most:
            count += 1
            if not 2 <= cluster < self._clusters + 2 or count > self._clusters:
                raise ValueError("a chain of clusters leads nowhere")
            if runs and sum(runs[-1]) == cluster:
                runs[-1][1] += 1
            else:
                runs.append([cluster, 1])
            cluster = (
                struct.unpack_from("<I", self._table, cluster * 4)[0] & 0x0FFFFFFF
                if self._wide
                else struct.unpack_from("<H", self._table, cluster * 2)[0]
            )
        each = self._per * SECTOR
        return b"".join(self._at(self._data + (first - 2) * self._per, length * each) for first, length in runs)

    def _at(self, sector: int, size: int) -> bytes:
        return self._disk.read(self._start + sector * SECTOR, size)
