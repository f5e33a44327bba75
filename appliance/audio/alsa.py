"""A sound card by ALSA: two blocking threads, one for the microphone and one for the loudspeaker.

**How little waits.** The microphone is read in periods of 5 ms, so that a block is handed on within 5 ms of its last sample
even where the card's own turn is another one (a sound server's). The loudspeaker's thread takes a turn when a block was
captured: so the microphone's block goes on at once, and with one clock the loudspeaker always holds the same. That is
``ahead``: what it has to play when the next block is written, 15 ms in the low-delay profile, else 20. A second under-run
within a minute adds 2.5 ms, up to 30. Two clocks drift: then a turn is left out, or taken when the loudspeaker would run dry.

This is a first form: a card that breaks ends the part (:attr:`AlsaCard.ended`), and with it the process.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

import alsaaudio
import numpy as np

from appliance.audio.port import CardFacts, CardUser
from appliance.core.units import BLOCK, BLOCK_SECONDS, RATE, Block, Blocks

PERIOD = BLOCK // 2
"""Samples between two turns of the card."""
_PERIODS = 8
"""What the card may hold: room for a stall, not delay."""
AHEAD = 20 * RATE // 1000
AHEAD_LOW_DELAY = 15 * RATE // 1000
"""Samples that the loudspeaker still has when a block is written."""
_MORE = RATE // 400
_MOST = 30 * RATE // 1000
STARTING = 3.0
"""Seconds after opening whose under-runs say nothing: much is done for the first time."""
_OFTEN = 60.0
"""Seconds within which a second under-run is no accident."""
_DRY = RATE // 1000
"""Samples left at which a block is written whether one was captured or not."""
_STUCK = 100
"""Blocks played without one captured after which the microphone counts as dead."""
_FIRST_BLOCK = 3.0
"""Seconds to the first captured block: a sound server needs its time."""
_FULL_SCALE = np.float32(32767)
_INT16 = np.float32(1 / 32768)


class CardError(Exception):
    """The card cannot be used, or not any more; one sentence."""


def _open(kind: int, device: str, setting: str) -> tuple[alsaaudio.PCM, int]:
    """Open a device; gives it with its number of channels. Errors say which setting names it.

    pyalsaaudio takes what the card gives instead of what was asked for, and says nothing: so it is compared.

    :raises CardError: it is not there, is in use, or cannot do what we need.
    """
    try:
        pcm = alsaaudio.PCM(
            kind,
            alsaaudio.PCM_NORMAL,
            device=device,
            rate=RATE,
            channels=1,
            format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=PERIOD,
            periods=_PERIODS,
        )
    except alsaaudio.ALSAAudioError as error:
        raise CardError(f'[audio] {setting} = "{device}" cannot be opened: {error}') from error
    got = pcm.info()
    wanted = {"rate": RATE, "format_name": "S16_LE", "period_size": PERIOD}
    wrong = [f"{name} {got.get(name)} instead of {value}" for name, value in wanted.items() if got.get(name) != value]
    if wrong:
        pcm.close()
        raise CardError(
            f'[audio] {setting} = "{device}" gives {", ".join(wrong)}: name it with plughw: or through a sound server'
        )
    return pcm, int(got["channels"])


class _Microphone:
    """Reads blocks. One thread."""

    def __init__(self, device: str) -> None:
        self._pcm, self._channels = _open(alsaaudio.PCM_CAPTURE, device, "capture")
        self._blocks = np.zeros((1, BLOCK), np.float32)
        self._block = self._blocks[0]
        self._filled = 0
        self.overruns = 0

    def read(self, captured: Callable[[Blocks], None]) -> None:
        """Wait for one period; hand on the block that it completes."""
        frames, data = self._pcm.read()
        if frames < 0:
            self.overruns += 1
            self._filled = 0  # what follows is not what came next
            return
        samples = np.frombuffer(data, "<i2", frames * self._channels).reshape(frames, self._channels)
        while frames:
            room = min(frames, BLOCK - self._filled)
            part = self._block[self._filled : self._filled + room]
            if self._channels == 1:
                np.multiply(samples[:room, 0], _INT16, out=part)
            else:
                np.multiply(samples[:room].sum(axis=1, dtype=np.float32), _INT16 / self._channels, out=part)
            samples, frames, self._filled = samples[room:], frames - room, self._filled + room
            if self._filled == BLOCK:
                self._filled = 0
                captured(self._blocks)

    def close(self) -> None:
        """Close the device."""
        self._pcm.close()


class _Loudspeaker:
    """Writes blocks. One thread."""

    def __init__(self, device: str, ahead: int) -> None:
        self._pcm, channels = _open(alsaaudio.PCM_PLAYBACK, device, "playback")
        self._size = int(self._pcm.info()["buffer_size"])
        self._frames = np.zeros((BLOCK, channels), "<i2")
        self._bytes = memoryview(self._frames.data).cast("B")
        self._scratch = np.zeros(BLOCK, np.float32)
        self._silence = bytes(2 * channels * _MOST)
        self._frame_bytes = 2 * channels
        self.ahead = ahead
        self.underruns = 0
        self._ran_dry = -_OFTEN
        self._steady = time.monotonic() + STARTING

    def fill(self) -> int:
        """Samples that wait to be played; none after an under-run."""
        room = self._pcm.avail()
        return self._size - room if room >= 0 else 0

    def prefill(self) -> None:
        """Silence, so that the block that is written next is played ``ahead`` samples later. The card starts with it."""
        self._pcm.write(self._silence[: self.ahead * self._frame_bytes])

    def write(self, block: Block) -> bool:
        """Play one block, shape (480,); there is room for it, so this does not wait. False: it came too late."""
        np.multiply(block, _FULL_SCALE, out=self._scratch)
        np.maximum(self._scratch, -_FULL_SCALE, out=self._scratch)
        np.minimum(self._scratch, _FULL_SCALE, out=self._scratch)
        self._frames[:] = self._scratch[:, np.newaxis]
        if self._pcm.write(self._bytes) >= 0:
            return True
        self.underruns += 1
        now = time.monotonic()
        if now > self._steady:
            if now - self._ran_dry < _OFTEN:
                self.ahead = min(_MOST, self.ahead + _MORE)
            self._ran_dry = now
        return False

    def close(self) -> None:
        """Close the device without playing out what waits."""
        with contextlib.suppress(alsaaudio.ALSAAudioError):
            self._pcm.drop()
        self._pcm.close()


class AlsaCard:
    """Microphone and loudspeaker of ALSA, each named as ALSA names it."""

    def __init__(self, capture: str, playback: str, *, low_delay: bool = False) -> None:
        self._capture, self._playback = capture, playback
        self._ahead = AHEAD_LOW_DELAY if low_delay else AHEAD
        self._ending = threading.Event()
        self._turn = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []
        self._failing = threading.Lock()
        self._microphone: _Microphone | None = None
        self._loudspeaker: _Loudspeaker | None = None
        self._captured_blocks = 0
        self.ended: Future[None] = Future()

    @property
    def name(self) -> str:
        return f"alsa ({self._capture}, {self._playback})"

    @property
    def counts(self) -> Mapping[str, int]:
        microphone, loudspeaker = self._microphone, self._loudspeaker
        return {
            "capture_overruns": microphone.overruns if microphone else 0,
            "playback_underruns": loudspeaker.underruns if loudspeaker else 0,
        }

    @property
    def facts(self) -> CardFacts | None:
        if self._microphone is None or self._loudspeaker is None:
            return None
        return CardFacts(self._capture, self._playback, 1, "S16_LE", RATE, PERIOD)

    def start(self, user: CardUser) -> None:
        self.ended.set_running_or_notify_cancel()  # from here on a waiter that gives up does not cancel it

        def hear() -> None:
            self._hear(user)

        def play() -> None:
            self._play(user)

        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
            for name, work in (("capture", hear), ("playback", play))
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._turn.release()
        end = time.monotonic() + 1
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _guarded(self, work: Callable[[], None]) -> None:
        """The life of a thread: its error, or its end, is the card's."""
        error: BaseException | None = None
        try:
            work()
        except BaseException as raised:  # noqa: BLE001 - whatever it is, sound must end with it and not go on deaf
            error = raised
        self._ending.set()
        self._turn.release()
        with self._failing:
            if self.ended.done():
                return
            if error is None:
                self.ended.set_result(None)
            else:
                self.ended.set_exception(error)

    def _hear(self, user: CardUser) -> None:
        microphone = self._microphone = _Microphone(self._capture)

        def count(blocks: Blocks) -> None:
            user.captured(blocks, BLOCK * self._captured_blocks, time.monotonic())
            self._captured_blocks += 1
            if self._captured_blocks == 1:
                user.changed(True)
            self._turn.release()

        try:
            while not self._ending.is_set():
                microphone.read(count)
        finally:
            microphone.close()

    def _play(self, user: CardUser) -> None:
        loudspeaker = self._loudspeaker = _Loudspeaker(self._playback, self._ahead)
        try:
            if not self._turn.acquire(timeout=_FIRST_BLOCK):
                raise CardError(f'[audio] capture = "{self._capture}" gives no sound')
            self._turns(loudspeaker, user)
        finally:
            loudspeaker.close()

    def _turns(self, loudspeaker: _Loudspeaker, user: CardUser) -> None:
        played, heard, alone, running = np.zeros(BLOCK, np.float32), 0, 0, False
        while not self._ending.is_set():
            user.wanted(played)
            if not running:  # only now: the first time takes longest
                self._begin(loudspeaker)
            running = loudspeaker.write(played)
            self._await_turn(loudspeaker)
            alone = 0 if self._captured_blocks != heard else alone + 1
            heard = self._captured_blocks
            if alone == _STUCK:
                raise CardError(f'[audio] capture = "{self._capture}" gives no sound any more')

    def _begin(self, loudspeaker: _Loudspeaker) -> None:
        """Start playing right after a block was captured: from then on the two keep step."""
        while self._turn.acquire(blocking=False):
            pass
        self._turn.acquire(timeout=2 * BLOCK_SECONDS)
        loudspeaker.prefill()

    def _await_turn(self, loudspeaker: _Loudspeaker) -> None:
        """Until a block was captured, or the loudspeaker would run dry. A block too much is left out."""
        while not self._ending.is_set():
            left = (loudspeaker.fill() - _DRY) / RATE
            if left <= 0 or not self._turn.acquire(timeout=left):
                return
            if loudspeaker.fill() < loudspeaker.ahead + PERIOD:
                return
