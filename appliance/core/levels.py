"""How loud it is, and who speaks.

Levels are dBov (RFC 6464): the RMS of a block against the overload point, 0 loudest, -127 silence. A full-scale square
wave has 0, a full-scale sine -3.01.
"""

import math

import numpy as np

from appliance.core.units import SILENCE, Block, Pcm

_PCM_OVERLOAD = 32_768.0


def dbov(block: Block | Pcm) -> float:
    """The RMS level of ``block``, dBov in [-127, 0].

    :param block: float32 in [-1, 1] or int16, any length; an empty block is silence.
    """
    if block.size == 0:
        return SILENCE
    samples = block.astype(np.float32, copy=False)
    overload = _PCM_OVERLOAD if block.dtype == np.int16 else 1.0
    mean = float(np.dot(samples, samples)) / (block.size * overload**2)
    if not mean > 0.0:  # 0, or not a number
        return SILENCE
    return min(0.0, max(SILENCE, 10.0 * math.log10(mean)))


class Smoother:
    """A level that rises and falls with time constants, so that a meter can be read.

    :param attack_s: time constant in seconds when it gets louder; 0 follows at once.
    :param release_s: time constant in seconds when it gets quieter; 0 follows at once.
    """

    def __init__(self, attack_s: float, release_s: float) -> None:
        self._attack = attack_s
        self._release = release_s
        self._level: float | None = None
        self._at = 0.0

    def update(self, level: float, now: float) -> float:
        """Take a level (dBov) measured at ``now``, give the smoothed one. The first is taken as it is."""
        if self._level is None:
            self._level = level
        else:
            constant = self._attack if level > self._level else self._release
            passed = max(0.0, now - self._at)
            kept = math.exp(-passed / constant) if constant > 0.0 else 0.0
            self._level = level + (self._level - level) * kept
        self._at = now
        return self._level


class Speaking:
    """Whether somebody speaks: begins at ``on``, goes on down to ``off``, kept ``hold`` seconds after the last sound.

    :param on: dBov at which speaking begins.
    :param off: dBov, not above ``on``: quieter than this is no sound of a speaker.
    :param hold: seconds; bridges the pauses between words (UX.md, "The bar").
    """

    def __init__(self, on: float = -50.0, off: float = -56.0, hold: float = 1.5) -> None:
        if off > on:
            raise ValueError("off must not be above on")
        self._on = on
        self._off = off
        self._hold = hold
        self._last = -math.inf
        self._speaking = False

    def update(self, level: float, now: float) -> bool:
        """Take a level (dBov) measured at ``now``; whether speaking goes on."""
        if level >= (self._off if self._speaking else self._on):
            self._last = now
            self._speaking = True
        elif now - self._last >= self._hold:
            self._speaking = False
        return self._speaking
