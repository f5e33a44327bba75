"""What bench-engines says and how it judges what was heard. Blocks are of 10 ms, times are of the monotonic clock, in seconds."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.core.units import BLOCK, RATE, Pcm

BURST, EVERY = 0.4, 1.5
"""Seconds of noise, and from one burst to the next."""
MOST = 1.4
"""Seconds by which a burst may be late; each burst is another noise, so none is taken for its neighbour."""
LOUD = -45.0
"""dBov: what is louder is heard. What is said has about -15."""
HOLD, GAP = 2.0, 0.3
"""Seconds that sound has to last to be back, and silences that do not end it."""
_ALIKE = 0.5
"""Correlation from which a burst counts as found."""
_THIN = 4
"""One sample of so many is enough for noise below 3400 Hz."""

Sound = NDArray[np.float32]


def voice(seed: int, seconds: float = 10.0) -> Sound:
    """Noise of a voice's band that swells four times a second and never stops."""
    noise = _noise(np.random.default_rng(seed), round(seconds * RATE))
    swells = 0.65 + 0.35 * np.sin(2 * np.pi * 4 * np.arange(noise.size) / RATE)
    shaped: Sound = (noise * swells).astype(np.float32)
    return shaped


def bursts(seed: int, seconds: float) -> Sound:
    """A burst of noise every :data:`EVERY` seconds, each another one."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * RATE), np.float32)
    for begin in _begins(sound.size):
        sound[begin : begin + round(BURST * RATE)] = _noise(rng, round(BURST * RATE))
    return sound


def _noise(rng: np.random.Generator, size: int) -> Sound:
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=size)) * ((hertz > 200) & (hertz < 3400)), size)
    shaped: Sound = (noise / np.abs(noise).max() * 0.6).astype(np.float32)
    return shaped


def _begins(size: int) -> range:
    """Where bursts begin that end, with all their lateness, before ``size`` samples."""
    return range(0, size - round((BURST + MOST) * RATE), round(EVERY * RATE))


def blocks(sound: Sound) -> list[Pcm]:
    """As they are sent."""
    return list((sound * 32767).astype(np.int16).reshape(-1, BLOCK))


def lateness(said: Sound, heard: Sound) -> list[float]:
    """How much later each burst was heard than said, seconds; of those that are found."""
    found = []
    for begin in _begins(min(said.size, heard.size)):
        burst = said[begin : begin + round(BURST * RATE) : _THIN].astype(np.float64)
        where = heard[begin : begin + round((BURST + MOST) * RATE) : _THIN].astype(np.float64)
        alike = _correlation(where, burst)
        best = int(alike.argmax())
        if alike[best] > _ALIKE:
            found.append(best * _THIN / RATE)
    return found


def _correlation(where: NDArray[np.float64], burst: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normalized, for each place at which ``burst`` fits whole."""
    size = 1 << int(where.size + burst.size).bit_length()
    product = np.fft.irfft(np.fft.rfft(where, size) * np.conj(np.fft.rfft(burst, size)), size)
    places = where.size - burst.size + 1
    sums = np.concatenate(([0.0], np.cumsum(where * where)))
    energy = sums[burst.size :] - sums[:places]
    floor = 1e-4 * float(np.dot(burst, burst))
    result: NDArray[np.float64] = product[:places] / np.sqrt(np.maximum(energy, floor) * np.dot(burst, burst))
    return result


def back_after(looks: Iterable[Sequence[float]], since: float) -> float | None:
    """Seconds from ``since`` to the sound that stays.

    :param looks: time and level in dBov of each block that was heard.
    :returns: None: none came, or none that has lasted for :data:`HOLD` yet.
    """
    begun: float | None = None
    last = since
    for at, level in looks:
        if at < since:
            continue
        if level > LOUD:
            if begun is None or at - last > GAP:
                begun = at
            last = at
            if at - begun >= HOLD:
                return begun - since
    return None


def last_sound(looks: Iterable[Sequence[float]], since: float, until: float) -> float:
    """Seconds from ``since`` to the last block over :data:`LOUD` before ``until``; 0: none."""
    return max((at - since for at, level in looks if since <= at < until and level > LOUD), default=0.0)
