"""The writes of a disk that QEMU's ``blklogwrites`` noted, and what a power cut among them may leave.

The format is that of Linux's dm-log-writes (drivers/md/dm-log-writes.c): one sector of head, then for each write a sector that
says where it went, and its data. QEMU notes a write when it is done, and updates the head at each flush.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.update.card import SECTOR, Disk, FileDisk, Overlay

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
_HEAD, _ENTRY = struct.Struct("<QQQI"), struct.Struct("<QQQQ")


@dataclass(frozen=True, slots=True)
class Write:
    """``size`` bytes at ``at`` of the disk, whose content stands at ``data`` of the log."""

    at: int
    size: int
    data: int

    def touches(self, start: int, end: int) -> bool:
        """Whether it changes bytes from ``start`` to before ``end``."""
        return self.at < end and start < self.at + self.size


@dataclass(slots=True)
class Log:
    """What was written, parted by flushes: ``epochs[0]`` was written before the first flush, and so on."""

    path: Path
    epochs: list[list[Write]] = field(default_factory=list)
    _handle: int = -1

    def __enter__(self) -> Self:
        self._handle = os.open(self.path, os.O_RDONLY)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def data(self, write: Write) -> bytes:
        """What a write wrote."""
        return os.pread(self._handle, write.size, write.data)


def read_log(path: Path) -> Log:
    """Read what there is up to the last flush.

    :raises ValueError: this is no such log, or its end is missing.
    """
    log = Log(path, [[]])
    length = path.stat().st_size
    with path.open("rb") as file:
        magic, version, count, sector = _HEAD.unpack(file.read(_HEAD.size).ljust(_HEAD.size, b"\0"))
        if (magic, version) != (MAGIC, 1) or sector < SECTOR:
            raise ValueError(f"{path.name} is no log of dm-log-writes")
        at = sector
        for _ in range(count):
            file.seek(at)
            head = file.read(_ENTRY.size)
            if len(head) < _ENTRY.size:
                raise ValueError(f"{path.name} ends too early")
            first, sectors, flags, data_length = _ENTRY.unpack(head)
            at += sector
            if flags & MARK:
                at += (data_length + sector - 1) // sector * sector
                continue
            if flags & FLUSH and log.epochs[-1]:
                log.epochs.append([])
            if flags & DISCARD or not sectors:
                continue
            log.epochs[-1].append(Write(first * sector, sectors * sector, at))
            at += sectors * sector
            if flags & FUA:
                log.epochs.append([])
    if at > length:
        raise ValueError(f"{path.name} ends too early")
    if not log.epochs[-1]:
        log.epochs.pop()
    return log


@dataclass(slots=True)
class State:
    """How the card may come back: ``disk`` is good until the next state is asked for.

    ``epoch`` flushes were done; ``torn`` is the seed of what had come of the writes after them, None for nothing.
    """

    epoch: int
    torn: int | None
    disk: Overlay
    _log: Path
    _marks: Sequence[tuple[int, int, int]]

    def key(self, start: int, end: int) -> tuple[Path, int, int]:
        """The same for two states whose bytes from ``start`` to before ``end`` are the same for sure."""
        flushed = max(
            (epoch for epoch, first, last in self._marks if epoch < self.epoch and first < end and start < last),
            default=-1,
        )
        mine = [(n, data) for n, data in self.disk.sectors.items() if start <= n * SECTOR < end]
        return self._log, flushed, hash(tuple(sorted(mine)))

    @property
    def name(self) -> str:
        """For people, and for :func:`only`."""
        return f"{self.epoch}" if self.torn is None else f"{self.epoch}/{self.torn}"


def states(
    log: Log, working: Path, torn: Sequence[tuple[int, int]], flushes: Sequence[int] | None = None
) -> Iterator[State]:
    """States in the order of their flushes: after each flush (or those in ``flushes``), and the torn ones, of (epoch, seed).

    :param working: a copy of the card as it was before; it becomes the card as it is afterwards.
    """
    marks: list[tuple[int, int, int]] = []
    wanted = set(range(len(log.epochs) + 1) if flushes is None else flushes)
    disk = FileDisk(working, writable=True)
    try:
        for epoch in range(len(log.epochs) + 1):
            if epoch in wanted:
                yield State(epoch, None, Overlay(disk), log.path, marks)
            for _, seed in (each for each in torn if each[0] == epoch):
                yield State(epoch, seed, torn_over(disk, log, log.epochs[epoch], seed), log.path, marks)
            for write in log.epochs[epoch] if epoch < len(log.epochs) else ():
                disk.write(write.at, log.data(write))
                marks.append((epoch, write.at, write.at + write.size))
    finally:
        disk.close()


def torn_over(disk: Disk, log: Log, writes: Sequence[Write], seed: int) -> Overlay:
    """A state that a power cut may leave when these writes were not flushed yet.

    Each may be there, or not, or some of its sectors of 512 bytes; an even seed has them come in their order, up to one that is
    torn, an odd one in any.
    """
    chance = random.Random(seed)
    overlay = Overlay(disk)
    count = chance.randrange(len(writes)) + 1 if seed % 2 == 0 else len(writes)
    for number, write in enumerate(writes[:count]):
        whole = number < count - 1 if seed % 2 == 0 else chance.random() < 0.5
        share = 1.0 if whole else chance.choice((0.0, 0.1, 0.5, 0.9))
        data = log.data(write)
        for offset in range(0, write.size, SECTOR):
            if share == 1.0 or chance.random() < share:
                overlay.sectors[(write.at + offset) // SECTOR] = data[offset : offset + SECTOR]
    return overlay


def draw(log: Log, count: int, seed: int, weighty: Sequence[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """``count`` torn states as (epoch, seed); epochs that write between the places of ``weighty`` come ten times as often."""
    weights = [10 if any(write.touches(*place) for write in epoch for place in weighty) else 1 for epoch in log.epochs]
    chance = random.Random(seed)
    return [(epoch, chance.getrandbits(32)) for epoch in chance.choices(range(len(log.epochs)), weights, k=count)]
