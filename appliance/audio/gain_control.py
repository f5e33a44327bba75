"""Gain control: whoever sits three metres away is sent as loud as whoever sits before the microphone.

It listens to speech alone. Nothing else moves the gain: no noise, so that a pause does not bring the fan up; and no echo, so
that the far end does not turn the room down. The gain is bounded, slow, and never so large that the room's noise would be
heard between the words.
"""

import math

import numpy as np

from appliance.core.units import BLOCK, Block

TARGET = -26.0
"""dBov of speech that leaves here: some 12 dB below full scale are left for its peaks."""
MOST, LEAST = 18.0, -12.0
"""dB of gain."""
NOISE_MOST = -58.0
"""dBov of the room's noise that the gain may not exceed."""
_UP, _DOWN = 6.0, 12.0
"""dB in a second."""
_BLOCKS = 100
"""In a second."""
_SPEECH_KEPT = 0.98
"""How much of the level of speech is kept from block to block: half a second, of speech."""
_NOISE_UP = 0.02
"""dB in a block that the level of noise may rise: it is the floor between the words."""
_QUIETEST = 1e-10


class GainControl:
    """One channel."""

    def __init__(self) -> None:
        self._speech: float | None = None
        self._noise = -80.0
        self._from, self._to = 0.0, 0.0
        self._ramp = np.linspace(1 / BLOCK, 1, BLOCK, dtype=np.float32)
        self._gains = np.zeros(BLOCK, np.float32)

    @property
    def gain_db(self) -> float:
        """The gain now, dB."""
        return self._to

    def process(self, block: Block, speech: bool) -> None:
        """Amplify ``block``, shape (480,), in place.

        :param speech: whether somebody near talks in it.
        """
        level = 10 * math.log10(max(float(np.dot(block, block)) / BLOCK, _QUIETEST))
        self._noise = min(level, self._noise + (0.0 if speech else _NOISE_UP))
        if speech:
            self._learn(level)
        linear = np.float32(10 ** (self._to / 20))
        if self._from == self._to:
            if self._to:
                np.multiply(block, linear, out=block)
            return
        before = np.float32(10 ** (self._from / 20))
        np.multiply(self._ramp, linear - before, out=self._gains)
        np.add(self._gains, before, out=self._gains)
        np.multiply(block, self._gains, out=block)
        self._from = self._to

    def _learn(self, level: float) -> None:
        """One more block of speech of this level, dBov."""
        # In power, not in decibels: the loud parts of the words are what one hears.
        power = 10 ** (level / 10)
        self._speech = power if self._speech is None else _SPEECH_KEPT * self._speech + (1 - _SPEECH_KEPT) * power
        wanted = TARGET - 10 * math.log10(max(self._speech, _QUIETEST))
        wanted = max(LEAST, min(MOST, wanted, max(0.0, NOISE_MOST - self._noise)))
        self._to += max(-_DOWN / _BLOCKS, min(_UP / _BLOCKS, wanted - self._to))
