"""Who records the room, from the announcement on.

Kontor records no room itself: whoever does is in it, or hears it by WHEP. Before it begins it says so, everybody is told, and
for five seconds nobody is in it yet: pages count down, devices close their gate. Whoever comes later reads it in the welcome.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from appliance.core.events import EventName
from appliance.core.protocol import RoomRecording, Who, recording
from appliance.host.services import Services

ANNOUNCED = 5.0
"""Seconds between the announcement and the beginning; a device closes its gate for as long."""

KEEPERS = ""
"""Stands for the host's keeper, who announces for programs that have no presence; only they end it again."""


class Audience(Protocol):
    """Whom it is told."""

    def broadcast(self, message: dict[str, object]) -> None:
        """Tell everybody who watches."""

    def send_to(self, identity: str, message: dict[str, object]) -> None:
        """Tell one member."""


class Recordings:
    """The recordings of one room: there may be several at a time, and to those who are recorded they are one."""

    def __init__(self, room: str, services: Services, audience: Audience) -> None:
        self._room = room
        self._services = services
        self._audience = audience
        self._state: RoomRecording | None = None
        self._who: dict[str, Who | None] = {}
        """Who records, by identity, the one first who began first."""
        self._seen: dict[str, float] = {}

    @property
    def state(self) -> RoomRecording | None:
        """What everybody is told of it; None: nobody records."""
        return self._state

    def set(self, identity: str, who: Who | None, on: bool) -> None:
        """``identity`` is about to record, or has stopped."""
        if on and identity in self._who:
            self._answer(identity)  # the answer to the first time was lost
        elif on:
            self._begin(identity, who)
        elif identity in self._who:
            self._end(identity)

    def look(self, here: Callable[[str], bool]) -> None:
        """End the recordings of those who are gone for good; to be called every second or so.

        :param here: whether somebody has a session or a socket. Whoever has neither hears nothing that could be recorded.
        """
        now = self._services.now()
        for identity in [each for each in self._who if each != KEEPERS]:
            if here(identity):
                self._seen[identity] = now
            elif now - self._seen[identity] > self._services.times.gone:
                self._end(identity)

    def _begin(self, identity: str, who: Who | None) -> None:
        self._who[identity], self._seen[identity] = who, self._services.now()
        self._services.tell(EventName.RECORDING, room=self._room, on=True, by=identity or "host")
        if self._state is not None:
            self._answer(identity)  # it was announced before, and all who are here know
            return
        now = round(self._services.unix_now(), 3)
        self._state = RoomRecording(since=now, starts=now + ANNOUNCED, by=who)
        self._audience.broadcast(recording(self._state))

    def _end(self, identity: str) -> None:
        before = next(iter(self._who))
        del self._who[identity], self._seen[identity]
        self._services.tell(EventName.RECORDING, room=self._room, on=False, by=identity or "host")
        if identity == before and self._state is not None:
            self._state = replace(self._state, by=next(iter(self._who.values()))) if self._who else None
            self._audience.broadcast(recording(self._state))

    def _answer(self, identity: str) -> None:
        self._audience.send_to(identity, recording(self._state))
