"""A small card as it is flashed, its versions, and a data partition with a file on it."""

import hashlib
import random
import subprocess
from pathlib import Path

from tests.support.need import need
from tests.update import made
from tests.update.judge import Version
from tools.image import layout
from tools.system import find

_KEY = b"the device's key"
KEPT = {"/kontor/key": hashlib.sha256(_KEY).hexdigest()}
"""A file of the data partition, and the SHA-256 of its content."""
BOOT_SIZE, ROOT_SIZE = 9 * layout.MIB, layout.MIB
_OTHER = slice(512 * 1024, 712 * 1024)
"""Bytes of the root that differ from version to version."""


def need_programs() -> None:
    """Skip where file systems cannot be made or checked."""
    for program in ("mcopy", "mkfs.vfat", "fsck.fat", "mke2fs", "e2fsck", "debugfs"):
        need(find(program), f"{program} is not installed: python3 -m tools.system updates")


def make_version(folder: Path, name: str, rank: int) -> Version:
    """The images of a version, whose root is mostly that of every other one."""
    version = Version(name, folder / f"boot-{name}", folder / f"root-{name}")
    made.make_fat(version.boot, BOOT_SIZE, made.boot_files(name, rank))
    root = bytearray(random.Random(0).randbytes(ROOT_SIZE))
    root[_OTHER] = random.Random(rank).randbytes(_OTHER.stop - _OTHER.start)
    version.root.write_bytes(root)
    return version


def make_data(folder: Path) -> Path:
    """A data partition with a file that must outlive everything."""
    (folder / "data/kontor").mkdir(parents=True)
    (folder / "data/kontor/key").write_bytes(_KEY)
    image = folder / "data.ext4"
    with image.open("wb") as file:
        file.truncate(layout.DATA.size)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(folder / "data"), str(image)], check=True)
    return image


def make_card(folder: Path, version: Version) -> Path:
    """A card as it is flashed."""
    card = folder / "card"
    made.make_card(card, {"boot.scr": b"boot.scr"}, {}, (made.record(), made.record()))
    for part, image in zip(layout.SLOTS["a"], (version.boot, version.root), strict=True):
        made.put(card, part.start, image)
    made.put(card, layout.DATA.start, make_data(folder))
    return card
