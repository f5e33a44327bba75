"""Whether the channels of a card are the microphones that the settings say: from the echo path to each of them.

Where microphones stand bounds by how much a sound may reach one later than another. A chirp from one loudspeaker gives these
differences to a fraction of a sample, and with them which channels are the same, inverted or exchanged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from appliance.core.arrays import Position
from appliance.core.chirp import Samples
from appliance.core.units import RATE

_SOUND = 343.0
"""Metres a second."""
_LEAST, _MOST = 200.0, 6_000.0
"""Hz: where small loudspeakers play, and below what a microphone's own case bends."""
_FINER = 8
_DIRECT = 3 * RATE // 1000
"""Samples around the onset that are compared: before most of the room's reflections."""
_AGREES = 0.55 / RATE * _SOUND
"""Metres (4 mm): what the edge of a case and a reflection from the table make of a microphone's place."""
_TURNED = 6
"""Times by which another order must fit better to be the right one."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How the differences of arrival fit the microphones' places."""

    error: float
    """Metres, RMS, by the best place of the loudspeaker that was found."""
    widest: float
    """Metres: the largest difference that was measured."""
    possible: float
    """Metres: the largest that the places allow."""
    exchanged: tuple[int, int] | None = None
    """Microphones (from 0) which fit when they change places."""

    @property
    def agrees(self) -> bool:
        """Whether the places can be right."""
        return self.error <= _AGREES


def arrivals(responses: Sequence[Samples]) -> Samples:
    """By how many metres of sound each response comes later than the first, shape (n,); all have one time axis.

    The place of the largest correlation of their direct parts, whatever its sign.
    """
    parts = _direct(responses)
    late = [_lag(parts[0], part)[0] for part in parts]
    return np.array(late) * _SOUND / RATE


def inverted(responses: Sequence[Samples]) -> list[int]:
    """Which of them (from 0) have the other polarity than most. Two that differ tell not which is wrong: the second."""
    parts = _direct(responses)
    signs = [_lag(parts[0], part)[1] < 0 for part in parts]
    wrong = [number for number, sign in enumerate(signs) if sign]
    return wrong if len(wrong) <= len(signs) // 2 else [n for n, sign in enumerate(signs) if not sign]


def same(sound: NDArray[np.float32], channels: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of channels with the same samples, shape of ``sound`` (n, samples); silent ones are no pair."""
    return [
        (one, other)
        for one, other in combinations(channels, 2)
        if np.ptp(sound[one]) > 0 and np.array_equal(sound[one], sound[other])
    ]


def fit(late: Samples, positions: Sequence[Position]) -> Fit:
    """How differences of arrival (metres, shape (n,)) fit microphones at ``positions`` (metres), n at least 2."""
    places = np.array(positions)
    error = _error(late, places)
    apart = [float(np.linalg.norm(places[a] - places[b])) for a, b in combinations(range(len(places)), 2)]
    found = Fit(error, float(np.ptp(late)), max(apart))
    if found.agrees:
        return found
    exchanges = {
        pair: _error(late, places[_exchanged(len(places), *pair)]) for pair in combinations(range(len(late)), 2)
    }
    best = min(exchanges, key=lambda pair: exchanges[pair])
    if exchanges[best] <= _AGREES and exchanges[best] * _TURNED < error:
        return Fit(error, found.widest, found.possible, best)
    return found


def _exchanged(count: int, one: int, other: int) -> list[int]:
    order = list(range(count))
    order[one], order[other] = order[other], order[one]
    return order


def _sources() -> Samples:
    """Places in which the loudspeaker may be, metres from the centre, shape (k, 3): from beside the array to far away."""
    azimuth, elevation = np.meshgrid(np.radians(np.arange(0, 360, 4)), np.radians(np.arange(-75, 90, 15)))
    level = np.cos(elevation).ravel()
    unit = np.stack([level * np.cos(azimuth).ravel(), level * np.sin(azimuth).ravel(), np.sin(elevation).ravel()], 1)
    places: Samples = np.concatenate([distance * unit for distance in (0.05, 0.1, 0.2, 0.4, 1.0, 10.0)])
    return places


_SOURCES = _sources()


def _error(late: Samples, places: Samples) -> float:
    """Metres RMS between what was measured and what the best source gives."""
    distances = np.linalg.norm(_SOURCES[:, None, :] - places[None, :, :], axis=2)
    off = distances - late
    off -= off.mean(axis=1, keepdims=True)
    return float(np.sqrt(np.min(np.mean(off**2, axis=1))))


def _direct(responses: Sequence[Samples]) -> list[Samples]:
    """The part of each around the first onset of all, within the band in which microphones can be compared."""
    first = min(int(np.argmax(np.abs(one) >= np.max(np.abs(one)) / 3)) for one in responses)
    begin = max(0, first - _DIRECT)
    window = np.hanning(2 * _DIRECT)
    cut = [np.resize(one[begin : begin + 2 * _DIRECT], 2 * _DIRECT) * window for one in responses]
    frequencies = np.fft.rfftfreq(2 * _DIRECT, 1 / RATE)
    inside = (frequencies >= _LEAST) & (frequencies <= _MOST)
    return [np.fft.irfft(np.fft.rfft(one) * inside) for one in cut]


def _lag(one: Samples, other: Samples) -> tuple[float, float]:
    """How many samples ``other`` is later, and the correlation there: below 0 it is inverted."""
    spectrum = np.conj(np.fft.rfft(one, 2 * len(one))) * np.fft.rfft(other, 2 * len(one))
    correlation = np.fft.irfft(spectrum, 2 * len(one) * _FINER)
    at = int(np.argmax(np.abs(correlation)))
    peak = float(correlation[at])
    return (at if at < len(correlation) // 2 else at - len(correlation)) / _FINER, peak
