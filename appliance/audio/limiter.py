"""A limiter that adds no delay: what is too loud for a loudspeaker or a converter is turned down, not cut off.

A loudspeaker that is driven too hard bends the sound, and no canceller takes out what it cannot predict: so the downlink is
kept below the ceiling before it is played, and what comes out of here is the canceller's reference.

The gain follows the peak of each block: it falls within a millisecond and comes back slowly. What the fall still lets over
the ceiling is rounded off.
"""

import math

import numpy as np

from appliance.core.units import BLOCK, RATE, Block

CEILING = 0.8
"""Of full scale, -2 dBFS: nothing that leaves here is louder."""
_KNEE = 0.9
"""Of the ceiling: up to here nothing is touched."""
_FALL = RATE // 1000
"""Samples in which the gain falls."""
_RECOVERY = np.float32(10 ** (0.1 / 20))
"""By how much the gain may grow from one block to the next: 10 dB in a second."""


class Limiter:
    """One channel. A quiet block costs one look at its energy.

    :param ceiling: of full scale.
    """

    def __init__(self, ceiling: float = CEILING) -> None:
        self._knee = np.float32(ceiling * _KNEE)
        self._room = np.float32(ceiling * (1 - _KNEE))
        self._quiet = float(self._knee) ** 2
        """Energy of a block that no sample of can be over the knee."""
        self._gain = np.float32(1)
        self._falling = np.ones(BLOCK, np.float32)
        self._falling[:_FALL] = np.linspace(1 / _FALL, 1, _FALL)
        self._rising = np.linspace(1 / BLOCK, 1, BLOCK, dtype=np.float32)
        self._gains = np.zeros(BLOCK, np.float32)
        self._over = np.zeros(BLOCK, np.float32)
        self.limited = 0
        """Blocks that were turned down."""

    def limit(self, block: Block) -> None:
        """Turn ``block``, shape (480,), down where it is too loud; in place."""
        if self._gain >= 1 and float(np.dot(block, block)) <= self._quiet:
            return
        peak = max(float(block.max()), -float(block.min()))
        if not math.isfinite(peak):
            block.fill(0)
            return
        if peak <= self._knee and self._gain >= 1:
            return
        self.limited += 1
        before = self._gain
        allowed = self._knee / np.float32(max(peak, 1e-9))
        self._gain = min(allowed, before * _RECOVERY, np.float32(1))
        np.multiply(self._falling if self._gain < before else self._rising, self._gain - before, out=self._gains)
        np.add(self._gains, before, out=self._gains)
        np.multiply(block, self._gains, out=block)
        self._round_off(block)

    def _round_off(self, block: Block) -> None:
        """Bend what is over the knee so that it stays below the ceiling."""
        np.absolute(block, out=self._over)
        np.subtract(self._over, self._knee, out=self._over)
        np.maximum(self._over, 0, out=self._over)
        if not self._over.any():
            return
        # x -> x - over + room * tanh(over / room), each with the sign of x.
        np.divide(self._over, self._room, out=self._gains)
        np.tanh(self._gains, out=self._gains)
        np.multiply(self._gains, self._room, out=self._gains)
        np.subtract(self._gains, self._over, out=self._gains)
        np.copysign(1, block, out=self._over)
        np.multiply(self._gains, self._over, out=self._gains)
        np.add(block, self._gains, out=block)
