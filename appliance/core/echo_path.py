"""What one microphone hears of the loudspeaker, in figures: from chirps that were played and what was captured meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.core.chirp import Chirp, Samples, delay_between
from appliance.core.levels import dbov
from appliance.core.units import RATE, SILENCE, Block

MS = RATE // 1000
TAIL_MS = 280
"""What our echo canceller reaches (audio/kalman.py): what comes later it leaves."""
_HEARD = 20.0
"""dB of the impulse over what lies around it. Noise alone reaches 13 to 14 in two seconds."""
_BEFORE = 20 * MS
"""Samples before the expected moment that are looked at for the impulse: clocks are estimates."""
_FULL = 0.985
"""Of full scale: converters clip a little below it."""
_ONSET = 10 ** (-10 / 20)
_BAND = (200.0, 8_000.0)
"""Hz between which levels are given: what small loudspeakers do and speech needs."""
_STEADY = 500e-6
"""Difference of two drifts beyond which it was a jump."""
_LEAST = RATE // 4
"""Samples after the onset without which nothing can be said of the room."""
_LEAST_ROOM = 5e-4
"""Of the energy: less of a room than that is what the edges of the chirp's band look like."""
_LEAST_DISTORTION = -50.0
"""dB: what the chirp's own ends look like."""
_DIRECT = 15 * MS
"""Samples after the onset from which on it is the room, not the loudspeaker."""


@dataclass(frozen=True, slots=True)
class Take:
    """What was captured while chirps were played. Quiet came first."""

    sound: NDArray[np.float32]
    """Shape (n, samples): every channel of the card."""
    quiet: int
    """Samples at its beginning in which nothing was played."""
    starts: tuple[int, ...]
    """For each chirp the sample that was captured when its first was heard, as far as the card's clocks tell."""
    played: tuple[int, ...]
    """For each chirp the number of its first sample on the loudspeaker's clock."""
    chirp: Chirp
    wait: int
    """Samples after each chirp in which the room may ring."""


@dataclass(frozen=True, slots=True)
class Path:
    """The echo path to one microphone."""

    delay: float
    """Samples from the moment of playing to the first that is heard."""
    gain_db: float
    """Level of the echo against that of the chirp, both digital, averaged over octaves from 200 Hz to 8 kHz."""
    over_noise_db: float
    """The impulse over what lies around it."""
    length_ms: float
    """After which all but a thousandth of its energy (-30 dB) has come."""
    late_db: float
    """What comes after the canceller's reach, against all of it."""
    reverberation_s: float | None
    """RT60 of the room; None: it is not heard for noise, or there is none."""
    distortion_db: float | None
    """Second and third harmonic against the rest; None: they are below the noise."""
    begin: int
    """The moment at which the response begins, 5 ms before its onset, in samples from that of playing."""
    response: Samples
    """The impulse response, half a second of it."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of the card."""

    quiet_db: float
    """dBov while nothing is played, without DC."""
    chirp_db: float
    """dBov during the chirps, without DC."""
    dc: float
    """Mean; 1 is full scale."""
    clipped: float
    """Part of the samples during the chirps that are at full scale."""
    frozen: bool
    """Every sample has the same value: digital silence, or a stuck converter."""
    path: Path | None
    """None: nothing of the chirp is heard."""


def channel(take: Take, number: int) -> Channel:
    """Everything about one channel."""
    sound = take.sound[number]
    quiet, chirps = sound[: take.quiet], np.concatenate([_during(take, sound, start) for start in take.starts])
    dc = float(np.mean(sound, dtype=np.float64))
    return Channel(
        quiet_db=dbov(quiet - np.float32(dc)),
        chirp_db=dbov(chirps - np.float32(dc)),
        dc=dc,
        clipped=float(np.mean(np.abs(chirps) >= _FULL)),
        frozen=bool(np.ptp(sound) == 0),
        path=path(take, sound),
    )


def _during(take: Take, sound: Block, start: int) -> Block:
    return sound[max(0, start) : start + take.chirp.samples]


def path(take: Take, sound: Block) -> Path | None:
    """The echo path to the channel with this sound, shape (samples,); None: the chirp is not heard in it."""
    return _path(take, mean_response(take, sound))


def mean_response(take: Take, sound: Block) -> Samples:
    """Mean of all chirps' responses, each moved onto the first; shape as :func:`responses`."""
    each = responses(take, sound)
    moved = [np.roll(one, -round(delay_between(each[0], one))) for one in each]
    mean: Samples = np.mean(moved, axis=0)
    return mean


def before(take: Take) -> int:
    """Samples of a response before the moment of playing: the harmonics up to the third."""
    return take.chirp.harmonic_before(3) + 2 * _BEFORE


def responses(take: Take, sound: Block) -> list[Samples]:
    """The response to each chirp, without DC, of the same length; sample ``before(take)`` is the moment of playing."""
    level = np.float32(np.mean(sound, dtype=np.float64))
    length = take.chirp.samples + take.wait
    return [
        take.chirp.response(sound[max(0, start) : start + length] - level, before(take))[: before(take) + take.wait]
        for start in take.starts
    ]


def drift_ppm(take: Take, sound: Block) -> float | None:
    """How much faster the capture clock runs than the loudspeaker's; None: no two chirps, or a jump between them."""
    if len(take.starts) < 2:
        return None
    each = responses(take, sound)
    late = [delay_between(each[0], one) for one in each[1:]]
    slopes = [
        (start - take.starts[0] + moved) / (played - take.played[0]) - 1
        for start, played, moved in zip(take.starts[1:], take.played[1:], late, strict=True)
    ]
    if max(slopes) - min(slopes) > _STEADY:
        return None
    return 1e6 * float(np.median(slopes))


def _path(take: Take, response: Samples) -> Path | None:
    zero = before(take)
    looked = np.abs(response[zero - _BEFORE :])
    peak = int(np.argmax(looked))
    floor = float(np.sqrt(np.mean(looked[-len(looked) // 4 :] ** 2)))
    over = _db(float(looked[peak]), floor)
    if over < _HEARD:
        return None
    onset = max(0, int(np.argmax(looked >= looked[peak] * _ONSET))) + zero - _BEFORE
    begin = max(0, onset - 5 * MS)
    room = response[begin:]
    if len(room) < _LEAST:
        return None  # noise at the end, or an echo that comes so late that it is not the one of this chirp
    decay = _decay(room, floor)
    total = float(decay[0])
    return Path(
        delay=onset - zero,
        gain_db=_gain_db(room),
        over_noise_db=over,
        length_ms=int(np.argmax(decay < 1e-3 * total)) / MS - 5 if total else 0.0,
        late_db=_level(float(decay[min(len(decay) - 1, (TAIL_MS + 5) * MS)]), total),
        reverberation_s=_reverberation(decay[5 * MS + _DIRECT :], floor, total),
        distortion_db=_distortion_db(take, response, onset, floor),
        begin=begin - zero,
        response=room[: RATE // 2],
    )


def on_one_axis(paths: Sequence[Path]) -> list[Samples]:
    """Their responses, moved so that the first sample of each is the same moment."""
    first = min(path.begin for path in paths)
    return [np.concatenate([np.zeros(path.begin - first), path.response]) for path in paths]


def _db(value: float, reference: float) -> float:
    """Of amplitudes, within what can be told."""
    return 20 * float(np.log10(max(value, 1e-12) / max(reference, 1e-12)))


def _level(energy: float, reference: float) -> float:
    return max(SILENCE, 10 * float(np.log10(max(energy, 1e-20) / max(reference, 1e-20))))


def _decay(response: Samples, floor: float) -> Samples:
    """Energy that is still to come at each sample (Schroeder 1965), less what the noise adds; never below 0."""
    energy = response**2 - floor**2
    decay: Samples = np.maximum(np.cumsum(energy[::-1])[::-1], 0.0)
    return decay


def _reverberation(decay: Samples, floor: float, total: float) -> float | None:
    """RT60 by the slope of the first 20 dB, or of 10 where the noise leaves no more."""
    if float(decay[0]) < _LEAST_ROOM * total:
        return None
    levels = 10 * np.log10(np.maximum(decay, 1e-20) / max(float(decay[0]), 1e-20))
    # Where the energy left is that of 20 ms of noise the slope is the noise's.
    told = int(np.argmax(decay < 20 * MS * floor**2)) or len(decay)
    for depth in (20.0, 10.0):
        end = int(np.argmax(levels < -depth))
        if MS < end <= told:
            slope = float(np.polyfit(np.arange(end) / RATE, levels[:end], 1)[0])
            return -60.0 / slope if slope < 0 else None
    return None


def spectrum(response: Samples) -> tuple[Samples, Samples]:
    """Frequencies (Hz) and magnitudes of a response."""
    frequencies = np.arange(len(response) // 2 + 1, dtype=np.float64) * (RATE / len(response))
    magnitudes: Samples = np.abs(np.fft.rfft(response))
    return frequencies, magnitudes


def _gain_db(response: Samples) -> float:
    frequencies, magnitudes = spectrum(response)
    inside = (frequencies >= _BAND[0]) & (frequencies <= _BAND[1])
    weights = 1 / frequencies[inside]  # every octave counts the same
    return _level(float(np.sum(weights * magnitudes[inside] ** 2)), float(np.sum(weights)))


def _distortion_db(take: Take, response: Samples, onset: int, floor: float) -> float | None:
    length = 20 * MS
    main = float(np.sum(response[onset - MS : onset + length] ** 2))
    added = 0.0
    for order in (2, 3):
        at = onset - take.chirp.harmonic_before(order)
        added += float(np.sum(response[at - MS : at + length] ** 2)) - (length + MS) * floor**2
    noise = (length + MS) * floor**2
    level = _level(added, main)
    return level if added > 4 * noise and level > _LEAST_DISTORTION else None
