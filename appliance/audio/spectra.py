"""Short-time spectra: a window of two blocks, half overlapped, square root of Hann before and after.

What is analysed and synthesised unchanged comes out exactly as it went in, one block (10 ms) later. Nothing is allocated per
block.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from appliance.audio.fourier import forward_mean, inverse
from appliance.core.units import BLOCK, Block, Blocks

WINDOW = 2 * BLOCK
BINS = BLOCK + 1
"""Of a spectrum, 0 to 24 kHz, 50 Hz apart."""
LOW = 161
"""Bins that a canceller estimates, and that the residual gain sees: 0 to 8 kHz."""
LOUDEST = 16.0 * BLOCK
"""Energy of a block that no sound has: it is junk."""

Spectrum: TypeAlias = NDArray[np.complex64]
"""Shape (481,): bins of a mono signal."""
Spectra: TypeAlias = NDArray[np.complex64]
"""Shape (n, 481): bins of n microphones."""
Gains: TypeAlias = NDArray[np.float32]
"""Shape (481,): one real factor a bin."""


def _window() -> NDArray[np.float32]:
    """Square root of the periodic Hann window: its squares, a block apart, add up to one."""
    return np.sin(np.pi * np.arange(WINDOW) / WINDOW).astype(np.float32)


class Analysis:
    """Blocks of n channels to spectra."""

    def __init__(self, channels: int) -> None:
        self._window = _window() * np.float32(WINDOW)  # the transform divides by it
        self._samples = np.zeros((channels, WINDOW), np.float32)
        self._windowed = np.zeros((channels, WINDOW), np.float32)

    def analyse(self, blocks: Blocks, out: Spectra) -> None:
        """Take the next block of each channel, shape (n, 480), and give the spectra of the last two, shape (n, 481).

        Given fewer blocks it takes those of the first channels: the others stay what they were.
        """
        n = len(blocks)
        samples, windowed = self._samples[:n], self._windowed[:n]
        samples[:, :BLOCK] = samples[:, BLOCK:]
        samples[:, BLOCK:] = blocks
        np.multiply(samples, self._window, out=windowed)
        forward_mean(windowed, out)

    def reset(self) -> None:
        """Forget the block before."""
        self._samples.fill(0)


class Synthesis:
    """Spectra of one channel back to blocks, by overlap and add."""

    def __init__(self) -> None:
        self._window = _window()
        self._samples = np.zeros(WINDOW, np.float32)
        self._tail = np.zeros(BLOCK, np.float32)

    def synthesise(self, spectrum: Spectrum, out: Block) -> None:
        """Give the block, shape (480,), that the spectrum, shape (481,), completes: the one before the last analysed."""
        inverse(spectrum, self._samples)
        np.multiply(self._samples, self._window, out=self._samples)
        np.add(self._samples[:BLOCK], self._tail, out=out)
        self._tail[:] = self._samples[BLOCK:]

    def reset(self) -> None:
        """Forget what waits to be added."""
        self._tail.fill(0)
