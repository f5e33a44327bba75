"""The first file system: our init, busybox, dmsetup with its libraries, and the drivers that lead to the root.

Nothing of it runs while it is made; programs, libraries and modules are the root's own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from tools.image.errors import ImageError
from tools.image.modules import plain, read_index
from tools.kernel import initrd

INIT = Path(__file__).resolve().parents[2] / "image" / "initrd" / "init"

APPLETS = (
    *("cat", "grep", "insmod", "mkdir", "mount", "reboot", "sh", "sha256sum", "sleep", "switch_root", "tr", "umount"),
    "usleep",
)
"""What init calls."""

MODULES = (
    *("virtio_blk", "virtio_mmio"),  # QEMU's virt
    *("bcm2835", "sdhci-iproc", "sdhci-brcmstb"),  # card slots: Pi 3 and Zero 2 W (the first two), Pi 4 and 5
    # what those wait for: voltage, pins
    *("gpio-regulator", "fixed", "pinctrl-brcmstb-bcm2712", "gpio-brcmstb"),
    *("dm-verity", "erofs", "overlay"),
)
"""Drivers, each with what it needs; built-in ones are left out."""

_FOLDERS = ("bin", "lib", "modules", "proc", "sys", "dev", "lower", "changes", "root")
_PROGRAMS = {"bin/busybox": "usr/bin/busybox", "bin/dmsetup": "usr/sbin/dmsetup"}
_LIBRARIES = ("usr/lib/aarch64-linux-gnu", "usr/lib")
_DYNAMIC, _LOADED = 2, 1
_NEEDED, _STRINGS = 1, 5


def make_initrd(root: Path, release: str) -> bytes:
    """The archive as the kernel takes it, not compressed.

    :param root: the unpacked root file system.
    :param release: of the kernel, as below usr/lib/modules.
    :raises ImageError: the root lacks something.
    """
    files = {"init": INIT.read_bytes()}
    files |= {name: _read(root / source) for name, source in _PROGRAMS.items()}
    files |= _libraries(root, files["bin/dmsetup"])
    order = list(modules(root / "usr/lib/modules" / release))
    files |= {f"modules/{path.name.removesuffix('.xz')}": initrd.unpacked(path) for path in order}
    files["modules/order"] = "".join(f"{path.name.removesuffix('.xz')}\n" for path in order).encode()
    links = {f"bin/{name}": "busybox" for name in APPLETS}
    return initrd.archive(list(_FOLDERS), dict(sorted(files.items())), links)


def modules(folder: Path) -> Iterator[Path]:
    """Files of :data:`MODULES` and of what they need, in the order in which they load.

    :raises ImageError: the kernel has none of that name.
    """
    files, depends = read_index(folder, MODULES)
    seen: set[str] = set()
    for name in map(plain, MODULES):
        if name in files:
            for path in (*reversed(depends[name]), files[name]):  # depmod names what is needed last first
                if path not in seen:
                    seen.add(path)
                    yield folder / path


def _libraries(root: Path, program: bytes) -> dict[str, bytes]:
    """What a program is linked with, and what that is linked with."""
    found: dict[str, bytes] = {}
    wanted = needed(program)
    while wanted:
        name = wanted.pop()
        if f"lib/{name}" not in found:
            places = (root / folder / name for folder in _LIBRARIES)
            place = next((place for place in places if place.is_file()), None)
            if place is None:
                raise ImageError(f"The root has no {name}, which the first programs need.")
            found[f"lib/{name}"] = place.read_bytes()
            wanted += needed(found[f"lib/{name}"])
    return found


def needed(data: bytes) -> list[str]:
    """The shared libraries that a 64-bit ELF file names (DT_NEEDED)."""
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    heads = [struct.unpack_from("<IIQQQQ", data, table + size * index) for index in range(count)]
    tags: list[tuple[int, int]] = []
    for kind, _, offset, _, _, length in heads:
        if kind == _DYNAMIC:
            tags = list(struct.iter_unpack("<qQ", data[offset : offset + length]))
    strings = next((value for tag, value in tags if tag == _STRINGS), 0)
    for kind, _, offset, address, _, length in heads:
        if kind == _LOADED and address <= strings < address + length:
            strings += offset - address
            break
    names = (strings + value for tag, value in tags if tag == _NEEDED)
    return [data[at : data.index(b"\0", at)].decode() for at in names]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise ImageError(f"The root has no {path.name}, which the first file system needs.") from None
