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
        self.readings = 0
        self._received: dict[str, int] | None = None
        """By candidate pair, what has come over it: packets, and checks of ICE with their answers."""
        self._alive: float | None = None
        self._came: float | None = None
        self._unchanged = 0
        """Readings in a row that showed nothing new: on a busy machine readings fail, which says nothing of the way."""

    def read(self, stats: Iterable[Any], now: float) -> None:
        """Take the statistics of both directions (RtcStats of the library's protocol)."""
        received: dict[str, int] = {}
        rtt = loss = jitter = None
        for one in stats:
            match one.WhichOneof("stats"):
                case "candidate_pair":
                    pair = one.candidate_pair.candidate_pair
                    came = pair.packets_received + pair.responses_received + pair.requests_received
                    key = one.candidate_pair.rtc.id
                    received[key] = received.get(key, 0) + came
                    if pair.nominated:
                        rtt = max(rtt or 0.0, pair.current_round_trip_time)
                case "remote_inbound_rtp":
                    loss = one.remote_inbound_rtp.remote_inbound.fraction_lost
                case "inbound_rtp":
                    jitter = max(jitter or 0.0, one.inbound_rtp.received.jitter)
        self._note(received, now)
        self.state = WayState(
            rtt_ms=None if rtt is None else rtt * 1000, loss=loss, jitter_ms=None if jitter is None else jitter * 1000
        )

    def _note(self, received: dict[str, int], now: float) -> None:
        before, self._received = self._received, received
        self.readings += 1
        self._unchanged += 1
        # A pair that is given up takes its count along, so they are compared one by one.
        if before is not None and any(came > before.get(pair, 0) for pair, came in received.items()):
            self._came = now
        elif before is not None:
            return
        self._alive, self._unchanged = now, 0

    def renew(self, now: float) -> None:
        """The library says that it is connected again: what follows is to be proven anew."""
        self._alive, self._unchanged = now, 0

    def came_since(self, moment: float) -> bool:
        """Whether anything was received after ``moment``, as far as was read."""
        return self._came is not None and self._came > moment

    def dead(self, now: float) -> bool:
        """Whether nothing has been received for so long that something is wrong."""
        return self._alive is not None and now - self._alive > _DEAD and self._unchanged >= _READINGS
