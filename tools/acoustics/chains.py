"""What a scene is sent through: nothing, WebRTC's and Speex's cancellers as they are, and ours."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from appliance.audio.alignment import Aligner
from appliance.audio.kalman import KalmanCanceller
from appliance.audio.port import Side
from appliance.core.units import BLOCK, RATE, Block, Blocks
from appliance.settings.model import Echo
from tools.acoustics.ours import Ours, OursArray

Pcm = NDArray[np.int16]
SPEEX_TAIL = 0.2
_SPEEX_RATE, _SPEEX_ECHO, _SPEEX_DENOISE, _SPEEX_NOISE, _SPEEX_RESIDUAL, _SPEEX_RESIDUAL_NEAR = 24, 24, 0, 18, 20, 22
"""speex_echo.h: SPEEX_ECHO_SET_SAMPLING_RATE; speex_preprocess.h: …SET_ECHO_STATE, SET_DENOISE, SET_NOISE_SUPPRESS and so on."""


class Chain(Protocol):
    """Takes blocks in step: the reference as it was written, not aligned."""

    def process(self, microphones: Blocks, reference: Block, out: Block, /) -> None:
        """Microphones (n, 480) and reference (480,) to one output (480,)."""


class CardChain(Protocol):
    """Is told what a sound card tells, and aligns by itself (audio/port.py)."""

    def wrote(self, block: Block, /) -> None:
        """A block was handed to playback."""

    def played(self, position: int, time: float, /) -> None:
        """When it will be heard."""

    def jumped(self, side: Side, /) -> None:
        """One of the two streams begins anew."""

    def captured(self, microphones: Blocks, position: int, time: float, out: Block, /) -> None:
        """Microphones came; fill what is sent."""


def _pcm(block: Block) -> Pcm:
    return (np.clip(block, -1, 1) * 32767).astype(np.int16)


class Nothing:
    """The first microphone as it is."""

    def process(self, microphones: Blocks, _reference: Block, out: Block) -> None:
        """Copy it."""
        out[:] = microphones[0]


class WebRtc:
    """WebRTC's AEC3 and its noise suppression of 12 dB after it, on the first microphone."""

    def __init__(self) -> None:
        from pywebrtc_audio import AudioProcessor, NoiseSuppressor  # noqa: PLC0415 - beside the core

        self._canceller = AudioProcessor(sample_rate=RATE, num_channels=1, echo_cancellation=True)
        self._suppressor = NoiseSuppressor(sample_rate=RATE, level=1)

    def process(self, microphones: Blocks, reference: Block, out: Block) -> None:
        """Cancel, then suppress."""
        left = self._canceller.process(_pcm(microphones[0]), _pcm(reference))
        out[:] = np.asarray(self._suppressor.process(np.ascontiguousarray(left)), np.float32) / 32768


class Speex:
    """libspeexdsp: a canceller of 200 ms, its residual suppression and its denoiser of 15 dB, on the first microphone."""

    def __init__(self) -> None:
        library = ctypes.CDLL("libspeexdsp.so.1")
        for name in ("speex_echo_state_init", "speex_preprocess_state_init"):
            getattr(library, name).restype = ctypes.c_void_p
        for name in ("speex_echo_ctl", "speex_preprocess_ctl"):
            getattr(library, name).argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
        library.speex_echo_cancellation.argtypes = [ctypes.c_void_p] * 4
        library.speex_preprocess_run.argtypes = [ctypes.c_void_p] * 2
        self._library = library
        self._echo = library.speex_echo_state_init(BLOCK, int(SPEEX_TAIL * RATE))
        self._set(library.speex_echo_ctl, self._echo, _SPEEX_RATE, RATE)
        self._after = library.speex_preprocess_state_init(BLOCK, RATE)
        library.speex_preprocess_ctl(self._after, _SPEEX_ECHO, self._echo)
        for what, value in (
            (_SPEEX_DENOISE, 1),
            (_SPEEX_NOISE, -15),
            (_SPEEX_RESIDUAL, -40),
            (_SPEEX_RESIDUAL_NEAR, -15),
        ):
            self._set(library.speex_preprocess_ctl, self._after, what, value)
        self._out = np.zeros(BLOCK, np.int16)

    @staticmethod
    def _set(control: Any, state: int, what: int, value: int) -> None:
        control(state, what, ctypes.byref(ctypes.c_int(value)))

    def process(self, microphones: Blocks, reference: Block, out: Block) -> None:
        """Cancel, then suppress."""
        near, far = _pcm(microphones[0]), _pcm(reference)
        self._library.speex_echo_cancellation(self._echo, near.ctypes.data, far.ctypes.data, self._out.ctypes.data)
        self._library.speex_preprocess_run(self._after, self._out.ctypes.data)
        out[:] = self._out.astype(np.float32) / 32768


class Aligned:
    """A chain behind the product's alignment, and nothing else of the front end: for tuning one stage."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.aligner = Aligner()
        self._reference = np.zeros(BLOCK, np.float32)

    @property
    def direction(self) -> float | None:
        """The chain's, if it has one."""
        direction: float | None = getattr(self.chain, "direction", None)
        return direction

    def wrote(self, block: Block) -> None:
        """As CardChain."""
        self.aligner.wrote(block)

    def played(self, position: int, time: float) -> None:
        """As CardChain."""
        self.aligner.played(position, time)

    def jumped(self, side: Side) -> None:
        """As CardChain."""
        self.aligner.jumped(side)

    def captured(self, microphones: Blocks, position: int, time: float, out: Block) -> None:
        """Align, process, let the aligner listen."""
        before = self.aligner.jumps
        self.aligner.reference(position, time, self._reference)
        if self.aligner.jumps != before and hasattr(self.chain, "jumped"):
            self.chain.jumped(self.aligner.shift)
        self.chain.process(microphones, self._reference, out)
        self.aligner.heard(self._reference, microphones[0])


class Kalman:
    """Our linear canceller alone, on the first microphone."""

    def __init__(self) -> None:
        self._canceller = KalmanCanceller(1)
        self._echo = np.zeros((1, BLOCK), np.float32)

    def process(self, microphones: Blocks, reference: Block, out: Block) -> None:
        """What is left of the first microphone."""
        self._canceller.process(microphones[:1], reference, out[None], self._echo)

    def jumped(self, _shift: int | None) -> None:
        """Begin anew."""
        self._canceller.reset()


ROWS: dict[str, Callable[[], Chain | CardChain]] = {
    "none": Nothing,
    "aec3": WebRtc,
    "speex": Speex,
    "ours_mono": lambda: Ours(1),
    "ours_4mics": OursArray,
    "ours_safe": lambda: Ours(1, Echo.SAFE),
    "half_duplex": lambda: Ours(1, Echo.HALF_DUPLEX),
    "kalman": lambda: Aligned(Kalman()),
}


def make(row: str) -> Chain | CardChain:
    """A chain by the name of its row, or ``module:factory`` for one that is being worked on (called without arguments)."""
    if row in ROWS:
        return ROWS[row]()
    module, _, factory = row.partition(":")
    return cast("Chain | CardChain", getattr(importlib.import_module(module), factory)())
