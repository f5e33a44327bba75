"""U-Boot's commands, as far as a boot script uses them, over a card that is a :class:`~tests.update.card.Disk`.

A command or an option that is not known here is a :class:`~tests.update.hush.HushError`, not a failure of the command.
test_real_uboot.py runs the same scripts in the real one.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from tests.update.card import SECTOR, Disk, Fat, partitions
from tests.update.hush import HushError, Shell
from tests.update.words import PAGE, Words, number

VARIABLES = {
    "devtype": "mmc",
    "devnum": "0",
    "distro_bootpart": "1",
    "kernel_addr_r": "0x00080000",
    "ramdisk_addr_r": "0x08000000",
    "scriptaddr": "0x02400000",
    "pxefile_addr_r": "0x02500000",
    "fdt_addr_r": "0x02600000",
    "fdt_addr": "2eff2600",
    "loadaddr": "0x1000000",
    "board_name": "3 Model B",
}
"""What a Raspberry Pi's U-Boot has set when it runs boot.scr."""


@dataclass(frozen=True, slots=True)
class Started:
    """A kernel that was started, what stood beside it in memory, and its command line."""

    kernel: bytes
    initrd: bytes
    bootargs: str


class _Leaves(Exception):
    """U-Boot is left: for a kernel, or for a reset."""

    def __init__(self, started: Started | None) -> None:
        super().__init__()
        self.started = started


class UBoot(Words):
    """One start: run a script, and see what it leads to.

    :param chosen: the command line that the firmware left in the device tree, /chosen bootargs.
    """

    def __init__(self, card: Disk, variables: dict[str, str] | None = None, chosen: str = "") -> None:
        super().__init__(dict(VARIABLES if variables is None else variables))
        self.card, self.chosen = card, chosen
        self.shell = Shell(self.environment, self._command)
        self._tree = 0

    def run(self, script: str) -> Started | None:
        """What the script starts; None for a reset, and for a script that ends (U-Boot would look elsewhere)."""
        try:
            self.shell.run(script)
        except _Leaves as leaves:
            return leaves.started
        self.said.append("the script has ended")
        return None

    def _command(self, argv: list[str]) -> int:
        name = argv[0].partition(".")[0]
        known: Callable[[list[str]], int] | None = getattr(self, "_do_" + {"[": "test"}.get(name, name), None)
        if known is None:
            raise HushError(f"the command {name} is not known here: {' '.join(argv)}")
        return known(argv)

    # ---- memory

    def _do_unzip(self, argv: list[str]) -> int:
        try:
            data = self._unzipped(number(argv[1], 16))
        except zlib.error:
            return 1
        self.memory.write(number(argv[2], 16), data)
        self.environment["filesize"] = f"{len(data):X}"
        return 0

    def _unzipped(self, at: int) -> bytes:
        decoder = zlib.decompressobj(wbits=31)
        pieces = []
        while not decoder.eof:
            pieces.append(decoder.decompress(self.memory.read(at, PAGE)))
            at += PAGE
            if sum(map(len, pieces)) > 256 * PAGE:
                raise zlib.error("no end")
        return b"".join(pieces)

    # ---- the card

    def _is_there(self, kind: str, device: str) -> bool:
        return kind == self.environment["devtype"] and number(device, 16) == number(self.environment["devnum"], 16)

    def _fat(self, kind: str, place: str) -> Fat | None:
        device, _, part = place.partition(":")
        if not self._is_there(kind, device):
            return None
        found = partitions(self.card).get(number(part or "1", 16))
        try:
            return Fat(self.card, found.start) if found else None
        except ValueError:
            return None

    def _size(self, kind: str, place: str, name: str) -> int | None:
        fat = self._fat(kind, place)
        try:
            return fat.size(name) if fat else None
        except ValueError:
            return None

    def _do_load(self, argv: list[str]) -> int:
        if len(argv) not in (5, 6):
            raise HushError(f"{' '.join(argv)}: not known here")
        fat = self._fat(argv[1], argv[2])
        try:
            data = fat.read(argv[4]) if fat else None
        except ValueError:
            data = None
        if data is None:
            return 1
        data = data[: number(argv[5], 16) or None] if argv[5:] else data
        self.memory.write(number(argv[3], 16), data)
        self.environment["filesize"] = f"{len(data):x}"
        return 0

    _do_fatload = _do_load

    def _do_size(self, argv: list[str]) -> int:
        size = self._size(argv[1], argv[2], argv[3])
        if size is None:
            return 1
        self.environment["filesize"] = f"{size:x}"
        return 0

    def _do_part(self, argv: list[str]) -> int:
        verb, kind, device, *rest = argv[1:]
        if verb == "uuid":
            device, _, part = device.partition(":")
        else:
            part = rest.pop(0)
        found = partitions(self.card).get(number(part, 16 if verb == "uuid" else 0))
        if not self._is_there(kind, device) or found is None:
            return 1
        values = {"start": f"{found.start // SECTOR:x}", "size": f"{found.size // SECTOR:x}", "uuid": found.uuid}
        self.environment[rest[0]] = values[verb]
        return 0

    def _do_read(self, argv: list[str]) -> int:
        """``read KIND DEV[:PART] ADDRESS BLOCK COUNT``, and the same with write."""
        _, kind, place, address, block, count = argv
        device, _, part = place.partition(":")
        found = partitions(self.card).get(number(part, 16)) if part else None
        if not self._is_there(kind, device) or (part and found is None):
            return 1
        first, many = number(block, 16) * SECTOR, number(count, 16) * SECTOR
        end = found.size if found else self.card.size
        if first + many > end:
            return 1
        return self._transfer(argv[0], number(address, 16), first + (found.start if found else 0), many)

    _do_write = _do_read

    def _transfer(self, verb: str, address: int, at: int, size: int) -> int:
        if verb == "read":
            self.memory.write(address, self.card.read(at, size))
        else:
            self.card.write(at, self.memory.read(address, size))
        return 0

    def _device(self, argv: list[str]) -> int:
        """``mmc read ADDRESS BLOCK COUNT``; ``mmc dev``, ``mmc rescan``, ``virtio scan`` do nothing."""
        if argv[0] != self.environment["devtype"]:
            return 1
        if argv[1] in ("dev", "rescan", "scan"):
            return 0
        verb, address, block, count = argv[1:]
        return self._do_read([verb, argv[0], self.environment["devnum"], address, block, count])

    _do_mmc = _do_virtio = _do_usb = _device

    # ---- the end

    def _do_fdt(self, argv: list[str]) -> int:
        match argv[1:]:
            case ["addr", address]:
                self._tree = number(address, 16)
                return int(self._tree == 0)
            case ["get", "value", name, "/chosen", "bootargs"] if self._tree:
                if self.chosen:
                    self.environment[name] = self.chosen
                return int(not self.chosen)
            case ["resize", *_] if self._tree:
                return 0
        raise HushError(f"{' '.join(argv)}: not known here")

    def _do_booti(self, argv: list[str]) -> int:
        kernel_at = number(argv[1], 16)
        initrd_at, _, size = argv[2].partition(":")
        kernel = self.memory.read(kernel_at, 64)
        if kernel[:2] == b"\x1f\x8b":
            if not {"kernel_comp_addr_r", "kernel_comp_size"} <= set(self.environment):
                return 1
            try:
                kernel = self._unzipped(kernel_at)
            except zlib.error:
                return 1
        else:
            kernel = self.memory.read(kernel_at, struct.unpack_from("<Q", kernel, 16)[0] & 0xFFFFFFF)
        if kernel[56:60] != b"ARM\x64":
            return 1
        initrd = self.memory.read(number(initrd_at, 16), number(size, 16))
        raise _Leaves(Started(kernel, initrd, self.environment.get("bootargs", "")))

    def _do_reset(self, _: list[str]) -> int:
        raise _Leaves(None)
