"""When a connection to a LiveKit server counts as lost and as back, whatever its library says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("livekit")

from livekit.rtc._proto import stats_pb2

from appliance.core.lamps import LinkPhase
from appliance.core.reconnect import Fault
from appliance.rooms.contract import PhaseChanged, RoomEvent
from appliance.rooms.livekit_connection import Connection
from appliance.rooms.signalling import Lost

pytestmark = pytest.mark.virtual_time


class Line:
    """A media connection over which something comes, or nothing; and a server that takes connections, or none."""

    url = "ws://one"

    def __init__(self) -> None:
        self.comes = True
        self.answers = True
        self.cannot_be_asked = False
        self.server = asyncio.Event()
        self._came = 0
        self.told: list[RoomEvent] = []
        self.losses: list[str] = []
        self.backs = 0

    async def get_rtc_stats(self) -> Any:
        self._came += self.comes
        stats = stats_pb2.RtcStats()
        stats.candidate_pair.rtc.id = "pair"
        stats.candidate_pair.candidate_pair.packets_received = self._came
        return SimpleNamespace(publisher_stats=[stats], subscriber_stats=[])

    async def ask(self) -> None:
        if self.cannot_be_asked:
            raise Lost(Fault("network"), "The LiveKit server could not be asked.")
        while not self.answers:
            await asyncio.sleep(0.01)

    async def arrive(self, _trouble: Callable[[str], None], _head_start: float) -> None:
        await self.server.wait()

    def tell(self, *events: RoomEvent) -> None:
        self.told += events

    def back(self) -> None:
        self.backs += 1

    @property
    def phases(self) -> list[LinkPhase]:
        return [event.phase for event in self.told if isinstance(event, PhaseChanged)]


@asynccontextmanager
async def connected(line: Line) -> AsyncIterator[tuple[Connection, asyncio.Future[None]]]:
    """The connection, and what ends when its stay is over."""
    given: Any = line
    connection = Connection(given, given, given, line.losses.append, line.back, line.ask)
    parts = [asyncio.create_task(connection.watch()), asyncio.create_task(connection.mend())]
    over = asyncio.create_task(_first(parts))
    try:
        yield connection, over
    finally:
        for part in (*parts, over):
            part.cancel()
        await asyncio.gather(*parts, over, return_exceptions=True)


async def _first(parts: list[asyncio.Task[None]]) -> None:
    done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    done.pop().result()


async def test_a_library_that_is_back_is_believed_when_something_comes() -> None:
    line = Line()
    async with connected(line) as (connection, over):
        await asyncio.sleep(2)
        connection.lost()
        assert not connection.there
        connection.returned()
        await asyncio.sleep(5)
        assert connection.there
        assert not over.done()
        assert line.phases == [LinkPhase.RECONNECTING, LinkPhase.IN_ROOM]
        assert (line.losses, line.backs) == (["link_losses"], 1)


async def test_a_library_that_is_back_and_of_which_nothing_comes_is_not_believed() -> None:
    line = Line()
    async with connected(line) as (connection, over):
        await asyncio.sleep(2)
        line.comes = False
        connection.lost()
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        connection.returned()
        with pytest.raises(Lost, match="does not answer") as lost:
            await asyncio.wait_for(asyncio.shield(over), 50)
        assert asyncio.get_running_loop().time() - began >= 1.5
        assert lost.value.fault.kind == "network"


async def test_a_library_that_does_not_come_back_though_there_is_a_server_is_given_up() -> None:
    line = Line()
    async with connected(line) as (connection, over):
        await asyncio.sleep(2)
        line.comes = False
        connection.lost()
        await asyncio.sleep(5)
        assert not over.done(), "there is no server"
        line.server.set()
        with pytest.raises(Lost, match="was lost"):
            await asyncio.wait_for(asyncio.shield(over), 50)


async def test_while_sound_passes_the_library_has_longer_to_come_back() -> None:
    line = Line()
    line.server.set()
    async with connected(line) as (connection, over):
        await asyncio.sleep(2)
        connection.lost()
        await asyncio.sleep(3.5)
        assert not over.done(), "a joining would interrupt what is heard"
        connection.returned()
        await asyncio.sleep(3)
        assert connection.there
        assert not over.done()
        connection.lost()
        with pytest.raises(Lost):
            await asyncio.wait_for(asyncio.shield(over), 50)


async def test_what_the_library_did_not_notice_is_over_when_something_comes_again_and_the_server_answers() -> None:
    line = Line()
    async with connected(line) as (connection, over):
        await asyncio.sleep(2)
        line.comes = False
        await asyncio.sleep(9)
        assert line.phases == [LinkPhase.RECONNECTING]
        line.comes = True
        await asyncio.sleep(3)
        assert line.phases == [LinkPhase.RECONNECTING, LinkPhase.IN_ROOM]
        assert connection.there
        assert not over.done()


async def test_where_sound_comes_again_and_the_server_does_not_answer_there_is_another_stay() -> None:
    line = Line()
    async with connected(line) as (connection, over):
        await asyncio.sleep(2)
        line.comes = line.answers = False
        await asyncio.sleep(9)
        line.comes = True
        line.server.set()
        with pytest.raises(Lost, match="was lost"):
            await asyncio.wait_for(asyncio.shield(over), 50)
        assert not connection.there
        assert line.phases == [LinkPhase.RECONNECTING]


async def test_an_error_of_the_library_is_no_answer_of_the_server() -> None:
    line = Line()
    async with connected(line) as (connection, over):
        await asyncio.sleep(2)
        line.comes, line.cannot_be_asked = False, True
        await asyncio.sleep(9)
        line.comes = True
        await asyncio.sleep(3)
        assert not connection.there
        assert line.phases == [LinkPhase.RECONNECTING]
        line.cannot_be_asked = False
        await asyncio.sleep(3)
        assert connection.there
        assert not over.done()


async def test_statistics_that_the_library_cannot_give_are_no_reason_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()

    async def none() -> Any:
        raise AssertionError("the library does not know this room")

    monkeypatch.setattr(line, "get_rtc_stats", none)
    async with connected(line) as (connection, over):
        await asyncio.sleep(30)
        assert connection.there
        assert not over.done()
