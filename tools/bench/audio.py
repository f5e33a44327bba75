"""The audio front end in simulated rooms: ``make bench-audio``; FAST=1 for a short run that writes nothing.

Every scene (tools/acoustics) is sent through nothing, WebRTC's AEC3 with noise suppression, speex, and ours with one and with
four microphones, and scored. Rooms and voices are the reported ones, which nothing was tuned or trained on. All scores of all
scenes go to build/audio/scores.json, excerpts to build/audio/wav, pictures to docs/pictures.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from appliance.core.units import RATE
from tools.acoustics.chains import make
from tools.acoustics.rooms import REPORTED, room
from tools.acoustics.run import Processed, run, save
from tools.acoustics.scenes import Scene, scene
from tools.acoustics.scores import Scores
from tools.acoustics.speech import voices
from tools.bench import audio_cost, audio_pictures
from tools.bench.audio_figures import DUCKED, EXTRA, ROWS, SCENARIOS, Results, figures, shown
from tools.measurements import write

BUILD = Path(__file__).resolve().parents[2] / "build" / "audio"
SEEDS = (1, 2, 3)
EXTRA_SEEDS = (1,)
HEARD = ("r2", 1)
"""Room and seed of the excerpts and pictures."""
_EXCERPT = slice(6 * RATE, 18 * RATE)


class Case(NamedTuple):
    """One scene."""

    scenario: str
    room: str
    seed: int


def cases(fast: bool) -> Iterator[Case]:
    """The longest first, so that no core waits at the end."""
    seeds = SEEDS[:1] if fast else SEEDS
    for scenario in sorted(SCENARIOS, key=lambda name: name.startswith(("far", "noise"))):
        yield from (Case(scenario, where, seed) for where in REPORTED for seed in seeds)
    if not fast:
        for scenario in EXTRA:
            yield from (Case(scenario, where, seed) for where in REPORTED for seed in EXTRA_SEEDS)


def scored(case: Case) -> tuple[Case, tuple[str, str], dict[str, Scores]]:
    """One scene through all rows: its languages (far, near) and the scores of each row."""
    made = scene(*case)
    found: dict[str, Scores] = {}
    outs: dict[str, Processed] = {}
    for row in [*ROWS, *(row for row, scenarios in DUCKED.items() if case.scenario in scenarios)]:
        found[row], outs[row] = run(made, make(row))
    if case[1:] == HEARD:
        _keep(case, made, outs)
    return case, made.languages, found


def _keep(case: Case, made: Scene, outs: dict[str, Processed]) -> None:
    """Excerpts to listen to, and what the pictures are made of."""
    for row, done in outs.items():
        save(BUILD / "wav" / f"{case.scenario}-{row}.wav", done.out[_EXCERPT])
    save(BUILD / "wav" / f"{case.scenario}-far-end.wav", made.reference[_EXCERPT])
    save(BUILD / "wav" / f"{case.scenario}-near-end.wav", made.near[0][_EXCERPT])
    audio_pictures.keep(BUILD, case.scenario, made, {row: done.out for row, done in outs.items()})


def measured(fast: bool) -> Results:
    """All scenes, on as many cores as there are."""
    voices("reported")
    for name in REPORTED:
        room(name)
    every = list(cases(fast))
    results: Results = defaultdict(lambda: defaultdict(dict))
    records, begun = [], time.monotonic()
    os.environ |= dict.fromkeys(
        ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"
    )  # each scene has one core, and its time is measured
    quiet = partial(warnings.simplefilter, "ignore")
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=quiet) as pool:
        for number, future in enumerate(as_completed([pool.submit(scored, case) for case in every]), 1):
            case, languages, found = future.result()
            for row, scores in found.items():
                results[case.scenario][row][case.room, case.seed] = scores
                records.append(
                    {**case._asdict(), "far": languages[0], "near": languages[1], "row": row, **asdict(scores)}
                )
            told = f"{number}/{len(every)} scenes, {time.monotonic() - begun:.0f} s"
            print(told, end="\r", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "scores.json").write_text(json.dumps(records, indent=1) + "\n")
    return results


def main(_arguments: list[str]) -> int:
    """Measure, and write unless it was a short run."""
    fast = bool(os.environ.get("FAST"))
    results = measured(fast)
    print(shown(results))
    found = figures(results)
    if fast:
        missed = [f"{figure.name} {figure.value} (goal {figure.goal})" for figure in found if figure.met() is False]
        print(
            "kontor: "
            + (f"missed in the short run: {', '.join(missed)}" if missed else "every goal met in the short run")
        )
        return 0
    found += audio_cost.figures()
    audio_pictures.draw(BUILD, results)
    write("audio", found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
