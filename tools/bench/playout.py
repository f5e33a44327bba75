"""The receive buffer on bad networks: ``make bench-playout``.

40 s of recorded speech go through the encoder, a network of virtual time, and a device's way down; beside it the same packets
through a buffer that waits for ever (what the codec can make of what comes at all) and through aiortc's buffer, each three
times with other losses. ``--quick`` runs one of the three and writes nothing.
"""

import argparse
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from statistics import mean
from typing import NamedTuple

import numpy as np

from appliance.app import speech
from appliance.core.loss import LossControl
from appliance.core.units import BLOCK, RATE, Pcm
from appliance.media.opus import Decoder
from appliance.media.playout import Playout
from appliance.media.rtp import Rtp
from tools.bench import scores
from tools.bench.playout_runs import (
    BITRATE,
    COMPLEXITY,
    FRAME,
    Network,
    Protection,
    ceiling,
    encoded,
    network,
    ours,
    peer,
)
from tools.measurements import Figure, table, write

SECONDS = 42
"""40 are scored, after the first."""
SEEDS = (1, 2, 3)
LOSSES = (5, 10, 20)
GOALS = {"red": {5: 4.0, 10: 3.7, 20: 2.8}, "fec": {5: 3.7, 10: 3.3, 20: 2.3}}
BELOW_CEILING = 0.25
PEER = "aiortc's buffer, same packets"
JITTER = 0.06
BURSTS = (0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
"""Seconds that packets are held back and then come at once."""
_BURST_AT = 20.0
_LEVEL = 10 ** (-26 / 20)


def talk() -> Pcm:
    """The recorded speech at -26 dBov, int16 at 48 kHz."""
    source = speech.find()
    if source is None:
        raise SystemExit("kontor: the recorded speech is missing: make speech")
    samples = speech.decode(source)[: SECONDS * RATE]
    active = samples[np.abs(samples) > 0.01 * np.abs(samples).max()]
    said: Pcm = (np.clip(samples * (_LEVEL / np.sqrt(np.mean(active**2))), -1, 1) * 32767).astype(np.int16)
    return said


def steered(kind: str, loss: float) -> Protection:
    """What a device sends once reports have told it of this loss (core/loss.py)."""
    control = LossControl()
    decided = [control.update(loss, float(second)) for second in range(30)][-1]
    if kind == "red":
        return Protection(blocks=decided.blocks)
    return Protection(fec=True, expected_loss=decided.expected_loss)


class Scores(NamedTuple):
    """One run; NaN is not measured."""

    pesq: float
    ceiling: float
    plcmos: float = math.nan
    peer_pesq: float = math.nan
    peer_plcmos: float = math.nan


def lossy(protection: Protection, loss: int, burst: int, full: bool, seed: int) -> Scores:
    """One run with losses; with PLCMOS and the peer if ``full``."""
    said = talk()
    packets = encoded(said, protection, COMPLEXITY)
    net = network(len(packets), seed, loss / 100, burst)
    heard = ours(packets, net, protection.blocks).pcm
    best = scores.pesq(said, ceiling(packets, net, protection))
    if not full:
        return Scores(scores.pesq(said, heard), best)
    theirs = peer(packets, net)
    judged = (scores.pesq(said, theirs), scores.plcmos(said, theirs))
    return Scores(scores.pesq(said, heard), best, scores.plcmos(said, heard), *judged)


class Jittery(NamedTuple):
    """One run with jitter, beside the same without."""

    pesq: float
    added_ms: float
    peer_pesq: float
    peer_added_ms: float


def jittery(protection: Protection, seed: int) -> Jittery:
    """One run with jitter of 0 to 60 ms and no loss."""
    said = talk()
    packets = encoded(said, protection, COMPLEXITY)
    still, rough = network(len(packets), seed), network(len(packets), seed, jitter=JITTER)

    def added(run: Callable[[Network], Pcm]) -> tuple[float, float]:
        calm, heard = run(still), run(rough)
        delays = [np.median(scores.delays_ms(said, pcm)) for pcm in (calm, heard)]
        return scores.pesq(said, heard), float(delays[1] - delays[0])

    mine = added(lambda net: ours(packets, net, protection.blocks).pcm)
    return Jittery(*mine, *added(lambda net: peer(packets, net)))


def recovery(seconds: float, seed: int) -> float:
    """Seconds from the end of an outage until the delay is at its target again, and stays there."""
    said = talk()
    packets = encoded(said, Protection(), COMPLEXITY)
    net = network(len(packets), seed, jitter=0.02)
    at = np.arange(len(packets)) * FRAME / RATE
    held_back = (at >= _BURST_AT) & (at < _BURST_AT + seconds)
    later = np.where(held_back, np.maximum(net.later, _BURST_AT + seconds - at), net.later)
    heard = ours(packets, Network(net.lost, later))
    end = round((_BURST_AT + seconds) * 100)
    off = np.flatnonzero(~(heard.delays[end:-50] <= heard.targets[end:-50] + 12))
    return float(off[-1] + 1) / 100 if off.size else 0.0


def cost(packets: int = 3000) -> tuple[float, float]:
    """Median µs of a push, and of a block pulled (half of the two of a packet, decoding included), undisturbed."""
    playout, out = Playout(Decoder()), np.zeros(BLOCK, np.float32)
    said = talk()
    spoken = encoded(said[5 * RATE : 6 * RATE], Protection(), COMPLEXITY)
    pushes, pulls = [], []
    for n in range(packets):
        packet, now = Rtp(111, n == 0, n & 0xFFFF, n * FRAME, 7, spoken[n % len(spoken)]), n * 0.02
        begun = time.perf_counter_ns()
        playout.push(packet, now)
        pushed = time.perf_counter_ns()
        playout.pull(out, now + 0.003)
        playout.pull(out, now + 0.013)
        pulls.append((time.perf_counter_ns() - pushed) / 2)
        pushes.append(pushed - begun)
    return float(np.median(pushes)) / 1000, float(np.median(pulls)) / 1000


class Case(NamedTuple):
    """A row to be: the mean of its seeds."""

    kind: str
    suffix: str
    loss: int
    protection: Protection
    burst: int
    full: bool


def cases() -> Iterable[Case]:
    """What is lost how, and what protects against it."""
    for kind in ("red", "fec"):
        for loss in LOSSES:
            protection = steered(kind, loss / 100)
            yield Case(kind, f"_{loss}", loss, protection, 1, full=True)
            yield Case(kind, f"_{loss}_bursts", loss, protection, 3, full=False)
            if kind == "red" and protection.blocks != 1:
                yield Case("red1", f"_{loss}", loss, Protection(1), 1, full=False)


def told(protection: Protection) -> str:
    """A protection in words."""
    if protection.fec:
        return f"FEC for {protection.expected_loss} % expected loss"
    return f"{protection.blocks} redundant block{'s' if protection.blocks > 1 else ''}"


def rows(case: Case, runs: list[Scores]) -> list[Figure]:
    """The figures of one case."""
    score = Scores(*(mean(values) for values in zip(*runs, strict=True)))
    name, note = f"{case.kind}{case.suffix}", f"{told(case.protection)}{', lost 3 in a row' if case.burst > 1 else ''}"
    goal = f">= {GOALS[case.kind][case.loss]}" if case.full else ""
    compared = PEER if case.full else ""
    found = [
        Figure(
            f"playout.pesq_{name}",
            _two(score.pesq),
            "MOS",
            goal,
            compared,
            None if math.isnan(score.peer_pesq) else _two(score.peer_pesq),
            note,
        ),
        Figure(f"playout.ceiling_{name}", _two(score.ceiling), "MOS", note="a buffer that waits for ever"),
        Figure(f"playout.below_ceiling_{name}", _two(score.ceiling - score.pesq), "MOS", f"<= {BELOW_CEILING}"),
    ]
    if case.full:
        found.append(Figure(f"playout.plcmos_{name}", _two(score.plcmos), "MOS", "", PEER, _two(score.peer_plcmos)))
    return found


def _two(value: float) -> float:
    return round(value, 2)


def bench(seeds: tuple[int, ...]) -> list[Figure]:
    """Run everything, on as many cores as there are."""
    heading = f"{SECONDS - 2} s of speech, {len(seeds)} seeds, {BITRATE // 1000} kbit/s, 20 ms, complexity {COMPLEXITY}"
    with ProcessPoolExecutor(initializer=partial(warnings.simplefilter, "ignore")) as pool:
        losses = {
            case: [pool.submit(lossy, case.protection, case.loss, case.burst, case.full, seed) for seed in seeds]
            for case in cases()
        }
        jitter = {kind: [pool.submit(jittery, steered(kind, 0.0), seed) for seed in seeds] for kind in ("red", "fec")}
        bursts = [pool.submit(recovery, burst, seed) for burst in BURSTS for seed in seeds]
        found = [figure for case, runs in losses.items() for figure in rows(case, [run.result() for run in runs])]
        for kind, futures in jitter.items():
            found += _jitter_rows(kind, [future.result() for future in futures], told(steered(kind, 0.0)))
        worst = max(future.result() for future in bursts)
    push, pull = cost()
    told_bursts = f"worst after outages of {', '.join(f'{burst:g}' for burst in BURSTS)} s"
    found += [
        Figure("playout.recover_s", round(worst, 2), "s", "<= 5", note=told_bursts),
        Figure("playout.push_us", round(push, 1), "µs", note="a packet that comes in time"),
        Figure("playout.pull_us", round(pull, 1), "µs", note="a block, decoding included"),
    ]
    return [replace(found[0], note=f"{heading}; {found[0].note}"), *found[1:]]


def _jitter_rows(kind: str, runs: list[Jittery], note: str) -> list[Figure]:
    score = Jittery(*(mean(values) for values in zip(*runs, strict=True)))
    suffix = "" if kind == "red" else f"_{kind}"
    added = Figure(
        f"playout.delay_jitter60_ms{suffix}",
        round(score.added_ms, 1),
        "ms",
        "<= 80",
        PEER,
        round(score.peer_added_ms, 1),
    )
    pesq = Figure(
        f"playout.pesq_jitter60{suffix}", round(score.pesq, 2), "MOS", ">= 4", PEER, round(score.peer_pesq, 2), note
    )
    return [added, pesq]


def main(arguments: list[str]) -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one run of three; prints and writes nothing")
    if parser.parse_args(arguments).quick:
        print(table(bench(SEEDS[:1])))
    else:
        write("playout", bench(SEEDS))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
