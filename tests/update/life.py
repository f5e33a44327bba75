"""A card and the machine that it is in, from start to start.

Which slot a start takes, and what U-Boot writes, is decided by the image's own boot.scr in the shell of these tests
(test_real_uboot.py has the real one do the same); kernel and first file system are those that it loads.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.image import parcel
from tests.image.card import behind
from tests.image.device import Device
from tests.update.card import SECTOR, Disk, Fat, FileDisk, Overlay
from tests.update.made import write_log
from tests.update.uboot import UBoot
from tests.update.writes import FLUSH
from tools.image import qemu
from tools.image.boards import QUIET
from tools.image.layout import FIRMWARE
from tools.image.qemu import Boot, Drive, Hardware, Machine, Net
from tools.kernel.agent import JOBS

VARIABLES = {"devtype": "virtio", "devnum": "0", "distro_bootpart": "1", "fdt_addr": "0x40000000"}
WORDS = f"console=ttyAMA0 {QUIET}"
_HEAD = 72
"""Bytes of a script's head (mkimage), before its text."""


def script_of(card: Disk) -> str:
    """The text of a card's boot.scr."""
    data = Fat(card, FIRMWARE.start).read("boot.scr")
    assert data is not None
    return data[_HEAD:].decode()


# Its time is its instructions, so that a busy host makes no watchdog of the guest's impatient.
_machine = partial(Hardware, counted=True, reboots=False)


@dataclass
class Life:
    """Starts of one card.

    :param archive: what the device has besides the image (tests/image/parcel.py).
    :param record: whether every write is noted, of U-Boot as well: :attr:`logs`.
    """

    card: Path
    folder: Path
    archive: bytes
    record: bool = False
    slot: str = ""
    """That of the last start."""
    logs: list[Path] = field(default_factory=list)
    """One after the other."""

    @contextmanager
    def started(self, net: Net | None = None) -> Iterator[Device]:
        """Switch it on; when the block ends its power is cut, unless it has switched itself off. It starts only once."""
        boot = self._load()
        log = self._log() if self.record else None
        drive = Drive(self.card, log=log)
        with Machine(_machine(boot, drives=[drive], net=net or Net(), ports=[JOBS])) as machine:
            device = Device(machine)
            device.greeted()
            yield device

    def fails(self) -> str:
        """Switch it on, and wait until it gives up and wants to start anew; what it said last."""
        with Machine(_machine(self._load(), drives=[Drive(self.card)])) as machine:
            machine.wait()
            return machine.tail()

    def _load(self) -> Boot:
        disk = FileDisk(self.card, writable=True)
        try:
            overlay = Overlay(disk)
            started = UBoot(overlay, dict(VARIABLES), chosen=WORDS).run(script_of(overlay))
            assert started is not None, "nothing starts"
            written = [(number, overlay.sectors[number], 0) for number in sorted(overlay.sectors)]
            for number, data, _ in written:
                disk.write(number * SECTOR, data)
        finally:
            disk.close()
        if self.record:
            write_log(self._log(), [*written, (0, b"", FLUSH)])
        self.slot = next(word for word in started.bootargs.split() if word.startswith("kontor.slot=")).partition("=")[2]
        kernel, initrd = self.folder / "kernel", self.folder / "initrd"
        kernel.write_bytes(started.kernel)
        initrd.write_bytes(behind(started.initrd, self.archive))
        return Boot(kernel=kernel, initrd=initrd, tree=self._tree(), words=started.bootargs)

    def _tree(self) -> Path:
        out = self.folder / "board.dtb"
        if not out.exists():
            base = self.folder / "virt.dtb"
            words = [*_machine(Boot()).processor(), "-machine", f"dumpdtb={base}"]
            subprocess.run([qemu.QEMU, *words], check=True, capture_output=True)
            parcel.tree(base, out)
        return out

    def _log(self) -> Path:
        path = self.folder / f"writes-{len(self.logs)}"
        self.logs.append(path)
        return path
