"""For arrays that cancel, beamform and suppress by themselves: their one finished channel, as it is."""

from collections.abc import Mapping

import numpy as np

from appliance.core.units import Block, Blocks


class Hardware:
    """What leaves it goes on to the voice detector and the limiter like everything else."""

    name = "hardware"
    denoises = True
    near_talks = True
    """What the array lets through is somebody near."""
    direction: float | None = None
    counts: Mapping[str, int] = {}

    def process(self, microphones: Blocks, _reference: Block, out: Block) -> None:
        np.copyto(out, microphones[0])

    def jumped(self, shift: int | None) -> None:
        """The array has its own reference."""
