"""How a card may be when it is switched on, and which slots the starts after it lead to when none of them is confirmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.update import made
from tests.update.card import Disk
from tests.update.words import seal
from tools.image import layout

Harm = Callable[[Disk], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Records, what is wrong with the card, and the slots that follow."""

    name: str
    records: tuple[bytes, bytes]
    slots: str
    """A letter a start; "-" for one that leads nowhere."""
    harm: Harm | None = None


def wipe(*parts: layout.Partition, sectors: int = 64) -> Harm:
    """Overwrite the first sectors of partitions: no FAT, no record."""

    def harm(disk: Disk) -> None:
        for part in parts:
            disk.write(part.start, b"\xa5" * layout.SECTOR * sectors)

    return harm


def no_kernel(part: layout.Partition) -> Harm:
    """Have a kernel that is none: its file loads, and U-Boot does not start it."""

    def harm(disk: Disk) -> None:
        data = disk.read(part.start, part.size)
        at = data.index(b"\x1f\x8b\x08") // layout.SECTOR * layout.SECTOR
        disk.write(part.start + at, bytes(layout.SECTOR))

    return harm


def no_file(part: layout.Partition, name: bytes) -> Harm:
    """Take a file's name away."""

    def harm(disk: Disk) -> None:
        data = disk.read(part.start, part.size)
        at = data.index(name) // layout.SECTOR * layout.SECTOR
        sector = data[at : at + layout.SECTOR].replace(name, b"\xe5" + name[1:])
        disk.write(part.start + at, sector)

    return harm


_record = made.record
_TORN = bytes([1]) + made.record(serial="0x9")[1:]
_BOTH = {"left_b": "3", "good_b": "1"}
_TRIAL = {"order": "b a", "left_b": "3", "good_b": "0"}

SCENARIOS = [
    Scenario("as flashed", (_record(), b""), "aaaaaa"),
    Scenario("as flashed, both copies", (_record(), _record(serial="0x2")), "aaaaaa"),
    Scenario("b on trial", (_record(**_TRIAL), _record(serial="0x2", **_TRIAL)), "bbbaaaaaa"),
    Scenario("b on trial in the first copy alone", (_record(serial="0x2", **_TRIAL), _record()), "bbbaaa"),
    Scenario("b on trial in the second copy alone", (_record(), _record(serial="0x2", **_TRIAL)), "bbbaaa"),
    Scenario("the second copy is torn", (_record(), _TORN), "aaa"),
    Scenario("the first copy is torn", (_TORN, _record(**_TRIAL)), "bbbaaa"),
    Scenario("numbers of two digits", (_record(serial="0x9"), _record(serial="0x10", **_TRIAL)), "bbbaaa"),
    Scenario("a high number", (_record(serial="0x7ffffffe"), _record(serial="0x7fffffff", **_TRIAL)), "bbb"),
    Scenario("no copy", (b"", b""), "bbbaaabbb"),
    Scenario("no copy, and b is nothing", (b"", b""), "aaaaaa", wipe(layout.BOOT_B)),
    Scenario("no copy, and a is nothing", (b"", b""), "bbbbbb", wipe(layout.BOOT_A)),
    Scenario("both copies overwritten", (_record(), _record()), "bbbaaa", wipe(*layout.RECORDS)),
    Scenario("b on trial is no FAT", (_record(**_TRIAL), b""), "aaaaaa", wipe(layout.BOOT_B)),
    Scenario("b on trial has no kernel", (_record(**_TRIAL), b""), "aaaaaa", no_kernel(layout.BOOT_B)),
    Scenario("b on trial lacks a file", (_record(**_TRIAL), b""), "aaa", no_file(layout.BOOT_B, b"INITRD  ZST")),
    Scenario("b on trial lacks slot.env", (_record(**_TRIAL), b""), "aaa", no_file(layout.BOOT_B, b"SLOT    ENV")),
    Scenario("a is good and lost, b is good", (_record(**_BOTH), b""), "bbbbbb", wipe(layout.BOOT_A)),
    Scenario("both good and used up", (_record(**(_BOTH | {"left_a": "0", "left_b": "0"})), b""), "aaabbb"),
    Scenario("b was left", (_record(order="a b", left_b="0", good_b="0", reason="no sound"), b""), "aaaaaa"),
    Scenario("none is good or has a start", (_record(left_a="0", good_a="0"), b""), "aaabbb"),
    Scenario("a record without words", (seal({"serial": "0x5"}), b""), "aaabbb"),
    Scenario("a record whose order names no slot", (_record(order=""), b""), "aaaaaa"),
    Scenario("a record whose order is no order", (_record(order="c; reset", **_BOTH), b""), "aaabbb"),
    Scenario("a slot with starts without end", (_record(order="b a", left_b="9999", good_b="0"), b""), "bbbaaa"),
    Scenario("nothing starts", (b"", b""), "--", wipe(layout.BOOT_A, layout.BOOT_B)),
]


def make_base(path: Path, script: bytes = b"boot.scr") -> None:
    """A card with slot a of one version and slot b of the next, and no record."""
    slots = {"a": made.boot_files("1.0.1", 1), "b": made.boot_files("1.0.2", 2)}
    made.make_card(path, {"boot.scr": script}, slots)


def apply(scenario: Scenario, disk: Disk) -> None:
    """Make the card of a scenario of :func:`make_base`'s."""
    for part, block in zip(layout.RECORDS, scenario.records, strict=True):
        if block:
            disk.write(part.start, block)
    if scenario.harm:
        scenario.harm(disk)
