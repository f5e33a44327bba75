"""Whether a stay's connection works: what LiveKit's library says of it, and what its statistics show.

The library comes back from short losses by itself, and is believed neither when it says nothing (it notices a server that hangs
after 14 s) nor when it says that it is back: then something has to come from the server soon, or the stay ends. And where the
library has noticed nothing, sound comes again and the server answers, the room is back without another joining.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

from livekit import rtc

from appliance.core.lamps import LinkPhase
from appliance.core.reconnect import Fault
from appliance.rooms import contract
from appliance.rooms.livekit_calls import answered
from appliance.rooms.livekit_servers import Servers, silent
from appliance.rooms.livekit_way import Way
from appliance.rooms.signalling import Lost
from appliance.rooms.staying import Staying, first_of

_WATCH_EVERY: Final = 1.0
_CLOSELY: Final = 0.25
"""Seconds between two readings while it is not known whether the way is there."""
_STATS_SECONDS: Final = 1.0
_ANSWERS: Final = 1.0
"""Seconds in which a server that is there has answered."""
_PROOF: Final = 1.5
"""Seconds after a return within which something has to come: the library asks for answers at once."""
_PROOF_READINGS: Final = 4
_GRACE: Final = 1.5
"""Seconds that the library has to come back once the server takes connections again."""
_LONGER: Final = 6.0
"""Seconds that it has while sound passes all the same: a joining would interrupt it."""
_PASSES: Final = 1.0
"""Seconds without anything received after which nothing passes: talk is a packet every 20 ms, a silence one in 0.4 s."""
_ELSEWHERE: Final = 3.0
"""Seconds that a server has to come back before the next of the list is gone to."""
_LOST: Final = "The connection with the LiveKit server was lost."
_NO_ANSWER: Final = "The LiveKit server does not answer."


class Connection:
    """Of one stay. Loop only.

    :param count: adds one to a counter of core/counters.py.
    :param back: called when the room is back, before that is told.
    :param ask: asks the server for something that it answers, and raises when it was not asked or has not answered.
    """

    def __init__(
        self,
        room: rtc.Room,
        servers: Servers,
        staying: Staying,
        count: Callable[[str], None],
        back: Callable[[], None],
        ask: Callable[[], Awaitable[object]],
    ) -> None:
        self._room, self._servers, self._staying, self._count = room, servers, staying, count
        self._came_back, self._ask = back, ask
        self._clock = asyncio.get_running_loop().time
        self.way = Way()
        self._back = asyncio.Event()
        self._back.set()
        """Whether we are connected, as far as is known."""
        self._away = asyncio.Event()
        self._gone_at: float | None = None
        """When it was we who noticed the loss, and not the library."""
        self._unproven: tuple[float, int] | None = None
        """Since when nothing has come, and which reading was the last then: the library says that it is back."""

    @property
    def there(self) -> bool:
        """Whether we are connected, as far as is known."""
        return self._back.is_set()

    # ---- what the library tells

    def lost(self) -> None:
        """It tries to come back."""
        self._gone_at = None
        self._gone(_LOST)

    def returned(self) -> None:
        """It says that it is back."""
        self._unproven = self._clock(), self.way.readings
        self._returned()

    def _gone(self, why: str) -> None:
        if self._back.is_set():
            self._back.clear()
            self._away.set()
            self._count("link_losses")
            self._staying.tell(contract.PhaseChanged(LinkPhase.RECONNECTING, why))

    def _returned(self) -> None:
        self._gone_at = None
        self.way.renew(self._clock())
        self._back.set()
        self._came_back()
        self._staying.tell(contract.PhaseChanged(LinkPhase.IN_ROOM))

    # ---- what goes on meanwhile; each ends only by raising

    async def watch(self) -> None:
        """See whether anything comes from the server, whatever the library thinks.

        :raises Lost: it says that it is back, and nothing comes.
        """
        while True:
            doubtful = self._unproven is not None or not self._back.is_set()
            await asyncio.sleep(_CLOSELY if doubtful else _WATCH_EVERY)
            stats = None
            with contextlib.suppress(Lost):  # then nothing is known
                stats = await answered(self._room.get_rtc_stats(), _STATS_SECONDS, _LOST)
            if stats is not None:
                self._read(stats)
            self._judge(self._clock())
            if self._gone_at is not None and self.way.came_since(self._gone_at) and await self._answers():
                self._returned()

    async def _answers(self) -> bool:
        """Whether the server answers, too: its connection over TCP may hang for seconds after sound passes again."""
        with contextlib.suppress(Exception):  # it does not, whatever the library calls that
            async with asyncio.timeout(_ANSWERS):
                await self._ask()
            return not self._back.is_set()  # the library may have noticed, and be back, meanwhile
        return False

    def _read(self, stats: Any) -> None:
        self.way.read([*stats.publisher_stats, *stats.subscriber_stats], self._clock())

    def _judge(self, now: float) -> None:
        if not self._back.is_set():
            return
        if self._unproven is not None:
            since, reading = self._unproven
            if self.way.came_since(since):
                self._unproven = None
            elif now - since > _PROOF and self.way.readings - reading >= _PROOF_READINGS:
                raise Lost(Fault("network"), _NO_ANSWER)
        elif self.way.dead(now):
            self._gone_at = now
            self._gone(_NO_ANSWER)

    async def mend(self) -> None:
        """Let the library come back, and act when it does not.

        :raises Lost: it does not, though there is a server.
        """
        while True:
            await self._away.wait()
            before = self._servers.url
            try:
                await first_of(self._servers.arrive(_ignore, _ELSEWHERE), self._back.wait())
                elsewhere = self._servers.url != before
                if not self._back.is_set() and (elsewhere or await self._stays_away()):
                    raise Lost(Fault("network"), _LOST)
            finally:
                self._away.clear()

    async def _stays_away(self) -> bool:
        """Whether the library does not come back in its time, though there is a server."""
        until = self._clock() + _LONGER
        if not await silent(_GRACE, self._back):
            return False
        while self._gone_at is None and self._clock() < until and self.way.came_since(self._clock() - _PASSES):
            if not await silent(_CLOSELY, self._back):
                return False
        return True


def _ignore(_why: str) -> None:
    """What the library tells is enough."""
