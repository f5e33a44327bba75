"""Faint noise into a loudspeaker of the graph, for as long as it runs: ``hum NAME``.

A microphone of a graph into which nobody plays gives zeros, which no real one does: sound takes that for a dead one. One step
of 16 bits up and down, at random, is -90 dBFS: nobody hears it, and no score sees it.
"""

import sys

import alsaaudio
import numpy as np

from appliance.core.units import RATE

_TURN = RATE // 50
_TURNS = 50


def main(name: str) -> None:
    """Play for good."""
    pcm = alsaaudio.PCM(
        alsaaudio.PCM_PLAYBACK,
        alsaaudio.PCM_NORMAL,
        device=name,
        rate=RATE,
        channels=1,
        format=alsaaudio.PCM_FORMAT_S16_LE,
        periodsize=_TURN,
        periods=8,
    )
    steps = np.random.default_rng(1).integers(-1, 2, (_TURNS, _TURN), np.int16)
    turns = [turn.tobytes() for turn in steps]
    while True:
        for turn in turns:
            pcm.write(turn)


if __name__ == "__main__":
    main(sys.argv[1])
