"""The network of :mod:`appliance.audio.residual` in jax, over whole sequences, and its loss."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from appliance.audio import residual
from tools.training.recipe import Training

Parameters = dict[str, jax.Array]
_SILENT = -0.9
"""What a band of no sound stays below, on the network's logarithmic scale."""


def initial(settings: Training) -> Parameters:
    """Random weights of the right shapes."""
    random = np.random.default_rng(settings.seed)
    d, h = settings.width, settings.hidden
    shapes = {
        "into": (d, residual.INPUTS),
        "gates": (3 * h, d),
        "back": (3 * h, h),
        "out": (residual.BANDS + 1, h + d),
    }
    weights: dict[str, np.ndarray[Any, Any]] = {}
    for name, (rows, columns) in shapes.items():
        weights[name] = random.standard_normal((rows, columns)) / np.sqrt(columns)
        weights[f"{name}_bias"] = np.zeros(rows)
    weights["gates_bias"][h : 2 * h] = 1.0  # begins by remembering
    weights["out_bias"][:-1] = 1.0  # and by letting through
    return {name: jnp.asarray(value, jnp.float32) for name, value in weights.items()}


def forward(weights: Parameters, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Over a batch of sequences.

    :param inputs: shape (batch, frames, INPUTS).
    :param state: shape (batch, h).
    :returns: gains (batch, frames, BANDS), logits of "somebody near talks" (batch, frames), and the last state.
    """
    hidden = state.shape[-1]
    first = jax.nn.relu(inputs @ weights["into"].T + weights["into_bias"])
    ahead = first @ weights["gates"].T + weights["gates_bias"]
    back, back_bias = weights["back"].T, weights["back_bias"]

    def step(state: jax.Array, ahead: jax.Array) -> tuple[jax.Array, jax.Array]:
        behind = state @ back + back_bias
        gates = jax.nn.sigmoid(ahead[:, : 2 * hidden] + behind[:, : 2 * hidden])
        reset, update = gates[:, :hidden], gates[:, hidden:]
        candidate = jnp.tanh(ahead[:, 2 * hidden :] + reset * behind[:, 2 * hidden :])
        state = candidate + update * (state - candidate)
        return state, state

    state, states = jax.lax.scan(step, state, ahead.swapaxes(0, 1), unroll=4)
    seen = jnp.concatenate([states.swapaxes(0, 1), first], axis=-1)
    out = seen @ weights["out"].T + weights["out_bias"]
    return jax.nn.sigmoid(out[..., :-1]), out[..., -1], state


def loss(weights: Parameters, batch: tuple[jax.Array, ...], settings: Training) -> jax.Array:
    """Compressed magnitudes of the bands, what is eaten weighing more than what is left; and who talks."""
    inputs, early, near, talks = batch
    inputs = inputs.astype(jnp.float32)
    state = jnp.zeros((inputs.shape[0], settings.hidden))
    gains, logits, _ = forward(weights, inputs, state)
    error = _magnitude(inputs[..., : residual.BANDS], settings.exponent)
    wanted = (1 - settings.room) * _magnitude(early.astype(jnp.float32), settings.exponent)
    wanted += settings.room * _magnitude(near.astype(jnp.float32), settings.exponent)
    gains = jnp.maximum(gains, 1e-4)
    difference = gains**settings.exponent * error - wanted
    weight = jnp.where(difference < 0, settings.eaten, 1.0)
    spectral = jnp.mean(weight * difference**2)
    holes = jnp.mean(_holes(jnp.log(gains), jnp.log(wanted / error) / settings.exponent, near.astype(jnp.float32)))
    labels = talks.astype(jnp.float32)
    talking = jnp.mean(jnp.maximum(logits, 0) - logits * labels + jnp.log1p(jnp.exp(-jnp.abs(logits))))
    return spectral + settings.holes * holes + settings.talks * talking


def _holes(gains: jax.Array, needed: jax.Array, near: jax.Array) -> jax.Array:
    """How far gains are below what they should be where the near talker is what is heard, logarithms, squared.

    Compressed magnitudes forgive a hole in a voice that is a hole to the ear. Counts where the near talker is more than -8 dB of
    the error and within 45 dB of his loudest; 17 dB are as bad as it gets.
    """
    loudest = jnp.max(near, axis=(1, 2), keepdims=True)
    heard = (needed > -0.9) & (near > loudest - 4.5 * residual.SPREAD) & (near > _SILENT)
    return jnp.where(heard, jnp.clip(jnp.minimum(needed, 0) - gains, 0, 2) ** 2, 0)


def _magnitude(logarithms: jax.Array, exponent: float) -> jax.Array:
    """The network's logarithmic powers as compressed magnitudes, about 1 for loud speech."""
    power = 10.0 ** (logarithms / residual.SPREAD - residual.MIDDLE) - residual.LEAST_POWER
    return jnp.maximum(power, residual.LEAST_POWER) ** (exponent / 2)
