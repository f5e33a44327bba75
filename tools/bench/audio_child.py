"""What tools/bench/audio_cost.py counts instructions of: the front end over a scene, with as few imports as a device has.

Run as ``python -m tools.bench.audio_child mono|4mics BLOCKS SCENE.npz``.
"""

import sys

import numpy as np

from appliance.audio.port import Side
from appliance.core.units import BLOCK
from tools.acoustics.ours import Ours, OursArray

KINDS = ("wrote", "played", "captured", "jumped")
CHAINS = {"mono": lambda: Ours(1), "4mics": OursArray}


def main(arguments: list[str]) -> int:
    """How many microphones, a number of blocks, and the scene."""
    chain, blocks = CHAINS[arguments[0]](), int(arguments[1])
    with np.load(arguments[2]) as scene:
        heard = np.ascontiguousarray(scene["microphones"].reshape(4, -1, BLOCK).swapaxes(0, 1))
        written, calls = scene["reference"].reshape(-1, BLOCK), scene["calls"]
    out = np.zeros(BLOCK, np.float32)
    for kind, block, position, when in calls.tolist():
        if block >= blocks:
            break
        what = KINDS[int(kind)]
        if what == "wrote":
            chain.wrote(written[int(block)])
        elif what == "played":
            chain.played(int(position), when)
        elif what == "captured":
            chain.captured(heard[int(block)], int(position), when, out)
        else:
            chain.jumped(Side.PLAYBACK)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
