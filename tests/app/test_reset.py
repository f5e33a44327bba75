"""Factory reset as provision does it: what it leaves on the boot partition, when, and when not."""

import os
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from appliance.app import reset
from appliance.app.neighbours import Neighbours
from appliance.app.reset import ASKS, WIPES, Reset
from appliance.health.status import StatusServer
from appliance.provisioning.power import Foreground, NotDone
from tests.app.parts import Lines, journal


class Power(Foreground):
    """A machine that is started anew, or refuses; it notes whether the file was there by then."""

    def __init__(self, asks: Path) -> None:
        self.asks, self.refuses = asks, ""
        self.found: list[bool] = []

    async def reboot(self) -> None:
        self.found.append(self.asks.exists())
        if self.refuses:
            raise NotDone(self.refuses)


class Box:
    """A device of the image, whose sound is only its socket."""

    def __init__(self, folder: Path) -> None:
        self.root, self.said = folder / "root", {"reset_held": False}
        self.asks = self.root / ASKS
        for path in (self.asks, self.root / WIPES):
            path.parent.mkdir(parents=True)
        (self.root / WIPES).touch()
        self.power = Power(self.asks)
        told, self.lines = journal()
        neighbours = Neighbours(folder, partial(next, count(0.0, 10.0)))
        self.reset = Reset(neighbours, told, self.power, self.root)
        self.sound = StatusServer(folder / "sound.status", {"status": self._status})

    async def _status(self, _request: object) -> dict[str, Any]:
        return dict(self.said)

    async def look(self, held: object) -> Lines:
        self.said["reset_held"] = held  # type: ignore[assignment]
        await self.sound.start()
        try:
            await self.reset.look()
        finally:
            await self.sound.stop()
        return self.lines


async def test_the_file_is_there_before_the_machine_starts_anew_and_it_is_asked_once(short_dir: Path) -> None:
    box = Box(short_dir)
    for held in (False, True, True, True):
        await box.look(held)
    assert box.power.found == [True]
    assert box.asks.read_text() == "Held at the panel. The next start wipes all data.\n"
    assert os.listdir(box.asks.parent) == ["factory-reset"], "nothing half-written beside it"
    assert len(box.lines.lines("resetting")) == 1
    await box.look(False)
    await box.look(True)
    assert box.power.found == [True, True], "held again"


@pytest.mark.parametrize("said", [None, 1, "yes", "true", {}])
async def test_what_is_no_yes_is_none(short_dir: Path, said: object) -> None:
    box = Box(short_dir)
    await box.look(said)
    assert box.power.found == []


async def test_a_sound_that_does_not_answer_asks_for_nothing(short_dir: Path) -> None:
    box = Box(short_dir)
    await box.reset.look()
    assert not box.asks.exists()


async def test_a_machine_that_is_no_image_keeps_its_data(short_dir: Path) -> None:
    box = Box(short_dir)
    (box.root / WIPES).unlink()
    lines = await box.look(True)
    assert "this machine is no image" in lines.lines("reset_refused")[0]
    assert not box.asks.exists() and box.power.found == []


async def test_a_machine_that_is_not_started_anew_is_not_wiped_at_some_later_start(short_dir: Path) -> None:
    box = Box(short_dir)
    box.power.refuses = "logind says no"
    lines = await box.look(True)
    assert "logind says no" in lines.lines("reset_refused")[0]
    assert not box.asks.exists()


async def test_a_boot_partition_that_cannot_be_written_to_is_told(short_dir: Path) -> None:
    box = Box(short_dir)
    box.asks.parent.rmdir()
    lines = await box.look(True)
    assert "No such file" in lines.lines("reset_refused")[0]
    assert box.power.found == []


def test_sound_says_it_for_long_enough() -> None:
    from appliance.app.desk import RESET_SHOWN

    assert RESET_SHOWN > 3 * (reset.EVERY + 1.0)
