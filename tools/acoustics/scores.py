"""How a processed scene is scored: echo, degradation, noise, intelligibility, direction.

AECMOS (Purin et al., "AECMOS: a speech quality assessment metric for echo impairment", ICASSP 2022) judges echo and degradation,
DNSMOS P.835 and P.808 (Reddy et al., 2021 and 2022) speech in noise, both 1 to 5 and without a clean reference; PESQ (ITU-T
P.862.2) and STOI (Taal et al., 2011) compare with the near speech and its early reflections at the first microphone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from appliance.core.units import BLOCK, RATE, Block
from tools.acoustics import judges
from tools.acoustics.scenes import Scene, Span

JUDGED = 16_000
"""Samples a second that all judges take."""
_MOST_DELAY = int(0.08 * RATE)
_DNSMOS_LEVEL = 10 ** (-26 / 20)
NO_DIRECTION = 90.0
"""Degrees that a missing direction counts: what a guess is off on average."""


@dataclass(frozen=True)
class Scores:
    """One chain in one scene; NaN is not to be had there. Mean opinion scores 1 to 5, dB, ms, degrees."""

    echo: float = math.nan
    deg: float = math.nan
    erle_db: float = math.nan
    erle_5s_db: float = math.nan
    far_echo: float = math.nan
    near_deg: float = math.nan
    pesq: float = math.nan
    stoi: float = math.nan
    near_pesq: float = math.nan
    ovrl: float = math.nan
    p808: float = math.nan
    doa_deg: float = math.nan
    doa_dt_deg: float = math.nan
    delay_ms: float = math.nan
    us_per_block: float = math.nan
    us_p99: float = math.nan


def spans(scene: Scene) -> dict[str, Span]:
    """Where what is judged, seconds: ``far`` alone after converging, ``dt`` both, ``near`` alone."""
    far, near = scene.scenario.far, scene.scenario.near
    if near is None:
        return {"far": (min(8.0, far[1] / 2), far[1])}
    alone = min(far[1], near[0])
    found = {"far": (min(5.0, alone / 4), alone)}
    if far[1] > near[0]:
        found["dt"] = (near[0], far[1])
    found["near"] = (max(far[1], near[0]) + 0.5, min(near[1], scene.scenario.seconds))
    return found


def judge(scene: Scene, out: Block, directions: Sequence[float | None] = (), full: bool = True) -> Scores:
    """Score what a chain made of a scene.

    :param out: shape (n,), as long as the scene.
    :param directions: one for each block, degrees.
    :param full: with PESQ, STOI and DNSMOS, which take most of the time.
    """
    where, near = spans(scene), scene.scenario.near
    microphone = scene.microphones[0]
    found: dict[str, float] = {
        "erle_db": erle_db(scene.echo[0], microphone, out, where["far"]),
        "erle_5s_db": erle_db(scene.echo[0], microphone, out, (3.5, 5.0)),
        "far_echo": _aecmos(scene, out, where["far"], "st")[0],
    }
    if near is None:
        found["echo"], found["deg"] = _aecmos(scene, out, where["far"], "st")
        return Scores(**found)
    lag = delay(scene.near_early[_slice(where["near"])], out[_slice(where["near"])])
    found["delay_ms"] = lag * 1000 / RATE
    found["near_deg"] = _aecmos(scene, out, where["near"], "nst")[1]
    if "dt" in where:
        found["echo"], found["deg"] = _aecmos(scene, out, where["dt"], "dt")
        found["doa_dt_deg"] = doa_deg(scene, directions, where["dt"])
    else:
        found["echo"], found["deg"] = found["far_echo"], found["near_deg"]
    found["doa_deg"] = doa_deg(scene, directions, where["near"])
    if full:
        spoken = _slice(where.get("dt", where["near"]))
        found["pesq"], found["stoi"] = _compared(scene.near_early[spoken], out[spoken], lag)
        alone = _slice(where["near"])
        found["near_pesq"] = _compared(scene.near_early[alone], out[alone], lag)[0]
        found["ovrl"], found["p808"] = dnsmos(out[alone])
    return Scores(**found)


def erle_db(echo: Block, microphone: Block, out: Block, span: Span) -> float:
    """Echo return loss enhancement: microphone over output in power, where the echo is within 20 dB of its loudest block."""
    loudness, before, after = (_powers(samples[_slice(span)]) for samples in (echo, microphone, out))
    loud = loudness > 1e-2 * loudness.max()
    return float(10 * np.log10(before[loud].sum() / (after[loud].sum() + 1e-12)))


def erle_over_time(scene: Scene, out: Block, window: float = 0.5) -> NDArray[np.float64]:
    """Microphone over output in power, dB, each ``window`` seconds; NaN where no echo is loud, or somebody near talks."""
    echo, before, after = (_powers(samples) for samples in (scene.echo[0], scene.microphones[0], out))
    size = int(window * 100)
    count = echo.size // size
    loud = (echo > 1e-2 * echo.max()) & ~scene.spoken()
    sums = [np.where(loud, part, 0)[: count * size].reshape(count, size).sum(axis=1) for part in (before, after)]
    enough = loud[: count * size].reshape(count, size).sum(axis=1) >= size // 10
    values: NDArray[np.float64] = np.where(enough, 10 * np.log10((sums[0] + 1e-12) / (sums[1] + 1e-12)), np.nan)
    return values


def delay(said: Block, heard: Block) -> int:
    """How many samples ``heard`` is behind ``said``, -240 to 80 ms: the peak of their cross-correlation."""
    size = 1 << (said.size + heard.size).bit_length()
    cross = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size)), size)
    around = np.concatenate([cross[-240:], cross[:_MOST_DELAY]])
    return int(np.argmax(np.abs(around))) - 240


def doa_deg(scene: Scene, directions: Sequence[float | None], span: Span) -> float:
    """Mean error of the direction, a second after speech began and later, every 100 ms in which somebody talks."""
    if not directions:
        return math.nan
    begin, end = int((span[0] + 1) * 100), min(int(span[1] * 100), len(directions))
    spoken = scene.spoken()
    errors = []
    for block in range(begin, end, 10):
        if spoken[block]:
            told = directions[block]
            off = NO_DIRECTION if told is None else abs((told - float(scene.azimuths[block]) + 180) % 360 - 180)
            errors.append(off)
    return float(np.mean(errors)) if errors else math.nan


def narrowed(samples: Block) -> Block:
    """At 16 kHz, in [-1, 1]."""
    low = signal.resample_poly(samples, 1, RATE // JUDGED)
    return np.asarray(np.clip(low, -1, 1), np.float32)


def dnsmos(samples: Block) -> tuple[float, float]:
    """DNSMOS overall (P.835) and P.808, of speech brought to -26 dBov."""
    low = narrowed(samples)
    level = max(float(np.sqrt(np.mean(low**2))), 1e-6)
    return judges.dnsmos(np.clip(low * np.float32(_DNSMOS_LEVEL / level), -1, 1))


def _aecmos(scene: Scene, out: Block, span: Span, talk: judges.Talk) -> tuple[float, float]:
    """Echo and degradation; ``talk`` is who talks, as the model wants to know: far end, near end, both."""
    part = _slice(span)
    signals = (scene.reference, scene.microphones[0], out)
    reference, microphone, enhanced = (narrowed(samples[part]) for samples in signals)
    return judges.aecmos(reference, microphone, enhanced, talk)


def _compared(said: Block, heard: Block, lag: int) -> tuple[float, float]:
    """PESQ wideband and STOI."""
    from pesq import pesq  # noqa: PLC0415 - installed for benchmarks only
    from pystoi import stoi  # noqa: PLC0415

    heard = heard[max(lag, 0) :]
    one, other = narrowed(said[: heard.size]), narrowed(heard)
    try:
        quality = float(pesq(JUDGED, one, other, "wb"))
    except Exception:  # noqa: BLE001 - its own error for output that is silent: the worst score there is
        quality = 1.0
    return quality, float(stoi(one, other, JUDGED))


def _slice(span: Span) -> slice:
    return slice(int(span[0] * RATE), int(span[1] * RATE))


def _powers(samples: Block) -> NDArray[np.float64]:
    count = samples.size // BLOCK
    powers: NDArray[np.float64] = np.mean(
        np.square(samples[: count * BLOCK].reshape(count, BLOCK), dtype=np.float64), axis=1
    )
    return powers
