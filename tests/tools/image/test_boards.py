"""What the boards' firmware reads."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.need import need
from tests.tools.image.made import deb
from tools import pinmap
from tools.image import boards
from tools.image.errors import ImageError
from tools.image.toolbox import Toolbox
from tools.system import find

PINS = pinmap.load()


def _sections(text: str) -> dict[str, list[str]]:
    """Lines of config.txt by the section that they stand in."""
    found: dict[str, list[str]] = {"all": []}
    at = "all"
    for line in text.splitlines():
        if section := re.fullmatch(r"\[(\w+)\]", line):
            at = section[1]
            found[at] = []
        elif line and not line.startswith("#"):
            found[at].append(line)
    return found


def test_every_board_has_the_overlay_of_its_chip_and_no_other() -> None:
    found = _sections(boards.config(PINS))
    assert {"arm_64bit=1", "kernel=u-boot.bin", "upstream_kernel=1"} <= set(found["all"])
    assert not [line for line in found["all"] if line.startswith("dtoverlay")]
    panel = ["dtoverlay=kontor-panel"]
    assert {name: lines for name, lines in found.items() if name != "all"} == {
        **dict.fromkeys(("pi3", "pi02", "pi4"), panel),
        "pi5": ["dtoverlay=kontor-panel-pi5"],
    }


def test_pins_are_set_before_a_kernel_runs_as_for_each_board_alone() -> None:
    alone = (boards.ROOT / "firmware/pi4/config.txt").read_text().splitlines()
    assert [line for line in boards.config(PINS).splitlines() if line.startswith("gpio=")] == [
        line for line in alone if line.startswith("gpio=")
    ]


def test_the_command_line_has_what_each_board_needs_and_one_line() -> None:
    words = boards.words()
    assert words.count("\n") == 1
    for board in PINS.socs:
        alone = (boards.ROOT / "firmware" / board / "cmdline.txt").read_text().split()
        assert {word for word in alone if word not in {"ro", "rootwait"} and not word.startswith("root=")} <= set(
            words.split()
        )
    assert not re.search(r"\b(root|init|rdinit|systemd\.debug)", words)


def test_every_board_of_the_image_has_its_tree_under_both_names(tmp_path: Path) -> None:
    folder = tmp_path / "dtb/broadcom"
    folder.mkdir(parents=True)
    for tree in (tree for board in PINS.trees.values() for tree in board):
        (folder / f"{tree.file}.dtb").write_bytes(b"")
    names = {name for _, name in boards.trees(PINS, tmp_path)}
    assert {
        *(
            "bcm2837-rpi-3-b-plus.dtb",
            "bcm2710-rpi-3-b-plus.dtb",
            "bcm2837-rpi-zero-2-w.dtb",
            "bcm2710-rpi-zero-2-w.dtb",
        ),
        *("bcm2711-rpi-4-b.dtb", "bcm2711-rpi-400.dtb", "bcm2711-rpi-cm4-io.dtb", "bcm2711-rpi-cm4.dtb"),
        *("bcm2712-rpi-5-b.dtb", "bcm2712-d-rpi-5-b.dtb", "bcm2712d0-rpi-5-b.dtb"),
    } == names
    (folder / "bcm2711-rpi-400.dtb").unlink()
    with pytest.raises(ImageError, match="the kernel has no device tree bcm2711-rpi-400, which a board needs"):
        boards.trees(PINS, tmp_path)


def test_a_package_without_a_file_of_the_boot_partition_is_named(tmp_path: Path) -> None:
    package = tmp_path / "u-boot-rpi.deb"
    package.write_bytes(deb("Package: u-boot-rpi\n", {"usr/lib/u-boot/rpi_3/u-boot.bin": "other"}))
    packages = {boards.U_BOOT: package, boards.FIRMWARE: package}
    with pytest.raises(ImageError, match=r"u-boot-rpi\.deb has no u-boot\.bin, which the boot partition needs"):
        boards.files(PINS, Toolbox(tmp_path, 0), tmp_path, packages, 0)


def test_an_update_names_the_exact_boards(tmp_path: Path) -> None:
    dtc = need(find("dtc"), "dtc is not installed: apt-get install device-tree-compiler")
    tree = tmp_path / "tree.dtb"
    text = '/dts-v1/; / { compatible = "raspberrypi,4-model-b", "brcm,bcm2711"; };'
    subprocess.run([dtc, "-O", "dtb", "-o", str(tree)], input=text, text=True, check=True)
    assert boards.compatible([tree, tree]) == ("linux,dummy-virt", "raspberrypi,4-model-b")
