"""Noise suppression behind the canceller: WebRTC's, at 48 kHz or at 16 kHz.

The suppressor inside WebRTC's AudioProcessor takes 6 dB at 48 kHz, whatever level it is set to; the separate one takes 12 to
18, so that one is used. At 16 kHz webrtc-noise-gain does it, for machines that have no wheel of the other library: nothing
above 8 kHz is left then.
"""

from typing import Protocol

import numpy as np
from webrtc_noise_gain import AudioProcessor

from appliance.audio.voice import LOW_BLOCK, RATIO, Decimator, low_pass
from appliance.core.units import BLOCK, RATE, Block

LEVELS = {"low": 0, "medium": 1, "high": 2}
"""How much is taken by the words of the setting: 12, 17 and 18 dB of a fan's noise at 48 kHz."""
_TAPS = 48
_FULL_SCALE = np.float32(32_767)


class Suppressor(Protocol):
    """What takes noise out of a block."""

    def process(self, block: Block) -> None:
        """Take the noise out of ``block``, shape (480,), in place."""


class FullBand:
    """pywebrtc-audio's separate NoiseSuppressor at 48 kHz; it delays by 7 ms."""

    def __init__(self, level: str) -> None:
        """:param level: one of :data:`LEVELS`.

        :raises ModuleNotFoundError: pywebrtc-audio is not installed.
        """
        from pywebrtc_audio import NoiseSuppressor  # noqa: PLC0415 - a machine may have the other library alone

        self._suppressor = NoiseSuppressor(sample_rate=RATE, level=LEVELS[level])

    def process(self, block: Block) -> None:
        np.copyto(block, self._suppressor.process(block))


class Narrow:
    """webrtc-noise-gain at 16 kHz: nothing above 8 kHz is left. It delays by 7 ms."""

    def __init__(self, level: str) -> None:
        """:param level: one of :data:`LEVELS`."""
        self._suppressor = AudioProcessor(0, LEVELS[level] + 1)
        self._decimator = Decimator()
        self._low = np.zeros(LOW_BLOCK, np.float32)
        self._pcm = np.zeros(LOW_BLOCK, np.int16)
        # Between 16 and 48 kHz each of the three phases has a filter of its own.
        self._phases = np.ascontiguousarray(low_pass(_TAPS, RATIO).reshape(-1, RATIO).T[:, ::-1])
        self._before = np.zeros(_TAPS // RATIO - 1 + LOW_BLOCK, np.float32)
        self._windows = np.lib.stride_tricks.sliding_window_view(self._before, _TAPS // RATIO)

    def process(self, block: Block) -> None:
        self._decimator.process(block, self._low)
        np.multiply(self._low, _FULL_SCALE, out=self._low)
        np.maximum(self._low, -_FULL_SCALE, out=self._low)
        np.minimum(self._low, _FULL_SCALE, out=self._low)
        np.copyto(self._pcm, self._low, casting="unsafe")
        clean = np.frombuffer(self._suppressor.Process10ms(self._pcm.tobytes()).audio, np.int16)
        kept = _TAPS // RATIO - 1
        self._before[:kept] = self._before[LOW_BLOCK:]
        np.multiply(clean, 1 / _FULL_SCALE, out=self._before[kept:])
        np.dot(self._windows, self._phases.T, out=block.reshape(BLOCK // RATIO, RATIO))
