"""In place of alsaaudio: devices with a real clock that do what a real card does not do when asked."""

import os
import threading
import time
from types import ModuleType
from typing import Any

import numpy as np

from appliance.audio.alsa_samples import SAMPLE_BYTES
from appliance.core.units import RATE

FORMATS = {"S16_LE": 2, "S24_LE": 6, "S24_3LE": 32, "S32_LE": 10, "FLOAT_LE": 14}
XRUN = -32


class Library(ModuleType):
    """The module. What a device is, is decided by the ``gives`` of its name when it is opened."""

    PCM_CAPTURE, PCM_PLAYBACK, PCM_NONBLOCK = 1, 0, 1
    PCM_FORMAT_S16_LE, PCM_FORMAT_S24_LE, PCM_FORMAT_S24_3LE, PCM_FORMAT_S32_LE = 2, 6, 32, 10

    class ALSAAudioError(Exception):
        pass

    def __init__(self) -> None:
        super().__init__("alsaaudio")
        self.gives: dict[str, Any] = {}
        """What every device says of itself instead of what it was asked for."""
        self.formats = tuple(FORMATS)
        self.refuses: dict[str, int] = {}
        """Error number (errno(3)) by the beginning of a device's name."""
        self.opened: list[Device] = []
        self.speed = {self.PCM_CAPTURE: 1.0, self.PCM_PLAYBACK: 1.0}
        self.silent = False
        self.controls: dict[str, tuple[list[str], list[int]]] = {}
        """Switches and channels that are on, by the name of a control of the mixer."""

    def PCM(self, kind: int, mode: int, *, device: str, **wanted: Any) -> "Device":  # noqa: N802 - the library's name
        assert mode == self.PCM_NONBLOCK, "nothing may wait in a driver"
        for beginning, number in self.refuses.items():
            if device.startswith(beginning):
                raise self.ALSAAudioError(f"{os.strerror(number)} [{device}]")
        asked = next(name for name, number in FORMATS.items() if number == wanted["format"])
        info = {
            "rate": wanted["rate"],
            "channels": wanted["channels"],
            "format_name": asked if asked in self.formats else self.formats[0],
            "period_size": wanted["periodsize"],
            "buffer_size": wanted["periodsize"] * wanted["periods"],
            "card_no": -1,
        }
        made = Device(self, device, info | self.gives, capture=kind == self.PCM_CAPTURE)
        self.opened.append(made)
        return made

    def mixers(self, *, cardindex: int) -> list[str]:
        assert cardindex >= 0
        return list(self.controls)

    def Mixer(self, name: str, *, cardindex: int) -> "Control":  # noqa: N802 - the library's name
        assert cardindex >= 0
        return Control(*self.controls[name])

    def devices(self, *, capture: bool) -> list["Device"]:
        """The devices of one side, as they were opened."""
        return [device for device in self.opened if device.capture is capture]


class Control:
    """A control of a mixer."""

    def __init__(self, switches: list[str], on: list[int]) -> None:
        self.switchcap, self.getrec = lambda: switches, lambda: on

    def volumecap(self) -> list[str]:
        return []

    def close(self) -> None:
        pass


class Device:
    """A device that runs at ``speed`` times real time once it was read from or written to."""

    def __init__(self, library: Library, name: str, info: dict[str, Any], *, capture: bool) -> None:
        self.library, self.name, self._info, self.capture = library, name, info, capture
        self.calls = list[str]()
        self.began: float | None = None
        self.frozen_at: float | None = None
        self.gone = threading.Event()
        self.overrun = threading.Event()
        self.moved = 0
        self.data: np.ndarray[Any, Any] | None = None
        self.last = b""
        self._random = np.random.default_rng(1)

    def info(self) -> dict[str, Any]:
        return self._info

    def getformats(self) -> dict[str, int]:
        return {name: FORMATS[name] for name in self.library.formats}

    def freeze(self) -> None:
        """Give and take no more samples, and say that all is well."""
        self.frozen_at = time.monotonic()

    def passed(self) -> int:
        """Samples of its clock since it began."""
        now = self.frozen_at or time.monotonic()
        speed = self.library.speed[Library.PCM_CAPTURE if self.capture else Library.PCM_PLAYBACK]
        return int(max(0.0, now - (self.began or now)) * RATE * speed)

    @property
    def waits(self) -> int:
        """Samples that wait in it."""
        return self.passed() - self.moved if self.capture else self.moved - self.passed()

    def avail(self) -> int:
        if self.gone.is_set():
            return -19
        size = int(self._info["buffer_size"])
        if self.capture:
            return XRUN if self.waits > size else self.waits
        if self.began is None:
            return size
        return XRUN if self.waits < 0 else size - self.waits

    def read(self) -> tuple[int, bytes]:
        self._check()
        if self.began is None:
            self.began = time.monotonic()
        if self.avail() == XRUN or self.overrun.is_set():
            self.overrun.clear()
            self.began, self.moved = None, 0
            return XRUN, b""
        frames = min(self.waits, int(self._info["period_size"]))
        self.moved += frames
        return frames, self._sound(frames)

    def _sound(self, frames: int) -> bytes:
        channels, size = int(self._info["channels"]), SAMPLE_BYTES[self._info["format_name"]]
        if self.data is not None:
            return np.tile(self.data, frames).tobytes()
        if self.library.silent:
            return bytes(frames * channels * size)
        return self._random.integers(0, 256, frames * channels * size, np.uint8).tobytes()

    def write(self, data: memoryview) -> int:
        self._check()
        if self.avail() == XRUN:
            self.calls.append("under-run")
            self.began, self.moved = None, 0
            return XRUN
        if self.began is None:
            self.began = time.monotonic()
        frames = len(data) // SAMPLE_BYTES[self._info["format_name"]] // int(self._info["channels"])
        self.last = bytes(data)
        self.moved += frames
        return frames

    def _check(self) -> None:
        if self.gone.is_set():
            raise self.library.ALSAAudioError(f"No such device [{self.name}]")
        assert "close" not in self.calls

    def drop(self) -> None:
        self.calls.append("drop")

    def close(self) -> None:
        self.calls.append("close")
