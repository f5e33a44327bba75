"""Modules of the kernel: what is wanted and what that needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.image import initrd, modules
from tools.image.errors import ImageError

_IMAGE = Path(__file__).resolve().parents[3] / "image"


def _kernel(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "modules.dep").write_text(
        "kernel/usb-audio.ko.xz: kernel/mc.ko.xz kernel/pcm.ko.xz\nkernel/mc.ko.xz:\nkernel/pcm.ko.xz:\n"
        "kernel/mii.ko: \nkernel/crc32c.ko.xz: kernel/crypto.ko.xz\nkernel/crypto.ko.xz:\n"
    )
    (folder / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\nkernel/gpio-bcm.ko\n")
    (folder / "modules.softdep").write_text("# soft\nsoftdep mii pre: crc32c post: absent\n")
    return folder


def test_what_a_module_needs_comes_with_it(tmp_path: Path) -> None:
    folder = _kernel(tmp_path / "7.3")
    assert modules.needed(folder, ["usb-audio"]) == {"kernel/usb-audio.ko.xz", "kernel/mc.ko.xz", "kernel/pcm.ko.xz"}
    assert modules.needed(folder, ["usb_audio"]) == modules.needed(folder, ["usb-audio"])
    assert modules.needed(folder, ["mii"]) == {"kernel/mii.ko", "kernel/crc32c.ko.xz", "kernel/crypto.ko.xz"}


def test_what_is_built_in_needs_no_module(tmp_path: Path) -> None:
    assert modules.needed(_kernel(tmp_path / "7.3"), ["ext4", "gpio_bcm"]) == set()


def test_a_kernel_without_soft_dependencies(tmp_path: Path) -> None:
    folder = _kernel(tmp_path / "7.3")
    (folder / "modules.softdep").unlink()
    assert modules.needed(folder, ["mii"]) == {"kernel/mii.ko"}


def test_modules_that_are_not_there_are_told_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"the kernel 7\.3 has no module no-such, other"):
        modules.needed(_kernel(tmp_path / "7.3"), ["mii", "no-such", "other"])


@pytest.mark.parametrize("names", [[], ["7.3", "7.4"]])
def test_an_image_has_one_kernel(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / modules.FOLDER / name).mkdir(parents=True)
    with pytest.raises(ImageError, match=f"one kernel, and not {len(names)}"):
        modules.release(tmp_path)


def test_the_list_has_no_name_twice() -> None:
    wanted = modules.read_wanted(_IMAGE / "modules.txt")
    assert len({modules.plain(name) for name in wanted}) == len(wanted)


def test_what_the_first_start_loads_is_on_the_list() -> None:
    wanted = {modules.plain(name) for name in modules.read_wanted(_IMAGE / "modules.txt")}
    assert {modules.plain(name) for name in initrd.MODULES} <= wanted
