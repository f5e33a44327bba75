"""Bridges for tests: real ones between rooms of a host, as ``kontor bridge`` runs them but in the test's own process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from appliance.app.bridge_sides import digest
from appliance.core.roster import Member
from appliance.rooms.bridge import Bridge
from appliance.rooms.bridge_end import EndSettings
from appliance.rooms.contract import Engine
from appliance.rooms.hosted import HostedEngine
from appliance.rooms.signalling import fixed_credentials
from tests.contract.hosted_harness import HostedRoom
from tests.contract.rig import Rig, member_of


class Running:
    """A bridge that runs, and how it ended."""

    def __init__(
        self, a: EndSettings, b: EndSettings, born: float | None = None, *, stands_aside: bool = False
    ) -> None:
        began = 1_800_000_000.0 if born is None else born
        self.bridge = Bridge(a, b, unix=lambda: began, stands_aside=stands_aside)
        self.ended: Exception | None = None
        self.lived = 0.0
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        self.bridge.clock.start()
        self._tasks = [asyncio.create_task(self._part(part()), name=name) for name, part in self.bridge.parts().items()]

    async def _part(self, work: Any) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001  # looked at by the test
            if self.ended is None:
                self.ended = error
                await self._stop_saying()

    async def _stop_saying(self) -> None:
        """As the process does when a vital part has ended."""
        self.bridge.clock._ending.set()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        await self.bridge.leave()

    async def stop(self) -> None:
        await asyncio.to_thread(self.bridge.clock.stop)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.bridge.leave()

    async def until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)

    async def open(self) -> None:
        """Until it carries both ways."""
        try:
            await self.until(lambda: self.ended or all(lane.open for lane in self.bridge.into))
        except TimeoutError:
            raise AssertionError(f"closed by {[self.bridge.closed(at) for at in range(2)]}: {self.status()}") from None
        assert self.ended is None, self.ended

    def status(self) -> Mapping[str, Any]:
        return self.bridge.as_dict()


@contextlib.asynccontextmanager
async def running(*bridges: Running) -> AsyncIterator[None]:
    """All of them from here to there."""
    try:
        for bridge in bridges:
            await bridge.start()
        yield
    finally:
        await asyncio.gather(*(bridge.stop() for bridge in bridges))


def end_in(room: HostedRoom, name: str = "bridge", engine: Callable[[Any], Engine] = HostedEngine) -> EndSettings:
    """A bridge's member in a room of the host."""
    token = room.token(name, kind="bridge")
    made = engine(room.settings(name, fixed_credentials(token)))
    return EndSettings(made, room.room, name, digest(room.url, room.room))


def between(
    a: HostedRoom, b: HostedRoom, name: str = "bridge", born: float | None = None, *, stands_aside: bool = False
) -> Running:
    """A bridge between two rooms."""
    return Running(end_in(a, name), end_in(b, name), born, stands_aside=stands_aside)


def told_of(rig: Rig, name: str = "bridge") -> Mapping[str, Any]:
    """What the bridge says in the room of ``rig``; {} as long as it says nothing."""
    member = member_of(rig, name)
    return (member.site or {}).get("bridge", {}) if member is not None else {}


def members(rig: Rig) -> Iterator[Member]:
    """All that ``rig`` has ever been told of."""
    yield from (event.member for event in rig.events if hasattr(event, "member"))
