"""``kontor sound`` as a whole with a panel on pins that are real to Linux."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import Any

import gpiod

from appliance.core.pins import LINES
from appliance.panel.leds import led_of
from appliance.panel.memory import MuteMemory
from tests.kernel.inside import pins, process
from tests.kernel.inside.listener import until
from tests.kernel.inside.pins import MIC, MUTE
from tools.kernel.gpio_sim import Chip
from tools.kernel.led import Led


def _sections(**panel: str) -> str:
    rows = {"kind": "gpio", "board": pins.BOARD, **panel}
    told = "\n".join(f"{key} = {value!r}" for key, value in rows.items())
    return f'[audio]\nbackend = "virtual"\nmicrophone = "silence"\n[panel]\n{told}\n'


def whole() -> dict[str, Any]:
    """From the start to the end in order, with the FAULT lamp that the overlay makes; meanwhile the chip goes and comes."""
    process.forget()
    told: dict[str, Any] = {}
    with pins.chip() as chip, Led(led_of("fault").name) as fault:
        (fault.path / "brightness").write_text("1")  # as the overlay has it at boot
        with process.sound(_sections()) as journal:
            journal.when("sound_started")
            told["at the start"] = {"MIC lit": not chip.level(MIC)}
            until(lambda: not fault.lit, pins.SOON, "FAULT is dark")
            told["claimed"] = _claimed(chip)
            _switch_on(chip, journal)
            moved = time.monotonic()
            chip.pull(MUTE, up=False)
            until(lambda: not chip.level(MIC), pins.SOON, "MIC is lit")
            told["lit_after"] = time.monotonic() - moved
            journal.when("gate_closed", moved)
            _switch_on(chip, journal)
            gone = time.monotonic()
            chip.unplug()
            told["lost_after"] = journal.when("gate_closed", gone) - gone
            journal.when("panel_lost", gone)
            came = time.monotonic()
            chip.plug()
            told["back_after"] = journal.when("panel_found", came) - came
            _switch_on(chip, journal)
            journal.process.send_signal(signal.SIGTERM)
            told["ended"] = journal.process.wait(pins.SOON)
        told["at the end"] = {"MIC lit": not chip.level(MIC), "FAULT lit": fault.lit}
    return told


def _claimed(chip: Chip) -> list[str]:
    """Lines of the pin map that a program has, as gpioinfo(1) would tell."""
    with gpiod.Chip(f"/dev/gpiochip{chip.number}") as opened:
        return [name for name, line in LINES.items() if opened.get_line_info(line.gpio).used]


def _switch_on(chip: Chip, journal: process.Journal) -> None:
    moved = time.monotonic()
    chip.pull(MUTE, up=True)
    journal.when("gate_opened", moved)
    until(lambda: chip.level(MIC), pins.SOON, "MIC is dark")


def killed() -> dict[str, Any]:
    """A muted device is killed, started again, opened by a press, and killed once more."""
    process.forget()
    told: dict[str, Any] = {}
    sections = _sections(mute="momentary")
    with pins.chip() as chip:
        with process.sound(sections) as journal:
            journal.when("gate_opened")
            _press(chip, journal, "gate_closed")
            memory = MuteMemory(process.FOLDER / "state" / "sound")
            until(lambda: memory.load().reasons, pins.SOON, "the mute is stored")
            journal.process.kill()
        with process.sound(sections) as journal:
            journal.when("mute_restored")
            journal.when("sound_started")
            time.sleep(1)
            told["started again"] = {"opened": "gate_opened" in journal.text, "MIC lit": not chip.level(MIC)}
            _press(chip, journal, "gate_opened")
            until(lambda: chip.level(MIC), pins.SOON, "MIC is dark")
            journal.process.kill()
            told["ended"] = journal.process.wait()
            told["killed while open"] = {"MIC lit": not chip.level(MIC)}
    return told


def _press(chip: Chip, journal: process.Journal, event: str) -> None:
    moved = time.monotonic()
    pins.bounce(chip, MUTE, up=False)
    journal.when(event, moved)
    pins.bounce(chip, MUTE, up=True)


def commands() -> list[dict[str, Any]]:
    """``kontor config check`` and ``kontor doctor --panel``, with nobody there and nothing wired; then without the chip."""
    sections = _sections(board="auto", chip=pins.LABEL)
    with pins.chip() as chip:
        there = _run(sections, "config", "check")
        examined = _run(sections, "doctor", "--panel", "--json")
        chip.unplug()
        return [there, examined, _run(sections, "config", "check")]


def _run(sections: str, *words: str) -> dict[str, Any]:
    done = subprocess.run(process.command(sections, *words), capture_output=True, text=True, check=False)
    return {"code": done.returncode, "said": done.stdout or done.stderr}
