"""The loudspeaker's volume: a gain that moves within one block, so that turning it does not click."""

import numpy as np

from appliance.core.units import BLOCK, Block


def gain_of(volume: float) -> float:
    """The factor that belongs to so many dB."""
    return float(10 ** (volume / 20))


class Volume:
    """One channel. ``set`` may be called from any thread; the rest belongs to the playback thread."""

    def __init__(self, volume: float = 0.0) -> None:
        """Begin with so many dB."""
        self._wanted = self._gain = np.float32(gain_of(volume))
        self._moves = False
        self._ramp = np.linspace(1 / BLOCK, 1, BLOCK, dtype=np.float32)
        self._gains = np.zeros(BLOCK, np.float32)

    def set(self, volume: float) -> None:
        """Go to so many dB."""
        self._wanted = np.float32(gain_of(volume))

    def begin(self) -> None:
        """A new block begins: all that is scaled until the next belongs to it."""
        before, self._gain = self._gain, self._wanted
        self._moves = bool(before != self._gain)
        if self._moves:
            np.multiply(self._ramp, self._gain - before, out=self._gains)
            np.add(self._gains, before, out=self._gains)

    def scale(self, block: Block) -> None:
        """Turn ``block``, shape (480,), up or down; in place."""
        if self._moves:
            np.multiply(block, self._gains, out=block)
        elif self._gain != 1:
            np.multiply(block, self._gain, out=block)
