"""One opened loudspeaker: writes blocks, holds as little as the machine allows, and notices when nothing is played any more.

``ahead`` is what it has to play when the next block is written. A second under-run within a minute adds 2.5 ms, up to 30; ten
minutes without one take 2.5 ms away again, by leaving them out of a silent block.
"""

import time
from enum import Enum

import numpy as np

from appliance.audio.alsa_microphone import AT_ONCE, FASTEST
from appliance.audio.alsa_open import CardError, CardMistakeError, Lost, Opened
from appliance.audio.alsa_samples import Packer
from appliance.core.units import BLOCK, BLOCK_SECONDS, RATE, Block

AHEAD = 20 * RATE // 1000
AHEAD_LOW_DELAY = 15 * RATE // 1000
"""Samples that the loudspeaker still has when a block is written."""
MORE = RATE // 400
MOST = 30 * RATE // 1000
STARTING = 3.0
"""Seconds after opening whose under-runs say nothing: much is done for the first time."""
OFTEN = 60.0
"""Seconds within which a second under-run is no accident."""
CALM = 600.0
"""Seconds without an under-run after which less may wait."""
_SILENT = np.float32(1e-4)
DRY = RATE // 1000
"""Samples left at which a block is written whether one was captured or not."""


class Wrote(Enum):
    """What became of a block."""

    WHOLE = "whole"
    SHORTENED = "shortened"
    LATE = "late"


class Loudspeaker:
    """An opened device and what waits in it. One thread; the owner of :attr:`opened` closes it."""

    def __init__(self, opened: Opened, name: str, least: int, ahead: int) -> None:
        """The device plays nothing before :meth:`prefill`.

        :param name: how an error names it.
        :param least: the ``ahead`` of a calm machine.
        :param ahead: to begin with: what was learnt from the same device before.
        """
        self.opened, self.name = opened, name
        # A sound server or a card with long turns takes so much at once; a small device does not hold more.
        self._least = min(max(least, opened.period + DRY), opened.size - BLOCK)
        self._most = max(self._least, min(MOST, opened.size - BLOCK))
        self.ahead = min(max(ahead, self._least), self._most)
        self._packer = Packer(opened.format, opened.channels, max(BLOCK, self._most))
        self._silence = np.zeros(self._most, np.float32)
        self._written = self._played = self._blocks = 0
        self._began = now = time.monotonic()
        self._steady = now + STARTING
        self._ran_dry = now - OFTEN
        self._calm_since = self._moved = now
        self._broken = False
        self.underruns = 0

    def fill(self) -> int:
        """Samples that wait to be played; none after an under-run."""
        room = self.opened.pcm.avail()
        waits = max(0, self.opened.size - room) if room >= 0 else 0
        played = self._written - waits
        if played != self._played:
            self._played, self._moved = played, time.monotonic()
        return waits

    @property
    def stands(self) -> float:
        """Seconds since it was last seen to play something; as of the last :meth:`fill`."""
        return time.monotonic() - self._moved

    def prefill(self) -> None:
        """Silence, so that the block that is written next is played ``ahead`` samples later. The device starts with it.

        :raises CardError: the device is gone.
        """
        self._written = self._played = 0
        if self._write(self._silence[: self.ahead]):
            self._moved = time.monotonic()

    def write(self, block: Block) -> Wrote:
        """Play one block, shape (480,), for which there is room.

        :raises CardMistakeError: it is no real device.
        :raises CardError: the device is gone.
        """
        now = time.monotonic()
        shorter = self.ahead > self._least and now - self._calm_since > CALM and float(np.abs(block).max()) < _SILENT
        if not self._write(block[MORE:] if shorter else block):
            if not self._broken:  # a sound server that is gone answers with nothing else
                self._late(now)
            self._broken = True
            return Wrote.LATE
        self._broken = False
        self._blocks += 1
        if self._blocks * BLOCK_SECONDS > FASTEST * (now - self._began) + AT_ONCE:
            raise CardMistakeError(
                f"{self.name} has no clock: it takes samples faster than time goes; name a real device"
            )
        if not shorter:
            return Wrote.WHOLE
        self.ahead = max(self._least, self.ahead - MORE)
        self._calm_since = now
        return Wrote.SHORTENED

    def _write(self, block: Block) -> bool:
        try:
            frames: int = self.opened.pcm.write(self._packer.pack(block))
        except Lost as error:
            raise CardError(f"{self.name} is gone ({error})") from error
        self._written += max(0, frames)
        return frames >= 0

    def _late(self, now: float) -> None:
        self.underruns += 1
        self._calm_since = now
        if now > self._steady:
            if now - self._ran_dry < OFTEN:
                self.ahead = min(self._most, self.ahead + MORE)
            self._ran_dry = now
