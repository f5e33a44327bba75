"""A mark: a quiet rustle by which a bridge finds out whether what it says in one room comes back in the other.

It is noise of the telephone band that follows from a number, one of :data:`MARKS`. Whoever knows the number finds it in what a
room sounds like, below voices, after two codecs and a receive buffer that stretched it: its pieces are searched for, each by
itself, in a sound that was made equally loud at every moment and frequency, so that a voice, which is loud in few, weighs little.
"""

from collections.abc import Iterable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from appliance.core.units import BLOCK, RATE, Block

MARKS = 16
"""Different ones."""
SECONDS = 2.0
LEVEL = -32.0
"""dBov: where an engine lets only talkers through, this is one."""

_STEP = 6
"""Samples of 48 kHz that become one."""
_RATE = RATE // _STEP
_PIECES = 4
_PIECE = int(SECONDS * _RATE / _PIECES)
_KEPT = 5 * _RATE
_SIZE = 1 << (_KEPT + _PIECE).bit_length()
_LOW, _HIGH = 300, 3400
_FADE = RATE // 20
_BLOCK = BLOCK // _STEP
_LEAST = _PIECE + _BLOCK
_TO_COME = np.zeros(_PIECES * _PIECE, np.float32)
_FRAME = 256
"""Samples, 32 ms."""
_NOTHING = 1e-5
PLAIN, FAINT = 30.0, 18.0
"""From which likeness on a mark is certainly there, and from which on one is that was said and is waited for. Chance
finds 13 to 16 (four pieces, each within a centisecond or two of its place), another mark too; a mark 250, below a loud voice 170,
and after two codecs on a machine that loses blocks, below noise, 20."""

Samples = NDArray[np.float32]

_WINDOW = np.sqrt(np.hanning(_FRAME + 1)[:-1]).astype(np.float32)
_HERTZ = np.fft.rfftfreq(_FRAME, 1 / _RATE)
_INSIDE = (_HERTZ > _LOW) & (_HERTZ < _HIGH)


@cache
def mark(number: int) -> tuple[Block, ...]:
    """The mark, block by block, each of shape (480,)."""
    size = int(SECONDS * RATE)
    spectrum = np.fft.rfft(np.random.default_rng((0x6B6F6E746F72, number)).normal(size=size))
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    noise = np.fft.irfft(spectrum * ((hertz > _LOW) & (hertz < _HIGH)), size)
    ramp = np.minimum(1.0, np.minimum(np.arange(size), np.arange(size)[::-1]) / _FADE)
    scaled = noise * ramp * 10 ** (LEVEL / 20) / np.sqrt((noise**2).mean())
    return tuple(scaled.astype(np.float32).reshape(-1, BLOCK))


@cache
def _searched(number: int) -> tuple[NDArray[np.complex64], ...]:
    """The spectra of its pieces, each of energy 1."""
    whole = np.concatenate(mark(number)).reshape(-1, _STEP).mean(axis=1)
    pieces = whole.reshape(_PIECES, _PIECE)
    pieces = pieces / np.sqrt((pieces**2).sum(axis=1, keepdims=True))
    return tuple(np.fft.rfft(piece, _SIZE).conj().astype(np.complex64) for piece in pieces)


def _flat(sound: Samples) -> Samples:
    """As loud everywhere as anywhere else, at every moment and at every frequency that a mark has; silence stays silent."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[:: _FRAME // 2] * _WINDOW
    spectra = np.fft.rfft(frames, axis=1)
    loud = np.abs(spectra)
    phases = np.where((loud > _NOTHING) & _INSIDE, spectra / np.maximum(loud, _NOTHING), 0)
    halves = (np.fft.irfft(phases, axis=1) * _WINDOW).reshape(len(frames), 2, _FRAME // 2)
    made = np.zeros((len(frames) + 1, _FRAME // 2), np.float32)
    made[:-1] += halves[:, 0]
    made[1:] += halves[:, 1]
    return made.reshape(-1)


class Ear:
    """The last seconds of a room. :meth:`hear` belongs to one thread, :meth:`finds` to any."""

    def __init__(self) -> None:
        self._sound: Samples = np.zeros(_KEPT, np.float32)
        self._at = self._filled = 0

    def hear(self, block: Block) -> None:
        """Ten milliseconds, shape (480,)."""
        block.reshape(_BLOCK, _STEP).mean(axis=1, out=self._sound[self._at : self._at + _BLOCK])
        self._at = (self._at + _BLOCK) % _KEPT
        self._filled = min(_KEPT, self._filled + _BLOCK)

    def forget(self) -> None:
        """What was heard until now is not searched."""
        self._filled = 0

    def finds(self, numbers: Iterable[int], least: float = PLAIN) -> bool:
        """Whether one of these marks is in it, be it under voices.

        :param least: how much like it that has to be.
        """
        return any(like > least for like in self.likeness(numbers).values())

    def likeness(self, numbers: Iterable[int]) -> dict[int, float]:
        """How much like each of these marks it is where it is most; empty: too little was heard, or nothing but silence.

        One that is being said just now is found by what has been said of it.
        It searches for some 2 ms each: whoever asks on a loop does not ask for all of them at every turn.
        """
        filled = self._filled
        heard = _flat(np.roll(self._sound, -self._at)[_KEPT - filled :]) if filled > _LEAST else np.zeros(0, np.float32)
        if not heard.any():
            return {}
        heard = np.concatenate((heard, _TO_COME))
        spectrum = np.fft.rfft(heard, _SIZE)
        return {number: _likeness(heard, spectrum, number) for number in numbers}


def _likeness(heard: Samples, spectrum: NDArray[np.complex128], number: int) -> float:
    """How much is like the mark where most is: of all its pieces the sum, each against the RMS of what chance finds."""
    places = (heard.size - _PIECES * _PIECE) // _BLOCK
    sounding = np.count_nonzero(heard)  # silence, in which chance finds nothing, must not make the rest look rare
    found = np.zeros(places, np.float32)
    for n, piece in enumerate(_searched(number)):
        alike = np.fft.irfft(spectrum * piece, _SIZE)[: heard.size - _PIECE]
        best = alike[n * _PIECE :][: places * _BLOCK].reshape(-1, _BLOCK).max(axis=1)
        around = np.maximum(best, np.maximum(np.roll(best, 1), np.roll(best, -1)))
        found += around / np.sqrt((alike**2).sum() / min(sounding, alike.size))
    return float(found.max())
