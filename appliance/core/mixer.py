"""The downlink mix: one block for each block asked for, paced by whoever asks (DESIGN.md, rule 2)."""

from collections.abc import Sequence

import numpy as np

from appliance.core.units import BLOCK, SLOTS, Block

KNEE = 725 / 1024
"""Where the limiter begins, -3.0 dBFS. It and 1 - KNEE are exact in float32, so the sum never exceeds 1."""

LOUDEST_GAIN = 2.0
"""Member volume ends at 200 %."""


class Mixer:
    """Adds up to ``inputs`` talkers, each with its own volume, and keeps the sum within [-1, 1].

    The limiter is a curve without memory: nothing below the knee is touched, whatever came before. A gain that changes
    is ramped over one block, so that a volume control does not click. Nothing is allocated per block.
    """

    def __init__(self, inputs: int = SLOTS) -> None:
        self._inputs = inputs
        self._gain: list[float | None] = [None] * inputs
        self._scratch = np.zeros(BLOCK, dtype=np.float32)
        self._over = np.zeros(BLOCK, dtype=np.float32)
        self._ramp = np.arange(1, BLOCK + 1, dtype=np.float32) / np.float32(BLOCK)

    def mix(self, blocks: Sequence[Block | None], gains: Sequence[float], out: Block) -> Block:
        """Write the mix into ``out`` and return it.

        :param blocks: one (480,) float32 block per input, or None where there is none now.
        :param gains: one per input, held to 0 … 2; 1 is as sent.
        :param out: (480,) float32; it may not be one of the inputs.
        :raises ValueError: not one block and one gain for each input.
        """
        if len(blocks) != self._inputs or len(gains) != self._inputs:
            raise ValueError(f"the mixer has {self._inputs} inputs")
        out.fill(0.0)
        for index in range(self._inputs):
            block = blocks[index]
            if block is None:
                self._gain[index] = None
            else:
                self._add(index, block, min(LOUDEST_GAIN, max(0.0, gains[index])), out)
        self._limit(out)
        return out

    def _add(self, index: int, block: Block, gain: float, out: Block) -> None:
        before = self._gain[index]
        self._gain[index] = gain
        if before is not None and before != gain:
            np.multiply(self._ramp, gain - before, out=self._scratch)
            np.add(self._scratch, before, out=self._scratch)
            np.multiply(self._scratch, block, out=self._scratch)
            np.add(out, self._scratch, out=out)
        elif gain == 1.0:
            np.add(out, block, out=out)
        elif gain > 0.0:
            np.multiply(block, gain, out=self._scratch)
            np.add(out, self._scratch, out=out)

    def _limit(self, out: Block) -> None:
        size, over = self._scratch, self._over
        np.abs(out, out=size)
        if size.max() <= KNEE:
            return
        np.subtract(size, KNEE, out=over)
        np.maximum(over, 0.0, out=over)
        np.divide(over, 1.0 - KNEE, out=over)
        np.tanh(over, out=over)
        np.multiply(over, 1.0 - KNEE, out=over)
        np.minimum(size, KNEE, out=size)
        np.add(size, over, out=size)
        np.copysign(size, out, out=out)
