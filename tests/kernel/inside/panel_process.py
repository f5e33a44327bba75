"""``kontor sound`` as a whole with a panel on pins that are real to Linux."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import Any

from tests.kernel.inside import pins, process
from tests.kernel.inside.listener import until
from tests.kernel.inside.pins import FAULT, MIC, MUTE
from tools.kernel.led import Led

FAULT_LED = "kontor:amber:fault"
"""As the overlay of firmware/ names it."""


def _sections(**panel: object) -> str:
    rows = {"kind": "gpio", "board": pins.BOARD, **panel}
    told = "\n".join(f"{key} = {str(value).lower() if type(value) is bool else value!r}" for key, value in rows.items())
    return f'[audio]\nbackend = "virtual"\nmicrophone = "tone:440"\n[panel]\n{told}\n'


def whole() -> dict[str, Any]:
    """From the start to the end in order, with the FAULT lamp that the overlay makes."""
    process.forget()
    told: dict[str, Any] = {}
    with pins.chip() as chip, Led(FAULT_LED) as fault:
        (fault.path / "brightness").write_text("1")  # as the overlay has it at boot
        with process.sound(_sections()) as journal:
            journal.when("sound_started")
            told["at the start"] = {"MIC lit": not chip.level(MIC)}
            until(lambda: not fault.lit, pins.SOON, "FAULT is dark")
            moved = time.monotonic()
            chip.pull(MUTE, up=True)
            journal.when("gate_opened", moved)
            until(lambda: chip.level(MIC), pins.SOON, "MIC is dark")
            moved = time.monotonic()
            chip.pull(MUTE, up=False)
            until(lambda: not chip.level(MIC), pins.SOON, "MIC is lit")
            told["lit_after"] = time.monotonic() - moved
            journal.when("gate_closed", moved)
            told["FAULT by its pin"] = chip.level(FAULT)
            journal.process.send_signal(signal.SIGTERM)
            told["ended"] = journal.process.wait(pins.SOON)
        told["at the end"] = {"MIC lit": not chip.level(MIC), "FAULT lit": fault.lit}
    return told


def killed() -> dict[str, Any]:
    """A muted device and one that is not, each killed: its lamp, and what the next start does."""
    process.forget()
    told: dict[str, Any] = {}
    sections = _sections(mute="momentary")
    with pins.chip() as chip:
        with process.sound(sections) as journal:
            journal.when("gate_opened")
            until(lambda: chip.level(MIC), pins.SOON, "MIC is dark")
            journal.process.kill()
            journal.process.wait()
            told["killed while open"] = {"MIC lit": not chip.level(MIC)}
        with process.sound(sections) as journal:
            journal.when("gate_opened")
            moved = time.monotonic()
            pins.bounce(chip, MUTE, up=False)
            journal.when("gate_closed", moved)
            pins.bounce(chip, MUTE, up=True)
            stored = process.FOLDER / "state" / "mute.json"
            until(stored.exists, pins.SOON, "the mute is stored")
            journal.process.kill()
            journal.process.wait()
        with process.sound(sections) as journal:
            journal.when("mute_restored")
            journal.when("sound_started")
            time.sleep(1)
            told["started again"] = {"opened": "gate_opened" in journal.text, "MIC lit": not chip.level(MIC)}
            moved = time.monotonic()
            pins.bounce(chip, MUTE, up=False)
            journal.when("gate_opened", moved)
    return told


def unplugged() -> dict[str, Any]:
    """The chip goes while the microphone is open, and comes back."""
    process.forget()
    with pins.chip() as chip, process.sound(_sections()) as journal:
        journal.when("sound_started")
        moved = time.monotonic()
        chip.pull(MUTE, up=True)
        journal.when("gate_opened", moved)
        moved = time.monotonic()
        chip.unplug()
        lost = journal.when("gate_closed", moved) - moved
        moved = time.monotonic()
        chip.plug()
        time.sleep(1)
        chip.pull(MUTE, up=True)
        back = journal.when("gate_opened", moved) - moved
        return {"lost": lost, "back": back, "journal": journal.text.splitlines()}


def config_check() -> list[dict[str, Any]]:
    """``kontor config check`` with the chip of the settings, and without."""
    told = []
    with pins.chip() as chip:
        for _ in range(2):
            run = process.command(_sections(), "config", "check")
            done = subprocess.run(run, capture_output=True, text=True, check=False)
            told.append({"code": done.returncode, "said": done.stdout + done.stderr})
            chip.unplug()
    return told
