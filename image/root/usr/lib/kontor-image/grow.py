"""Lets a partition of an MBR end where the card ends: ``grow.py DISK NUMBER`` (a primary one, and the last on the card).

One sector is written, so a power cut leaves the old size or the new one. The kernel is told to resize what it has: partx would
take the partition away and add it again, and to systemd that is a device that died, with all that is mounted from it.
"""

import array
import fcntl
import os
import struct
import sys

_SECTOR, _ENTRIES = 512, 446
_ENTRY = struct.Struct("<8sII")
"""What a partition is, its first sector, how many it has."""
_BLKPG, _RESIZE = 0x1269, 3
"""linux/blkpg.h"""


def enter(disk: int, number: int, sectors: int) -> tuple[int, int]:
    """Write into the table of an open disk of so many sectors: where the partition begins and how long it is, in sectors.

    :raises ValueError: there is no table, or the partition is not one that can grow; nothing was written.
    """
    table = bytearray(os.pread(disk, _SECTOR, 0))
    if table[510:] != b"\x55\xaa" or not 1 <= number <= 4:
        raise ValueError("no partition table with such an entry")
    entries = [_ENTRY.unpack_from(table, _ENTRIES + 16 * at) for at in range(4)]
    what, start, length = entries[number - 1]
    # an MBR can tell of 2 TiB
    longest = min(sectors, 1 << 32) - start
    if not length or start < max(entry[1] for entry in entries) or longest < length:
        raise ValueError("it is not the last partition")
    _ENTRY.pack_into(table, _ENTRIES + 16 * (number - 1), what, start, longest)
    os.pwrite(disk, table, 0)
    os.fsync(disk)
    return start, longest


def tell(disk: int, number: int, start: int, length: int) -> None:
    """Tell the kernel, in sectors. Raises OSError."""
    # struct blkpg_partition with names that nobody reads, and struct blkpg_ioctl_arg with its address
    told = array.array("b", struct.pack("qqi64s64s0q", start * _SECTOR, length * _SECTOR, number, b"", b""))
    fcntl.ioctl(disk, _BLKPG, struct.pack("iiiP", _RESIZE, 0, len(told), told.buffer_info()[0]))


def main(path: str, number: int) -> None:
    """Grow it."""
    disk = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        tell(disk, number, *enter(disk, number, os.lseek(disk, 0, os.SEEK_END) // _SECTOR))
    finally:
        os.close(disk)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
