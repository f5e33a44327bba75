"""Rooms: impulse responses from loudspeaker, talkers and noises to a circular array of four microphones.

Image sources with randomised positions (Allen & Berkley 1979; De Sena et al. 2015, against the sweeping echo of a perfect box)
by pyroomacoustics, kept in .cache/acoustics/rooms. ``r1`` to ``r3`` are reported and never tuned in; ``t0``, ``t1`` … are
drawn at random for tuning and training. ``python -m tools.acoustics.rooms 80`` simulates the first 80 of those.
"""

from __future__ import annotations

import functools
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyroomacoustics
from numpy.typing import NDArray

from appliance.core.units import RATE
from tools.acoustics.array import MICROPHONES
from tools.acoustics.signals import Many, Random

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "acoustics" / "rooms"
VERSION = 2
"""Counts up when the simulation changes, so that older files are left alone."""
DISTANCES = {"1m": 1.0, "1m5": 1.5, "2m": 2.0, "3m": 3.0}
WALK = 9
"""Positions of somebody who walks, half a step apart and more."""
REPORTED = ("r1", "r2", "r3")
_LONGEST = 0.6
_ORDER = 45
_MARGIN = 0.25
_MOUTH = 0.4
"""Metres that a mouth is above the array: somebody sits, the array lies on the table."""


class Plan(NamedTuple):
    """What is simulated: metres, seconds, degrees."""

    size: tuple[float, float, float]
    rt60: float
    array: tuple[float, float, float]
    loudspeaker: tuple[float, float]
    """Distance from the array's centre and azimuth; 5 cm above the microphones."""


_PLANS = {
    "r1": Plan((4.3, 3.5, 2.6), 0.30, (1.2, 1.6, 0.75), (0.36, -34.0)),
    "r2": Plan((6.2, 4.4, 2.9), 0.45, (2.5, 2.0, 0.75), (0.36, 150.0)),
    "r3": Plan((8.4, 5.6, 3.1), 0.60, (3.4, 2.5, 0.75), (0.36, 60.0)),
}


@dataclass(frozen=True)
class Room:
    """``responses`` by source, each (4, n): ``loudspeaker``, ``1m_a`` … ``3m_b``, ``walk_0`` …, ``noise_0`` …, ``keyboard``.

    ``azimuths`` in degrees, of the same names, from the array's centre. ``rt60`` is measured in the responses.
    """

    name: str
    rt60: float
    responses: Mapping[str, Many]
    azimuths: Mapping[str, float]


@functools.lru_cache(maxsize=8)
def room(name: str) -> Room:
    """A room by name, from the cache or simulated (2 to 8 s)."""
    kept = CACHE / f"{name}-{VERSION}.npz"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=CACHE, suffix=".tmp", delete=False) as file:
            np.savez(file, allow_pickle=False, **_simulated(name))
        Path(file.name).replace(kept)
    with np.load(kept) as data:
        sources = [key for key in data.files if key not in {"azimuths", "rt60"}]
        azimuths = dict(zip(sources, (float(azimuth) for azimuth in data["azimuths"]), strict=True))
        return Room(name, float(data["rt60"]), {key: data[key] for key in sources}, azimuths)


def _simulated(name: str) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng([ord(name[0]), int(name[1:])])
    plan = _PLANS[name] if name in _PLANS else _drawn(random)
    places = _places(plan, random)
    centre = np.array(plan.array)
    absorption, measured = _absorption(plan, centre + np.array(places["loudspeaker"]))
    simulated = _responses(plan, absorption, [centre + np.array(place) for place in places.values()])
    found = dict(zip(places, simulated, strict=True))
    azimuths = [np.rad2deg(np.arctan2(place[1], place[0])) % 360 for place in places.values()]
    return found | {"azimuths": np.array(azimuths, np.float32), "rt60": np.array(measured, np.float32)}


def _drawn(random: Random) -> Plan:
    """A meeting room for tuning: 3.6 to 9 m long."""
    length = random.uniform(3.8, 9.0)
    size = (length, random.uniform(3.2, max(3.4, 0.75 * length)), random.uniform(2.4, 3.4))
    array = (size[0] * random.uniform(0.25, 0.5), size[1] * random.uniform(0.35, 0.6), random.uniform(0.7, 0.8))
    return Plan(size, random.uniform(0.25, 0.65), array, (random.uniform(0.15, 0.7), random.uniform(0, 360)))


def _places(plan: Plan, random: Random) -> dict[str, tuple[float, float, float]]:
    """Where everything stands, from the array's centre."""
    distance, azimuth = plan.loudspeaker
    places = {"loudspeaker": _place(distance, azimuth, 0.05)}
    for name, metres in DISTANCES.items():
        for which in "ab":
            places[f"{name}_{which}"] = _talker(plan, metres, random, places.get(f"{name}_a"))
    start = random.uniform(0, 360)
    for step in range(WALK):
        part = step / (WALK - 1)
        places[f"walk_{step}"] = _inside(plan, _place(1.3 + 0.7 * part, start + 80 * part, _MOUTH))
    corners = [(x, y) for x in (0.3, plan.size[0] - 0.3) for y in (0.3, plan.size[1] - 0.3)]
    for number, (x, y) in enumerate(corners):
        places[f"noise_{number}"] = (x - plan.array[0], y - plan.array[1], plan.size[2] - 0.2 - plan.array[2])
    places["keyboard"] = _place(0.6, azimuth + 120, 0.0)
    return places


def _place(distance: float, azimuth: float, height: float) -> tuple[float, float, float]:
    angle = np.deg2rad(azimuth)
    return float(distance * np.cos(angle)), float(distance * np.sin(angle)), height


def _inside(plan: Plan, place: tuple[float, float, float]) -> tuple[float, float, float]:
    x, y = (
        float(np.clip(at, _MARGIN - centre, size - _MARGIN - centre))
        for at, centre, size in zip(place[:2], plan.array[:2], plan.size[:2], strict=True)
    )
    return x, y, place[2]


def _talker(
    plan: Plan, distance: float, random: Random, other: tuple[float, float, float] | None
) -> tuple[float, float, float]:
    """A place at this distance within the walls, away from the loudspeaker and from the other one, as far as that goes."""
    best, found = -1.0, (0.0, 0.0, 0.0)
    flat = float(np.sqrt(distance**2 - _MOUTH**2))
    for azimuth in random.uniform(0, 360, 40):
        place = _place(flat, azimuth, _MOUTH)
        inside = _inside(plan, place)
        lost = float(np.hypot(place[0] - inside[0], place[1] - inside[1]))
        apart = [_apart(azimuth, plan.loudspeaker[1])]
        if other:
            apart.append(_apart(azimuth, float(np.rad2deg(np.arctan2(other[1], other[0])))))
        good = min(40.0, *apart) - 200 * lost + 500
        if good > best:
            best, found = good, inside
    return found


def _apart(one: float, other: float) -> float:
    return abs((one - other + 180) % 360 - 180)


def _absorption(plan: Plan, loudspeaker: NDArray[np.float64]) -> tuple[float, float]:
    """What the walls must absorb for the RT60 planned, and the RT60 then measured: Sabine's formula alone is 30 % off."""
    nominal, absorption, measured = plan.rt60, 0.0, 0.0
    for _ in range(4):
        absorption = float(pyroomacoustics.inverse_sabine(nominal, plan.size)[0])
        response = _responses(plan, absorption, [loudspeaker + np.array([0.9, 0.6, 0.3])])[0][0]
        measured = float(pyroomacoustics.experimental.measure_rt60(response, RATE, decay_db=30))
        if abs(measured - plan.rt60) < 0.01:
            break
        nominal *= plan.rt60 / measured
    return absorption, measured


def _responses(plan: Plan, absorption: float, sources: list[NDArray[np.float64]]) -> list[Many]:
    """Shape (4, n) for each source; cut and faded out at 0.6 s."""
    pyroomacoustics.random.seed(1)  # of the places of the images
    simulated = pyroomacoustics.ShoeBox(
        plan.size,
        fs=RATE,
        materials=pyroomacoustics.Material(absorption),
        max_order=_ORDER,
        use_rand_ism=True,
        max_rand_disp=0.08,
    )
    simulated.add_microphone_array((np.array(plan.array) + MICROPHONES).T)
    limits = np.array(plan.size) - 0.05
    for source in sources:
        simulated.add_source(np.clip(source, 0.05, limits))
    simulated.compute_rir()
    count = int(_LONGEST * RATE)
    fade = np.ones(count, np.float32)
    fade[-RATE // 20 :] = np.linspace(1, 0, RATE // 20, dtype=np.float32)
    found = [np.zeros((len(MICROPHONES), count), np.float32) for _ in sources]
    for microphone, row in enumerate(simulated.rir):
        for number, response in enumerate(row):
            size = min(count, response.size)
            found[number][microphone, :size] = response[:size]
            found[number][microphone] *= fade
    return found


def main(arguments: list[str]) -> int:
    """Simulate the reported rooms, and as many for tuning as asked."""
    for name in [*REPORTED, *(f"t{number}" for number in range(int(arguments[0]) if arguments else 8))]:
        print(f"{name:4} RT60 {room(name).rt60:.2f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
