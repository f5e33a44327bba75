"""The tap: what the card gave while the gate was open, and nothing of what came after a mute or before it was asked for."""

import numpy as np

from appliance.audio.gate import Gate
from appliance.audio.tap import Tap
from appliance.core.units import BLOCK


def opened() -> Gate:
    gate = Gate()
    gate.open()
    return gate


def block(value: float, channels: int = 2) -> np.ndarray:
    return np.full((channels, BLOCK), value, np.float32)


def test_every_channel_as_it_was_captured_in_order() -> None:
    tap = Tap(opened(), 2, depth=4)
    for value in (0.1, 0.2, 0.3):
        tap.put(block(value))
    sound = tap.take()
    assert sound.shape == (2, 3 * BLOCK)
    assert np.allclose(sound[1, ::BLOCK], [0.1, 0.2, 0.3])
    assert tap.take().shape == (2, 0)
    for value in (0.4, 0.5, 0.6):  # around the ring's end
        tap.put(block(value))
    assert np.allclose(tap.take()[0, ::BLOCK], [0.4, 0.5, 0.6])
    assert tap.lost == 0


def test_what_nobody_fetches_is_bounded_and_counted() -> None:
    tap = Tap(opened(), 1, depth=3)
    for value in range(5):
        tap.put(block(value / 10, 1))
    assert tap.lost == 2
    assert np.allclose(tap.take()[0, ::BLOCK], [0, 0.1, 0.2]), "no hole in the middle"


def test_a_mute_ends_it_for_good_and_it_forgets_what_waited() -> None:
    gate = opened()
    tap = Tap(gate, 2)
    tap.put(block(0.5))
    gate.close()
    assert tap.muted
    assert tap.take().shape == (2, 0)
    assert not tap._ring.any()
    gate.open()  # a short press that nobody polled: the gate is open again
    tap.put(block(0.5))
    assert tap.muted
    assert tap.take().shape == (2, 0)


def test_a_tap_at_a_closed_gate_never_begins() -> None:
    gate = Gate()
    tap = Tap(gate, 1)
    gate.open()
    tap.put(block(0.5, 1))
    assert tap.muted and tap.take().size == 0


def test_a_card_that_comes_back_with_other_channels_is_recorded_as_far_as_they_fit() -> None:
    tap = Tap(opened(), 2, depth=2)
    tap.put(block(0.7))
    tap.put(block(0.7))
    tap.take()
    tap.put(block(0.5, 4))
    tap.put(block(0.25, 1))
    sound = tap.take()
    assert np.allclose(sound[:, 0], 0.5)
    assert np.allclose(sound[:, BLOCK], [0.25, 0.0])
