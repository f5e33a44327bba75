"""A sound card that is not there: for the demo and the tests.

It is paced by the monotonic clock, calls its user from a thread of its own as a real card does, can be lost and found like a USB
array, and never waits for whoever uses it. The microphone plays a WAV file, a tone or silence; the loudspeaker can record.
"""

import contextlib
import struct
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

import numpy as np

from appliance.audio import wav
from appliance.audio.port import CardFacts, CardUser, Side
from appliance.core.units import BLOCK, BLOCK_SECONDS, RATE, Block

_LATE = 0.2
"""Seconds behind the clock after which blocks are given up instead of being made up for."""
_HEADER = struct.Struct("<4sI8sIHHIIHH4sI")
_WRITTEN_EVERY = 10
"""Blocks after which a recording is readable up to here."""
_PAUSE = 1.5
"""Seconds of silence before a recording starts again."""
_SEATS = (40, 130, 265)
"""Degrees at which those sit who talk in a recording, as somebody sees it who has an array,"""
_TURN = 6 * RATE
"""and samples for which one of them talks, with that voice."""


class Microphone(Protocol):
    """Where the virtual card's sound comes from."""

    def read(self, out: Block) -> None:
        """Fill ``out``, shape (480,), with the next 10 ms."""


class Tone:
    """A sine of ``frequency`` Hz at ``peak`` (1 is full scale). Whole periods are kept ready, nothing is computed later."""

    def __init__(self, frequency: int, peak: float = 0.25) -> None:
        if not 1 <= frequency < RATE // 2:
            raise ValueError(f"a tone of {frequency} Hz: allowed are 1 to {RATE // 2 - 1} Hz")
        second = np.arange(RATE, dtype=np.float64)
        self._samples = (peak * np.sin(2 * np.pi * frequency * second / RATE)).astype(np.float32)
        self._at = 0

    def read(self, out: Block) -> None:
        out[:] = self._samples[self._at : self._at + BLOCK]
        self._at = (self._at + BLOCK) % RATE


class Silence:
    """A microphone in an empty room: digital silence."""

    def read(self, out: Block) -> None:
        out.fill(0)


class Recording:
    """Samples at 48 kHz, shape (n,) float32, played again and again with a short pause between."""

    def __init__(self, samples: Block) -> None:
        length = len(samples) + int(_PAUSE * RATE)
        self._samples = np.zeros(-(-length // BLOCK) * BLOCK, np.float32)
        self._samples[: len(samples)] = samples
        self._at = 0

    def read(self, out: Block) -> None:
        out[:] = self._samples[self._at : self._at + BLOCK]
        self._at = (self._at + BLOCK) % len(self._samples)

    @property
    def talker(self) -> int:
        """Where the one sits who has the word, degrees."""
        return _SEATS[self._at // _TURN % len(_SEATS)]


def read_wav(path: Path) -> Block:
    """The samples of a WAV file of 16 to 32 bits at 48 kHz, first channel, shape (n,) float32.

    :raises ValueError: it is no such file, or empty; the text says which and how to convert it.
    """
    convert = f"convert it with: sox {path.name} -r {RATE} -b 16 out.wav"
    try:
        found = wav.read(path)
    except wav.WavError as error:
        raise ValueError(f"{error}; {convert}" if path.is_file() else str(error)) from error
    if found.rate != RATE:
        raise ValueError(f"{path} must hold sound at {RATE} Hz, not {found.rate}; {convert}")
    first: Block = found.sound[0]
    return first


def microphone(name: str) -> Microphone:
    """The microphone that the setting ``[audio] microphone`` names: "silence", "tone:440" or the path of a WAV file.

    :raises ValueError: the name is none of these, or its file cannot be used.
    """
    if name == "silence":
        return Silence()
    if name == "speech":
        raise ValueError('"speech" is there in `kontor demo` only: name a WAV file')
    if name.startswith("tone:"):
        frequency = name.removeprefix("tone:")
        if not frequency.isdecimal():
            raise ValueError(f'"{name}" is no tone: write "tone:440" for 440 Hz')
        return Tone(int(frequency))
    return Recording(read_wav(Path(name)))


class Recorder:
    """Writes what the loudspeaker plays into a WAV file; readable at any moment, also after a kill."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=1 << 16)
        self._scratch = np.zeros(BLOCK, np.float32)
        self._pcm = np.zeros(BLOCK, "<i2")
        self._blocks = 0
        self._header()

    def write(self, block: Block) -> None:
        np.multiply(block, np.float32(32767), out=self._scratch)
        np.copyto(self._pcm, self._scratch, casting="unsafe")
        self._file.write(self._pcm.data)
        self._blocks += 1
        if self._blocks % _WRITTEN_EVERY == 0:
            self._header()

    def close(self) -> None:
        self._header()
        self._file.close()

    def _header(self) -> None:
        size = self._blocks * BLOCK * 2
        self._file.seek(0)
        # Chunk sizes, then format 1 (PCM), one channel, rate, bytes a second, bytes a sample, bits.
        self._file.write(_HEADER.pack(b"RIFF", 36 + size, b"WAVEfmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16, b"data", size))
        self._file.seek(0, 2)
        self._file.flush()


class VirtualCard:
    """One thread, one monotonic clock, 10 ms a turn. ``sleep`` and ``clock`` can be replaced in tests."""

    def __init__(
        self,
        source: Microphone,
        recorder: Recorder | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source, self._recorder, self._clock, self._sleep = source, recorder, clock, sleep
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self.ended: Future[None] = Future()
        self._present = True
        self.skipped = 0
        """Blocks given up because this machine was too late."""
        self.late = 0
        """How often that was."""

    @property
    def name(self) -> str:
        return f"virtual ({type(self._source).__name__.lower()})"

    @property
    def counts(self) -> Mapping[str, int]:
        return {"playback_underruns": self.late}

    @property
    def talker(self) -> int | None:
        """From where somebody talks, as an array tells that finds it by itself; None: it is no voice that is played."""
        return self._source.talker if isinstance(self._source, Recording) else None

    @property
    def facts(self) -> CardFacts:
        return CardFacts("virtual", "virtual", 1, "FLOAT_LE", RATE, BLOCK)

    @property
    def problem(self) -> str:
        return "" if self._present else "it was unplugged"

    def start(self, user: CardUser) -> None:
        self._user = user
        self._thread = threading.Thread(target=self._run, args=(user,), name="audio", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread:
            self._thread.join(1)
        if self._recorder:
            with contextlib.suppress(OSError):
                self._recorder.close()

    def unplug(self) -> None:
        """Take the card away: no capture, while the clock goes on."""
        self._present = False
        self._user.changed(False)

    def plug(self) -> None:
        """Put the card back."""
        self._present = True
        self._user.changed(True)

    def _run(self, user: CardUser) -> None:
        self.ended.set_running_or_notify_cancel()  # from here on a waiter that gives up does not cancel it
        try:
            user.changed(True)
            self._turns(user)
            self.ended.set_result(None)
        except BaseException as error:  # noqa: BLE001 - whatever it is, sound must end with it and not go on deaf
            self.ended.set_exception(error)

    def _turns(self, user: CardUser) -> None:
        heard, played = np.zeros((1, BLOCK), np.float32), np.zeros(BLOCK, np.float32)
        due, position, whole = self._clock(), 0, True
        while not self._ending.is_set():
            missed = self._wait(due + BLOCK_SECONDS)
            due += (1 + missed) * BLOCK_SECONDS
            present = self._present
            if present and not (whole and missed == 0):
                position = 0
                user.jumped(Side.CAPTURE)
                user.jumped(Side.PLAYBACK)
            whole = present
            if present:
                self._source.read(heard[0])
                user.captured(heard, position, due)
            user.wanted(played)
            if present:
                user.played(position, due)
                position += BLOCK
                if self._recorder:
                    self._recorder.write(played)

    def _wait(self, due: float) -> int:
        """Sleep until the next block is due; how many blocks are given up because this machine is too late."""
        wait = due - self._clock()
        if wait > 0:
            self._sleep(wait)
        if wait >= -_LATE:
            return 0
        missed = int(-wait / BLOCK_SECONDS)
        self.skipped += missed
        self.late += 1
        return missed
