"""``kontor record``: by a running sound and by itself; announced, refused while muted, ended by a mute."""

import asyncio
import contextlib
import errno
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.__main__ import main
from appliance.app import desk, recording
from appliance.app.panels import VIRTUAL_PANEL
from appliance.app.sound import Sound
from appliance.audio import wav
from appliance.audio.tap import Tap
from appliance.commands import record
from appliance.core.controls import Door, Event, MuteControl, Reason
from appliance.core.lamps import Sign
from appliance.health.notify import Notifier
from appliance.health.status import ask
from appliance.panel.memory import MuteMemory
from appliance.panel.virtual import VirtualPanel
from tests.app.parts import journal, kept, settings
from tests.app.room_card import RoomCard, paths
from tests.support import until


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """An announcement takes half a second."""
    for module in (desk, recording):
        monkeypatch.setattr(module, "ANNOUNCEMENT", 0.5)
    monkeypatch.setattr(record, "_ASK_EVERY", 0.05)


def levels(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Channel n is n/10 all the time, but for one bit, as something has to move."""
    blocks[:] = (np.arange(len(blocks))[:, None] + 1) / 10
    blocks[:, 0] += 1e-4
    return blocks


class Device:
    """A sound that runs in this process, with three microphones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.card = RoomCard(paths(100, 101, 102), bend=levels, pace=0.01)
        self.panel = VirtualPanel(MuteControl.LATCHING, 0.001, 0.05)
        told, self.lines = journal()
        self.sound = Sound(settings(folder), self.card, self.panel, told)
        self.config = folder / "kontor.toml"
        self.config.write_text(f'schema = 1\n[device]\nstate_dir = "{folder}"\nruntime_dir = "{folder}"\n')

    async def record(self, *more: str, output: str = "out.wav") -> int:
        return await asyncio.to_thread(
            main, ["record", "--config", str(self.config), "-o", str(self.folder / output), *more]
        )


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Device]:
    device, stop = Device(folder), asyncio.Event()
    task = asyncio.create_task(device.sound.run(stop, Notifier("")))
    try:
        await until(lambda: device.sound.gate.is_open)
        yield device
    finally:
        stop.set()
        await task


def left(folder: Path) -> list[Path]:
    return list(folder.glob("recording-*"))


async def test_every_channel_by_a_running_sound(short_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(short_dir) as device:
        asked = asyncio.create_task(device.record("--seconds", "0.5"))
        await until(lambda: Reason.RECORDING in device.sound.desk.controls.reasons)
        assert not device.sound.gate.is_open
        await until(lambda: device.panel.shown.speak is Sign.SLOW)
        await until(lambda: device.sound.gate.is_open)
        assert await asked == 0
        await until(lambda: not left(short_dir))
        assert device.sound.gate.is_open
        begun, ended = device.lines.lines("recording")
        assert "on=yes" in begun and "on=no" in ended
    got = wav.read(short_dir / "out.wav")
    assert (got.sound.shape, got.rate, got.bits) == ((3, 24_000), 48_000, 24)
    assert np.allclose(got.sound[:, 5], [0.1, 0.2, 0.3], atol=1e-5)
    assert (short_dir / "out.wav").stat().st_mode & 0o777 == 0o600
    out = capsys.readouterr().out
    assert out.index("announced") < out.index("Recording. A mute ends it.") < out.index("3 channels, 48 kHz, 24 bits.")


async def test_some_channels(short_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(short_dir) as device:
        assert await device.record("--seconds", "0.1", "--channels", "3,1") == 0
        assert np.allclose(wav.read(short_dir / "out.wav").sound[:, 5], [0.3, 0.1], atol=1e-5)
        assert await device.record("--channels", "4", output="b.wav") == 75
        assert "there is no channel 4: the card gives 3" in capsys.readouterr().err
        assert not (short_dir / "b.wav").exists()


async def test_refused_while_muted(short_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(short_dir) as device:
        device.panel.move("mute", True)
        await until(lambda: Reason.SWITCH in device.sound.desk.controls.reasons)
        device.sound.desk.apply(Event.ADMIN_MUTED)
        assert await device.record() == 75
        assert "The room is muted (switch, admin), and only a hand on the panel unmutes it" in capsys.readouterr().err
        assert Reason.RECORDING not in device.sound.desk.controls.reasons, "it was not even announced"
    assert not (short_dir / "out.wav").exists() and not left(short_dir)


@pytest.mark.parametrize("when", ["announced", "recording"])
async def test_a_mute_ends_it(short_dir: Path, capsys: pytest.CaptureFixture[str], when: str) -> None:
    async with running(short_dir) as device:
        asked = asyncio.create_task(device.record("--seconds", "20"))
        await until(lambda: device.sound._recordings._state.get("state") == when)
        await asyncio.sleep(0.3)
        device.panel.move("mute", True)
        assert await asked == 75
        assert not device.sound.gate.is_open
        err = capsys.readouterr().err
    if when == "announced":
        assert "The room is muted (switch)" in err
        assert not (short_dir / "out.wav").exists()
    else:
        assert "The gate has closed: a mute ends a recording." in err
        assert 0 < wav.read(short_dir / "out.wav").sound.shape[1] < 48_000, "what was said before is there"


async def test_whoever_asked_and_left_gets_nothing(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_LEFT_ALONE", 0.6)
    async with running(short_dir) as device:
        socket = short_dir / "sound.status"
        begun = await asyncio.to_thread(ask, socket, {"do": "record", "seconds": 20, "channels": "all"})
        assert begun["state"] == "announced"
        again = await asyncio.to_thread(ask, socket, {"do": "record", "seconds": 1, "channels": "all"})
        assert again == {"error": "another recording is being made"}
        await until(lambda: bool(device.sound._recordings._task and device.sound._recordings._task.done()))
        assert "Nobody waits for it any more." in str(device.sound._recordings._state["why"])
        assert not left(short_dir)
        assert device.sound.duplex._tap is None


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"seconds": 0},
        {"seconds": 31},
        {"seconds": True},
        {"seconds": "1"},
        {"seconds": 1, "channels": 5},
        {"seconds": 1, "channels": "x"},
    ],
)
async def test_junk_is_refused(short_dir: Path, request_: dict[str, Any]) -> None:
    async with running(short_dir) as device:
        answer = await asyncio.to_thread(ask, short_dir / "sound.status", {"do": "record", **request_})
        assert set(answer) == {"error"}
        assert device.sound.gate.is_open


async def test_whatever_goes_wrong_whoever_asked_hears_of_it(
    short_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_tap: Tap) -> NDArray[np.float32]:
        raise MemoryError("no room")

    monkeypatch.setattr(Tap, "take", breaks)
    async with running(short_dir) as device:
        assert await asyncio.wait_for(device.record("--seconds", "1"), 10) == 75
        assert f"{short_dir}: MemoryError: no room" in capsys.readouterr().err
        assert device.sound.duplex._tap is None
    assert not left(short_dir)


async def test_a_recording_begins_when_what_comes_was_captured_since_the_gate_opened(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_SETTLED", 0.2)
    async with running(short_dir) as device:
        task = asyncio.create_task(recording.announced(device.sound.desk, device.sound.gate))
        await until(lambda: not device.sound.gate.is_open)
        await until(lambda: device.sound.gate.is_open)
        opened = asyncio.get_running_loop().time()
        await task
        assert asyncio.get_running_loop().time() - opened > 0.1


async def test_sound_that_stops_takes_its_recording_along(short_dir: Path) -> None:
    (short_dir / "recording-old.wav").write_bytes(b"of a run that was killed")
    async with running(short_dir) as device:
        assert not left(short_dir)
        asked = asyncio.create_task(device.record("--seconds", "20"))
        await until(lambda: bool(left(short_dir)))
    assert await asked == 69
    assert not left(short_dir)


# ---- by itself


@pytest.fixture
def alone(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """A device with a virtual card and panel of which nothing runs; gives the words of the command."""
    monkeypatch.setenv(VIRTUAL_PANEL, "1")

    def words(*more: str, panel: str = 'kind = "virtual"', microphone: str = "tone:440") -> list[str]:
        path = short_dir / "kontor.toml"
        path.write_text(
            f'schema = 1\n[device]\nstate_dir = "{short_dir}"\nruntime_dir = "{short_dir}"\n'
            f'[audio]\nmicrophone = "{microphone}"\n[panel]\n{panel}\n'
        )
        return ["record", "--config", str(path), "-o", str(short_dir / "out.wav"), *more]

    return words


def test_alone_with_the_card(alone: Any, short_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(alone("--seconds", "0.3")) == 0
    got = wav.read(short_dir / "out.wav")
    assert got.sound.shape == (1, 14_400) and got.sound.std() > 0.1
    assert "1 channel, 48 kHz" in capsys.readouterr().out
    assert main(alone()) == 73
    assert "--output" in capsys.readouterr().err, "nothing is overwritten"


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda folder: (kept(folder) / "lever").write_text("mute"), "open the mute switch"),
        (lambda folder: MuteMemory(kept(folder)).save(frozenset({Reason.ADMIN}), Door.OPEN), "unmute at the panel"),
        (lambda folder: MuteMemory(kept(folder)).save(frozenset(), Door.LISTENING), "open the door at the panel"),
        (lambda folder: (kept(folder) / "mute.json").write_text("worn"), "The room is muted (door, hand)"),
    ],
)
def test_alone_and_muted(
    alone: Any, short_dir: Path, capsys: pytest.CaptureFixture[str], prepare: Callable[[Path], object], words: str
) -> None:
    prepare(short_dir)
    assert main(alone()) == 75
    assert words in capsys.readouterr().err
    assert not (short_dir / "out.wav").exists()


def test_a_device_without_a_panel_never_records(
    alone: Any, short_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(alone(panel='kind = "none"')) == 75
    assert "nobody can unmute" in capsys.readouterr().err


def test_a_mute_while_it_records_alone(
    alone: Any, short_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from appliance.app import panels

    made = VirtualPanel(MuteControl.MOMENTARY, 0.001, 0.05)
    monkeypatch.setattr(panels, "make_panel", lambda settings: made)
    timer = threading.Timer(1.5, lambda: made.press("mute"))
    timer.start()
    assert main(alone("--seconds", "20", panel='kind = "virtual"\nmute = "momentary"')) == 75
    timer.join()
    assert "a mute ends a recording" in capsys.readouterr().err
    assert MuteMemory(kept(short_dir)).load().reasons == {Reason.BUTTON}, "and it is kept"


def test_wrong_words_and_a_card_that_does_not_work(
    alone: Any, short_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(alone("--channels", "a")) == 64
    assert main(alone("--channels", "1" * 5000)) == 64
    assert main(alone("--seconds", "31")) == 64
    assert main(alone("--seconds", "nan")) == 64
    assert main(alone(microphone="none.wav")) == 69
    assert "[audio] microphone" in capsys.readouterr().err
    from appliance.app import booth, sound

    monkeypatch.setattr(booth, "_CARD", 0.2)
    monkeypatch.setattr(sound, "make_card", lambda settings: RoomCard(paths(9), problem="[audio] capture: no card"))
    assert main(alone()) == 69
    assert "[audio] capture: no card" in capsys.readouterr().err


def test_a_disk_that_is_full(
    alone: Any, short_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_writer: wav.Writer, _sound: NDArray[np.float32]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(wav.Writer, "write", full)
    assert main(alone("--seconds", "1")) == 73
    assert f"--output {short_dir / 'out.wav'}: No space left on device" in capsys.readouterr().err
    assert not (short_dir / "out.wav").exists()


def test_a_moment_is_a_block_at_least(alone: Any, short_dir: Path) -> None:
    assert main(alone("--seconds", "0.00001")) == 0
    assert wav.read(short_dir / "out.wav").sound.shape == (1, 480)


def test_a_card_that_is_lost_while_it_records(
    alone: Any, short_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from appliance.app import sound

    card = RoomCard(paths(100), pace=0.01)
    monkeypatch.setattr(sound, "make_card", lambda settings: card)
    timer = threading.Timer(1.5, card.lost.set)
    timer.start()
    assert main(alone("--seconds", "20")) == 75
    timer.join()
    assert "The sound card was lost." in capsys.readouterr().err


async def test_a_card_that_gives_nothing_any_more(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_STUCK", 0.2)
    async with running(short_dir) as device:
        tap = Tap(device.sound.gate, 3)
        file = recording.create(short_dir / "a.wav")
        assert "No sound came" in await recording.write(tap, [0], file, 1.0, device.sound.desk)


async def test_what_the_disk_was_too_slow_for_is_told(short_dir: Path) -> None:
    async with running(short_dir) as device:
        tap = Tap(device.sound.gate, 1, depth=4)
        for _ in range(6):
            tap.put(np.zeros((1, 480), np.float32))
        file = recording.create(short_dir / "a.wav")
        said = await recording.write(tap, [0], file, 0.04, device.sound.desk)
        assert said == "2 blocks are missing in it: this machine was too busy."
