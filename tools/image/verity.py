"""The hash tree by which the kernel checks each block of a root as it reads it (dm-verity, hash format 1, no superblock).

Linux, Documentation/admin-guide/device-mapper/verity.rst: a block's hash is SHA-256 of the salt and the block's 4096 bytes; 128
of them fill a hash block, zeroes behind the last; those are hashed in turn until one is left, whose hash is the root hash. The
levels stand behind the data, the topmost first. Checked against cryptsetup's veritysetup in the tests.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

BLOCK = 4096
_DIGEST = 32
_PER_BLOCK = BLOCK // _DIGEST
SALT = hashlib.sha256(b"kontor root").digest()
"""The same for every version: blocks that stay the same leave their part of the tree as it was, which updates need not fetch."""


@dataclass(frozen=True, slots=True)
class Verity:
    """What the kernel is told: ``blocks`` of data, of 4096 bytes, and the tree behind them."""

    blocks: int
    salt: str
    hash: str


def seal(path: Path) -> Verity:
    """Fill a file system up to a whole block and write its hash tree behind it.

    :param path: changed in place.
    """
    with path.open("r+b") as file:
        file.seek(0, 2)
        file.write(bytes(-file.tell() % BLOCK))
        blocks = file.tell() // BLOCK
        file.seek(0)
        levels = [_digests(file, blocks)]
        while len(levels[-1]) > BLOCK:
            levels.append(_level(levels[-1]))
        file.seek(0, 2)
        for level in reversed(levels):
            file.write(level)
    return Verity(blocks, SALT.hex(), _hash(levels[-1]).hex())


def _digests(file: BinaryIO, blocks: int) -> bytes:
    return _filled([_hash(file.read(BLOCK)) for _ in range(blocks)])


def _level(below: bytes) -> bytes:
    return _filled([_hash(below[at : at + BLOCK]) for at in range(0, len(below), BLOCK)])


def _filled(hashes: list[bytes]) -> bytes:
    return b"".join(hashes) + bytes(-len(hashes) % _PER_BLOCK * _DIGEST)


def _hash(block: bytes) -> bytes:
    return hashlib.sha256(SALT + block).digest()
