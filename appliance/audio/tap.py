"""A tap of the capture path for ``kontor record``: every channel as the card gave it, but only while the gate is open.

The capture thread puts blocks into a ring that was made beforehand; another thread fetches and writes them. What closes the
gate, the hand on the mute button first, ends the tap for good, and what it holds then is forgotten: a tap never goes on after
a mute, and never begins by itself.
"""

import threading

import numpy as np

from appliance.audio.gate import Gate
from appliance.core.units import BLOCK, Blocks

DEPTH = 100
"""Blocks that may wait to be written: a second."""


class Tap:
    """Made while the gate is open; ends by itself when it closes.

    :param channels: how many blocks have; others are put in as far as they fit.
    """

    def __init__(self, gate: Gate, channels: int, depth: int = DEPTH) -> None:
        self._gate, self._epoch = gate, gate.epoch
        self._lock = threading.Lock()
        self._ring = np.zeros((depth, channels, BLOCK), np.float32)
        self._first = self._count = 0
        self.lost = 0
        """Blocks that were not fetched in time."""
        self._muted = not gate.is_open

    @property
    def muted(self) -> bool:
        """Whether the gate has closed since the tap was made."""
        if self._gate.epoch != self._epoch:
            self._muted = True
        return self._muted

    def put(self, microphones: Blocks) -> None:
        """Take one block of every channel, shape (n, 480). Capture thread."""
        if self.muted:
            return
        channels = min(len(microphones), self._ring.shape[1])
        with self._lock:
            if self._count == len(self._ring):
                self.lost += 1
                return
            place = self._ring[(self._first + self._count) % len(self._ring)]
            np.copyto(place[:channels], microphones[:channels])
            place[channels:] = 0
            self._count += 1

    def take(self) -> Blocks:
        """Fetch what waits, shape (channels, samples); nothing once it is muted."""
        with self._lock:
            if self.muted:
                self._ring.fill(0)
                self._count = 0
            places = [(self._first + place) % len(self._ring) for place in range(self._count)]
            self._first, self._count = (self._first + self._count) % len(self._ring), 0
            return np.ascontiguousarray(self._ring[places].transpose(1, 0, 2).reshape(self._ring.shape[1], -1))
