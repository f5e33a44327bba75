"""Comfort noise: what a pause sounds like whose sender says nothing (DTX), so that the room does not seem to be gone.

The noise has the level and the spectrum, in 40 bands, of the last sound before the pause. Each block is new noise; blocks
overlap by half, so that nothing repeats.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.core.levels import dbov
from appliance.core.units import BLOCK, Block, Pcm

LOUDEST = -40.0
"""dBov. What is louder is no background."""
SEEN = 720
"""Samples that are looked at together: 15 ms, a packet of 20 ms less its beginning, which may be a fade."""
_SIZE = 2 * BLOCK
_BINS = _SIZE // 2 + 1
_BANDS = 40
_EDGES = np.unique(np.round(np.linspace(0, np.sqrt(SEEN // 2), _BANDS + 1) ** 2).astype(int))
_WIDTHS = np.diff(_EDGES)
_CENTRES = (_EDGES[:-1] + _EDGES[1:]) / 2 * (_SIZE / SEEN)
_WINDOW = np.hanning(SEEN)
_SLOPE: NDArray[np.float32] = np.sin((np.arange(_SIZE) + 0.5) * np.pi / _SIZE).astype(np.float32)
_OLD = 0.5  # how much of what was learnt before is kept


class Comfort:
    """The noise of one stream. Cost: about 40 µs a block while there is a pause, nothing else."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(1)
        self._power: NDArray[np.float64] | None = None
        self._shape = np.zeros(_BINS)
        self._overlap = np.zeros(BLOCK, np.float32)
        self._running = False

    @property
    def known(self) -> bool:
        """Whether there is a background to go on with."""
        return self._power is not None

    def forget(self) -> None:
        """Another talker."""
        self._power = None
        self._running = False

    def learn(self, last: Pcm) -> None:
        """Take the end of the sound before a pause for background, unless it is too loud for that, or too short."""
        pieces = last[last.size % SEEN :].reshape(-1, SEEN)[-2:]
        if not pieces.any() or dbov(pieces.ravel()) > LOUDEST:
            return
        power = (np.abs(np.fft.rfft(pieces * _WINDOW)) ** 2).mean(axis=0) / (_WINDOW @ _WINDOW)
        bands = np.add.reduceat(power[: SEEN // 2], _EDGES[:-1]) / _WIDTHS
        self._power = bands if self._power is None else _OLD * self._power + (1 - _OLD) * bands
        # Of a spectrum of _SIZE random bins, real and imaginary part each have half the power.
        self._shape = np.sqrt(np.interp(np.arange(_BINS), _CENTRES, self._power) * (_SIZE / 2))

    def stop(self) -> None:
        """Real sound is there again; the next noise begins anew."""
        self._running = False

    def make(self, out: Pcm) -> None:
        """Write the next 10 ms, shape (480,) int16."""
        if not self._running:
            self._running = True
            self._overlap = self._piece()[BLOCK:]
        piece = self._piece()
        out[:] = np.clip(np.rint(piece[:BLOCK] + self._overlap), -32768, 32767)
        self._overlap = piece[BLOCK:]

    def _piece(self) -> Block:
        spectrum = self._random.standard_normal(_BINS) + 1j * self._random.standard_normal(_BINS)
        piece: Block = np.fft.irfft(spectrum * self._shape, _SIZE).astype(np.float32)
        piece *= _SLOPE
        return piece
