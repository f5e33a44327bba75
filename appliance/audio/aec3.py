"""WebRTC's canceller, AEC3, by pywebrtc-audio: the safe one.

It was taken because it is the one every browser has: it finds its delay by itself, begins to work within a second and hardly
ever lets echo through. What it costs: with a loudspeaker near the microphones it is half duplex, a near talker is gone while the
far end talks. pywebrtc-audio (Apache-2.0) has wheels for the Raspberry Pi, works at 48 kHz and needs 2 MB; LiveKit's build of
the same needs a whole SDK, and aec-audio-processing has no wheels.
"""

import numpy as np

from appliance.core.units import BLOCK, RATE, Block, Blocks

_OPEN = 0.1
"""Power that is left of the microphone's above which somebody near talks: of echo alone much less is left."""
_KEPT = 0.7


class Aec3:
    """One microphone of the array, the first; the others are of no use to it. It delays by 9 ms."""

    name = "aec3"
    denoises = False
    direction: float | None = None

    def __init__(self) -> None:
        """:raises ModuleNotFoundError: pywebrtc-audio is not installed."""
        from pywebrtc_audio import EchoCanceller  # noqa: PLC0415 - a machine without its wheel has the other ways

        self._canceller = EchoCanceller(sample_rate=RATE, num_channels=1)
        self._near = np.zeros(BLOCK, np.float32)
        self._far = np.zeros(BLOCK, np.float32)
        self._heard = self._left = 1e-9
        self.counts: dict[str, int] = {}

    @property
    def near_talks(self) -> bool:
        return self._left > _OPEN * self._heard

    def process(self, microphones: Blocks, reference: Block, out: Block) -> None:
        _clean(microphones[0], self._near)
        _clean(reference, self._far)
        np.copyto(out, self._canceller.process(self._near, self._far))
        self._heard = _KEPT * self._heard + float(np.dot(self._near, self._near)) + 1e-9
        self._left = _KEPT * self._left + float(np.dot(out, out)) + 1e-9

    def jumped(self, shift: int | None) -> None:
        """It notices by itself."""


def _clean(block: Block, out: Block) -> None:
    """Copy the block, or silence when a sample in it is no number: the library would keep it for ever."""
    if np.isfinite(float(np.dot(block, block))):
        np.copyto(out, block)
    else:
        out.fill(0)
