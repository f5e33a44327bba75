"""A room and voices that are made up: nothing is fetched, nothing takes long."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from appliance.core.units import RATE

if TYPE_CHECKING:  # the files that use these say what they need, and skip without it
    from tools.acoustics.rooms import Room
    from tools.acoustics.speech import Voice


def response(late: int, decay: float = 0.0) -> np.ndarray:
    """Four microphones that hear a source ``late`` samples later, and a tail if it decays."""
    taps = np.zeros((4, 4800), np.float32)
    taps[:, late] = 1.0
    if decay:
        taps[:, late + 1 :] = np.random.default_rng(late).normal(0, 0.1, (4, 4799 - late)) * decay ** np.arange(
            4799 - late
        )
    return taps


@pytest.fixture(scope="session")
def bare() -> "Room":
    """A room with a loudspeaker at 48 samples and talkers at 200, at 10°, 20° and so on."""
    from tools.acoustics.rooms import WALK, Room

    names = [
        "loudspeaker",
        "1m5_a",
        "1m5_b",
        *(f"walk_{step}" for step in range(WALK)),
        *(f"noise_{n}" for n in range(4)),
        "keyboard",
    ]
    responses = {name: response(200, 0.995) for name in names} | {"loudspeaker": response(48)}
    return Room("bare", 0.3, responses, {name: 10.0 * number for number, name in enumerate(names)})


def voice(name: str, seed: int) -> "Voice":
    """Noise that stops and goes like speech."""
    from tools.acoustics.speech import Voice

    count = 6 * RATE
    bursts = np.sin(2 * np.pi * 1.5 * np.arange(count) / RATE) > -0.2
    noise = np.random.default_rng(seed).standard_normal(count, np.float32) * bursts
    return Voice(name, name, np.clip(3000 * noise, -30000, 30000).astype(np.int16))


@pytest.fixture(scope="session")
def pair() -> "tuple[Voice, Voice]":
    """The far end, and somebody near."""
    return voice("xx", 1), voice("yy", 2)
