"""Being in a room until that ends: one stay after another, with the waits of core/reconnect.py between them."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol

from appliance.core.lamps import LinkPhase
from appliance.core.reconnect import Fault, Reconnect, retryable
from appliance.rooms import contract
from appliance.rooms.contract import RoomEvent, RoomRefused
from appliance.rooms.reach import Reach
from appliance.rooms.signalling import Lost

_UNNOTICED = 2.0
"""Seconds that sound may have been away for a lost connection to be nobody's concern yet."""
_ABSENT = 5.0
"""Seconds without the connection that are somebody's concern, though sound flows."""
_ROUTE_EVERY = 0.5


class Stays(Protocol):
    """What stays in a room."""

    async def stay(self) -> None:
        """One stay. Ends only by raising Lost."""

    def judge(self, lost: Lost) -> Fault:
        """What it means for the next stay that this one ended so."""

    def alive_within(self, seconds: float) -> bool:
        """Whether sound was seen to flow both ways this lately."""

    def let_go(self) -> None:
        """Nothing is held for a next stay: the room does not want us."""

    def end(self) -> None:
        """There is no next stay; leaving may still have to be told."""

    def silence(self) -> Iterable[RoomEvent]:
        """The room is not heard any more."""

    def empty(self) -> Iterable[RoomEvent]:
        """We are out of the room."""

    async def ended(self) -> None:
        """Wait until all that was held is gone."""


class Staying:
    """Decides whether and when another stay begins. Loop only.

    :param part: what stays.
    :param count: adds one to a counter of core/counters.py.
    """

    def __init__(self, part: Stays, reach: Reach, reconnect: Reconnect, count: Callable[[str], None]) -> None:
        self._part, self._reach, self._reconnect, self._count = part, reach, reconnect, count
        self._report: Callable[[RoomEvent], None] = lambda _: None
        self._in_room = False
        self._why = ""
        """Why we are not in the room, as last told."""
        self._absent_since: float | None = None
        """When the connection was lost while sound went on."""
        self.leaving = asyncio.Event()
        self._left = asyncio.Event()
        self._left.set()
        self._route_changed = asyncio.Event()

    async def run(self, report: Callable[[RoomEvent], None]) -> None:
        """Be in the room until cancelled; once :attr:`leaving` is set, wait for that outside.

        :raises RoomRefused: the room does not want this site.
        """
        self._report = report
        self._left.clear()
        self.tell(contract.PhaseChanged(LinkPhase.CONNECTING))
        looking = asyncio.create_task(self._look_at_the_route(), name="route")
        try:
            while (lost := await self._stay_or_leave()) is not None:
                await self._wait(lost)
        finally:
            looking.cancel()
            self._part.end()
            self.tell(*self._part.empty())
            self._left.set()
            await self._part.ended()
        self.tell(contract.PhaseChanged(LinkPhase.LEFT))
        await asyncio.Event().wait()

    def tell(self, *events: RoomEvent) -> None:
        """Report what happened."""
        for event in events:
            self._report(event)

    async def left(self, seconds: float) -> None:
        """Wait until the stay has ended, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._left.wait()

    def route_changed(self) -> None:
        """The network is another: try at once."""
        self._route_changed.set()
        self._reach.poke()

    async def arrive(self) -> None:
        """Reach the server, however long that takes."""
        await self._reach.arrive(self._unreached)
        self._route_changed.clear()

    def arrived(self, but: str = "") -> None:
        """We are in the room, and sound flows; ``but`` is what has to be known of it, one sentence."""
        self._reconnect.connected(asyncio.get_running_loop().time())
        self._absent_since = None
        if not self._in_room:
            self._in_room, self._why = True, ""
            self.tell(contract.PhaseChanged(LinkPhase.IN_ROOM, but))

    def remark(self, but: str) -> None:
        """What has to be known of the room that we are in, one sentence; "": nothing any more."""
        if self._in_room:
            self.tell(contract.PhaseChanged(LinkPhase.IN_ROOM, but))

    async def other_route(self) -> None:
        """Watch this device's address: a socket from one that is no longer ours would take its time to notice.

        :raises Lost: it is another.
        """
        await self._route_changed.wait()
        raise Lost(Fault("network"), "This device has another address.")

    async def _look_at_the_route(self) -> None:
        """Notice that this device would be seen from another address, as from Wi-Fi to cable. Needs no netlink."""
        before: str | None = None
        while True:
            await asyncio.sleep(_ROUTE_EVERY)
            own = self._reach.own()
            if own is not None and before is not None and own != before:
                self.route_changed()
            before = own or before

    async def _stay_or_leave(self) -> Lost | None:
        """Stay until the room is lost (and why) or left (None)."""
        try:
            await first_of(self._part.stay(), self.leaving.wait())
        except Lost as lost:
            self._count("link_losses" if self._in_room else "join_failures")
            if not retryable(lost.fault):
                self._part.let_go()
            return lost
        return None

    async def _wait(self, lost: Lost) -> None:
        """Wait as long as core/reconnect.py says, or until something makes trying sooner worth it.

        :raises RoomRefused: it says that trying again is no use.
        """
        fault = self._part.judge(lost)
        seconds = self._reconnect.lost(asyncio.get_running_loop().time(), fault)
        if seconds is None:
            self._in_room = False
            self.tell(*self._part.empty(), contract.PhaseChanged(LinkPhase.REFUSED, str(lost)))
            raise RoomRefused(str(lost), ask_again=not lost.for_good and fault.kind != "replaced")
        self._trouble(str(lost))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await first_of(self._route_changed.wait(), self.leaving.wait())
        if self._route_changed.is_set():
            self._route_changed.clear()
            self._reconnect.route_changed()

    def _unreached(self, why: str) -> None:
        self._count("join_failures")
        self._trouble(why)

    def _trouble(self, why: str) -> None:
        """The room is lost, or not reached yet; ``why`` is one sentence. A moment without the connection is no trouble."""
        now = asyncio.get_running_loop().time()
        if self._in_room and self._part.alive_within(_UNNOTICED):
            self._absent_since = self._absent_since or now
            if now - self._absent_since < _ABSENT:
                return
        self._in_room = False
        self._absent_since = None
        if why != self._why:
            self._why = why
            self.tell(*self._part.silence(), contract.PhaseChanged(LinkPhase.RECONNECTING, why))


async def first_of(*parts: Coroutine[Any, Any, Any] | asyncio.Future[Any]) -> None:
    """Run all until the first ends, cancel the others, and raise what it raised; of several the foremost."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if task in done:
            task.result()
