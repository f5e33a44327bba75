"""File systems and the card, as files: no loop device, no mount. The same content gives the same bytes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from appliance.core import boot_slots
from tools.image import layout
from tools.image.errors import ImageError
from tools.image.toolbox import Toolbox

_PIECE = 1 << 20
_DATA_UUID, _HASH_SEED = "4b4f4e54-0000-4000-8000-000000000004", "4b4f4e54-0000-4000-8000-000000000044"
_ROOT_UUID = "4b4f4e54-0000-4000-8000-000000000006"
_PLACE = "/work"


def fat(toolbox: Toolbox, path: Path, part: layout.Partition, label: str, files: Mapping[str, bytes]) -> None:
    """Make a FAT of a partition's size: FAT32 for the firmware, FAT16 for a slot.

    :param files: by path, at most one folder deep.
    :raises ImageError: they do not fit.
    """
    folder = path.with_name(f"{path.name}.files")
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    for each in (folder, *folder.rglob("*")):
        os.utime(each, (toolbox.epoch, toolbox.epoch))
    _empty(path, part.size)
    wide = part is layout.FIRMWARE
    form = ["-F", "32" if wide else "16", "-s", "1" if wide else "4", "-i", f"{layout.DISK_ID + part.number:08x}"]
    inside = f"{_PLACE}/{path.name}"
    toolbox.run(["mkfs.vfat", "--invariant", *form, "-n", label, inside], binds={path.parent: _PLACE})
    names = sorted({name.partition("/")[0] for name in files})
    copy = ["mcopy", "-s", "-m", "-i", inside, *names, "::"]
    toolbox.run(copy, binds={path.parent: _PLACE}, cwd=f"{_PLACE}/{folder.name}")
    shutil.rmtree(folder)


def erofs(toolbox: Toolbox, path: Path, archive: Path) -> None:
    """Make the root of a tar archive, read-only and packed."""
    path.unlink(missing_ok=True)
    packing = ["-zlz4hc,12", "-C65536"]
    fixed = ["--tar=f", "-T", str(toolbox.epoch), "--all-time", "-U", _ROOT_UUID]
    places = {path.parent: _PLACE, archive: "/root.tar"}
    toolbox.run(["mkfs.erofs", "--quiet", *packing, *fixed, f"{_PLACE}/{path.name}", "/root.tar"], binds=places)


def ext4(toolbox: Toolbox, path: Path, size: int) -> None:
    """Make the data partition: empty, with room in its tables to grow to any card's size."""
    _empty(path, size)
    extended = f"hash_seed={_HASH_SEED},lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0"
    form = ["-t", "ext4", "-b", "4096", "-i", "16384", "-m", "1", "-U", _DATA_UUID, "-L", layout.DATA_LABEL]
    inside = f"{_PLACE}/{path.name}"
    toolbox.run(["mke2fs", "-q", "-F", *form, "-E", extended, inside], binds={path.parent: _PLACE})


def card(path: Path, firmware: Path, boot: Path, root: Path, data: Path) -> None:
    """Put a card together: slot a filled, slot b empty, both copies of the record.

    :raises ImageError: something is larger than its partition.
    """
    boot_part, root_part = layout.SLOTS["a"]
    record = boot_slots.encode(boot_slots.factory())
    with path.open("wb") as file:
        file.truncate(layout.IMAGE_SIZE)
        for at, table in layout.tables():
            file.seek(at)
            file.write(table)
        for part in layout.RECORDS:
            file.seek(part.start)
            file.write(record)
        for part, source in ((layout.FIRMWARE, firmware), (boot_part, boot), (root_part, root), (layout.DATA, data)):
            if source.stat().st_size > part.size:
                size = f"{source.stat().st_size / layout.MIB:.1f} MiB"
                raise ImageError(f"{part.name} has {size}, and its partition {part.size // layout.MIB}")
            _copy(source, file.fileno(), part.start)


def _copy(source: Path, target: int, at: int) -> None:
    """Copy into a sparse file, leaving out what is zero."""
    with source.open("rb") as file:
        while piece := file.read(_PIECE):
            if piece.strip(b"\0"):
                os.pwrite(target, piece, at)
            at += len(piece)


def _empty(path: Path, size: int) -> None:
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
