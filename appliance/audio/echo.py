"""What cancels the echo of the loudspeaker, in its several ways."""

from collections.abc import Mapping
from typing import Protocol

from appliance.core.units import Block, Blocks


class EchoCanceller(Protocol):
    """One array, one reference, one output. Everything belongs to the capture thread."""

    @property
    def name(self) -> str:
        """For status."""

    @property
    def near_talks(self) -> bool:
        """Whether somebody near talks in the last block, as far as that can be told from the echo."""

    @property
    def denoises(self) -> bool:
        """Whether it takes noise out as well, so that nobody has to after it."""

    @property
    def direction(self) -> float | None:
        """Where somebody talks, degrees counter-clockwise from the array's x axis; None: not known."""

    @property
    def counts(self) -> Mapping[str, int]:
        """What happened so far, by the names of core/counters.py; nothing that tells of the room."""

    def process(self, microphones: Blocks, reference: Block, out: Block, /) -> None:
        """Cancel one block.

        :param microphones: shape (n, 480).
        :param reference: shape (480,), what the loudspeaker played when they heard this.
        :param out: shape (480,), filled.
        """

    def jumped(self, shift: int | None, /) -> None:
        """The echo comes later by ``shift`` samples from now on (negative: earlier); None: nobody knows by how many."""
