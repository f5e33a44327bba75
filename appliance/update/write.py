"""Writes a bundle into a slot: what the card has already is taken from there, the rest comes from afar.

Nothing is written that was not checked against the signed index. What the slot holds at its place already stays, so that an
update that was cut off goes on where it was; and in the end all of it is read back from the card.
"""

import asyncio
import errno
import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from appliance.core.boot_slots import Name, other
from appliance.core.documents import NotTaken, Why
from appliance.core.updating import BLOCK, PARTS, Bundle, hashes
from appliance.settings.store import write_all
from appliance.update.bundle import hash_of
from appliance.update.slots import opened_file, part_path
from appliance.update.source import Offer, blocks_of

_CHUNK = 64 * BLOCK
"""Bytes that are read at once."""
_SYNC = 1024
"""Blocks after which they are put on the card: 4 MiB, so that memory does not fill with what waits to be written."""

Progress = Callable[[int, int], None]
"""Is told how many blocks are in their place, and of how many."""


class Target:
    """The slot that is written, as one row of blocks: boot, then root. A context manager."""

    def __init__(self, root: Path, slot: Name, bundle: Bundle) -> None:
        self._paths = {part: part_path(root, slot, part) for part in PARTS}
        self._parts = bundle.parts
        self._boot_blocks = bundle.parts["boot"].blocks
        self._handles: dict[str, int] = {}
        self._loose = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for part, path in self._paths.items():
                self._handles[part] = stack.enter_context(opened_file(path, os.O_RDWR))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def put(self, position: int, block: bytes | memoryview) -> None:
        """Write one block.

        :raises OSError: the card refuses.
        """
        part, at = ("boot", position) if position < self._boot_blocks else ("root", position - self._boot_blocks)
        os.lseek(self._handles[part], at * BLOCK, os.SEEK_SET)
        write_all(self._handles[part], bytes(block))
        self._loose += 1
        if self._loose >= _SYNC:
            self.sync()

    def sync(self) -> None:
        """Have all that was written on the card.

        :raises OSError: the card refuses.
        """
        for handle in self._handles.values():
            os.fsync(handle)
        self._loose = 0

    async def wrong(self, index: bytes) -> dict[bytes, list[int]]:
        """The blocks that are not in their places, by their hashes.

        :raises OSError: the card cannot be read.
        """
        found: dict[bytes, list[int]] = {}
        wanted = enumerate(hashes(index))
        for part, handle in self._handles.items():
            os.lseek(handle, 0, os.SEEK_SET)
            for _ in range(0, self._parts[part].size, _CHUNK):
                left = self._parts[part].size - os.lseek(handle, 0, os.SEEK_CUR)
                data = memoryview(_read(handle, min(_CHUNK, left)))
                for at in range(0, len(data), BLOCK):
                    position, expected = next(wanted)
                    if hash_of(data[at : at + BLOCK]) != expected:
                        found.setdefault(expected, []).append(position)
                await asyncio.sleep(0)
        return found

    async def read_back(self) -> None:
        """Make sure that the card itself holds what was signed, not only the memory before it.

        :raises OSError: it does not.
        """
        self.sync()
        for part, handle in self._handles.items():
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.lseek(handle, 0, os.SEEK_SET)
            digest = hashlib.sha256()
            left = self._parts[part].size
            while left:
                data = _read(handle, min(_CHUNK, left))
                digest.update(data)
                left -= len(data)
                await asyncio.sleep(0)
            if digest.hexdigest() != self._parts[part].sha256:
                raise OSError(errno.EIO, "what was written is not what is read back", str(self._paths[part]))


def _read(handle: int, count: int) -> bytes:
    """``count`` bytes (read(2) may give less at a time).

    :raises OSError: they are not there.
    """
    data = os.read(handle, count)
    while len(data) < count:
        more = os.read(handle, count - len(data))
        if not more:
            raise OSError(errno.EIO, "the partition ends too early")
        data += more
    return data


async def write_slot(
    root: Path, running: Name, offer: Offer, index: bytes, places: Mapping[bytes, int], told: Progress
) -> None:
    """Bring the slot that does not run to what ``offer`` says.

    :param index: the hashes of its blocks; ``places``: the numbers of these in the file of blocks.
    :raises NotTaken: a block cannot be had, or is not the one that was signed.
    :raises OSError: the card refuses.
    """
    count = offer.bundle.count
    with Target(root, other(running), offer.bundle) as target:
        wrong = await target.wrong(index)
        told(count - _number_in(wrong), count)
        await _from_here(root, running, wrong, target)
        told(count - _number_in(wrong), count)
        await _from_afar(offer, wrong, places, target, told)
        await target.read_back()


def _number_in(wrong: Mapping[bytes, list[int]]) -> int:
    return sum(map(len, wrong.values()))


def _place(wrong: dict[bytes, list[int]], key: bytes, block: bytes | memoryview, target: Target) -> None:
    for position in wrong.pop(key):
        target.put(position, block)


async def _from_here(root: Path, running: Name, wrong: dict[bytes, list[int]], target: Target) -> None:
    """Take what the running slot has; and nothing but zeros comes from nowhere."""
    zeros = bytes(BLOCK)
    if hash_of(zeros) in wrong:
        _place(wrong, hash_of(zeros), zeros, target)
    for part in PARTS:
        with opened_file(part_path(root, running, part)) as handle:
            while wrong:
                try:
                    data = memoryview(os.read(handle, _CHUNK))
                except OSError:  # a worn block of the running slot: the rest comes from afar
                    break
                if not data:
                    break
                for at in range(0, len(data), BLOCK):
                    block = data[at : at + BLOCK]
                    key = hash_of(block)
                    if key in wrong:
                        _place(wrong, key, block, target)
                await asyncio.sleep(0)


async def _from_afar(
    offer: Offer, wrong: dict[bytes, list[int]], places: Mapping[bytes, int], target: Target, told: Progress
) -> None:
    wanted = {places[key]: key for key in wrong}
    left, count = _number_in(wrong), offer.bundle.count
    async for number, block in blocks_of(offer, sorted(wanted)):
        key = wanted.get(number)
        if key is None:
            continue
        if hash_of(block) != key:
            raise NotTaken(Why.DAMAGED, f"A block of version {offer.bundle.version} is not the one that was signed.")
        left -= len(wrong[key])
        _place(wrong, key, block, target)
        told(count - left, count)
