"""The volume buttons and what they leave, and how often a chime is heard."""

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.app import loudness as module
from appliance.app.loudness import Loudness
from appliance.audio.chimes import make
from appliance.core.chimes import Chime
from appliance.core.units import BLOCK, Block
from appliance.core.volume import HIGHEST, LOWEST, STEP
from tests.app.parts import journal, settings
from tests.support import until


class Device:
    """Its loudness, and what the loudspeaker plays of it."""

    def __init__(self, folder: Path, more: str = "") -> None:
        told, self.lines = journal()
        self.now = 50.0
        audio = settings(Path("/x"), f"[audio]\n{more}").audio
        self.loudness = Loudness(audio, folder, told, lambda: self.now)

    def heard(self) -> Block:
        """The next block, if the room is silent."""
        out = np.zeros(BLOCK, np.float32)
        self.loudness.chimes.volume.begin()
        self.loudness.chimes.mix(out)
        return out

    def rings(self, chime: Chime) -> bool:
        """Whether it is heard when it is asked for; it is heard to its end."""
        self.loudness.ring(chime)
        heard = [self.heard() for _ in range(61)]
        return bool(np.any(heard))


def test_steps_and_limits(tmp_path: Path) -> None:
    device = Device(tmp_path)
    seen = []
    for _ in range(20):
        device.loudness.turn(-1)
        seen.append(device.loudness.volume)
    assert seen[:3] == [-STEP, -2 * STEP, -3 * STEP] and seen[-1] == LOWEST == -30
    device.loudness.turn(100)
    assert device.loudness.volume == HIGHEST


def test_a_tick_is_as_loud_as_what_was_chosen_and_none_at_the_end(tmp_path: Path) -> None:
    device = Device(tmp_path)
    device.loudness.turn(-1)
    device.heard()
    tick = make(Chime.VOLUME, -30)[BLOCK : 2 * BLOCK]
    assert device.heard() == pytest.approx(tick * 10 ** (-STEP / 20), abs=1e-6)
    device.loudness.turn(-100)
    [device.heard() for _ in range(20)]
    device.loudness.turn(-1)
    assert not device.heard().any()


async def test_the_volume_is_kept_once_it_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(tmp_path)
    monkeypatch.setattr(module, "_SETTLED", 0.05)
    task = asyncio.create_task(device.loudness.keep())
    for _ in range(3):
        device.loudness.turn(-1)
        await asyncio.sleep(0)
    await until(lambda: bool(device.lines.lines("volume_changed")))  # once it is stored
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert Device(tmp_path).loudness.volume == -9
    told = device.lines.lines("volume_changed")
    assert len(told) == 1 and told[0].endswith("db=-9"), "not at every step"
    (tmp_path / "volume.json").unlink()
    await device.loudness.store()
    assert not (tmp_path / "volume.json").exists(), "nothing has changed"


@pytest.mark.virtual_time
async def test_it_is_stored_once_and_not_looked_at_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device, stored = Device(tmp_path), []
    now = asyncio.get_running_loop().time

    async def store() -> None:
        stored.append(now())

    monkeypatch.setattr(device.loudness, "store", store)
    task, began = asyncio.create_task(device.loudness.keep()), now()
    await asyncio.sleep(100)
    assert not stored
    device.loudness.turn(1)
    await asyncio.sleep(100)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert stored == [pytest.approx(began + 101)]


async def test_a_setting_that_was_changed_is_newer_than_the_buttons(tmp_path: Path) -> None:
    device = Device(tmp_path)
    device.loudness.turn(1)
    await device.loudness.store()
    assert Device(tmp_path).loudness.volume == 3
    assert Device(tmp_path, "volume_db = -12").loudness.volume == -12


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"\x00\xff",
        b"[]",
        b'{"schema": 2, "volume": -3, "setting": -6}',
        b'{"schema": 1, "volume": 7, "setting": -6}',
        b'{"schema": 1, "volume": -33, "setting": -6}',
        b'{"schema": 1, "volume": true, "setting": -6}',
        b'{"schema": 1, "volume": -3}',
    ],
)
def test_a_damaged_file_gives_the_setting_and_is_told(tmp_path: Path, stored: bytes) -> None:
    (tmp_path / "volume.json").write_bytes(stored)
    device = Device(tmp_path, "volume_db = -6")
    assert device.loudness.volume == -6
    assert " error=" in device.lines.lines("volume_not_kept")[0]


def test_what_the_file_holds(tmp_path: Path) -> None:
    (tmp_path / "volume.json").write_text(json.dumps({"schema": 1, "volume": HIGHEST, "setting": 0}))
    assert Device(tmp_path).loudness.volume == HIGHEST


async def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    device = Device(folder)
    folder.rmdir()
    device.loudness.turn(1)
    await device.loudness.store()
    assert device.loudness.volume == STEP
    assert " error=" in device.lines.lines("volume_not_kept")[0]
    folder.mkdir()
    await device.loudness.store()
    assert Device(folder).loudness.volume == STEP, "the end of sound tries it again"


def test_a_knock_is_not_heard_again_at_once(tmp_path: Path) -> None:
    device = Device(tmp_path)
    assert device.rings(Chime.KNOCK)
    device.now += 2.9
    assert not device.rings(Chime.KNOCK), "somebody far away knocks and knocks"
    assert device.rings(Chime.CLOSED)
    assert device.rings(Chime.LISTENING)
    assert device.rings(Chime.CLOSED), "the last that is heard of the door is true"
    device.now += 0.1
    assert device.rings(Chime.KNOCK)


@pytest.mark.parametrize(("level", "loudest"), [("off", None), ("soft", -36.0), ("normal", -30.0), ("loud", -24.0)])
def test_levels(tmp_path: Path, level: str, loudest: Any) -> None:
    device = Device(tmp_path, f'chimes = "{level}"')
    device.loudness.ring(Chime.OPEN)
    heard = np.concatenate([device.heard() for _ in range(5)])
    expected = np.zeros(5 * BLOCK) if loudest is None else make(Chime.OPEN, loudest)[: 5 * BLOCK]
    assert np.array_equal(heard, expected)
