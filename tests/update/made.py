"""Small cards with the partitions of the image, made by hand: kernels that only tell how they were started, and no root."""

from __future__ import annotations

import gzip
import struct
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.update.words import seal
from tests.update.writes import DISCARD, MAGIC
from tools.image import layout

_TELLS = (
    0xB9400401,  # ldr w1, [x0, #4]: the size of the device tree
    0x5AC00821,  # rev w1, w1
    0xD2A12002,  # movz x2, #0x900, lsl #16: the serial port of QEMU's virt
    0x38401403,  # ldrb w3, [x0], #1
    0xB9000043,  # str w3, [x2]
    0x71000421,  # subs w1, w1, #1
    0x54FFFFA1,  # b.ne to the ldrb
    0x52800100,  # movz w0, #8
    0x72B08000,  # movk w0, #0x8400, lsl #16: PSCI's SYSTEM_OFF
    0xD4000002,  # hvc #0
    0x14000000,  # b .
)


def kernel() -> bytes:
    """A kernel for arm64 that writes its device tree to the serial port and turns the machine off."""
    code = struct.pack(f"<{len(_TELLS)}I", *_TELLS)
    head = (
        struct.pack("<II", 0x14000010, 0)
        + struct.pack("<QQQ", 0, layout.MIB, 0b1010)
        + bytes(24)
        + b"ARM\x64"
        + bytes(4)
    )
    return (head + code).ljust(layout.MIB, b"\0")


def boot_files(version: str, rank: int, *, packed: bool = True) -> dict[str, bytes]:
    """The files of a boot slot whose kernel is :func:`kernel`; of two the higher ``rank`` is the newer one."""
    slot = f"version={version}\nrank={rank}\nroot_blocks=1000\nroot_salt={'5a' * 32}\nroot_hash={version[-1] * 64}\n"
    image = gzip.compress(kernel(), mtime=0) if packed else kernel()
    return {"kernel.gz": image, "initrd.zst": f"initrd of {version}".encode(), "slot.env": slot.encode()}


def record(**words: str) -> bytes:
    """A copy of the slot record; a factory's where no word says otherwise."""
    facts = {"serial": "0x1", "order": "a b", "left_a": "3", "left_b": "0", "good_a": "1", "good_b": "0", "reason": ""}
    return seal(facts | words)


def write_log(path: Path, entries: Iterable[tuple[int, bytes, int]], count: int | None = None) -> None:
    """A log of writes as QEMU writes it: first sector, data and flags (tests/update/writes.py) of each."""
    entries, pieces = list(entries), []
    for sector, data, flags in entries:
        sectors = 8 if flags == DISCARD else len(data) // layout.SECTOR
        pieces += [struct.pack("<QQQQ", sector, sectors, flags, 0).ljust(layout.SECTOR, b"\0"), data]
    head = struct.pack("<QQQI", MAGIC, 1, len(entries) if count is None else count, layout.SECTOR)
    path.write_bytes(head.ljust(layout.SECTOR, b"\0") + b"".join(pieces))


def make_fat(path: Path, size: int, files: Mapping[str, bytes]) -> None:
    """Make a FAT of ``size`` bytes with these files in its top folder."""
    with path.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.vfat", "-F", "16", "-i", "12345678", str(path)], stdout=subprocess.DEVNULL, check=True)
    for name, data in files.items():
        source = path.with_suffix(".file")
        source.write_bytes(data)
        subprocess.run(["mcopy", "-o", "-i", str(path), str(source), f"::{name}"], check=True)
        source.unlink()


def put(card: Path, at: int, image: Path) -> None:
    """Copy a file into a card."""
    with card.open("r+b") as file:
        file.seek(at)
        file.write(image.read_bytes())


def copy(card: Path, path: Path) -> Path:
    """Copy a card, which is mostly holes."""
    subprocess.run(["cp", "--sparse=always", str(card), str(path)], check=True)
    return path


def make_card(
    path: Path,
    first: Mapping[str, bytes],
    slots: Mapping[str, Mapping[str, bytes]],
    records: tuple[bytes, bytes] = (b"", b""),
) -> None:
    """Make a card.

    :param first: files of the first partition.
    :param slots: files of the boot slots "a" and "b"; a slot that is not named stays empty.
    :param records: both copies of the slot record.
    """
    with path.open("wb") as card:
        card.truncate(layout.IMAGE_SIZE)
        for place, table in layout.tables():
            card.seek(place)
            card.write(table)
        for part, block in zip(layout.RECORDS, records, strict=True):
            card.seek(part.start)
            card.write(block)
    for part, files in [(layout.FIRMWARE, first), *((layout.SLOTS[slot][0], files) for slot, files in slots.items())]:
        image = path.with_suffix(".fat")
        make_fat(image, part.size, files)
        put(path, part.start, image)
        image.unlink()
