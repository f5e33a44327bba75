"""Send scenes through chains and score them, for tuning: ``python -m tools.acoustics.run --row ours_4mics --scene dt_m10``.

All options take lists with commas; rooms are tuning rooms unless others are named. A row may be ``module:factory``.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
import wave
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from appliance.audio.port import Side
from appliance.core.units import BLOCK, RATE, Block
from tools.acoustics.chains import CardChain, Chain, make
from tools.acoustics.scenes import Call, Scene, scene
from tools.acoustics.scores import Scores, judge


class Processed(NamedTuple):
    """What a chain made of a scene."""

    out: Block
    directions: list[float | None]
    """After each block, if the chain knows directions; else empty."""
    micros: np.ndarray[tuple[int], np.dtype[np.float32]]
    """CPU time of each block of this thread, µs."""


def process(made: Scene, chain: Chain | CardChain) -> Processed:
    """Run a whole scene: by the card's calls, if the chain takes those, else block by block."""
    blocks = made.reference.size // BLOCK
    out = np.zeros(made.reference.size, np.float32)
    micros = np.zeros(blocks, np.float32)
    directions: list[float | None] = []
    tells = hasattr(chain, "direction")
    card = hasattr(chain, "captured")
    written = np.ascontiguousarray(made.reference.reshape(blocks, BLOCK))
    heard = np.ascontiguousarray(made.microphones.reshape(-1, blocks, BLOCK).swapaxes(0, 1))
    for call in made.calls:
        begun = time.thread_time_ns()
        if card:
            _tell(cast("CardChain", chain), call, written, heard, out)
        elif call.kind == "captured":
            part = out[call.block * BLOCK : (call.block + 1) * BLOCK]
            cast("Chain", chain).process(heard[call.block], written[call.block], part)
        micros[call.block] += (time.thread_time_ns() - begun) / 1000
        if call.kind == "captured" and tells:
            directions.append(chain.direction)  # type: ignore[union-attr]
    return Processed(out, directions, micros)


def _tell(chain: CardChain, call: Call, written: Block, heard: Block, out: Block) -> None:
    if call.kind == "wrote":
        chain.wrote(written[call.block])
    elif call.kind == "played":
        chain.played(call.position, call.time)
    elif call.kind == "jumped":
        chain.jumped(Side.CAPTURE if call.block else Side.PLAYBACK)
    else:
        part = out[call.block * BLOCK : (call.block + 1) * BLOCK]
        chain.captured(heard[call.block], call.position, call.time, part)


def run(made: Scene, chain: Chain | CardChain, full: bool = True) -> tuple[Scores, Processed]:
    """Process and score."""
    done = process(made, chain)
    scores = judge(made, done.out, done.directions, full)
    steady = done.micros[100:]
    return replace(scores, us_per_block=float(steady.mean()), us_p99=float(np.percentile(steady, 99))), done


def save(path: Path, samples: Block) -> None:
    """A WAV file, 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def _line(values: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.2f}" for name, value in values.items() if not np.isnan(value))


def main(arguments: list[str]) -> int:
    """Print one line each, and means when there are several."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--row", default="none")
    parser.add_argument("--scene", default="dt_m10")
    parser.add_argument("--room", default="t0")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--quick", action="store_true", help="without PESQ, STOI and DNSMOS")
    parser.add_argument("--wav", type=Path, help="folder for what came out")
    chosen = parser.parse_args(arguments)
    lists = [getattr(chosen, name).split(",") for name in ("scene", "row", "room", "seed")]
    for name, row in itertools.product(*lists[:2]):
        found = []
        for where, seed in itertools.product(*lists[2:]):
            made = scene(name, where, int(seed))
            scores, done = run(made, make(row), full=not chosen.quick)
            found.append(asdict(scores))
            print(f"{name} {row} {where} {seed}: {_line(found[-1])}", flush=True)
            if chosen.wav:
                save(chosen.wav / f"{name}-{row.replace(':', '.')}-{where}-{seed}.wav", done.out)
        if len(found) > 1:
            means = {key: float(np.mean([one[key] for one in found])) for key in found[0]}
            print(f"{name} {row} mean of {len(found)}: {_line(means)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
