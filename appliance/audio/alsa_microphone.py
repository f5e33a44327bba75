"""One opened microphone: reads blocks, and notices when what it reads is no sound any more.

The device is looked at when the next block should be complete, by its own count of samples: so a block is handed on within a
millisecond of its last sample, whatever the card's own turn is (a sound server's, say), and nothing ever waits in the driver.
"""

import time
from collections.abc import Callable

import numpy as np

from appliance.audio.alsa_open import CardError, CardMistakeError, Lost, Opened
from appliance.audio.alsa_samples import Unpacker
from appliance.audio.alsa_steps import Steps
from appliance.core.units import BLOCK, BLOCK_SECONDS, RATE, Blocks

Heard = Callable[[Blocks, int, float], None]
"""One block, shape (n, 480), its position and time as :meth:`CardUser.captured` has them."""

FIRST = 2.0
"""Seconds to the first sample: a sound server needs its time."""
STUCK = 0.4
"""Seconds without a new sample after which the device counts as gone."""
DEAD = 1.5
"""Seconds of one and the same sample after which the microphone counts as dead."""
FASTEST = 1.5
"""Times real time above which what is read is no sound (alsa-lib's null, or file)."""
AT_ONCE = 0.1
"""Seconds that a device may give or take at once."""
_SHORTEST = 0.001
"""Seconds between two looks at a device that is not up yet."""


class StuckError(CardError):
    """No new sample comes, though the device is there."""


class DeadError(CardError):
    """Samples come, and all are the same."""


class Microphone:
    """An opened device and the block that is just being filled. One thread; the owner of :attr:`opened` closes it."""

    def __init__(self, opened: Opened, name: str, *, watch: bool, patience: float = DEAD) -> None:
        """The device captures nothing before :meth:`read`.

        :param name: how an error names it.
        :param watch: whether one and the same sample for long means that it is dead.
        :param patience: seconds of that sample, right after opening, until it is opened anew.
        """
        self.opened, self._name, self._watch = opened, name, watch
        self._unpacker = Unpacker(opened.format, opened.channels, opened.period)
        self._block = np.zeros((opened.channels, BLOCK), np.float32)
        self._steps = Steps()
        self._filled = self._read = 0
        self._position = self._blocks = 0
        self._constant = True
        self._first = b""
        self._same = 0
        self._patience = round(patience / BLOCK_SECONDS)
        self._broken = False
        self._began = time.monotonic()
        self._came = 0.0
        self.live = not watch
        """Whether it was heard yet: only what changes is sound."""
        self.overruns = 0

    def read(self, heard: Heard, jumped: Callable[[], None]) -> None:
        """Take what there is and hand on the block that it completes; or wait a little.

        :raises StuckError: nothing comes any more.
        :raises DeadError: only the same sample comes.
        :raises CardMistakeError: it is no real device.
        :raises CardError: the device is gone.
        """
        waits = self.opened.pcm.avail()
        self._steps.look(self._read + max(0, waits))
        # The first read starts the device; after an error the next one tells which, and puts an over-run right.
        if 0 <= waits < BLOCK - self._filled and self._came and not self._broken:
            self._idle(waits)
            return
        try:
            frames, data = self.opened.pcm.read()
        except Lost as error:
            raise CardError(f"{self._name} is gone ({error})") from error
        if frames > 0:
            self._came, self._broken = time.monotonic(), False
            self._read += frames
            self._take(data, frames, heard)
        elif frames == 0:
            self._idle(0)
        else:
            self._overrun(jumped)

    def _overrun(self, jumped: Callable[[], None]) -> None:
        if not self._broken:  # a sound server that is gone answers with nothing else
            self._broken = True
            self.overruns += 1
            self._filled = self._position = self._read = 0
            jumped()
        self._idle(0)

    def _idle(self, waits: int) -> None:
        silent = time.monotonic() - (self._came or self._began)
        if silent > (STUCK if self._came else FIRST):
            raise StuckError(f"{self._name} gives no samples, though it is there")
        if self._came and not self._broken:
            time.sleep(self._steps.wait(BLOCK - self._filled - waits))
        else:
            time.sleep(_SHORTEST)

    def _take(self, data: bytes, frames: int, heard: Heard) -> None:
        if self._watch:
            self._look(data)
        taken = 0
        while taken < frames:
            n = min(frames - taken, BLOCK - self._filled)
            self._unpacker.unpack(data, taken, n, self._block[:, self._filled : self._filled + n])
            taken, self._filled = taken + n, self._filled + n
            if self._filled == BLOCK:
                self._complete(frames - taken, heard)

    def _look(self, data: bytes) -> None:
        """Whether the samples of a turn are all like the very first of them, and that like the one before."""
        size = self._unpacker.frame_bytes
        first = data[:size]
        if first != (self._first or first) or data[size:] != data[:-size]:
            self._constant = False
        self._first = first

    def _complete(self, left: int, heard: Heard) -> None:
        self._filled = 0
        self._same = self._same + 1 if self._constant else 0
        if (
            self._watch
            and self._constant
            and self._same >= (round(DEAD / BLOCK_SECONDS) if self.live else self._patience)
        ):
            raise DeadError(f"{self._name} gives the same sample all the time")
        self._blocks += 1
        if self._blocks * BLOCK_SECONDS > FASTEST * (time.monotonic() - self._began) + AT_ONCE:
            raise CardMistakeError(
                f"{self._name} has no clock: its samples come faster than time goes; name a real device"
            )
        self.live = self.live or not self._constant
        self._constant = True
        if self.live:
            left += max(0, self.opened.pcm.avail())
            heard(self._block, self._position, time.monotonic() - left / RATE)
            self._position += BLOCK
