"""Random rooms at 16 kHz: a table with a microphone array and a loudspeaker, talkers about it, noise from afar."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyroomacoustics as pra
from numpy.typing import NDArray

from tools.training.recipe import RATE

Random = np.random.Generator
Responses = NDArray[np.float32]
"""Shape (microphones, taps)."""
_TAPS = RATE // 2
_ORDER = 25
_FAR = 3.5
_MARGIN = 0.25
_EARLY, _FADING = 0.05, 0.22
"""Of a near talker's response, what comes within 50 ms is kept, and what follows fades in 0.22 s at most (RT60)."""


class Room(NamedTuple):
    """A room's responses. Two loudspeaker places: the second is where it is after somebody moved it."""

    microphones: NDArray[np.float64]  # (4, 3) relative to the centre
    loudspeakers: list[Responses]
    loudspeaker: NDArray[np.float64]  # relative to the centre
    talkers: list[Responses]
    azimuths: list[float]  # degrees
    noises: list[Responses]


def room(random: Random) -> Room:
    """Draw one."""
    size = np.array([random.uniform(3, 9), random.uniform(2.8, 7), random.uniform(2.4, 3.6)])
    reverberation = random.uniform(0.2, 0.7)
    try:
        absorption, _ = pra.inverse_sabine(reverberation, size.tolist())
    except ValueError:
        absorption = 0.9
    centre = size * [random.uniform(0.3, 0.7), random.uniform(0.3, 0.7), 0] + [0, 0, random.uniform(0.7, 1.1)]
    turned = random.uniform(0, 2 * np.pi) + np.pi / 2 * np.arange(4)
    microphones = 0.0325 * np.stack([np.cos(turned), np.sin(turned), np.zeros(4)], axis=1)
    beside = _beside(random, random.uniform(0.12, 0.9))
    moved = beside + random.normal(0, 0.08, 3) * [1, 1, 0.3]
    azimuths = random.uniform(0, 360, 3)
    places = [centre + beside, centre + moved]
    places += [_talker(random, centre, size, azimuth) for azimuth in azimuths]
    places += [_MARGIN + random.uniform(size=3) * (size - 2 * _MARGIN) for _ in range(3)]
    responses = _responses(size, absorption, centre + microphones, np.array(places))
    return Room(
        microphones, responses[:2], beside, responses[2:5], [float(azimuth) for azimuth in azimuths], responses[5:]
    )


def early(responses: Responses) -> Responses:
    """A talker's response with its late part taken down: what the gain shall let through."""
    first = int(np.abs(responses).max(axis=0).argmax())
    after = np.maximum(0, np.arange(responses.shape[1]) - first - int(_EARLY * RATE)) / RATE
    faded: Responses = (responses * 10 ** (-3.0 * after / _FADING)).astype(np.float32)
    return faded


def _beside(random: Random, distance: float) -> NDArray[np.float64]:
    azimuth = random.uniform(0, 2 * np.pi)
    return np.array([distance * np.cos(azimuth), distance * np.sin(azimuth), random.uniform(-0.1, 0.15)])


def _talker(
    random: Random, centre: NDArray[np.float64], size: NDArray[np.float64], azimuth: float
) -> NDArray[np.float64]:
    """As far as drawn, or as the room is."""
    direction = np.array([np.cos(np.deg2rad(azimuth)), np.sin(np.deg2rad(azimuth)), 0])
    room_left = np.where(direction > 0, size - _MARGIN - centre, centre - _MARGIN) / np.maximum(np.abs(direction), 1e-3)
    distance = min(random.uniform(0.7, _FAR), float(room_left[:2].min()))
    return centre + distance * direction + [0, 0, random.uniform(0.2, 0.6)]


def _responses(
    size: NDArray[np.float64],
    absorption: float,
    microphones: NDArray[np.float64],
    places: NDArray[np.float64],
) -> list[Responses]:
    pra.random.seed(int(1e6 * size.sum()))  # it moves the images at random: against the sweeping echo of a perfect box
    box = pra.ShoeBox(
        size.tolist(),
        fs=RATE,
        materials=pra.Material(absorption),
        max_order=_ORDER,
        use_rand_ism=True,
        max_rand_disp=0.08,
    )
    for place in np.clip(places, 0.1, size - 0.1):
        box.add_source(place)
    box.add_microphone_array(microphones.T)
    box.compute_rir()
    found = []
    for source in range(len(places)):
        taps = np.zeros((len(microphones), _TAPS), np.float32)
        for microphone in range(len(microphones)):
            response = box.rir[microphone][source][:_TAPS]
            taps[microphone, : response.size] = response
        found.append(taps)
    return found
