"""Room on the builder's disk, asked for before something begins that would fill it."""

from __future__ import annotations

import shutil
from pathlib import Path

from tools.image.errors import MissingError


def require(folder: Path, size: int, what: str) -> None:
    """Make sure that ``size`` bytes fit where ``folder`` is or will be.

    :raises MissingError: they do not; says how many ``what`` ("the toolbox") needs.
    """
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if free < size:
        raise MissingError(f"{what} needs {_mib(size)} MiB in {there}, which has {_mib(free)} free")


def _mib(size: int) -> int:
    return -(-size // 2**20)
