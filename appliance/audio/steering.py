"""How sound from a direction arrives at the microphones of an array."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.core.arrays import Position
from appliance.core.units import BLOCK, RATE

SOUND = 343.0
"""Metres a second, at 20 °C."""
ELEVATION = 15.0
"""Degrees above the table from which people talk: mouths 40 cm higher, 1 to 3 m away."""

Bins = NDArray[np.intp]
Complex = NDArray[np.complex128]


def frequencies(bins: Bins | None = None) -> NDArray[np.float64]:
    """Hz of some bins of a spectrum, or of all 481."""
    every: NDArray[np.float64] = np.linspace(0.0, RATE / 2, BLOCK + 1)
    return every if bins is None else every[bins]


def steering(
    positions: Sequence[Position], azimuths: Sequence[float] | NDArray[np.float64], hertz: NDArray[np.float64]
) -> Complex:
    """Phases of plane waves at the microphones against the array's centre, shape (frequencies, azimuths, microphones)."""
    angle, height = np.deg2rad(np.asarray(azimuths, np.float64)), np.deg2rad(ELEVATION)
    towards = np.stack(
        [np.cos(angle) * np.cos(height), np.sin(angle) * np.cos(height), np.full_like(angle, np.sin(height))], axis=-1
    )
    early = towards @ np.asarray(positions, np.float64).T / SOUND  # seconds, (azimuths, microphones)
    phases: Complex = np.exp(2j * np.pi * hertz[:, np.newaxis, np.newaxis] * early)
    return phases


def diffuse(positions: Sequence[Position], hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coherence of sound from everywhere, as of a room's late reverberation, shape (frequencies, n, n)."""
    at = np.asarray(positions, np.float64)
    apart = np.linalg.norm(at[:, np.newaxis] - at, axis=-1)
    coherence: NDArray[np.float64] = np.sinc(2 * hertz[:, np.newaxis, np.newaxis] * apart / SOUND)
    return coherence


def on_a_line(positions: Sequence[Position]) -> bool:
    """Whether the microphones stand on one line: then left and right of it sound the same."""
    at = np.asarray(positions, np.float64)
    at = at - at.mean(axis=0)
    return len(at) < 3 or float(np.linalg.svd(at, compute_uv=False)[1]) < 1e-3
