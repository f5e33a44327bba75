"""The shell of these tests beside the real U-Boot."""

from pathlib import Path

import pytest

from tests.support.need import need
from tests.update import made, real_uboot
from tests.update.texts import TEXTS
from tools.system import find

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def _needed() -> None:
    for program in (real_uboot.QEMU, "mkimage", "mcopy", "mkfs.vfat", "fdtget"):
        need(find(program), f"{program} is not installed: python3 -m tools.system update")
    need(real_uboot.FIRMWARE, "no U-Boot for QEMU: apt-get install u-boot-qemu")


def test_the_real_one_says_the_same_to_every_text(tmp_path: Path) -> None:
    card = tmp_path / "card"
    driver = "".join(
        f"echo '== {number}'\nload virtio 0:1 ${{scriptaddr}} t{number}.scr\nsource ${{scriptaddr}}\n"
        for number in range(len(TEXTS))
    )
    files = {f"t{number}.scr": real_uboot.script(text, tmp_path) for number, text in enumerate(TEXTS)}
    driver = driver.replace("${scriptaddr}", "0x50000000")
    made.make_card(card, {**files, "boot.scr": real_uboot.script(f"{driver}echo '== end'\nreset\n", tmp_path)}, {})
    said = real_uboot.start(card).decode(errors="replace").replace("\r", "")
    assert "== end" in said, said
    answers = {}
    for number, text in enumerate(TEXTS):
        answer = said.split(f"== {number}\n")[1].split("== ")[0].splitlines()
        answers[text] = [line for line in answer if not line.startswith("## ") and "bytes read" not in line]
    assert answers == TEXTS
