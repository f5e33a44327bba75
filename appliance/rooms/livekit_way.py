"""How the way to a LiveKit server is, by the statistics of the library's media connection."""

from collections.abc import Iterable
from typing import Any

from appliance.core.state import WayState

_DEAD = 5.0
"""Seconds without anything received after which the way is dead: checks of ICE come every 2.5 s at the latest."""
_READINGS = 4


class Way:
    """Reads statistics, about once a second. No clock: ``now`` is in seconds."""

    def __init__(self) -> None:
        self.state = WayState()
        self._received = -1
        self._alive: float | None = None
        self._unchanged = 0
        """Readings in a row that showed nothing new: on a busy machine readings fail, which says nothing of the way."""

    def read(self, stats: Iterable[Any], now: float) -> None:
        """Take the statistics of both directions (RtcStats of the library's protocol)."""
        received = 0
        rtt = loss = jitter = None
        for one in stats:
            match one.WhichOneof("stats"):
                case "candidate_pair":
                    pair = one.candidate_pair.candidate_pair
                    received += pair.packets_received + pair.responses_received + pair.requests_received
                    if pair.nominated:
                        rtt = max(rtt or 0.0, pair.current_round_trip_time)
                case "remote_inbound_rtp":
                    loss = one.remote_inbound_rtp.remote_inbound.fraction_lost
                case "inbound_rtp":
                    jitter = max(jitter or 0.0, one.inbound_rtp.received.jitter)
        self._unchanged += 1
        if received != self._received:
            self._received, self._alive, self._unchanged = received, now, 0
        self.state = WayState(
            rtt_ms=None if rtt is None else rtt * 1000, loss=loss, jitter_ms=None if jitter is None else jitter * 1000
        )

    def renew(self, now: float) -> None:
        """The library has made another connection."""
        self._received, self._alive, self._unchanged = -1, now, 0

    def dead(self, now: float) -> bool:
        """Whether nothing has been received for so long that something is wrong."""
        return self._alive is not None and now - self._alive > _DEAD and self._unchanged >= _READINGS
