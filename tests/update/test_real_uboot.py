"""The shell of these tests beside the real U-Boot."""

from pathlib import Path

import pytest

from tests.support.need import need
from tests.update import made, real_uboot
from tests.update.card import SECTOR, FileDisk, Overlay
from tests.update.scenarios import SCENARIOS, Scenario, apply, make_base
from tests.update.texts import TEXTS
from tests.update.uboot import UBoot
from tools.image.uboot import script
from tools.system import find

SCRIPT = (Path(__file__).resolve().parents[2] / "image" / "boot.cmd").read_text()

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True, scope="module")
def _needed() -> None:
    for program in (real_uboot.QEMU, "mcopy", "mkfs.vfat", "fdtget"):
        need(find(program), f"{program} is not installed: python3 -m tools.system updates")
    need(real_uboot.FIRMWARE, "no U-Boot for QEMU: apt-get install u-boot-qemu")


def test_the_real_one_says_the_same_to_every_text(tmp_path: Path) -> None:
    card = tmp_path / "card"
    driver = "".join(
        f"echo '== {number}'\nload virtio 0:1 ${{scriptaddr}} t{number}.scr\nsource ${{scriptaddr}}\n"
        for number in range(len(TEXTS))
    )
    files = {f"t{number}.scr": script(text, 0) for number, text in enumerate(TEXTS)}
    driver = driver.replace("${scriptaddr}", "0x50000000")
    made.make_card(card, {**files, "boot.scr": script(f"{driver}echo '== end'\nreset\n", 0)}, {})
    said = real_uboot.start(card).decode(errors="replace").replace("\r", "")
    assert "== end" in said, said
    answers = {}
    for number, text in enumerate(TEXTS):
        answer = said.split(f"== {number}\n")[1].split("== ")[0].splitlines()
        answers[text] = [line for line in answer if not line.startswith("## ") and "bytes read" not in line]
    assert answers == TEXTS


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card with the real script, to make the others of."""
    folder = tmp_path_factory.mktemp("base")
    make_base(folder / "card", script(SCRIPT, 0))
    return folder / "card"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_real_one_starts_the_same_and_leaves_the_same_on_the_card(
    scenario: Scenario, base: Path, tmp_path: Path
) -> None:
    """Each card twice or, where another slot comes later, up to then; what is started tells its own command line."""
    path = made.copy(base, tmp_path / "card")
    disk = FileDisk(path, writable=True)
    try:
        apply(scenario, disk)
        card = Overlay(disk)
        other = next((n for n, slot in enumerate(scenario.slots) if slot != scenario.slots[0]), 1)
        for _ in range(min(len(scenario.slots), other + 1)):
            card.sectors = {}
            started = UBoot(card, dict(real_uboot.VARIABLES)).run(SCRIPT)
            said = real_uboot.start(path)
            assert real_uboot.bootargs(said) == (started.bootargs.strip() if started else None), said[-2000:]
            for number, sector in card.sectors.items():
                assert disk.read(number * SECTOR, SECTOR) == sector
            assert card.sectors, "a start is counted before it is made"
    finally:
        disk.close()
