"""The boot partition: what the boards' own firmware reads, for all of them at once, and U-Boot, which it starts.

Filters of config.txt: https://www.raspberrypi.com/documentation/computers/config_txt.html ([pi4] is also a 400 and a CM4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.firmware import fdt, overlays, sources
from tools.image import deb, uboot
from tools.image.errors import ImageError
from tools.image.toolbox import Toolbox
from tools.pinmap import PinMap

ROOT = Path(__file__).resolve().parents[2]
BOOT_SCRIPT = ROOT / "image" / "boot.cmd"
FIRMWARE, U_BOOT = "raspi-firmware", "u-boot-rpi"
"""Debian's packages."""

_BLOBS = ("bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat")
_BLOB_FOLDER = "usr/lib/raspi-firmware/"
_LICENCE = "usr/share/doc/raspi-firmware/copyright"
_U_BOOT_FILE = "usr/lib/u-boot/rpi_arm64/u-boot.bin"
_SECTIONS = {"bcm2837": ("pi3", "pi02"), "bcm2711": ("pi4",), "bcm2712": ("pi5",)}
"""Which sections of config.txt a system on a chip reads."""
EMULATED = "linux,dummy-virt"
"""QEMU's virt, on which updates are tried."""

_CONFIG = """\
# Boot settings of Kontor's image, for every board that it is for. More on each line: docs/image.md.

arm_64bit=1
kernel=u-boot.bin
upstream_kernel=1
enable_uart=1
disable_splash=1

# The panel, until the kernel has its pins: MIC and FAULT lit, ROOM and SPEAK dark, contacts with their pulls.
{pins}
{sections}"""

_README = """\
Kontor. Put your kontor.toml here, beside this file: the room to join, the network, the name of the device.
An empty file named factory-reset makes the device forget everything at its next start.
Everything else here belongs to the machine.
"""


def files(pins: PinMap, toolbox: Toolbox, kernel: Path, packages: Mapping[str, Path], epoch: int) -> dict[str, bytes]:
    """Everything on the boot partition, by its path there.

    :param kernel: the folder with dtb/ of Debian's kernel.
    :param packages: :data:`FIRMWARE` and :data:`U_BOOT`, as files.
    :raises ImageError: a package or the kernel lacks something, or a tool refuses.
    """
    made = {
        "config.txt": config(pins).encode(),
        "cmdline.txt": words().encode(),
        "README.txt": _README.replace("\n", "\r\n").encode(),
        "boot.scr": uboot.script(BOOT_SCRIPT.read_text(), epoch),
        "uboot.env": uboot.environment(uboot.ENVIRONMENT),
        "u-boot.bin": uboot.sealed(_taken(packages[U_BOOT], {_U_BOOT_FILE: "u-boot.bin"})["u-boot.bin"]),
    }
    blobs = {f"{_BLOB_FOLDER}{name}": name for name in _BLOBS}
    made |= _taken(packages[FIRMWARE], {**blobs, _LICENCE: "LICENCE.txt"})
    for path, name in trees(pins, kernel):
        made[name] = path.read_bytes()
    for name in sources.OVERLAYS:
        dtc = ["dtc", "-@", "-I", "dts", "-O", "dtb"]
        made[f"overlays/{name}.dtbo"] = toolbox.run(dtc, stdin=overlays.source(name, pins).encode(), capture=True)
    return made


def config(pins: PinMap) -> str:
    """config.txt."""
    sections = ""
    for soc in dict.fromkeys(pins.socs.values()):
        applied = "".join(f"dtoverlay={name}\n" for name in sources.CHIPS[soc].overlays)
        sections += "".join(f"\n[{section}]\n{applied}" for section in _SECTIONS[soc])
    return _CONFIG.format(pins=sources.early(pins), sections=sections)


QUIET = "loglevel=4 panic=10 damon_stat.enabled=N"
"""Words for the kernel of every board. DAMON's statistics of memory, on by default, take some 2 % of a core for nobody."""


def words() -> str:
    """cmdline.txt: consoles of every board, the last one that there is being the one that programs see."""
    consoles = [f"console={name},115200" for name in sorted({chip.console for chip in sources.CHIPS.values()})]
    keeps = [f"{name}.persist_gpio_outputs=0" for name in sorted({chip.keeps for chip in sources.CHIPS.values()})]
    return " ".join([*consoles, "console=tty1", QUIET, *keeps]) + "\n"


def trees(pins: PinMap, kernel: Path) -> list[tuple[Path, str]]:
    """The kernel's device trees of our boards, each under every name by which a firmware asks for it.

    :raises ImageError: the kernel has one of them not.
    """
    found = []
    for tree in (tree for board in pins.trees.values() for tree in board):
        path = kernel / "dtb" / "broadcom" / f"{tree.file}.dtb"
        if not path.is_file():
            raise ImageError(f"the kernel has no device tree {tree.file}, which a board needs")
        found += [(path, f"{name}.dtb") for name in sorted({tree.file, tree.firmware_name})]
    return found


def compatible(paths: Sequence[Path]) -> tuple[str, ...]:
    """The exact names of the boards of these device trees, and of the machine that tests run on."""
    names = [fdt.read(path.read_bytes()).properties["compatible"].partition(b"\0")[0].decode() for path in paths]
    return tuple(sorted({*names, EMULATED}))


def _taken(package: Path, wanted: Mapping[str, str]) -> dict[str, bytes]:
    """Files of a package, by the name that each is to have."""
    found = {}
    with deb.data(package) as archive:
        for entry in archive:
            name = wanted.get(entry.name.removeprefix("./"))
            file = archive.extractfile(entry) if name and entry.isfile() else None
            if name and file is not None:
                found[name] = file.read()
    missing = sorted(set(wanted.values()) - set(found))
    if missing:
        raise ImageError(f"{package.name} has no {missing[0]}, which the boot partition needs")
    return found
