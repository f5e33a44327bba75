"""ALSA's card over a library that a test speaks for: what a real sound server does not do when asked."""

import importlib
import sys
import threading
import time
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from appliance.core.units import BLOCK, RATE, Block
from tools.bench.card_user import Calls


class Library(ModuleType):
    """In place of alsaaudio. ``gives`` changes what a device says of itself."""

    PCM_CAPTURE, PCM_PLAYBACK, PCM_NORMAL, PCM_FORMAT_S16_LE = 1, 0, 0, 2

    class ALSAAudioError(Exception):
        pass

    def __init__(self) -> None:
        super().__init__("alsaaudio")
        self.gives: dict[str, Any] = {}
        self.opened: list[Device] = []

    def PCM(self, kind: int, mode: int, **wanted: Any) -> "Device":  # noqa: N802 - the library's name
        assert mode == self.PCM_NORMAL
        info = {
            "rate": wanted["rate"],
            "channels": wanted["channels"],
            "format_name": "S16_LE",
            "period_size": wanted["periodsize"],
            "buffer_size": wanted["periodsize"] * wanted["periods"],
        }
        device = Device(info | self.gives, capture=kind == self.PCM_CAPTURE)
        self.opened.append(device)
        return device


class Device:
    """A device with a real clock, as fast as ``speed``."""

    def __init__(self, info: dict[str, Any], *, capture: bool) -> None:
        self._info, self.capture, self.calls = info, capture, list[str]()
        self.speed, self.read_blocks, self.written, self.began = 1.0, 0, 0, time.monotonic()
        self.lost = threading.Event()
        self.samples = np.zeros(0, "<i2")
        self.least = RATE

    def info(self) -> dict[str, Any]:
        return self._info

    def _passed(self) -> int:
        return int((time.monotonic() - self.began) * RATE * self.speed)

    def read(self) -> tuple[int, bytes]:
        if self.lost.is_set():
            time.sleep(0.02)
            return 0, b""
        size = self._info["period_size"]
        self.read_blocks += 1
        time.sleep(max(0.0, (self.read_blocks * size - self._passed()) / RATE))
        frames = np.resize(self.samples if self.samples.size else np.zeros(2, "<i2"), size * self._info["channels"])
        return size, frames.tobytes()

    def avail(self) -> int:
        left = self.written - self._passed()
        self.least = min(self.least, left)
        return self._info["buffer_size"] - left if left > 0 else -32

    def write(self, data: memoryview) -> int:
        if self.written and self.written < self._passed():
            self.calls.append("under-run")
            self.written = 0
            return -32
        if not self.written:
            self.began = time.monotonic()
        self.written += len(data) // 2 // self._info["channels"]
        self.samples = np.frombuffer(bytes(data), "<i2")
        return len(data)

    def drop(self) -> None:
        self.calls.append("drop")

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    library = Library()
    monkeypatch.setitem(sys.modules, "alsaaudio", library)
    monkeypatch.delitem(sys.modules, "appliance.audio.alsa", raising=False)
    yield library
    sys.modules.pop("appliance.audio.alsa", None)


@pytest.fixture
def alsa(library: Library) -> Any:
    return importlib.import_module("appliance.audio.alsa")


def run(alsa: Any, seconds: float, **more: Any) -> SimpleNamespace:
    """A card for a while; what was called how often."""
    got = SimpleNamespace(heard=0, asked=0, blocks=list[np.ndarray]())

    def captured(block: Block) -> None:
        got.heard += 1
        got.blocks.append(block.copy())

    def wanted(out: Block) -> None:
        got.asked += 1
        out.fill(0.5)

    got.card = alsa.AlsaCard("mic", "spk", **more)
    got.card.start(Calls(captured, wanted))
    time.sleep(seconds)
    got.card.stop()
    return got


@pytest.mark.parametrize(
    ("gives", "words"),
    [
        ({"rate": 44_100}, "rate 44100 instead of 48000"),
        ({"format_name": "S32_LE"}, "format_name S32_LE instead of S16_LE"),
        ({"period_size": 512, "rate": 16_000}, "rate 16000 instead of 48000, period_size 512 instead of 240"),
    ],
)
def test_a_card_that_gives_something_else_is_refused_in_one_sentence(
    library: Library, alsa: Any, gives: dict[str, Any], words: str
) -> None:
    library.gives = gives
    error = run(alsa, 0.05).card.ended.exception(1)
    assert isinstance(error, alsa.CardError)
    assert words in str(error)
    assert "plughw:" in str(error), "and says the way out"
    assert all(device.calls[-1] == "close" for device in library.opened)


def test_more_channels_are_mixed_down_and_played_on_all(library: Library, alsa: Any) -> None:
    library.gives = {"channels": 2}

    class Two(Device):
        def read(self) -> tuple[int, bytes]:
            size, _ = super().read()
            return size, np.tile(np.array([16384, 0], "<i2"), size).tobytes()

    made = library.PCM

    def pcm(kind: int, mode: int, **wanted: Any) -> Device:
        device = made(kind, mode, **wanted)
        device.__class__ = Two
        return device

    library.PCM = pcm  # type: ignore[method-assign]
    got = run(alsa, 0.2)
    assert set(got.blocks[3]) == {0.25}
    speaker = next(device for device in library.opened if not device.capture)
    assert speaker.samples.shape == (2 * BLOCK,)
    assert set(speaker.samples) == {16383}


def test_the_loudspeaker_is_dropped_before_it_is_closed(library: Library, alsa: Any) -> None:
    got = run(alsa, 0.1)
    assert got.card.ended.result(1) is None
    speaker = next(device for device in library.opened if not device.capture)
    assert [call for call in speaker.calls if call != "under-run"] == ["drop", "close"]


@pytest.mark.parametrize("speed", [0.97, 1.03])
def test_two_clocks_that_drift_apart_do_not_add_delay(library: Library, alsa: Any, speed: float) -> None:
    made = library.PCM

    def pcm(kind: int, mode: int, **wanted: Any) -> Device:
        device = made(kind, mode, **wanted)
        device.speed = speed if device.capture else 1.0
        return device

    library.PCM = pcm  # type: ignore[method-assign]
    got = run(alsa, 2.0, low_delay=True)
    speaker = next(device for device in library.opened if not device.capture)
    waiting = speaker.written - (time.monotonic() - speaker.began) * RATE
    assert waiting < 3 * BLOCK, "at 3 % another 60 ms would wait by now"
    assert got.asked == pytest.approx(200, abs=40), "the loudspeaker's clock is the one that counts"


def test_a_late_user_is_an_under_run_and_the_second_one_makes_room(
    library: Library, alsa: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alsa, "STARTING", 0.0)
    stalls = iter([0, 0, 0, 0.1, 0, 0, 0, 0.1])

    def wanted(out: Block) -> None:
        time.sleep(next(stalls, 0))

    card = alsa.AlsaCard("mic", "spk")
    card.start(Calls(wanted=wanted))
    end = time.monotonic() + 5
    while card.counts["playback_underruns"] < 2 and time.monotonic() < end:
        time.sleep(0.01)
    card.stop()
    assert card.counts["playback_underruns"] >= 2
    assert card._loudspeaker.ahead > alsa.AHEAD
    assert card.ended.result(1) is None


def test_lost_sound_of_the_microphone_is_counted(library: Library, alsa: Any) -> None:
    class Overrun(Device):
        def read(self) -> tuple[int, bytes]:
            size, data = super().read()
            return (-32, b"") if self.read_blocks % 10 == 0 else (size, data)

    made = library.PCM

    def pcm(kind: int, mode: int, **wanted: Any) -> Device:
        device = made(kind, mode, **wanted)
        device.__class__ = Overrun
        return device

    library.PCM = pcm  # type: ignore[method-assign]
    got = run(alsa, 0.3)
    assert got.card.counts["capture_overruns"] >= 3
    assert got.heard > 10


def test_a_microphone_that_gives_nothing_any_more_ends_the_card(library: Library, alsa: Any) -> None:
    card = alsa.AlsaCard("mic", "spk")
    card.start(Calls())
    time.sleep(0.1)
    for device in library.opened:
        device.lost.set()
    error = card.ended.exception(5)
    card.stop()
    assert "gives no sound any more" in str(error)
