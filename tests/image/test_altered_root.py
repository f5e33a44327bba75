"""A root that is not as it was made does not run: the machine starts again, and in the end from the other slot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.core import boot_slots
from appliance.core.boot_slots import Name, Record, Slot
from tests.image.card import Card
from tests.support.need import need
from tools.image import layout
from tools.image.qemu import Boot, Drive, Hardware, Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

FIRMWARE = Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")
ONE_EACH: dict[Name, Slot] = {"a": Slot(1, True), "b": Slot(1, True)}


@pytest.fixture
def card(image: Path, tmp_path: Path) -> Card:
    """A card with the same system in both slots, and a start left for each."""
    need(FIRMWARE, "no U-Boot for QEMU: apt-get install u-boot-qemu")
    card = Card(image, tmp_path / "card.img")
    file = os.open(card.path, os.O_RDWR)
    try:
        for one, other in zip(layout.SLOTS["a"], layout.SLOTS["b"], strict=True):
            os.pwrite(file, os.pread(file, one.size, one.start), other.start)
        for part in layout.RECORDS:
            os.pwrite(file, boot_slots.encode(Record(7, "a", ONE_EACH)), part.start)
    finally:
        os.close(file)
    return card


def _alter(card: Card, part: layout.Partition, at: int, data: bytes) -> None:
    with card.path.open("r+b") as file:
        file.seek(part.start + at)
        file.write(data)


def _started(card: Card, *expected: str) -> str:
    """Start the card, wait for each of these on the serial line, cut the power; all that was said."""
    hardware = Hardware(Boot(firmware=FIRMWARE), drives=[Drive(card.path)])
    with Machine(hardware) as machine:
        for pattern in expected:
            machine.expect(pattern, 600.0)
        return machine.text


def test_an_altered_block_restarts_the_machine_and_the_other_slot_has_its_turn(card: Card) -> None:
    """The block is the one with the file system's own head (erofs: at 1024), so that it is read at once."""
    _alter(card, layout.ROOT_A, 1100, b"x")
    said = _started(
        card,
        r"kontor: slot a, version \S+, 0 left",
        r"verity: .*: data block 0 is corrupted",
        r"kontor: slot b, version \S+, 0 left",
        r"systemd\[1\]: systemd \d+",
    )
    assert said.count("kontor: slot a,") == 1
    copies = [card.path.open("rb"), card.path.open("rb")]
    records = []
    for file, part in zip(copies, layout.RECORDS, strict=True):
        with file:
            file.seek(part.start)
            records.append(file.read(boot_slots.SIZE))
    found, _ = boot_slots.newest(records)
    assert found is not None
    assert (found.serial, found.slots, found.reason) == (
        9,
        {"a": Slot(0, True), "b": Slot(0, True)},
        "slot a had no start left",
    )


def test_the_hash_of_another_root_starts_nothing(card: Card) -> None:
    text = card.get("slot.env", layout.BOOT_A)
    head, name, rest = text.partition(b"root_hash=")
    card.put("slot.env", head + name + (b"1" if rest[:1] == b"0" else b"0") + rest[1:], layout.BOOT_A)
    said = _started(card, r"kontor: slot a, version", r"verity: .* corrupted", r"kontor: slot b, version")
    assert "systemd[1]" not in said


def test_what_is_missing_is_said_and_nobody_is_asked(card: Card) -> None:
    """More blocks than the partition has: no shell, no prompt, a restart after ten seconds."""
    text = card.get("slot.env", layout.BOOT_A)
    card.put("slot.env", text.replace(b"root_blocks=", b"root_blocks=9"), layout.BOOT_A)
    said = _started(
        card, r"kontor: slot a, version", r"kontor: .* cannot be checked: starting again in 10 s", r"kontor: slot b"
    )
    assert not [line for line in said.splitlines() if line.rstrip().endswith(("#", "login:"))]
