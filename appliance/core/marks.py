"""A mark: a quiet rustle by which a bridge finds out whether what it says in one room comes back in the other.

It is noise of the telephone band that follows from a number, one of :data:`MARKS`. Whoever knows the number finds it in what a
room sounds like, below voices, after two codecs and a receive buffer that stretched it: its pieces are searched for, each by
itself, in a sound that was made equally loud at every moment and frequency, so that a voice, which is loud in few, weighs little.
What was searched once is not searched again: only what has been heard since is correlated with all pieces (overlap-add).
"""

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
_SIZE = 2 * _PIECE
"""Of the transforms: what is new, at most a piece long, and a piece."""
_LOW, _HIGH = 300, 3400
_FADE = RATE // 20
_BLOCK = BLOCK // _STEP
_SEARCHED = 5 * _RATE
_ROOM = _SEARCHED + _RATE
"""One second more, which may be overwritten while the rest is read."""
_LEAST = _PIECE + _BLOCK
_FRAME = 4 * _BLOCK
"""Samples, 40 ms."""
_HOP = _FRAME // 2
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
def _searched() -> NDArray[np.complex64]:
    """The conjugate spectra of all marks' pieces, each of energy 1; shape (MARKS * _PIECES, _SIZE // 2 + 1)."""
    sounds = np.stack([np.concatenate(mark(number)) for number in range(MARKS)])
    pieces = sounds.reshape(MARKS * _PIECES, _PIECE, _STEP).mean(axis=2)
    pieces = pieces / np.sqrt((pieces**2).sum(axis=1, keepdims=True))
    return np.fft.rfft(pieces, _SIZE).conj().astype(np.complex64)


def _flat(sound: Samples) -> Samples:
    """Its frames, shape (n, 2, _HOP), as loud everywhere as anywhere else, at every moment and frequency that a mark has.

    Silence stays silent.
    """
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[::_HOP] * _WINDOW
    spectra = np.fft.rfft(frames, axis=1)
    loud = np.abs(spectra)
    phases = np.where((loud > _NOTHING) & _INSIDE, spectra / np.maximum(loud, _NOTHING), 0)
    return (np.fft.irfft(phases, axis=1) * _WINDOW).reshape(len(frames), 2, _HOP).astype(np.float32)


def _by_block(alike: Samples) -> tuple[Samples, Samples]:
    """Of each piece the most that is like it in each block, and the sum of squares; both of shape (pieces, blocks)."""
    blocks = alike.reshape(len(alike), -1, _BLOCK)
    return blocks.max(axis=2), np.einsum("pbs,pbs->pb", blocks, blocks)


class Ear:
    """The last seconds of a room. :meth:`hear` belongs to one thread, all else to the loop."""

    def __init__(self) -> None:
        self._spectra = _searched()
        self._sound: Samples = np.zeros(_ROOM, np.float32)
        self._heard = 0
        """Samples, since the beginning."""
        self._begin(0)

    def _begin(self, at: int) -> None:
        """Search from this sample on."""
        self._from = self._next = at
        self._half = np.zeros(_HOP, np.float32)
        """Of the last frame, what the next one is added to."""
        pieces = MARKS * _PIECES
        self._open = np.zeros((pieces, 0), np.float32)
        """How much is like each piece where not all of it can have been heard yet."""
        self._best, self._power = np.zeros((pieces, 0), np.float32), np.zeros((pieces, 0), np.float32)
        """Of what came before, as :func:`_by_block` says it."""
        self._sounding = np.zeros(0, np.intp)
        """Samples in each block of all that are no silence."""

    def hear(self, block: Block) -> None:
        """Ten milliseconds, shape (480,)."""
        at = self._heard % _ROOM
        block.reshape(_BLOCK, _STEP).mean(axis=1, out=self._sound[at : at + _BLOCK])
        self._heard += _BLOCK

    def forget(self) -> None:
        """What was heard until now is not searched."""
        self._begin(self._heard)

    def likeness(self) -> dict[int, float]:
        """How much like each mark it is where it is most; empty: too little was heard, or nothing but silence.

        One that is being said just now is found by what has been said of it. For half a second of new sound it takes some 3 ms.
        """
        heard = self._heard
        if heard - self._from <= _LEAST:
            return {}
        if heard - self._next > _SEARCHED:
            self._begin(heard - _SEARCHED)
        new = self._new(heard)
        for at in range(0, new.size, _PIECE):
            self._search(new[at : at + _PIECE])
        return self._found() if self._sounding.any() else {}

    def _new(self, heard: int) -> Samples:
        """What came since the last time, flat."""
        count = (heard - self._next) // _HOP - 1
        if count < 1:
            return np.zeros(0, np.float32)
        sound = self._sound.take(np.arange(self._next, self._next + (count + 1) * _HOP), mode="wrap")
        halves = _flat(sound)
        made = halves[:, 0].copy()
        made[0] += self._half
        made[1:] += halves[:-1, 1]
        self._half = halves[-1, 1]
        self._next += count * _HOP
        return made.reshape(-1)

    def _search(self, new: Samples) -> None:
        """Add what is new, at most a piece long, to how much is like each piece from where on it can be part of one."""
        before = self._open.shape[1]
        alike = np.zeros((len(self._open), before + new.size), np.float32)
        alike[:, :before] = self._open
        if new.any():
            added = np.fft.irfft(np.fft.rfft(new, _SIZE) * self._spectra, _SIZE)
            alike[:, :before] += added[:, _SIZE - before :]
            alike[:, before:] = added[:, : new.size]
        whole = max(0, alike.shape[1] - _PIECE)
        best, power = _by_block(alike[:, :whole])
        self._open = alike[:, whole:]
        kept = (_SEARCHED - _PIECE) // _BLOCK
        self._best = np.concatenate((self._best, best), axis=1)[:, -kept:]
        self._power = np.concatenate((self._power, power), axis=1)[:, -kept:]
        sounding = np.count_nonzero(new.reshape(-1, _BLOCK), axis=1)
        self._sounding = np.concatenate((self._sounding, sounding))[-_SEARCHED // _BLOCK :]

    def _found(self) -> dict[int, float]:
        """How much is like each mark where most is: of all its pieces the sum, each against the RMS of what chance finds."""
        best, power = _by_block(self._open)
        best = np.concatenate((self._best, best), axis=1).reshape(MARKS, _PIECES, -1)
        sums = (self._power.sum(axis=1) + power.sum(axis=1)).reshape(MARKS, _PIECES, 1)
        # silence, in which chance finds nothing, must not make the rest look rare
        best /= np.sqrt(np.maximum(sums / self._sounding.sum(), _NOTHING**2))
        around = best.copy()
        np.maximum(around[..., 1:], best[..., :-1], out=around[..., 1:])
        np.maximum(around[..., :-1], best[..., 1:], out=around[..., :-1])
        found = around[:, 0].copy()
        for n in range(1, _PIECES):
            shift = n * _PIECE // _BLOCK
            found[:, :-shift] += around[:, n, shift:]
        return dict(enumerate(found.max(axis=1).tolist()))
