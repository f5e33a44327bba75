"""The slots of this machine's card: which one runs, the partitions of both, and the record that stands on the card twice.

udev names the partitions (image/root/usr/lib/udev/rules.d/61-kontor-slots.rules) and gives those of the other slot, and the
record, to the user of the update; those of the running slot can be read.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from appliance.core.boot_slots import SIZE, Name, Record, afresh, encode, newest, slot_name
from appliance.core.updating import PARTS, Here
from appliance.settings.store import write_all

DEVICES = Path("dev/kontor")
_CMDLINE = Path("proc/cmdline")
_RELEASE = Path("etc/os-release")
_BOARD = Path("proc/device-tree/compatible")
_WORD = "kontor.slot="
_LARGEST = 64 * 1024


def running_slot(root: Path) -> Name | None:
    """The slot that this machine was started from, as the boot loader says it; None: it has no slots."""
    try:
        words = (root / _CMDLINE).read_text().split()
    except OSError:
        return None
    found = [word.removeprefix(_WORD) for word in words if word.startswith(_WORD)]
    return slot_name(found[-1]) if found else None


def look_here(root: Path, slot: Name) -> Here:
    """What runs, and on which board."""
    facts = dict(_facts(root / _RELEASE))
    built = facts.get("KONTOR_BUILT", "")
    version = facts.get("IMAGE_VERSION", "") or "unknown"
    return Here(slot, version, int(built) if built.isascii() and built.isdigit() else 0, _boards(root / _BOARD))


def _facts(path: Path) -> Iterator[tuple[str, str]]:
    """Of os-release(5)."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        key, _, value = line.partition("=")
        yield key, value.strip("\"'")


def _boards(path: Path) -> tuple[str, ...]:
    try:
        with path.open("rb") as file:
            names = file.read(_LARGEST).split(b"\0")
    except OSError:
        return ()
    return tuple(name.decode("ascii", "replace") for name in names if name)


def part_path(root: Path, slot: Name, part: str) -> Path:
    """Where a partition of a slot is found."""
    return root / DEVICES / f"{part}-{slot}"


def room_in(root: Path, slot: Name) -> Mapping[str, int]:
    """Bytes of the partitions of a slot.

    :raises OSError: one cannot be opened.
    """
    room = {}
    for part in PARTS:
        with opened_file(part_path(root, slot, part)) as handle:
            room[part] = os.lseek(handle, 0, os.SEEK_END)
    return room


@contextmanager
def opened_file(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    """A partition, opened as it is: buffered, at its beginning.

    :raises OSError: it cannot be.
    """
    handle = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


class RecordFile:
    """The record of the slots, both copies."""

    def __init__(self, root: Path, running: Name) -> None:
        self._paths = tuple(root / DEVICES / f"record-{number}" for number in range(2))
        self._running = running

    def read(self) -> Record:
        """What holds. Where both copies are lost see :func:`~appliance.core.boot_slots.afresh`."""
        found, _ = newest(self._copies())
        return found or afresh(self._running)

    def write(self, record: Record) -> None:
        """Put it on the card: the copy that is missed less first, then the other, so that one is always whole.

        :raises OSError: the card refuses both; the record of before holds.
        """
        _, order = newest(self._copies())
        failures: list[OSError] = []
        for number in order:
            try:
                with opened_file(self._paths[number], os.O_RDWR) as handle:
                    write_all(handle, encode(record))
                    os.fsync(handle)
            except OSError as error:  # one worn block is what the other copy is for
                failures.append(error)
        if len(failures) == len(order):
            raise failures[0]

    def _copies(self) -> list[bytes]:
        copies = []
        for path in self._paths:
            try:
                with opened_file(path) as handle:
                    copies.append(os.read(handle, SIZE))
            except OSError:
                copies.append(b"")
        return copies
