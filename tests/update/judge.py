"""Whether a state of the card is sound: file systems, and where the boot script leads."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from tests.update.card import SECTOR, Disk, Overlay, Partition, partitions
from tests.update.uboot import UBoot
from tests.update.writes import State

CHUNK = 4 << 20
STARTS = 12
"""A card that comes to no whole slot within so many starts is lost."""
BOOT, DATA = 1, 4
_LOOKS = 3
"""How often the appliance mends, at most (data.sh)."""
_FAT16_SIZE = 22
"""Where a FAT has the size of its table; 0 in a FAT32."""
_MOUNTED_FAT16, _MOUNTED_FAT32 = 37, 65
"""Where Linux notes that it is mounted."""
SLOTS: Mapping[str, tuple[int, int]] = {"a": (5, 6), "b": (7, 8)}
"""The partitions of each slot: its boot files, its root."""
RECORDS = (2, 9)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Version:
    """The images of a version: what a whole slot holds from its start on."""

    name: str
    boot: Path
    root: Path


@dataclass(slots=True)
class Verdict:
    """What was found."""

    name: str
    slot: str = ""
    """The first slot that starts and is whole."""
    version: str = ""
    starts: int = 0
    tried: list[str] = field(default_factory=list)
    """Slots that were started before and are not whole."""
    lost: list[str] = field(default_factory=list)
    """Why this state is lost, in sentences; empty: it is not."""
    repaired: bool = False
    """The data partition needed more than its journal."""


class Judge:
    """Judges states of one card.

    :param script: the text of boot.cmd.
    :param versions: what slots may hold.
    :param kept: files of the data partition that must be there whatever happens, with their content's SHA-256.
    """

    def __init__(
        self, script: str, versions: list[Version], kept: Mapping[str, str], variables: dict[str, str]
    ) -> None:
        self._script, self._versions, self._kept, self._variables = script, versions, kept, variables
        self._known: dict[tuple[object, ...], object] = {}

    def judge(self, state: State) -> Verdict:
        """Start the card until it is up, and check its file systems."""
        verdict = Verdict(state.name)
        try:
            table = partitions(state.disk)
        except AssertionError as error:
            verdict.lost.append(f"The partition table is gone: {error}.")
            return verdict
        self._start(state, table, verdict)
        fats = [BOOT, *([SLOTS[verdict.slot][0]] if verdict.slot else [])]
        for number in fats:
            if said := self._once("fat", state, table[number], partial(check_fat, state.disk, table[number])):
                verdict.lost.append(f"The FAT of partition {number} is broken: {said}.")
        said, verdict.repaired = self._once(
            "data", state, table[DATA], partial(check_data, state.disk, table[DATA], self._kept)
        )
        verdict.lost += [said] if said else []
        return verdict

    def _once(self, what: str, state: State, part: Partition, find: Callable[[], Result]) -> Result:
        """A result for these bytes, worked out once."""
        key = (what, part.number, *state.key(part.start, part.end))
        if key not in self._known:
            self._known[key] = find()
        return self._known[key]  # type: ignore[return-value] # the key has the question in it

    def _start(self, state: State, table: Mapping[int, Partition], verdict: Verdict) -> None:
        for number in range(STARTS):
            slot = self._starts(state, table, 1 if number == 0 else STARTS)[number]
            verdict.starts += 1
            if slot and (version := self._whole(state, table, slot)):
                verdict.slot, verdict.version = slot, version
                return
            verdict.tried += [slot] if slot else []
        verdict.lost.append(f"No whole slot comes up in {STARTS} starts; tried: {' '.join(verdict.tried) or 'none'}.")

    def _starts(self, state: State, table: Mapping[int, Partition], count: int) -> list[str]:
        """Where so many starts lead; it depends on the records and on the boot files."""
        parts = [table[number] for number in (*RECORDS, *(slot[0] for slot in SLOTS.values()))]
        key = ("starts", count, *(state.key(part.start, part.end) for part in parts))
        if key not in self._known:
            self._known[key] = sequence(state.disk, self._script, self._variables, count)
        return self._known[key]  # type: ignore[return-value] # the key has the question in it

    def _whole(self, state: State, table: Mapping[int, Partition], slot: str) -> str:
        """The version that a slot holds, in both of its partitions; "" for none."""
        boot, root = (table[number] for number in SLOTS[slot])
        for version in self._versions:
            if self._once(
                f"boot {version.name}", state, boot, partial(holds, state.disk, boot, version.boot)
            ) and self._once(f"root {version.name}", state, root, partial(holds, state.disk, root, version.root)):
                return version.name
        return ""


def sequence(disk: Disk, script: str, variables: dict[str, str], starts: int) -> list[str]:
    """The slots that one start after the other leads to, each failing; "" for a start that leads nowhere."""
    card = Overlay(disk)
    found = []
    for _ in range(starts):
        started = UBoot(card, dict(variables)).run(script)
        words = started.bootargs.split() if started else []
        found.append(next((word.removeprefix("kontor.slot=") for word in words if word.startswith("kontor.slot=")), ""))
    return found


def holds(disk: Disk, part: Partition, image: Path) -> bool:
    """Whether a partition begins with an image."""
    with image.open("rb") as file:
        at = part.start
        while data := file.read(CHUNK):
            if disk.read(at, len(data)) != data:
                return False
            at += len(data)
    return True


def extract(disk: Disk, part: Partition, path: Path) -> None:
    """Write a partition into a file, with holes where there are zeros."""
    zeros = bytes(CHUNK)
    with path.open("wb") as file:
        for at in range(0, part.size, CHUNK):
            data = disk.read(part.start + at, min(CHUNK, part.size - at))
            if data != zeros[: len(data)]:
                file.seek(at)
                file.write(data)
        file.truncate(part.size)


def check_fat(disk: Disk, part: Partition) -> str:
    """What fsck says of a FAT; "" if it is sound. The kernel's mark that it is mounted is no damage, and is taken away first."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="kontor-fat-") as file:
        extract(disk, part, Path(file.name))
        is_fat32 = disk.read(part.start + _FAT16_SIZE, 2) == bytes(2)
        at = _MOUNTED_FAT32 if is_fat32 else _MOUNTED_FAT16
        file.seek(at)
        file.write(bytes([disk.read(part.start + at, 1)[0] & ~1]))
        file.flush()
        done = subprocess.run(["fsck.fat", "-n", file.name], capture_output=True, text=True, check=False)
    said = [line.strip() for line in done.stdout.splitlines()[1:] if line.strip()]
    return "" if done.returncode == 0 else "; ".join(said[:3])


def check_data(disk: Disk, part: Partition, kept: Mapping[str, str]) -> tuple[str, bool]:
    """Why the data partition is lost, "" if it is not; and whether it needed more than the replay of its journal.

    It is checked as the appliance does at its start, then once more, which must find nothing; then the files are looked at.
    """
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="kontor-data-") as folder:
        image = Path(folder) / "data"
        extract(disk, part, image)
        preened = _fsck("-p", image)
        repaired = preened > 1
        if repaired and all(_fsck("-fy", image) > 3 for _ in range(_LOOKS)):
            return "The data partition cannot be repaired.", True
        # What a mount takes away by itself (an orphan file that is marked and clean) is preened first, as it is no damage.
        if _fsck("-fp", image) > 1 or _fsck("-fn", image) != 0:
            return "The data partition is broken after its repair.", True
        for path, digest in kept.items():
            copy = Path(folder) / "copy"
            copy.unlink(missing_ok=True)
            subprocess.run(["debugfs", "-R", f'dump "{path}" {copy}', str(image)], capture_output=True, check=False)
            if not copy.exists() or hashlib.sha256(copy.read_bytes()).hexdigest() != digest:
                return f"{path} on the data partition is gone or another.", repaired
    return "", repaired


def _fsck(option: str, image: Path) -> int:
    return subprocess.run(["e2fsck", option, str(image)], capture_output=True, check=False).returncode


def save(state: State, working: Path, path: Path) -> Path:
    """A card of its own that is as the state says; ``working`` is the file that the states come from."""
    subprocess.run(["cp", "--sparse=always", str(working), str(path)], check=True)
    with path.open("r+b") as file:
        for number, data in state.disk.sectors.items():
            file.seek(number * SECTOR)
            file.write(data)
    return path
