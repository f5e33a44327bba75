"""Whether somebody talks, told from fans and keyboards: WebRTC's detector at 16 kHz, by webrtc-noise-gain.

It stands behind the noise suppressor: of a loud fan (-30 dBov) it took 42 % of the blocks for speech before it, none behind
it; of a keyboard 26 % and none; and of the speech it hears the same (measured over voices of three languages). Its single
decisions are rough, so that it takes several in a row. It costs a tenth of a per cent of a core.
"""

import numpy as np
from webrtc_noise_gain import AudioProcessor

from appliance.core.units import BLOCK, Block

RATIO = 3
"""From 48 to 16 kHz."""
LOW_BLOCK = BLOCK // RATIO
_TAPS = 48
_CUT = 7_200 / 48_000
_FULL_SCALE = np.float32(32_767)
_WINDOW = 30
"""Blocks that are looked at together: 0.3 s."""
_ENOUGH = 12
"""How many of them have to be speech: a syllable is, a key that is struck is not."""


def low_pass(taps: int, gain: float = 1.0) -> Block:
    """A low-pass filter for the way between 48 and 16 kHz, shape (taps,): a windowed sinc (Hamming), cut at 7.2 kHz."""
    at = np.arange(taps) - (taps - 1) / 2
    filter_ = 2 * _CUT * np.sinc(2 * _CUT * at) * np.hamming(taps)
    return np.asarray(gain * filter_ / filter_.sum(), np.float32)


class Decimator:
    """Every third sample of a block, behind a low-pass filter: 48 to 16 kHz. It delays by 0.5 ms."""

    def __init__(self) -> None:
        self._filter = low_pass(_TAPS)
        self._samples = np.zeros(_TAPS - RATIO + BLOCK, np.float32)
        size = self._samples.itemsize
        shape, strides = (LOW_BLOCK, _TAPS), (RATIO * size, size)
        self._windows = np.lib.stride_tricks.as_strided(self._samples, shape, strides, writeable=False)

    def process(self, block: Block, out: Block) -> None:
        """Fill ``out``, shape (160,), from ``block``, shape (480,)."""
        self._samples[: _TAPS - RATIO] = self._samples[BLOCK:]
        self._samples[_TAPS - RATIO :] = block
        np.dot(self._windows, self._filter, out=out)


class VoiceDetector:
    """One channel."""

    def __init__(self) -> None:
        self._detector = AudioProcessor(0, 0)
        self._decimator = Decimator()
        self._low = np.zeros(LOW_BLOCK, np.float32)
        self._pcm = np.zeros(LOW_BLOCK, np.int16)
        self._heard = [False] * _WINDOW
        self._count = 0
        self._at = 0

    def process(self, block: Block) -> bool:
        """Take one block, shape (480,); whether somebody talks."""
        self._decimator.process(block, self._low)
        np.multiply(self._low, _FULL_SCALE, out=self._low)
        np.maximum(self._low, -_FULL_SCALE, out=self._low)
        np.minimum(self._low, _FULL_SCALE, out=self._low)
        np.copyto(self._pcm, self._low, casting="unsafe")
        heard = bool(self._detector.Process10ms(self._pcm.tobytes()).is_speech)
        self._count += heard - self._heard[self._at]
        self._heard[self._at] = heard
        self._at = (self._at + 1) % _WINDOW
        return self._count >= _ENOUGH

    def forget(self) -> None:
        """Nothing was heard so far."""
        self._heard = [False] * _WINDOW
        self._count = 0
