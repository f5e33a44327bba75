"""What comes behind the canceller: noise suppression, voice detector, gain control and limiter, in this order."""

import math

import numpy as np

from appliance.audio.gain_control import GainControl
from appliance.audio.limiter import Limiter
from appliance.audio.noise import Suppressor
from appliance.audio.voice import VoiceDetector
from appliance.core.units import Block

_CEILING = 0.95
"""Of full scale: the gate's int16 is not cut off."""


class Finish:
    """One channel. A part that raises is left out from then on.

    :param suppressor: None: noise stays.
    :param twice: whether it works even where the canceller has taken noise out already.
    :param gain_control: whether the loudness is changed.
    """

    def __init__(self, suppressor: Suppressor | None, *, twice: bool, gain_control: bool) -> None:
        self._suppressor, self._twice = suppressor, twice
        self._suppresses = suppressor is not None
        self._voice: VoiceDetector | None = VoiceDetector()
        self._gain = GainControl() if gain_control else None
        self._limiter = Limiter(_CEILING)
        self.failures = 0
        self.why = ""
        """What was left out, and why; empty: nothing."""

    @property
    def parts(self) -> tuple[str, ...]:
        """What works, in its order."""
        works = {
            "noise suppression": self._suppresses,
            "voice detector": self._voice is not None,
            "gain control": self._gain is not None,
            "limiter": True,
        }
        return tuple(name for name, does in works.items() if does)

    def process(self, block: Block, *, near: bool, clean: bool) -> bool:
        """Finish ``block``, shape (480,), in place; whether somebody near talks in it.

        :param near: False: what is heard is the loudspeaker, whatever it sounds like.
        :param clean: the canceller has taken noise out already.
        """
        self._suppresses = self._suppressor is not None and (self._twice or not clean)
        if self._suppressor is not None and self._suppresses:
            try:
                self._suppressor.process(block)
            except Exception as error:  # noqa: BLE001 - whatever it is, the room goes on
                self._suppressor, self._suppresses = None, False
                self._leave_out("noise suppression", error)
        if not math.isfinite(float(np.dot(block, block))):  # the gain control would keep it for good
            block.fill(0)
        speech = False
        if self._voice is not None:
            try:
                speech = self._voice.process(block) and near
            except Exception as error:  # noqa: BLE001 - as above
                self._voice = None
                self._leave_out("voice detector", error)
        if self._gain is not None:
            self._gain.process(block, speech)
        self._limiter.limit(block)
        return speech

    def forget(self) -> None:
        """Nobody has talked so far."""
        if self._voice is not None:
            self._voice.forget()

    def _leave_out(self, part: str, error: Exception) -> None:
        self.failures += 1
        self.why = "; ".join(filter(None, [self.why, f"no {part} ({type(error).__name__}: {error})"]))
