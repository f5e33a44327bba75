"""A card with the image on it: a copy in a file, as large as a card is, read and written partition by partition with mtools."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tools.image.boards import QUIET
from tools.image.layout import BOOT_A, FIRMWARE, ROOT_A, Partition
from tools.image.qemu import Boot

MIB = 1 << 20
SIZE = 2048 * MIB
"""QEMU wants a power of 2."""
UNHEARD = """[audio]
backend = "virtual"
echo = "off"
noise = "off"
gain_control = false
[panel]
board = "pi4"
chip = "kontor-test"
"""
"""In the settings of a device to which no test listens: sound that goes on by itself, and a panel of simulated pins."""


class Card:
    """The copy; changes are in it alone.

    :param image: the image, as ``make image`` leaves it (.img or .img.zst).
    :param path: where the copy goes.
    """

    def __init__(self, image: Path, path: Path) -> None:
        self.path = path
        command: list[str | Path] = ["zstd", "-q", "-d", "-f", "--sparse", image, "-o", path]
        if image.suffix != ".zst":
            command = ["cp", "--sparse=always", image, path]
        subprocess.run(command, check=True)
        os.truncate(path, SIZE)

    def put(self, name: str, data: bytes, part: Partition = FIRMWARE) -> None:
        """Write a file onto a FAT partition."""
        subprocess.run(["mcopy", "-o", "-i", self._at(part), "-", f"::{name}"], input=data, check=True)

    def get(self, name: str, part: Partition = FIRMWARE) -> bytes:
        """Read one. Raises FileNotFoundError."""
        done = subprocess.run(["mtype", "-i", self._at(part), f"::{name}"], capture_output=True, check=False)
        if done.returncode:
            raise FileNotFoundError(f"{name}: {done.stderr.decode().strip()}")
        return done.stdout

    def names(self, part: Partition = FIRMWARE) -> list[str]:
        """What lies on a FAT partition."""
        done = subprocess.run(
            ["mdir", "-b", "-/", "-i", self._at(part), "::"], capture_output=True, text=True, check=True
        )
        return [line.removeprefix("::/") for line in done.stdout.splitlines()]

    def boot(
        self, folder: Path, console: str, parcel: bytes = b"", *, words: str = "", tree: Path | None = None
    ) -> Boot:
        """Kernel and first file system of slot A as files in ``folder``, for a machine that starts them without U-Boot.

        :param console: what the kernel writes to: "ttyAMA0".
        :param parcel: a second archive behind the first file system.
        """
        kernel = next(name for name in self.names(BOOT_A) if name.lower().startswith(("image", "vmlinuz", "kernel")))
        (folder / "kernel").write_bytes(self.get(kernel, BOOT_A))
        (folder / "initrd").write_bytes(behind(self.get("initrd.zst", BOOT_A), parcel))
        slot = self.slot()
        root = f"kontor.slot=a kontor.root=PARTUUID={ROOT_A.uuid}"
        verity = f"kontor.verity={slot['root_blocks']}:{slot['root_salt']}:{slot['root_hash']}"
        line = f"console={console} {QUIET} {root} {verity} {words}".strip()
        return Boot(kernel=folder / "kernel", initrd=folder / "initrd", tree=tree, words=line)

    def slot(self) -> dict[str, str]:
        """What slot A says of itself."""
        lines = self.get("slot.env", BOOT_A).decode().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def _at(self, part: Partition) -> str:
        return f"{self.path}@@{part.start}"


def behind(initrd: bytes, parcel: bytes) -> bytes:
    """A first file system with another archive behind it, as the kernel takes them: at a multiple of 4."""
    return initrd + bytes(-len(initrd) % 4) + parcel
