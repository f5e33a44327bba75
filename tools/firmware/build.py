"""The boot files and overlays of every board, built and proved on Debian's own device trees: ``make firmware``.

Everything lands in build/firmware, the same bytes on every run. Ends with 1 when something does not hold, and with 75 and one
line when what it needs cannot be had here.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.firmware import checks, fdt, overlays, sources, validate
from tools.firmware.trees import Trees, trees
from tools.kernel.fetch import KernelMissingError
from tools.pinmap import ROOT, PinMap, PinMapError, load

TARGET = ROOT / "build" / "firmware"
NEEDS = {"dtc": "device-tree-compiler", "fdtoverlay": "device-tree-compiler"}
UNAVAILABLE = 75

DRIVERS = (
    *("PINCTRL_BCM2835", "MISC_RP1", "PINCTRL_RP1"),
    *("LEDS_GPIO", "LEDS_PWM", "PWM_BCM2835", "SPI_BCM2835", "SPI_GPIO", "SPI_SPIDEV"),
    *("SND_BCM2835_SOC_I2S", "SND_SOC_DMIC", "SND_SOC_MAX98357A", "SND_SIMPLE_CARD"),
)
"""What the kernel must have been built with for the overlays to do anything."""


class BuildError(Exception):
    """A program refused; one sentence."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A tree of the kernel's, as it is, with our controllers switched on, and with our overlays."""

    name: str
    base: Path
    switched: Path
    merged: Path
    audio: bool


def compiled(source: str, target: Path) -> None:
    """An overlay, compiled with its labels.

    :raises BuildError: dtc refuses or warns.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _run(["dtc", "-@", "-I", "dts", "-O", "dtb", "-o", str(target)], given=source)


def applied(base: Path, added: list[Path], target: Path) -> None:
    """A tree with overlays.

    :raises BuildError: they do not fit it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _run(["fdtoverlay", "-i", str(base), "-o", str(target), *map(str, added)])


def _run(command: list[str], given: str | None = None) -> None:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr.strip():
        raise BuildError(f"{command[0]}: {'; '.join(done.stderr.strip().splitlines()) or 'it says nothing'}")


def constants(headers: Path) -> list[str]:
    """Where a number of ours is not that of the kernel's headers, a sentence each."""
    text = "\n".join((headers / name).read_text() for name in ("gpio/gpio.h", "leds/common.h"))
    found = {name: int(number, 0) for name, number in re.findall(r"^#define\s+(\w+)\s+(\d\w*)\s*$", text, re.MULTILINE)}
    return [
        f"{name} is {found.get(name)}, not {number}"
        for name, number in overlays.CONSTANTS.items()
        if found.get(name) != number
    ]


def drivers(config: Path) -> list[str]:
    """Drivers that the kernel lacks, a sentence each."""
    built = set(re.findall(r"^CONFIG_(\w+)=[ym]$", config.read_text(), re.MULTILINE))
    return [f"the kernel is built without CONFIG_{name}" for name in DRIVERS if name not in built]


def boards(pins: PinMap, folder: Path) -> None:
    """The boot files of each board with its overlays, below ``folder``."""
    made = sources.files(pins)
    for board, soc in pins.socs.items():
        for name in ("config.txt", "cmdline.txt"):
            path = folder / board / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made[f"{board}/{name}"])
        chip = sources.CHIPS[soc]
        for overlay in (*chip.overlays, *chip.choice):
            compiled(made[f"{overlay}.dts"], folder / board / "overlays" / f"{overlay}.dtbo")


def merged(pins: PinMap, there: Trees, folder: Path, scratch: Path) -> Iterator[tuple[str, Merged]]:
    """Every board's trees with its overlays, first without those that are a choice and then with them."""
    for board, soc in pins.socs.items():
        chip = sources.CHIPS[soc]
        for tree in pins.trees[board]:
            base = there.trees / f"{tree.file}.dtb"
            for choice in ((), chip.choice) if chip.choice else ((),):
                name = "+".join((tree.file, *choice))
                overlay = [folder / board / "overlays" / f"{name}.dtbo" for name in (*chip.overlays, *choice)]
                one = Merged(name, base, scratch / f"{name}.dtb", folder / "trees" / f"{name}.dtb", audio=bool(choice))
                applied(base, overlay, one.merged)
                _switch_on(one, scratch)
                yield board, one


def _switch_on(one: Merged, scratch: Path) -> None:
    """The kernel's tree with the controllers running that our overlays switch on, and nothing else changed."""
    labels = fdt.read(one.base.read_bytes()).at("/__symbols__") or fdt.Node("/__symbols__")
    wanted = [label for label in checks.CONTROLLERS if label in labels.properties and (label != "i2s" or one.audio)]
    if not wanted:
        shutil.copy(one.base, one.switched)
        return
    lines = "".join(f'&{label} {{ status = "okay"; }};\n' for label in wanted)
    overlay = scratch / f"{one.name}.dtbo"
    compiled(f"/dts-v1/;\n/plugin/;\n{lines}", overlay)
    applied(one.base, [overlay], one.switched)


def proved(pins: PinMap, there: Trees, folder: Path, scratch: Path) -> list[str]:
    """Build everything into ``folder``; what does not hold, a sentence each.

    :raises BuildError: dtc or fdtoverlay refuses.
    :raises tools.firmware.validate.ToolError: dtschema cannot be run.
    """
    wrong = [*constants(there.headers), *drivers(there.config)]
    boards(pins, folder)
    made = list(merged(pins, there, folder, scratch))
    for board, one in made:
        base, after = fdt.read(one.base.read_bytes()), fdt.read(one.merged.read_bytes())
        wrong += [f"{one.name}: {text}" for text in checks.findings(base, after, pins, audio=one.audio)]
        wrong += [f"{one.name}: {text}" for text in boot_files(board, base, pins)]
    told = validate.findings(there, [path for _, one in made for path in (one.switched, one.merged)], scratch)
    for _, one in made:
        ours = told[one.merged] - told[one.switched]
        accepted = {finding for finding in ours if finding.accepted}
        wrong += [f"{one.name}: {finding}" for finding in sorted(ours - accepted)]
        print(f"  {one.name:40} {len(told[one.switched]):3} of the kernel's own, {len(accepted):2} accepted")
    return wrong


def boot_files(board: str, base: fdt.Node, pins: PinMap) -> Iterator[str]:
    """Whether the pin map knows the tree's model, and the kernel's console is where the tree has it."""
    model = base.text("model")
    if not pins.boards[board].fits(model):
        yield f"{board} has no model {model!r} in the pin map"
    chosen = base.at("/chosen") or fdt.Node("/chosen")
    port = chosen.text("stdout-path").partition(":")[0]
    console = sources.CHIPS[pins.socs[board]].console
    if re.sub(r"\D", "", port) != re.sub(r"\D", "", console) or not port:
        yield f"the console of {board} is {console}, and the tree's is {port or 'nowhere'}"


def sums(folder: Path) -> str:
    """SHA-256 of every file below a folder, as sha256sum writes them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n" for path in files
    )


def main(target: Path = TARGET) -> int:
    """Build, prove, tell."""
    missing = sorted({package for program, package in NEEDS.items() if shutil.which(program) is None})
    if missing:
        return _cannot(f"missing {', '.join(missing)}; type: sudo apt-get install {' '.join(missing)}")
    shutil.rmtree(target, ignore_errors=True)
    try:
        validate.program("dt-validate")
        wrong = _build(load(), trees(), target)
    except (KernelMissingError, validate.ToolError) as error:
        return _cannot(str(error))
    except (BuildError, PinMapError, overlays.OverlayError) as error:
        wrong = str(error).splitlines()
    for text in wrong:
        print(f"kontor: {text}")
    return 1 if wrong else 0


def _build(pins: PinMap, there: Trees, target: Path) -> list[str]:
    """Everything into ``target``, once it holds; what does not hold, a sentence each."""
    print(f"kontor: overlays on the device trees of Debian's kernel {there.release}; findings of dt-validate:")
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch) / "firmware"
        wrong = proved(pins, there, fresh, Path(scratch))
        if not wrong:
            (fresh / "SHA256SUMS").write_text(sums(fresh))
            shutil.copytree(fresh, target)
            print(f"kontor: build/firmware has {len(pins.boards)} boards, every pin as hardware/pinmap.toml says.")
    return wrong


def _cannot(why: str) -> int:
    print(f"kontor: firmware is not built: {why}", flush=True)
    return UNAVAILABLE


if __name__ == "__main__":
    sys.exit(main())
