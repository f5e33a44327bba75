"""The layout of the card, as others read it."""

import json
import subprocess
from itertools import pairwise
from pathlib import Path

from tests.support.blank_card import blank_card
from tests.support.need import need
from tools.image import layout
from tools.system import find


def test_fdisk_reads_the_tables_as_they_are_meant(tmp_path: Path) -> None:
    sfdisk = need(find("sfdisk"), "sfdisk is not installed: apt-get install fdisk")
    card = blank_card(tmp_path / "card", layout.IMAGE_SIZE)
    told = subprocess.run([sfdisk, "--json", str(card)], capture_output=True, check=True)
    table = json.loads(told.stdout)["partitiontable"]
    assert (table["label"], table["id"]) == ("dos", f"0x{layout.DISK_ID:08x}")
    found = {
        part["node"].removeprefix(str(card)): (part["start"], part["size"], part["type"])
        for part in table["partitions"]
    }
    assert found == {
        str(part.number): (part.start // layout.SECTOR, part.size // layout.SECTOR, f"{part.kind:x}")
        for part in (*layout.PRIMARY, *layout.LOGICAL)
    }
    checked = subprocess.run([sfdisk, "--verify", str(card)], capture_output=True, text=True, check=True)
    assert "No errors detected" in checked.stdout


def test_nothing_overlaps_and_the_data_is_last() -> None:
    parts = [part for part in (*layout.PRIMARY, *layout.LOGICAL) if part is not layout.EXTENDED]
    parts.sort(key=lambda part: part.start)
    for before, after in pairwise(parts):
        assert before.start + before.size <= after.start
    assert parts[-1] is layout.DATA
    tables = [at for at, _ in layout.tables()]
    for at in tables:
        assert not [part.name for part in parts if part.start <= at < part.start + part.size]
    for part in layout.LOGICAL:
        assert layout.EXTENDED.start <= part.start - layout.MIB
        assert part.start + part.size <= layout.EXTENDED.start + layout.EXTENDED.size <= layout.DATA.start


def test_the_slots_are_alike() -> None:
    (boot_a, root_a), (boot_b, root_b) = layout.SLOTS["a"], layout.SLOTS["b"]
    assert (boot_a.size, root_a.size) == (boot_b.size, root_b.size)
    assert [part.uuid for part in (boot_a, root_a, boot_b, root_b)] == [f"4b4f4e54-0{n}" for n in (5, 6, 7, 8)]
