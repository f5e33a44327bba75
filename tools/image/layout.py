"""Where everything stands on the card: the one source of numbers, names and ids, and the partition tables made of them.

MBR and extended boot records are written here and not by sfdisk: 512 bytes each, the same with every version of every tool.
Format: an entry is status, CHS start, type, CHS end, first sector, number of sectors (little endian); four of them at offset
446, then 55 AA. In an extended boot record the first entry counts from that record, the second (the next record) from the
start of the extended partition.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SECTOR = 512
MIB = 1024 * 1024
DISK_ID = 0x4B4F4E54
"""In every image: what a board finds by it is on its own card, and a board has one."""
RECORD_SIZE = 4096
"""Bytes of a copy of the slot record (appliance/core/boot_slots.py), at the start of its partition."""
DATA_LABEL = "kontor-data"
BOOT_LABEL = "KONTOR"
SLOT_LABEL = "KONTORSLOT"
"""The same in both slots: an update's bytes fit into either."""

_TABLE = 446
_ANY_CHS = b"\xfe\xff\xff"
"""Beyond what cylinders can say; readers take the sectors."""
_FAT, _LINUX, _RAW, _EXTENDED = 0x0C, 0x83, 0xDA, 0x0F


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition; ``start`` and ``size`` in bytes."""

    number: int
    name: str
    kind: int
    start: int
    size: int

    @property
    def uuid(self) -> str:
        """PARTUUID, as the kernel and U-Boot say it."""
        return f"{DISK_ID:08x}-{self.number:02x}"


def _at(number: int, name: str, kind: int, start: int, size: int) -> Partition:
    return Partition(number, name, kind, start * MIB, size * MIB)


FIRMWARE = _at(1, "firmware", _FAT, 4, 64)
RECORD_0 = _at(2, "record 0", _RAW, 68, 1)
EXTENDED = _at(3, "slots", _EXTENDED, 71, 629)
BOOT_A = _at(5, "boot a", _FAT, 72, 48)
ROOT_A = _at(6, "root a", _LINUX, 124, 256)
BOOT_B = _at(7, "boot b", _FAT, 384, 48)
ROOT_B = _at(8, "root b", _LINUX, 436, 256)
RECORD_1 = _at(9, "record 1", _RAW, 696, 1)
DATA = _at(4, "data", _LINUX, 700, 64)
"""At the end: it grows to the end of the card at the first start."""

PRIMARY = (FIRMWARE, RECORD_0, EXTENDED, DATA)
LOGICAL = (BOOT_A, ROOT_A, BOOT_B, ROOT_B, RECORD_1)
RECORDS = (RECORD_0, RECORD_1)
SLOTS = {"a": (BOOT_A, ROOT_A), "b": (BOOT_B, ROOT_B)}
"""Boot and root partition of a slot."""
IMAGE_SIZE = DATA.start + DATA.size


def tables() -> Iterator[tuple[int, bytes]]:
    """The partition tables: where each stands (bytes from the start of the card) and its 512 bytes."""
    yield 0, _sector([_entry(part, part.start, bootable=part is FIRMWARE) for part in PRIMARY], DISK_ID)
    for part, following in zip(LOGICAL, [*LOGICAL[1:], None], strict=True):
        place = _record_of(part)
        entries = [_entry(part, part.start - place)]
        if following is not None:
            begin = _record_of(following)
            link = Partition(0, "", 0x05, begin, following.start + following.size - begin)
            entries.append(_entry(link, begin - EXTENDED.start))
        yield place, _sector(entries)


def _record_of(part: Partition) -> int:
    """Where the extended boot record of a logical partition stands: a MiB before it."""
    return part.start - MIB


def _entry(part: Partition, relative: int, *, bootable: bool = False) -> bytes:
    """16 bytes of a table; ``relative`` is the start in bytes, from where this table counts."""
    head = bytes([0x80 if bootable else 0]) + _ANY_CHS + bytes([part.kind]) + _ANY_CHS
    return head + struct.pack("<II", relative // SECTOR, part.size // SECTOR)


def _sector(entries: list[bytes], disk: int = 0) -> bytes:
    head = bytes(_TABLE - 6) + struct.pack("<IH", disk, 0)
    return (head + b"".join(entries)).ljust(SECTOR - 2, b"\0") + b"\x55\xaa"
