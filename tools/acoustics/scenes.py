"""Scenes: what the microphones hear while the far end and somebody near talk, and what the sound card would tell of it.

Levels as a device sees them: the near talker at -30 dBFS at the first microphone, the echo above that by the scenario, the far
end's digital signal at -18 dBFS. Playback runs on the system's clock, capture on its own, which may be fast.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from appliance.core.units import BLOCK, RATE, Block
from tools.acoustics.rooms import REPORTED, WALK, Room, room
from tools.acoustics.signals import (
    Many,
    Random,
    active_rms,
    convolved,
    db,
    loudspeaker,
    pink,
    read_at,
    typing,
)
from tools.acoustics.speech import Voice, voices

NEAR_LEVEL = -30.0
FAR_LEVEL = -18.0
SPEED = 343.0
"""Of sound, m/s."""
_PEAK = 0.7
"""Of the far end, below any limiter: what is played is what was sent."""
BUFFERED = 0.04
"""Seconds between writing a block and hearing it, while nothing jumps."""
_EARLY = 0.05
"""What arrives this long after the direct sound still helps to understand (ISO 3382's C50): the reference for PESQ and STOI."""

Span = tuple[float, float]


@dataclass(frozen=True)
class Scenario:
    """What happens: seconds, decibels. ``talker`` is a distance of rooms.DISTANCES, or "walk"."""

    name: str
    ser: float = -10.0
    """Near speech to echo, at the first microphone."""
    snr: float = 20.0
    """Near speech to noise."""
    noise: Literal["fan", "keys"] = "fan"
    drive: float = 0.8
    """Of the loudspeaker: 0.8 distorts mildly, 3 strongly."""
    ppm: float = 0.0
    """How much the capture clock is fast."""
    jumps: int = 0
    mismatch: float = 0.0
    """Standard deviation of the microphones' gains in decibels; their places are then off by 1.7 mm a decibel."""
    talker: str = "1m5"
    far: Span = (0.0, 20.0)
    near: Span | None = (10.0, 26.0)
    seconds: float = 26.0


_NOISE = {"far": (0.0, 8.0), "near": (8.0, 18.0), "seconds": 18.0}
SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("far", near=None, seconds=20.0),
        Scenario("dt_m10"),
        Scenario("dt_0", ser=0.0),
        Scenario("drift50", ppm=50.0),
        Scenario("jumps", jumps=4),
        Scenario("clip", drive=3.0),
        Scenario("moving", talker="walk"),
        Scenario("noise20", **_NOISE),  # type: ignore[arg-type]
        Scenario("noise15", snr=15.0, **_NOISE),  # type: ignore[arg-type]
        Scenario("noise10", snr=10.0, **_NOISE),  # type: ignore[arg-type]
        Scenario("keys15", snr=15.0, noise="keys", **_NOISE),  # type: ignore[arg-type]
        Scenario("near_1m", talker="1m", **_NOISE),  # type: ignore[arg-type]
        Scenario("near_2m", talker="2m", **_NOISE),  # type: ignore[arg-type]
        Scenario("near_3m", talker="3m", **_NOISE),  # type: ignore[arg-type]
        Scenario("dt_1m", talker="1m"),
        Scenario("dt_2m", talker="2m"),
        Scenario("dt_3m", talker="3m"),
        Scenario("dt_m20", ser=-20.0),
        Scenario("cheap", mismatch=1.5),
    )
}


@dataclass(frozen=True, slots=True)
class Call:
    """What a sound card would say, in the order of time.

    ``wrote``: block ``block`` of the reference was handed to playback; ``played`` follows at once with its first sample's
    ``position`` in the playback stream and the ``time`` it is heard. ``captured``: block ``block`` of the microphones came, with
    its position and the time of its last sample. ``jumped``: ``block`` is 0 for playback, 1 for capture.
    """

    kind: Literal["wrote", "played", "captured", "jumped"]
    block: int
    position: int = 0
    time: float = 0.0


@dataclass(frozen=True)
class Scene:
    """All float32 at 48 kHz; ``Many`` is (4, n), n a multiple of 480. ``microphones`` = echo + near + noise."""

    scenario: Scenario
    room: str
    seed: int
    languages: tuple[str, str]
    """Of the far end, and near."""
    reference: Block
    """What was written to playback, in the order written: block i at about the time that block i is captured."""
    microphones: Many
    echo: Many
    near: Many
    noise: Many
    near_early: Block
    """Near speech at the first microphone with 50 ms of its reflections: what PESQ and STOI compare with."""
    azimuths: NDArray[np.float32]
    """Of the near talker for each block, degrees; NaN without one."""
    calls: Sequence[Call] = field(repr=False)

    def spoken(self) -> NDArray[np.bool_]:
        """Blocks in which the near talker is heard."""
        energy = np.mean(np.square(self.near[0].reshape(-1, BLOCK)), axis=1)
        loud: NDArray[np.bool_] = energy > max(1e-2 * float(energy.max()), 1e-12)
        return loud


def scene(name: str, where: str, seed: int) -> Scene:
    """A scenario in a room; a seed chooses speakers, sentences, places and jitter. Reported rooms have reported voices only."""
    scenario = SCENARIOS[name]
    known = voices("reported" if where in REPORTED else "tuning")
    pair = _random("pair", where, seed)
    first = seed % len(known)
    second = (first + 1 + int(pair.integers(0, len(known) - 1))) % len(known)
    return build(scenario, room(where), (known[first], known[second]), seed)


def build(scenario: Scenario, where: Room, pair: tuple[Voice, Voice], seed: int) -> Scene:
    """The same with voices of one's own: far end, near. The two of a room and seed are alike in all scenarios."""
    count = int(scenario.seconds * RATE)
    if scenario.mismatch:
        where = _mismatched(where, scenario.mismatch, _random("microphones", where.name, seed))
    random = _random("scene", where.name, seed)
    starts = [int(random.integers(0, voice.pcm.size)) for voice in pair]
    which = "ab"[int(random.integers(2))]
    far = _placed(pair[0], starts[0], scenario.far, count)
    reference = np.clip(far * np.float32(db(FAR_LEVEL) / active_rms(far)), -_PEAK, _PEAK)
    said = _placed(pair[1], starts[1], scenario.near, count) if scenario.near else np.zeros(count, np.float32)
    near, early, azimuths = _near(said, where, scenario, which)
    delays = _delays(scenario, _random("jumps", where.name, seed))
    heard = _heard(loudspeaker(reference, scenario.drive), delays, scenario.ppm)
    echo = convolved(heard, where.responses["loudspeaker"])
    echo *= np.float32(db(NEAR_LEVEL - scenario.ser) / active_rms(echo[0]))
    noise = _noise(scenario, where, count, random)
    return Scene(
        scenario,
        where.name,
        seed,
        (pair[0].language, pair[1].language),
        reference,
        echo + near + noise,
        echo,
        near,
        noise,
        early,
        azimuths,
        _calls(count // BLOCK, delays, scenario.ppm, _random("card", where.name, seed)),
    )


def _mismatched(where: Room, gains: float, random: Random) -> Room:
    """The same room with microphones that are not alike; the first is as it was."""
    factors = [1.0, *(db(float(gain)) for gain in random.normal(0, gains, 3))]
    off = [0.0, *(float(metres) / SPEED * RATE for metres in random.normal(0, 1.7e-3 * gains, 3))]
    at = np.arange(next(iter(where.responses.values())).shape[1])
    responses = {
        name: np.stack(
            [
                read_at(taps * np.float32(gain), at - late)
                for taps, gain, late in zip(response, factors, off, strict=True)
            ]
        )
        for name, response in where.responses.items()
    }
    return replace(where, responses=responses)


def _random(what: str, where: str, seed: int) -> Random:
    digest = hashlib.sha256(f"{what} {where} {seed}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def _placed(voice: Voice, start: int, span: Span, count: int) -> Block:
    out = np.zeros(count, np.float32)
    begin, end = int(span[0] * RATE), min(int(span[1] * RATE), count)
    out[begin:end] = voice.part(start, end - begin)
    return out


def _near(said: Block, where: Room, scenario: Scenario, which: str) -> tuple[Many, Block, NDArray[np.float32]]:
    """Near speech at the microphones, its early part at the first, azimuths."""
    blocks = said.size // BLOCK
    if not scenario.near:
        return np.zeros((4, said.size), np.float32), said, np.full(blocks, np.nan, np.float32)
    if scenario.talker == "walk":
        names = [f"walk_{step}" for step in range(WALK)]
        at = np.interp(np.arange(said.size) / RATE, scenario.near, (0, WALK - 1)).astype(np.float32)
    else:
        names, at = [f"{scenario.talker}_{which}"], np.zeros(said.size, np.float32)
    near, early = np.zeros((4, said.size), np.float32), np.zeros(said.size, np.float32)
    for step, name in enumerate(names):
        part = said * np.clip(1 - np.abs(at - step), 0, 1)
        response = where.responses[name]
        near += convolved(part, response)
        early += convolved(part, _early(response[:1]))[0]
    gain = np.float32(db(NEAR_LEVEL) / active_rms(near[0]))
    steps = np.unwrap([where.azimuths[name] for name in names], period=360)
    azimuths = np.interp(at[::BLOCK], np.arange(len(names)), steps) % 360
    return near * gain, early * gain, azimuths.astype(np.float32)


def _early(response: Many) -> Many:
    cut = response.copy()
    cut[:, int(np.argmax(np.abs(response[0]))) + int(_EARLY * RATE) :] = 0
    return cut


def _noise(scenario: Scenario, where: Room, count: int, random: Random) -> Many:
    if scenario.noise == "keys":
        noise = convolved(typing(count, random), where.responses["keyboard"])
        faint = np.sqrt(np.mean(noise[0] ** 2)) * db(-20)
    else:
        noise, faint = np.zeros((4, count), np.float32), 0.0
    fan = np.zeros_like(noise)
    for corner in range(4):
        fan += convolved(pink(count, random), where.responses[f"noise_{corner}"])
    noise += fan * np.float32(faint / np.std(fan[0]) if faint else 1.0)
    scaled: Many = noise * np.float32(db(NEAR_LEVEL - scenario.snr) / np.sqrt(np.mean(noise[0] ** 2)))
    return scaled


Delays = list[tuple[float, float]]
"""From when on (seconds) a block is heard how long after it was written."""


def _delays(scenario: Scenario, random: Random) -> Delays:
    """40 ms, and for jumps something else between 20 and 120 ms every few seconds."""
    found = [(0.0, BUFFERED)]
    for time in np.linspace(3.5, 17.5, scenario.jumps):
        choices = [delay for delay in np.arange(0.02, 0.1201, 0.0025) if abs(delay - found[-1][1]) >= 0.02]
        found.append((round(float(time) + random.uniform(-0.5, 0.5), 2), float(random.choice(choices))))
    return found


def _heard(sent: Block, delays: Delays, ppm: float) -> Block:
    """What the loudspeaker played, on the capture clock. What waited at a jump is lost, and a gap follows, as after an xrun."""
    count = sent.size
    late = np.zeros_like(sent)
    for number, (start, delay) in enumerate(delays):
        end = min(int(delays[number + 1][0] * RATE) if number + 1 < len(delays) else count, count)
        shift = round(delay * RATE)
        begin = min(int(start * RATE) + shift, end)
        late[begin:end] = sent[begin - shift : end - shift]
    if not ppm:
        return late
    return read_at(late, np.arange(count) / (1 + ppm * 1e-6))


def _calls(blocks: int, delays: Delays, ppm: float, random: Random) -> list[Call]:
    """The card's calls. Its times have 0.1 ms of jitter, now and then a late wake-up, and miss what its hardware adds."""
    found: list[tuple[float, int, Call]] = []
    number, position = 0, 0
    untold = float(random.uniform(0.0005, 0.006))
    for block in range(blocks):
        time = block * 0.01
        while number + 1 < len(delays) and time >= delays[number + 1][0] - 1e-9:
            number, position = number + 1, 0
            found.append((time, 0, Call("jumped", 0, 0, time)))
        heard = time + delays[number][1] - untold + _jitter(random)
        found += [(time, 1, Call("wrote", block, position, time)), (time, 2, Call("played", block, position, heard))]
        position += BLOCK
        last = (block + 1) * 0.01 / (1 + ppm * 1e-6)
        found.append((last + 0.002, 3, Call("captured", block, block * BLOCK, last + _jitter(random))))
    return [call for _, _, call in sorted(found, key=lambda entry: entry[:2])]


def _jitter(random: Random) -> float:
    late = float(random.exponential(1e-3)) if random.random() < 0.02 else 0.0
    return late + float(random.normal(0, 1e-4))
