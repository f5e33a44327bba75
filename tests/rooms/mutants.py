"""Mutants of the hosted room's way up, each with one fault that the proof of mute has to catch."""

import numpy as np

from appliance.core.units import BLOCK
from appliance.media import red
from appliance.rooms.uplink import Uplink

SILENCE = np.zeros(BLOCK, np.int16)


class LetsOneBlockThrough(Uplink):
    """At closing it sends what is half-filled."""

    def _close(self) -> None:
        if self._filled and self._stream is not None:
            self._fill(SILENCE, self._stream)
        super()._close()


class ForgetsToReset(Uplink):
    """It keeps the encoder's state over closing."""

    def _close(self) -> None:
        self._frame.fill(0)
        self._filled = 0
        self._clean = True


class KeepsHalfAFrame(Uplink):
    """It goes on filling the frame of before."""

    def _close(self) -> None:
        if not self._clean:
            self._encoder.reset()
        self._clean = True


class QueuesOnePacket(Uplink):
    """It sends one packet late."""

    _late: tuple[bytes, object] | None = None

    def _send(self, payload: bytes, stream: object) -> None:
        late, self._late = self._late, (payload, stream)
        if late is not None:
            super()._send(*late)  # type: ignore[arg-type]


class RemembersFrames(Uplink):
    """It sends frames of before a close again after it, however old they are."""

    def _close(self) -> None:
        sent = list(self._sent)
        super()._close()
        self._sent.extend(sent)

    def _again(self, payload: bytes, time: int) -> list[tuple[int, bytes]]:
        return [(min(red.MOST_OFFSET, time - then), frame) for then, frame in self._sent][-1:]
