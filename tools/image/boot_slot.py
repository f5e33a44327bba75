"""What a boot slot holds: the kernel, the first file system, and slot.env, which says what root belongs to them."""

from __future__ import annotations

import gzip
import re

from tools.image.errors import ImageError
from tools.image.verity import Verity

KERNEL, INITRD, SLOT = "kernel.gz", "initrd.zst", "slot.env"
"""Names in image/boot.cmd; of 8 and 3 letters, so that a FAT has one entry for each."""
_DIGITS = 20
"""Bits of a number in a rank."""


def files(kernel: bytes, initrd: bytes, version: str, root: Verity) -> dict[str, bytes]:
    """The files of a boot slot.

    :param kernel: the kernel, not packed; ``initrd`` packed.
    :raises ImageError: the version has no rank.
    """
    return {
        KERNEL: gzip.compress(kernel, 9, mtime=0),
        INITRD: initrd,
        SLOT: environment(version, root).encode(),
    }


def environment(version: str, root: Verity) -> str:
    """slot.env, as U-Boot's ``env import -t`` reads it.

    :raises ImageError: the version has no rank.
    """
    facts = {
        "rank": f"{rank(version):#x}",
        "root_blocks": str(root.blocks),
        "root_hash": root.hash,
        "root_salt": root.salt,
        "version": version,
    }
    return "".join(f"{key}={value}\n" for key, value in facts.items())


def rank(version: str) -> int:
    """A number that is higher for a later version: U-Boot compares nothing else. Three numbers of a version count.

    :raises ImageError: the version does not begin with numbers.
    """
    found = re.match(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?", version)
    if found is None or any(int(number or 0) >> _DIGITS for number in found.groups()):
        raise ImageError(f"the version {version} has no rank: it begins with three numbers, such as 1.2.3")
    value = 0
    for number in found.groups():
        value = value << _DIGITS | int(number or 0)
    return value
