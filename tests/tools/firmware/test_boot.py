"""Debian's kernel, booted on our trees on QEMU's Raspberry Pi 3: lamps, lines, ring, sound card as the pin map says."""

from pathlib import Path

import pytest

from tests.support.need import need
from tools.firmware import boot, build, sources
from tools.firmware.trees import trees
from tools.kernel import fetch
from tools.pinmap import load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PINS = load()
MIC = PINS.lines["mic_lamp"].gpio
PLAIN = [line.gpio for line in PINS.lines.values() if not line.bus and line.label != "FAULT"]
TAKEN = [PINS.lines["fault_lamp"].gpio, PINS.lines["spi_select"].gpio]


def booted(folder: Path, board: str, words: str) -> dict[str, list[str]]:
    """What the kernel says on the board's tree with every overlay."""
    need(boot.QEMU, "a board needs QEMU's Raspberry Pi (Debian's qemu-system-arm)")
    need("fdtoverlay", "device trees are compiled with dtc (Debian's device-tree-compiler)")
    try:
        there, _ = trees(), fetch.kernel("arm64")
    except fetch.KernelMissingError as error:
        need(False, f"Debian's kernel for the boards: {error}")
        raise
    build.boards(PINS, folder)
    name = f"{PINS.trees[board][0].file}+kontor-audio"
    tree = next(one.merged for _, one in build.merged(PINS, there, folder, folder) if one.name == name)
    return boot.boot(tree, [*PLAIN, *TAKEN], MIC, words)


def line(told: dict[str, list[str]], gpio: int) -> str:
    """What /sys/kernel/debug/gpio says of a line before any program asked for one."""
    return next(text for text in told["lines"] if text.startswith(f"gpio-{gpio} "))


def owner(told: dict[str, list[str]], gpio: int) -> str:
    """Who has a pin, and as what."""
    return next(text.partition(": ")[2] for text in told["owners"] if text.startswith(f"pin {gpio} "))


def keeps(board: str) -> str:
    """The word in the board's command line that has a line let go become an input."""
    words = sources.files(PINS)[f"{board}/cmdline.txt"].split()
    return next(word for word in words if "persist_gpio_outputs" in word)


def test_a_zero_2_w_starts_with_everything_as_the_pin_map_says(tmp_path: Path) -> None:
    told = booted(tmp_path, "zero2w", keeps("zero2w"))
    assert told["model"] == ["Raspberry Pi Zero 2 W"]
    assert told["leds"] == ["kontor:amber:fault 1 1", "kontor:white:speak 0 4095"]
    assert line(told, PINS.lines["fault_lamp"].gpio).endswith("out lo ACTIVE LOW"), "FAULT is lit before any program"
    assert told["fault"][0].endswith("out hi ACTIVE LOW"), "and dark when it is told so"
    assert "500122/1000000 ns" in told["speak"][0], "half of its steps are half of the time"
    assert "spidev0.0" in told["devices"]
    assert sorted(text.split()[-2] for text in told["sound"]) == ["capture", "playback"]
    for name in ("mute", "volume_down", "volume_up", "talk"):
        assert owner(told, PINS.lines[name].gpio).startswith("3f200000.gpio "), "not as the tree had it"
        assert "function gpio_in" in owner(told, PINS.lines[name].gpio)
    for pins, controller in (("pwm0", "pwm"), ("spi0", "spi"), ("i2s", "i2s")):
        for wire in (wire for wire in PINS.lines.values() if wire.bus == pins):
            assert f".{controller} " in owner(told, wire.gpio)
            assert "function alt0" in owner(told, wire.gpio)
    programs = [text for text in told["programs"] if text[0].isdigit()]  # the shell says why between them
    assert programs == [f"{gpio} given" for gpio in PLAIN] + [f"{gpio} refused" for gpio in TAKEN]
    driven, released = told["released"]
    assert "function gpio_out in hi" in driven
    assert "function gpio_in" in released, "MIC lights by its resistor when the program is gone"


def test_without_its_word_in_the_command_line_a_dead_programs_lamp_would_stay_dark(tmp_path: Path) -> None:
    """What the word in cmdline.txt is for, on a Pi 3B+ told the opposite: the output stays as the program left it."""
    word = keeps("pi3b+")
    assert word.endswith("=0")
    told = booted(tmp_path, "pi3b+", word.removesuffix("0") + "1")
    assert told["model"] == ["Raspberry Pi 3 Model B+"]
    assert told["leds"] == ["kontor:amber:fault 1 1", "kontor:white:speak 0 4095"]
    driven, released = told["released"]
    assert "function gpio_out in hi" in driven
    assert "function gpio_out in hi" in released
