"""What an echo is made of: what was played, and what a loudspeaker makes of it that was not.

A small loudspeaker that is played loud compresses its peaks, and not the same way up as down. What that adds is close to a sum
of two products of the signal with itself: odd, x·|x|, and even, x². So they are references of their own, and the filter finds by
itself how much of them there is and where. (Malik and Enzner, "State-space frequency-domain adaptive filtering for nonlinear
acoustic echo cancellation", IEEE TASLP 20, 2012.) From each the part that goes along with the signal itself is taken out, so that
the filters need not learn against each other (Gram and Schmidt).
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from appliance.audio.fourier import forward_mean
from appliance.audio.spectra import LOUDEST, WINDOW
from appliance.core.units import BLOCK, Block

Reals: TypeAlias = NDArray[np.float32]
Complexes: TypeAlias = NDArray[np.complex64]

_WHOLE = np.float32(WINDOW)
"""The transform divides by it."""
_LOUD = np.float32(2 * WINDOW)
"""Products are taken twice: then they are about as loud as the signal where that is loud."""
_AUDIBLE = 1e-8 * BLOCK
"""Energy of a block below which there is nothing to learn from: -80 dBFS."""
_ALIKE_FROM = 1e-6 * BLOCK
_ALIKE_MOVES = 0.01
_ROOM = 64
"""Blocks until the history is copied back to the end of its memory."""


class References:
    """Spectra of the last blocks of the signal, then of its odd product, then of its even product."""

    def __init__(self, rows: tuple[int, int, int], bins: int) -> None:
        """:param rows: how many blocks of each are kept.

        :param bins: of each spectrum, from 0 on.
        """
        self._firsts = (0, rows[0], rows[0] + rows[1])
        self._rows, self._bins = sum(rows), bins
        self._samples = np.zeros((3, WINDOW), np.float32)
        self._spectra = np.zeros((3, BLOCK + 1), np.complex64)
        self._squares = np.zeros((3, 2 * bins), np.float32)
        self._magnitude = np.zeros(BLOCK, np.float32)
        # The newest row comes before the others, so that nothing is moved from block to block.
        self._histories = np.zeros((self._rows + _ROOM, bins), np.complex64)
        self._all_powers = np.zeros((self._rows + _ROOM, bins), np.float32)
        self._at = _ROOM
        self.junk = 0
        self._nothing = 0
        self.reset()

    @property
    def empty(self) -> bool:
        """Whether nothing at all was played for as long as anything is kept: then all of :attr:`history` is 0."""
        return self._nothing > self._rows

    def _view(self) -> None:
        now = slice(self._at, self._at + self._rows)
        self.history: Complexes = self._histories[now]
        """Shape (rows, bins), newest first in each of the three."""
        self.powers: Reals = self._all_powers[now]

    def reset(self) -> None:
        """Forget what was played."""
        for array in (self._samples, self._histories, self._all_powers):
            array.fill(0)
        self._alike, self._energy = [0.0, 0.0], 1e-6
        self._nothing = 0
        self._view()

    def push(self, reference: Block) -> bool:
        """Take the next block, shape (480,); whether there is anything in it to learn from. Junk counts as silence."""
        energy = float(np.dot(reference, reference))
        self._nothing = self._nothing + 1 if energy == 0 else 0
        if self.empty:
            return False
        samples = self._samples
        samples[:, :BLOCK] = samples[:, BLOCK:]
        if energy < LOUDEST:
            self._products(reference, energy)
        else:
            self.junk += 1
            samples[:, BLOCK:] = energy = 0
        forward_mean(samples, self._spectra)
        self._advance()
        spectra = self._spectra[:, : self._bins]
        np.square(spectra.view(np.float32), out=self._squares)
        for kind, row in enumerate(self._firsts):
            self.history[row] = spectra[kind]
            np.add(self._squares[kind, 0::2], self._squares[kind, 1::2], out=self.powers[row])
        return energy > _AUDIBLE

    def _products(self, reference: Block, energy: float) -> None:
        """Signal and products, for the transform."""
        signal, odd, even = self._samples[:, BLOCK:]
        np.multiply(reference, _WHOLE, out=signal)
        np.abs(reference, out=self._magnitude)
        self._magnitude *= _LOUD
        np.multiply(reference, self._magnitude, out=odd)
        np.abs(odd, out=even)
        learns = energy > _ALIKE_FROM
        if learns:
            self._energy += _ALIKE_MOVES * (energy - self._energy)
        for kind, product in enumerate((odd, even)):
            if learns:
                self._alike[kind] += _ALIKE_MOVES * (float(np.dot(product, reference)) - self._alike[kind])
            np.multiply(reference, np.float32(self._alike[kind] / self._energy), out=self._magnitude)
            np.subtract(product, self._magnitude, out=product)

    def _advance(self) -> None:
        """Everything is a block older; the first row of each of the three is free (the last of the one before falls out)."""
        if self._at == 0:
            for array in (self._histories, self._all_powers):
                array[_ROOM:] = array[: self._rows].copy()
            self._at = _ROOM
        self._at -= 1
        self._view()
