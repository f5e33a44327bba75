"""Debian's kernel on a device tree of ours, on QEMU's Raspberry Pi 3: what its drivers made of the overlays.

QEMU has that board's processor and pins, no lamps and no microphones; a Zero 2 W has the same chip. The guest is the kernel, the
drivers that the overlays need, and a shell that tells what it sees in /sys, section by section, on the serial port.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO, cast

from tools.kernel import fetch, initrd

QEMU = "qemu-system-aarch64"
DRIVERS = (
    *("leds_gpio", "pwm_bcm2835", "leds_pwm", "spi_bcm2835"),
    *("snd_soc_bcm2835_i2s", "snd_soc_dmic", "snd_soc_max98357a", "snd_soc_simple_card"),
)

# The sleep at the end: an init that ends is a panic, which cuts off what it said last.
_INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sysfs /sys; $b mount -t devtmpfs dev /dev
$b mount -t debugfs debugfs /sys/kernel/debug
for module in /modules/*; do $b insmod $module || echo "no $module"; done
$b sleep 2
pins=$(echo /sys/kernel/debug/pinctrl/*gpio*)
base=$($b cat /sys/class/gpio/gpiochip*/base | $b head -n 1)
told() { echo; echo "== $1"; shift; "$@"; }
pin() { $b grep "^pin $1 " $pins/pins; }
told model $b cat /proc/device-tree/model; echo
told leds; for led in /sys/class/leds/kontor*; do echo ${led##*/} $($b cat $led/brightness) $($b cat $led/max_brightness); done
told lines $b cat /sys/kernel/debug/gpio
told owners $b cat $pins/pinmux-pins
told devices $b ls -1 /dev
told sound $b cat /proc/asound/pcm
told fault; echo 0 > /sys/class/leds/kontor:amber:fault/brightness; $b grep fault /sys/kernel/debug/gpio
told speak; echo 2048 > /sys/class/leds/kontor:white:speak/brightness; $b grep enabled /sys/kernel/debug/pwm
told programs
for line in PROGRAMS; do echo $((base + line)) > /sys/class/gpio/export && echo $line given || echo $line refused; done
told released
echo high > /sys/class/gpio/gpio$((base + LAMP))/direction; pin LAMP
echo $((base + LAMP)) > /sys/class/gpio/unexport; pin LAMP
told end
$b sleep 600
"""


class BootError(Exception):
    """The board did not come as far as it should; one sentence."""


def boot(tree: Path, lines: list[int], lamp: int, words: str, seconds: float = 400.0) -> dict[str, list[str]]:
    """What the kernel says on this tree, by section.

    ``lines`` are the GPIOs that programs ask for, one by one; ``lamp`` is one of them, driven high and let go again; ``words``
    go into the kernel's command line.

    :raises tools.kernel.fetch.KernelMissingError: there is no kernel.
    :raises BootError: it says nothing, or not all.
    """
    kernel = fetch.kernel("arm64")
    init = _INIT.replace("PROGRAMS", " ".join(map(str, lines))).replace("LAMP", str(lamp))
    files = {"init": init.encode(), "bin/busybox": kernel.busybox.read_bytes()} | initrd.modules(kernel, DRIVERS)
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "initrd"
        first.write_bytes(initrd.archive(["bin", "modules", "proc", "sys", "dev"], files))
        command = [
            *(shutil.which(QEMU) or QEMU, "-M", "raspi3b", "-display", "none", "-monitor", "none", "-no-reboot"),
            *("-kernel", str(kernel.image), "-dtb", str(tree), "-initrd", str(first)),
            *("-append", f"console=ttyS1,115200 quiet rdinit=/init {words}", "-serial", "null", "-serial", "stdio"),
        ]
        return sections(_told(command, seconds))


def _told(command: list[str], seconds: float) -> list[str]:
    """The lines on the serial port up to the last section; then the machine is switched off."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = cast(IO[bytes], process.stdout)
    limit = threading.Timer(seconds, process.kill)
    limit.start()
    told: list[str] = []
    try:
        for line in output:
            told.append(line.decode(errors="replace").replace("\0", "").strip())
            if told[-1] == "== end":
                return told
    finally:
        limit.cancel()
        limit.join()
        process.kill()
        process.communicate()
    raise BootError(
        f"the board did not get to the end within {seconds:.0f} s: {told[-1] if told else 'it said nothing'}"
    )


def sections(told: list[str]) -> dict[str, list[str]]:
    """Lines by the section that they stand in."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in told:
        if line.startswith("== "):
            lines = found.setdefault(line.removeprefix("== "), [])
        elif line:
            lines.append(line)
    return found
