"""Half duplex, with a canceller that says whatever a test wants."""

from collections.abc import Mapping

import numpy as np
import pytest

from appliance.audio.half_duplex import HalfDuplex
from appliance.core.units import BLOCK, Block, Blocks


class Safe:
    """Passes the microphone."""

    name = "safe"
    denoises = False
    direction: float | None = None
    counts: Mapping[str, int] = {}
    near_talks = False

    def process(self, microphones: Blocks, _reference: Block, out: Block) -> None:
        np.copyto(out, microphones[0])

    def jumped(self, shift: int | None) -> None:
        pass


@pytest.mark.parametrize("near", [False, True])
def test_what_it_counts_does_not_tell_whether_somebody_near_talks(near: bool) -> None:
    safe = Safe()
    safe.near_talks = near
    canceller, loud, out = HalfDuplex(lambda: safe), np.full(BLOCK, 0.1, np.float32), np.zeros(BLOCK, np.float32)
    for _ in range(100):
        canceller.process(loud[np.newaxis], loud, out)
    assert canceller.near_talks is near
    assert canceller.counts == {"echo_ducked": 100}
