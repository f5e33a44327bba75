"""The product's whole front end, made of settings as a device makes it, between a scene's card and what is sent."""

from __future__ import annotations

import numpy as np

from appliance.app.hearing import make_front_end
from appliance.audio.port import Side
from appliance.core.units import BLOCK, Block, Blocks
from appliance.settings.model import AudioBackend, AudioSettings, Echo
from tools.acoustics.array import GEOMETRY_MM


class Ours:
    """With one microphone, the first, or with four.

    Gain control is off, which a device has on: it would count as less echo taken away, and the peers have none.
    """

    def __init__(self, microphones: int, echo: Echo = Echo.FULL_DUPLEX) -> None:
        """It is never too slow: it may run in an emulator, or on a machine with more to do."""
        self._microphones = microphones
        settings = AudioSettings(
            backend=AudioBackend.ALSA,
            geometry_mm=GEOMETRY_MM if microphones == 4 else "",
            echo=echo,
            gain_control=False,
        )
        front_end = make_front_end(settings, clock=lambda: 0.0)
        if front_end is None:
            raise ValueError("these settings want no front end")
        self.front_end = front_end
        self._playing = np.zeros(BLOCK, np.float32)

    def wrote(self, block: Block) -> None:
        """As CardChain."""
        np.copyto(self._playing, block)
        self.front_end.playing(self._playing)

    def played(self, position: int, time: float) -> None:
        """As CardChain."""
        self.front_end.played(position, time)

    def jumped(self, side: Side) -> None:
        """As CardChain."""
        self.front_end.jumped(side)

    def captured(self, microphones: Blocks, position: int, time: float, out: Block) -> None:
        """As CardChain."""
        self.front_end.process(microphones[: self._microphones], position, time, out)


class OursArray(Ours):
    """With four microphones, of which the product tells the direction."""

    def __init__(self) -> None:
        super().__init__(4)

    @property
    def direction(self) -> float | None:
        """As panel and page would show it."""
        return self.front_end.direction
