"""The judge of cards finds what is wrong with one."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.update import made
from tests.update.judge import Judge, Verdict, Version
from tests.update.small import KEPT, make_card, make_version, need_programs
from tests.update.test_boot_script import SCRIPT
from tests.update.uboot import VARIABLES
from tests.update.writes import FLUSH, read_log, states
from tools.image import layout
from tools.image.layout import SECTOR

Entry = tuple[int, bytes, int]


@pytest.fixture(scope="module")
def flashed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Version, Version]:
    """A card, the version on it, and the next one."""
    need_programs()
    folder = tmp_path_factory.mktemp("flashed")
    one, two = make_version(folder, "1.0.1", 1), make_version(folder, "1.0.2", 2)
    return make_card(folder, one), one, two


@pytest.fixture
def judged(flashed: tuple[Path, Version, Version], tmp_path: Path) -> Callable[[list[Entry]], Verdict]:
    """What the judge says after these writes."""
    card, one, two = flashed

    def judge(entries: list[Entry]) -> Verdict:
        made.write_log(tmp_path / "log", [*entries, (0, b"", FLUSH)])
        working = made.copy(card, tmp_path / "working")
        with read_log(tmp_path / "log") as log:
            found = [
                Judge(SCRIPT, [one, two], KEPT, VARIABLES).judge(state)
                for state in states(log, working, [], flushes=[len(log.epochs)])
            ]
        return found[0]

    return judge


def put(part: layout.Partition, data: bytes, offset: int = 0) -> Entry:
    return ((part.start + offset) // SECTOR, data, 0)


def junk(size: int) -> bytes:
    return random.Random(1).randbytes(size)


def records(**words: str) -> list[Entry]:
    return [put(part, made.record(serial="0x5", **words)) for part in layout.RECORDS]


TRIAL = records(order="b a", left_b="3")


def test_a_card_as_it_is_flashed_is_sound(judged: Callable[[list[Entry]], Verdict]) -> None:
    assert judged([]) == Verdict("0", slot="a", version="1.0.1", starts=1)


def test_a_slot_that_is_whole_comes_up(
    judged: Callable[[list[Entry]], Verdict], flashed: tuple[Path, Version, Version]
) -> None:
    _, _, two = flashed
    whole = [put(layout.BOOT_B, two.boot.read_bytes()), put(layout.ROOT_B, two.root.read_bytes())]
    assert judged([*whole, *TRIAL]) == Verdict("1", slot="b", version="1.0.2", starts=1)


def test_a_slot_that_is_started_and_not_whole_is_told(
    judged: Callable[[list[Entry]], Verdict], flashed: tuple[Path, Version, Version]
) -> None:
    _, _, two = flashed
    verdict = judged([put(layout.BOOT_B, two.boot.read_bytes()), *TRIAL])
    assert (verdict.slot, verdict.starts, verdict.tried) == ("a", 4, ["b", "b", "b"])
    assert not verdict.lost


def test_parts_of_two_versions_are_no_slot(
    judged: Callable[[list[Entry]], Verdict], flashed: tuple[Path, Version, Version]
) -> None:
    _, one, two = flashed
    mixed = [put(layout.BOOT_B, two.boot.read_bytes()), put(layout.ROOT_B, one.root.read_bytes())]
    assert judged([*mixed, *TRIAL]).tried == ["b", "b", "b"]


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([put(layout.BOOT_A, junk(SECTOR))], "No whole slot comes up"),
        ([put(layout.ROOT_A, junk(SECTOR), layout.MIB - SECTOR)], "No whole slot comes up"),
        ([put(layout.FIRMWARE, junk(64 * SECTOR), SECTOR)], "The FAT of partition 1 is broken"),
        ([put(layout.DATA, junk(16 * layout.MIB))], "data partition"),
        ([(0, bytes(SECTOR), 0)], "The partition table is gone"),
    ],
)
def test_what_is_lost_is_told(judged: Callable[[list[Entry]], Verdict], entries: list[Entry], why: str) -> None:
    (told,) = judged(entries).lost
    assert why in told


def test_a_lost_file_on_a_sound_data_partition_is_told(
    judged: Callable[[list[Entry]], Verdict], flashed: tuple[Path, Version, Version]
) -> None:
    with flashed[0].open("rb") as card:
        card.seek(layout.DATA.start)
        data = card.read(layout.DATA.size)
    at = data.index(b"the device's key") // SECTOR * SECTOR
    sector = data[at : at + SECTOR].replace(b"key", b"yek")
    assert judged([put(layout.DATA, sector, at)]).lost == ["/kontor/key on the data partition is gone or another."]
