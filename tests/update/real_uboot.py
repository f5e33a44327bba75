"""The real U-Boot, for QEMU's ``virt``, on cards of ours: what it says, what it starts, and what it leaves on the card."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from tools.system import find

FIRMWARE = Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")
"""Debian's package u-boot-qemu."""
QEMU = "qemu-system-aarch64"
VARIABLES = {
    "devtype": "virtio",
    "devnum": "0",
    "distro_bootpart": "1",
    "kernel_addr_r": "0x40400000",
    "ramdisk_addr_r": "0x44000000",
    "scriptaddr": "0x40200000",
    "pxefile_addr_r": "0x40300000",
    "fdt_addr": "0x40000000",
    "kernel_comp_addr_r": "0x48000000",
    "kernel_comp_size": "0x4000000",
    "loadaddr": "0x40200000",
}
"""What it has set; include/configs/qemu-arm.h."""
_TREE = b"\xd0\x0d\xfe\xed"


def start(card: Path, seconds: float = 120.0, until: bytes = b"", *, volatile: bool = False) -> bytes:
    """Start a machine from a card until it is turned off or resets; what its serial port said.

    :param seconds: it is turned off then, at the latest.
    :param until: it is turned off when it has said this.
    :param volatile: what it writes is forgotten.
    """
    with tempfile.TemporaryDirectory(prefix="kontor-uboot-") as folder:
        said = Path(folder) / "serial"
        drive = f"if=none,id=card,format=raw,cache=unsafe,snapshot={'on' if volatile else 'off'},file={card}"
        command = [
            find(QEMU) or QEMU,
            *("-M", "virt", "-cpu", "cortex-a53", "-m", "1024", "-display", "none", "-nodefaults", "-no-reboot"),
            *(
                "-bios",
                str(FIRMWARE),
                "-serial",
                f"file:{said}",
                "-drive",
                drive,
                "-device",
                "virtio-blk-pci,drive=card",
            ),
        ]
        end = time.monotonic() + seconds
        with subprocess.Popen(command) as machine:
            while machine.poll() is None and time.monotonic() < end and not (until and until in _read(said)):
                time.sleep(0.1)
            machine.kill()
        return _read(said)


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def bootargs(said: bytes) -> str | None:
    """The command line in the device tree that a kernel of made.py told; None if none was started."""
    at = said.find(_TREE)
    if at < 0:
        return None
    with tempfile.NamedTemporaryFile(suffix=".dtb") as file:
        file.write(said[at:])
        file.flush()
        done = subprocess.run(["fdtget", file.name, "/chosen", "bootargs"], capture_output=True, text=True, check=True)
    return done.stdout.strip()
