"""Whether what is heard in a room is what was said in another: how a ring is found where engines pass on no reports.

Over a ring one and the same voice arrives twice. What was heard in the one room a second ago is searched in what has been heard
in the other since shortly before, as a waveform at 8 kHz: over a ring it is there once, as loud as it was, whatever codecs lie
between. A voice that a loudspeaker and a room give back is neither. A tone is everywhere alike and tells nothing.
"""

import numpy as np

from appliance.core.units import BLOCK, RATE, Block

_STEP = 6
"""Samples of 48 kHz that become one."""
_RATE = RATE // _STEP
_PIECE = BLOCK // _STEP
_KEPT = 2 * _RATE

_TEMPLATE = int(0.6 * _RATE)
_EARLIEST, _LATEST = int(-0.4 * _RATE), int(0.7 * _RATE)
"""How much later the same voice is searched for; earlier, too: the other way round the ring may be the quicker one."""
_NEAR = int(0.06 * _RATE)
"""A voice is like itself so little later; only what is further off says that something comes again and again."""

_QUIETEST = 0.003
"""RMS of a template that may tell something, -50 dBov."""
_ALIKE, _ELSEWHERE = 0.7, 0.5
"""Correlation where they are alike, and the share of it that may be found anywhere else."""
_LEAST_GAIN, _MOST_GAIN = 0.25, 4.0


class Likeness:
    """:meth:`feed` belongs to one thread, :meth:`look` to any: a look at what is being written is one of many."""

    def __init__(self) -> None:
        self._said = np.zeros(_KEPT, np.float32)
        self._heard = np.zeros(_KEPT, np.float32)
        self._at = 0

    def feed(self, said: Block, heard: Block) -> None:
        """Ten milliseconds of both, shape (480,)."""
        place = slice(self._at, self._at + _PIECE)
        said.reshape(_PIECE, _STEP).mean(axis=1, out=self._said[place])
        heard.reshape(_PIECE, _STEP).mean(axis=1, out=self._heard[place])
        self._at = (self._at + _PIECE) % _KEPT

    def look(self) -> bool | None:
        """Whether what was said is heard; None: nothing was said that could tell."""
        said, heard = np.roll(self._said, -self._at), np.roll(self._heard, -self._at)
        begin = _KEPT - _LATEST - _TEMPLATE
        template = said[begin : begin + _TEMPLATE]
        energy = float(np.dot(template, template))
        if energy < _TEMPLATE * _QUIETEST**2:
            return None
        searched = heard[begin + _EARLIEST :]
        products = np.correlate(searched, template)
        passed = np.concatenate(([0.0], np.cumsum(searched.astype(np.float64) ** 2)))
        energies = np.maximum(passed[_TEMPLATE:] - passed[:-_TEMPLATE], 1e-9)
        alike = products / np.sqrt(energies * energy)
        best = int(alike.argmax())
        elsewhere = np.concatenate((alike[: max(0, best - _NEAR)], alike[best + _NEAR :]))
        gain = products[best] / energy
        found = alike[best] > _ALIKE and float(elsewhere.max()) < _ELSEWHERE * alike[best]
        return bool(found and _LEAST_GAIN < gain < _MOST_GAIN)
