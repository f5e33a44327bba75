"""image/boot.cmd, run in the shell of these tests: which slot it starts, and what it writes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.core.boot_slots import decode, newest, next_start
from tests.support.need import need
from tests.update import judge, made
from tests.update.card import Disk, FileDisk, Overlay
from tests.update.scenarios import SCENARIOS, Scenario, apply, make_base
from tests.update.uboot import UBoot
from tools.image import layout
from tools.system import find

SCRIPT = (Path(__file__).resolve().parents[2] / "image" / "boot.cmd").read_text()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card to make the others of."""
    for program in ("mcopy", "mkfs.vfat"):
        need(find(program), f"{program} is not installed: python3 -m tools.system updates")
    path = tmp_path_factory.mktemp("base") / "card"
    make_base(path)
    return path


@pytest.fixture(scope="module")
def below(base: Path) -> Iterator[FileDisk]:
    """The same, open."""
    disk = FileDisk(base)
    yield disk
    disk.close()


def start(card: Disk, variables: dict[str, str] | None = None) -> str:
    """Start once: the slot, or "-"."""
    started = UBoot(card, variables, chosen="console=ttyAMA0 quiet").run(SCRIPT)
    return slot_of(started.bootargs if started else None)


def slot_of(bootargs: str | None) -> str:
    words = dict(word.partition("=")[::2] for word in (bootargs or "").split())
    return words.get("kontor.slot", "-")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_starts_that_nobody_confirms(scenario: Scenario, below: FileDisk) -> None:
    card = Overlay(below)
    apply(scenario, card)
    assert "".join(start(card) for _ in scenario.slots) == scenario.slots


def test_a_start_hands_over_the_slot_its_files_and_the_words_of_the_firmware(below: FileDisk) -> None:
    card = Overlay(below)
    apply(Scenario("", (made.record(), b""), "a"), card)
    started = UBoot(card, chosen="console=ttyAMA0 quiet").run(SCRIPT)
    assert started is not None
    assert started.kernel == made.kernel()
    assert started.initrd == b"initrd of 1.0.1"
    assert started.bootargs == (
        "console=ttyAMA0 quiet kontor.slot=a kontor.root=PARTUUID=4b4f4e54-06 "
        f"kontor.verity=1000:{'5a' * 32}:{'1' * 64}"
    )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_boot_script_does_what_the_system_reckons_with(scenario: Scenario, below: FileDisk) -> None:
    """core/boot_slots.py has the same decision, for slots whose files load."""
    card = Overlay(below)
    apply(scenario, card)
    for _ in scenario.slots:
        before, _ = newest([card.read(part.start, layout.RECORD_SIZE) for part in layout.RECORDS])
        slot = start(card)
        if before is None or scenario.harm or not any(state.good for state in before.slots.values()):
            continue
        after, first = newest([card.read(part.start, layout.RECORD_SIZE) for part in layout.RECORDS])
        taken, expected = next_start(before)
        assert slot == taken
        assert after is not None
        assert replace(after, reason="") == replace(expected, reason=""), "why a slot was left is told by the script"
        assert decode(card.read(layout.RECORDS[first[0]].start, layout.RECORD_SIZE)) == before, (
            "the older one was written"
        )


def test_a_write_of_the_record_that_is_torn_anywhere_loses_no_start(below: FileDisk) -> None:
    card = Overlay(below)
    trial = {"order": "b a", "left_b": "2"}
    apply(Scenario("", (made.record(serial="0x7", **trial), made.record(serial="0x8", **trial)), "b"), card)
    before, place = dict(card.sectors), layout.RECORD_0.start // layout.SECTOR
    assert start(card) == "b"
    assert card.sectors[place] != before[place], "the older one is written"
    for torn in range(0, layout.SECTOR, 32):
        again = Overlay(below)
        again.sectors = before | {place: card.sectors[place][:torn] + before[place][torn:]}
        assert "".join(start(again) for _ in range(4)) in ("bbaa", "baaa")


def test_the_numbers_of_the_script_are_those_of_the_layout() -> None:
    assert {part.number for part in layout.RECORDS} == {2, 9}
    assert {slot: tuple(part.number for part in parts) for slot, parts in layout.SLOTS.items()} == dict(judge.SLOTS)
