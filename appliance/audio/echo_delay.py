"""How late what we play is heard: the delay between reference and microphone, by GCC-PHAT.

Knapp and Carter, "The generalized correlation method for estimation of time delay", 1976: the cross spectrum is divided by
its magnitude, so that every frequency counts the same and the strongest path stands out as one sharp peak. It works on 1.5
seconds at 8 kHz, and spreads over blocks: no block does more than one transform.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from appliance.audio.fourier import forward, inverse
from appliance.core.units import BLOCK, Block

_DOWN = 6
_STEP = BLOCK // _DOWN
_SIZE = 3 << 12
"""Samples at 8 kHz that are looked at: 1.5 s."""
_EARLIEST = -240
_LATEST = 4240
"""Samples at 8 kHz: the delays that are looked for, -30 to 530 ms."""
_LEAST, _LEAST_KNOWN = 4000, 2000
"""Samples after which a first look is worth it, half a second; or a quarter, if it is known about where the echo is."""
_AT_FIRST, _EVERY = 25, 100
"""Blocks from one look to the next, for the first ``_MANY`` and then."""
_MANY = 8
_QUIET = 1e-7
"""Mean square below which a sound is silence: -70 dBFS."""
_TAPS = 96
_TOGETHER = 8
_WIDE = _DOWN * (_TOGETHER - 1) + _TAPS
_REACH = 10
"""Samples at 8 kHz around a peak from which its place between samples is told."""
_FINE = 16
_LOWEST, _HIGHEST = 200, 3500
"""Hz that count. Above, the filter in front of the decimation has its slope."""
_PREFERRED = 0.6
"""Of the highest peak: as high a peak where the echo was before is the echo still."""
_NEAR = 8
"""Samples at 8 kHz: 1 ms."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one look found."""

    delay: float
    """Samples at 48 kHz that the microphone is later than the reference."""
    quality: float
    """Height of the peak over the deviation of all else; noise gives 4 to 5."""
    age: int
    """Samples at 48 kHz from the middle of what was looked at to the end of the last block of that time."""
    blocks: int
    """Blocks since then."""


def _low_pass() -> NDArray[np.float32]:
    """What makes ``_TOGETHER`` samples at 8 kHz of the 138 at 48 kHz around them, shape (138, 8)."""
    at = np.arange(_TAPS) - (_TAPS - 1) / 2
    taps = np.sinc(at / _DOWN * 0.98) * np.kaiser(_TAPS, 8.0)
    bands = np.zeros((_WIDE, _TOGETHER), np.float32)
    for column in range(_TOGETHER):
        bands[column * _DOWN :][:_TAPS, column] = taps / taps.sum()
    return bands


class _Decimator:
    """48 to 8 kHz."""

    def __init__(self) -> None:
        self._samples = np.zeros(BLOCK + _TAPS - _DOWN, np.float32)
        rows = _STEP // _TOGETHER
        self._windows = as_strided(self._samples, (rows, _WIDE), (4 * _DOWN * _TOGETHER, 4), writeable=False)
        self._bands = _low_pass()

    def __call__(self, block: Block, out: NDArray[np.float32]) -> None:
        self._samples[:-BLOCK] = self._samples[BLOCK:]
        self._samples[-BLOCK:] = block
        np.dot(self._windows, self._bands, out=out.reshape(-1, _TOGETHER))


class EchoDelay:
    """Looks once a second, at first four times. Capture thread only."""

    def __init__(self) -> None:
        self._decimators = (_Decimator(), _Decimator())
        self._sound = np.zeros((2, 2 * _SIZE), np.float32)
        self._end = _SIZE
        self._valid = 0
        self._since = 0
        self._looks = 0
        self._stage = 0
        self._window = np.zeros((2, _SIZE), np.float32)
        self._spectrum, self._other = np.zeros((2, _SIZE // 2 + 1), np.complex64)
        self._correlation = np.zeros(_SIZE, np.float32)
        self._looked = 0
        self._age = 0
        bins = np.arange(_SIZE // 2 + 1) * (48_000 / _DOWN / _SIZE)
        self._counts = ((bins >= _LOWEST) & (bins <= _HIGHEST)).astype(np.float32)
        at = np.arange(-_REACH, _REACH + 1)
        fine = np.arange(-_FINE, _FINE + 1)[:, np.newaxis] / _FINE
        self._between: NDArray[np.float32] = (
            np.sinc(fine - at) * np.cos(np.pi * (fine - at) / (2 * _REACH + 4)) ** 2
        ).astype(np.float32)

    def restart(self) -> None:
        """The delay has changed: what was heard before says nothing any more."""
        self._valid = self._stage = self._since = self._looks = 0

    def hurry(self) -> None:
        """Look again soon: something is not as it was."""
        self._looks = 0

    def push(self, reference: Block, microphone: Block, expected: float | None) -> Heard | None:
        """Take in the next block of both, shape (480,). Gives what a look found that ends with this block.

        :param expected: the delay that the echo had before, samples at 48 kHz.
        """
        if self._end + _STEP > 2 * _SIZE:
            self._sound[:, :_SIZE] = self._sound[:, self._end - _SIZE : self._end]
            self._end = _SIZE
        for decimate, block, sound in zip(self._decimators, (reference, microphone), self._sound, strict=True):
            decimate(block, sound[self._end : self._end + _STEP])
        self._end += _STEP
        self._valid = min(_SIZE, self._valid + _STEP)
        self._since += 1
        return self._work(expected)

    def _work(self, expected: float | None) -> Heard | None:
        if self._stage == 0:
            due = self._since >= (_AT_FIRST if self._looks < _MANY else _EVERY)
            if due and self._valid >= (_LEAST if expected is None else _LEAST_KNOWN):
                self._stage, self._since = int(self._begin(expected)), 0
                self._looks += self._stage
            return None
        self._looked += 1
        if self._stage == 1:
            forward(self._window[1], self._spectrum)
        elif self._stage == 2:
            forward(self._window[0], self._other)
            np.conjugate(self._other, out=self._other)
            self._spectrum *= self._other
            magnitude = np.sqrt(self._spectrum.real**2 + self._spectrum.imag**2)  # a fifth of np.abs
            magnitude += np.float32(1e-12)
            self._spectrum *= self._counts / magnitude
        else:
            self._stage = 0
            inverse(self._spectrum, self._correlation)
            return self._peak(expected)
        self._stage += 1
        return None

    def _begin(self, expected: float | None) -> bool:
        """Copy what is looked at: all of the reference, and the end of the microphone that all delays reach back from."""
        valid = self._valid
        reach = valid - _LATEST if valid >= 2 * _LATEST else valid // 2 if expected is None else valid + _EARLIEST
        reference, microphone = self._sound[:, self._end - _SIZE : self._end]
        self._window[:] = 0
        self._window[0, -valid:] = reference[-valid:]
        self._window[1, -reach:] = microphone[-reach:]
        self._looked, self._age = 0, reach * _DOWN // 2
        loud = [float(sound[-reach:] @ sound[-reach:]) / reach for sound in self._window]
        return min(loud) > _QUIET

    def _peak(self, expected: float | None) -> Heard | None:
        correlation = self._correlation
        found = np.concatenate([correlation[_EARLIEST - _REACH :], correlation[: _LATEST + _REACH]])
        inner = found[_REACH:-_REACH]
        at = int(inner.argmax())
        if expected is not None:
            near = int(expected / _DOWN) - _EARLIEST
            first = max(0, near - _NEAR)
            there = first + int(inner[first : near + _NEAR].argmax()) if near + _NEAR > 0 else at
            if inner[there] > _PREFERRED * inner[at]:
                at = there
        deviation = float(found.std())
        if deviation == 0.0:
            return None
        fine = self._between @ found[at : at + 2 * _REACH + 1]
        top = int(fine.argmax())
        place = top / _FINE - 1
        if 0 < top < 2 * _FINE:
            left, middle, right = (float(fine[top + side]) for side in (-1, 0, 1))
            place += (left - right) / (left - 2 * middle + right) / 2 / _FINE
        return Heard((at + _EARLIEST + place) * _DOWN, float(inner[at]) / deviation, self._age, self._looked)
