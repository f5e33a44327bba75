"""Train the residual gain: ``python -m tools.training.train`` (``make train-residual``), on a corpus that is there."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from appliance.audio import residual
from tools.training import recipe
from tools.training.network import Parameters, initial, loss

Batch = tuple[NDArray[np.float16], NDArray[np.float16], NDArray[np.float16], NDArray[np.bool_]]
"""As :class:`tools.training.corpus.Mixture`."""


class Corpus:
    """The files of a corpus in memory; more may come while training goes on."""

    def __init__(self, name: str) -> None:
        self._folder = recipe.CACHE / name
        self._known: dict[Path, Batch] = {}

    def look(self) -> int:
        """Take in new files; gives how many there are."""
        for path in sorted(self._folder.glob("*.npz")):
            if path not in self._known:
                with np.load(path) as stored:
                    self._known[path] = (stored["inputs"], stored["early"], stored["near"], stored["talks"])
        return len(self._known)

    def batches(self, random: np.random.Generator, size: int, frames: int) -> Iterator[Batch]:
        """Random pieces, without end."""
        while True:
            files = list(self._known.values())
            drawn = []
            for _ in range(size):
                columns = files[int(random.integers(len(files)))]
                mixture = int(random.integers(len(columns[0])))
                start = 0 if random.random() < 0.15 else int(random.integers(columns[0].shape[1] - frames + 1))
                drawn.append([column[mixture, start : start + frames] for column in columns])
            yield cast("Batch", tuple(np.stack(column) for column in zip(*drawn, strict=True)))


def train(settings: recipe.Training, start: Parameters | None = None) -> Parameters:
    """Adam with a warm-up and a cosine, gradients clipped; the mean of the last weights is kept (an exponential one)."""
    training, validation = Corpus(recipe.TRAIN.name), Corpus(recipe.VALID.name)
    print(f"kontor: {training.look()} files to train with, {validation.look()} to validate", flush=True)
    random = np.random.default_rng(settings.seed)
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, settings.rate, settings.warm_up, settings.steps, settings.rate / 50
    )
    optimiser = optax.chain(optax.clip_by_global_norm(0.5), optax.adamw(schedule, weight_decay=settings.decay))
    weights = start or initial(settings)
    state = optimiser.init(weights)
    mean = weights

    @jax.jit
    def step(
        weights: Parameters,
        state: optax.OptState,
        mean: Parameters,
        batch: Batch,
        keep: jax.Array,
    ) -> tuple[Parameters, optax.OptState, Parameters, jax.Array]:
        value, slope = jax.value_and_grad(loss)(weights, batch, settings)
        updates, state = optimiser.update(slope, state, weights)
        weights = optax.apply_updates(weights, updates)
        mean = jax.tree.map(lambda old, new: old + (1 - keep) * (new - old), mean, weights)
        return weights, state, mean, value

    judge = jax.jit(lambda weights, batch: loss(weights, batch, settings))
    fixed = next(validation.batches(np.random.default_rng(1), 64, 1200))
    batches = training.batches(random, settings.batch, settings.frames)
    began, losses = time.monotonic(), []
    for number in range(settings.steps):
        keep = jnp.float32(min(0.995, number / (number + 10)))
        weights, state, mean, value = step(weights, state, mean, next(batches), keep)
        losses.append(float(value))
        if number % 100 == 99:
            files = training.look()
            valid = float(judge(mean, fixed))
            spent = time.monotonic() - began
            print(
                f"{number + 1:6} {np.mean(losses[-100:]):.5f} valid {valid:.5f} {files} files {spent:.0f} s", flush=True
            )
            save(mean, recipe.CACHE / "latest.npz")
    return mean


def save(weights: Parameters, path: Path) -> None:
    """As float16: half the size, and the same gains."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    with unfinished.open("wb") as file:
        halves: dict[str, Any] = {name: np.asarray(value, np.float16) for name, value in weights.items()}
        np.savez(file, **halves)
    unfinished.replace(path)


def load(path: Path) -> Parameters:
    """Weights to go on from."""
    return {name: jnp.asarray(value) for name, value in residual.Weights.load(path)._asdict().items()}


def main() -> int:
    """Train, and write the weights and their record."""
    parser = argparse.ArgumentParser(description="train the residual gain")
    parser.add_argument("--from", dest="start", type=Path, help="weights to go on from, for the last stage alone")
    parser.add_argument("--out", type=Path, default=residual.WEIGHTS)
    wanted = parser.parse_args()
    weights = load(wanted.start) if wanted.start else None
    for settings in recipe.STAGES[-1:] if wanted.start else recipe.STAGES:
        save(train(settings, weights), wanted.out)
        weights = load(wanted.out)  # as they are rounded
    if wanted.out == residual.WEIGHTS:
        digest = hashlib.sha256(wanted.out.read_bytes()).hexdigest()
        stages = [settings._asdict() for settings in recipe.STAGES]
        recipe.RECORD.write_text(json.dumps({"sha256": digest, "stages": stages}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
