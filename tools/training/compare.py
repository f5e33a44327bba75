"""The learned gain beside the gain by rule, and beside none, with voices that the training never heard, in tuning rooms.

``python -m tools.training.compare --scenes dt_m10,dt_0,far,noise20 --rooms t1,t2 --seeds 1,2``. ``--weights`` takes other weights
than those beside the code.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from appliance.audio.beamformer import Beamformer
from appliance.audio.direction import DirectionFinder
from appliance.audio.full_duplex import FullDuplex, Gain
from appliance.audio.residual import WEIGHTS, ResidualGain, Weights
from appliance.audio.rule_gain import RuleGain
from appliance.audio.spectra import Gains, Spectrum
from tools.acoustics import run, scenes, speech
from tools.acoustics.array import MICROPHONES
from tools.acoustics.chains import Aligned
from tools.acoustics.rooms import room
from tools.training.recipe import HELD_OUT

SHOWN = ("echo", "deg", "erle_db", "erle_5s_db", "far_echo", "near_deg", "pesq", "stoi", "near_pesq", "ovrl", "p808")


class NoGain:
    """Everything passes."""

    def gain(self, _error: Spectrum, _echo: Spectrum, _reference: Spectrum, out: Gains) -> float:
        """Ones; somebody always talks."""
        return self.gain_alone(_error, out)

    def gain_alone(self, _error: Spectrum, out: Gains) -> float:
        """The same."""
        out.fill(1)
        return 1.0


def held_out(name: str, where: str, seed: int) -> scenes.Scene:
    """A scene of :mod:`tools.acoustics.scenes` with the voices held out: one far, the other near, in turn."""
    voices = {voice.name: voice for voice in speech.voices("tuning")}
    one, other = (voices[name] for name in (HELD_OUT if seed % 2 else HELD_OUT[::-1]))
    return scenes.build(scenes.SCENARIOS[name], room(where), (one, other), seed)


def chain(gain: Gain, microphones: int) -> Aligned:
    """Full duplex with a gain."""
    positions = [(float(x), float(y), float(z)) for x, y, z in MICROPHONES[:microphones]]
    if microphones == 1:
        return Aligned(FullDuplex(1, gain=gain))
    return Aligned(
        FullDuplex(microphones, beam=Beamformer(positions), finder=DirectionFinder(positions), gain=gain),
    )


def main() -> int:
    """Print a table: one line for each scenario and gain, means over rooms and seeds."""
    parser = argparse.ArgumentParser(description="the learned residual gain beside the one by rule")
    parser.add_argument("--scenes", default="far,dt_m10,dt_0,clip,noise20")
    parser.add_argument("--rooms", default="t1,t2,t3")
    parser.add_argument("--seeds", default="1,2")
    parser.add_argument("--gains", default="none,rule,learned")
    parser.add_argument("--microphones", type=int, default=4, choices=(1, 4))
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    chosen = parser.parse_args()
    weights = Weights.load(chosen.weights)
    gains: dict[str, Callable[[], Gain]] = {
        "none": NoGain,
        "rule": RuleGain,
        "learned": lambda: ResidualGain(weights),
    }
    print("| scene | gain |", " | ".join(SHOWN), "|")
    for name, gain in itertools.product(chosen.scenes.split(","), chosen.gains.split(",")):
        found = []
        for where, seed in itertools.product(chosen.rooms.split(","), chosen.seeds.split(",")):
            made = held_out(name, where, int(seed))
            heard = replace(made, microphones=made.microphones[: chosen.microphones])
            scores, _ = run.run(heard, chain(gains[gain](), chosen.microphones))
            found.append(asdict(scores))
        means = (float(np.mean([one[key] for one in found])) for key in SHOWN)
        cells = ("" if np.isnan(mean) else f"{mean:.2f}" for mean in means)
        print(f"| {name} | {gain} |", " | ".join(cells), "|", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
