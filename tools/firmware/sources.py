"""Writes what lies in firmware/ from the pin map: overlay sources and the boot files of each board. ``--check`` only tells.

What each line of the boot files is for is said in firmware/README.md and, shortly, in the files themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.core.wiring import Line
from tools.firmware import overlays
from tools.pinmap import ROOT, PinMap, load

TARGET = ROOT / "firmware"


@dataclass(frozen=True, slots=True)
class Chip:
    """What the boot files of a system on a chip say."""

    overlays: tuple[str, ...]
    """Applied when the device boots."""
    choice: tuple[str, ...]
    """There to be switched on: tier B."""
    console: str
    """The serial port on the header, or on a Pi 5 the one beside it."""
    keeps: str
    """The kernel's module of the pins, which could keep an output after its program ended."""


_FIRST = Chip(("kontor-panel",), ("kontor-audio",), "ttyS1", "pinctrl_bcm2835")
CHIPS = {
    "bcm2837": _FIRST,
    "bcm2711": _FIRST,
    "bcm2712": Chip(("kontor-panel-pi5",), (), "ttyAMA10", "pinctrl_rp1"),
}

OVERLAYS = sorted({name for chip in CHIPS.values() for name in (*chip.overlays, *chip.choice)})

_CONFIG = """\
# Boot settings of Kontor on a {name}, with Debian's kernel and its device tree.
# Made from hardware/pinmap.toml by `make docs`: do not edit. More on each line: firmware/README.md.

arm_64bit=1
kernel=kernel8.gz
initramfs initrd.zst followkernel
upstream_kernel=1
enable_uart=1

# The panel, until the kernel has its pins: MIC and FAULT lit, ROOM and SPEAK dark, contacts with their pulls.
{pins}

{overlays}
"""

_CHOICE = """
# Microphones and amplifier on I2S (tier B): take the # away.
#dtoverlay={name}
"""

_STOCK = """\
# What Raspberry Pi OS needs for the panel: lines for the end of /boot/firmware/config.txt, with overlays of its own.
# Made from hardware/pinmap.toml by `make docs`. Not tried, neither on a board nor on that system's device trees.

[all]
# A line that its program let go becomes an input again: MIC is lit after a crash.
# On a Pi 5 also add to the one line of /boot/firmware/cmdline.txt: pinctrl_rp1.persist_gpio_outputs=0
dtparam=strict_gpiod

# FAULT, lit until Kontor takes it over.
dtoverlay=gpio-led,gpio={fault},label={label},trigger=default-on{active}

# The ring.
dtparam=spi=on

# Until the kernel has the pins.
{pins}

# Microphones and amplifier on I2S (tier B): take the # away. GPIO 16 is then the amplifier's, too.
#dtoverlay=googlevoicehat-soundcard
"""


def files(pins: PinMap) -> dict[str, str]:
    """Everything that is made: the path below firmware/ to its text.

    :raises tools.firmware.overlays.OverlayError: the map asks for what a chip cannot do.
    """
    made = {
        **{f"{name}.dts": overlays.source(name, pins) for name in OVERLAYS},
        "raspberry-pi-os.txt": _stock(pins),
    }
    for board, known in pins.boards.items():
        chip = CHIPS[pins.socs[board]]
        made[f"{board}/config.txt"] = _config(known.name, chip, pins)
        made[f"{board}/cmdline.txt"] = (
            f"console={chip.console},115200 console=tty1 root=/dev/mmcblk0p2 rootwait ro panic=10"
            f" {chip.keeps}.persist_gpio_outputs=0\n"
        )
    return made


def _config(name: str, chip: Chip, pins: PinMap) -> str:
    applied = "\n".join(f"dtoverlay={overlay}" for overlay in chip.overlays)
    choice = "".join(_CHOICE.format(name=overlay) for overlay in chip.choice)
    return _CONFIG.format(name=name, pins=early(pins), overlays=applied) + choice


def _stock(pins: PinMap) -> str:
    lamp = pins.lines["fault_lamp"]
    active = ",active_low=1" if lamp.active == "low" else ""
    return _STOCK.format(fault=lamp.gpio, label=overlays.led(pins, "fault"), active=active, pins=early(pins))


def early(pins: PinMap) -> str:
    """What the firmware does with the pins of lamps and contacts before it starts a kernel."""
    groups: dict[str, list[int]] = {}
    for line in pins.lines.values():
        groups.setdefault(_early(line), []).append(line.gpio)
    return "\n".join(
        f"gpio={','.join(map(str, sorted(gpios)))}={state}" for state, gpios in sorted(groups.items()) if state
    )


def _early(line: Line) -> str:
    """Input with its pull, or output at the level of an undriven lamp; nothing for the pins of a bus."""
    if line.undriven:
        high = (line.active == "high") == (line.undriven == "lit")
        return "op,dh" if high else "op,dl"
    if line.direction == "in" and not line.bus:
        return "ip,pu" if line.pull == "up" else "ip,pd"
    return ""


def main(arguments: Sequence[str] = (), target: Path = TARGET) -> int:
    """Write them, or check them."""
    made = files(load())
    if "--check" in arguments:
        old = [
            name for name, text in made.items() if not (target / name).exists() or (target / name).read_text() != text
        ]
        print(f"firmware/{', '.join(old)}: old, make it anew." if old else "firmware/ is current.")
        return 1 if old else 0
    for name, text in made.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
