"""A stay in a LiveKit room when the library fails, or the server refuses: what it costs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

pytest.importorskip("livekit")

from livekit import rtc
from livekit.rtc._ffi_client import FfiClient, FfiQueue
from livekit.rtc._proto import ffi_pb2, participant_pb2, track_pb2

from appliance.core.lamps import LinkPhase
from appliance.rooms import livekit
from appliance.rooms.contract import PhaseChanged, RoomEvent
from appliance.rooms.livekit import LiveKitEngine, LiveKitSettings
from appliance.rooms.livekit_members import HAND, Roomful
from appliance.rooms.livekit_requests import set_attributes
from appliance.rooms.livekit_servers import Servers
from appliance.rooms.livekit_stay import Stay
from appliance.rooms.signalling import Lost

pytestmark = pytest.mark.virtual_time

REFUSAL = "request error: NotAllowed - does not have permission to update own metadata"
NO_ANSWER = "engine: signal failure: request timeout"


class Library:
    """What is behind LiveKit's Python: it answers what it is asked, or knows nothing of it."""

    def __init__(self) -> None:
        self.queue: FfiQueue[ffi_pb2.FfiEvent] = FfiQueue()
        self.error = ""
        """Of what changes attributes."""
        self.knows_tracks = True
        self.attributes: list[dict[str, str]] = []

    def request(self, request: ffi_pb2.FfiRequest) -> ffi_pb2.FfiResponse:
        response = ffi_pb2.FfiResponse()
        match request.WhichOneof("message"):
            case "set_subscribed" if not self.knows_tracks:
                raise AssertionError  # as it says that it does not know a handle
            case "set_local_attributes":
                self.attributes.append({one.key: one.value for one in request.set_local_attributes.attributes})
                response.set_local_attributes.async_id = len(self.attributes)
                event = ffi_pb2.FfiEvent()
                event.set_local_attributes.async_id = len(self.attributes)
                if self.error:
                    event.set_local_attributes.error = self.error
                self.queue.put(event)
        return response


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library()
    monkeypatch.setattr(FfiClient, "_instance", made)
    return made


def local() -> rtc.LocalParticipant:
    given: Any = rtc.LocalParticipant.__new__(rtc.LocalParticipant)
    info = participant_pb2.OwnedParticipant()
    info.info.identity = "site"
    rtc.LocalParticipant.__init__(given, given, info)
    return given  # type: ignore[no-any-return]


def remote() -> rtc.RemoteParticipant:
    """Somebody whose microphone is on."""
    info, track = participant_pb2.OwnedParticipant(), track_pb2.OwnedTrackPublication()
    info.info.identity = "friend"
    track.info.sid, track.info.name = "TR_1", "microphone"
    track.info.kind, track.info.source = track_pb2.KIND_AUDIO, track_pb2.SOURCE_MICROPHONE
    made = rtc.RemoteParticipant(info)
    made._track_publications["TR_1"] = rtc.RemoteTrackPublication(track)
    return made


class Joined(Stay):
    """Has joined at once, as somebody who may not speak."""

    async def _join(self) -> None:
        self._room._local_participant = local()
        self._parts.count("joins")

    def come(self, who: rtc.RemoteParticipant) -> None:
        self._room._remote_participants[who.identity] = who
        self._room.emit("participant_connected", who)


class Site:
    """An engine with such stays."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(livekit, "Stay", Joined)
        monkeypatch.setattr(Servers, "arrive", _at_once)
        self.engine = LiveKitEngine(LiveKitSettings(("ws://127.0.0.1:1",), "site", lambda: "token"))
        self.told: list[RoomEvent] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.engine.run(self.told.append))
        await asyncio.sleep(1)
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task])

    @property
    def stay(self) -> Joined:
        assert isinstance(self.engine._stay, Joined)
        return self.engine._stay

    @property
    def phases(self) -> list[LinkPhase]:
        return [event.phase for event in self.told if isinstance(event, PhaseChanged)]


def _mistaken(*_: object, **__: object) -> None:
    raise KeyError("nobody")


async def _at_once(*_: object) -> None:
    """The server is there."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, library: Library) -> Site:  # the engine asks it
    return Site(monkeypatch)


async def test_what_the_library_raises_while_an_event_is_handled_costs_another_joining(
    site: Site, library: Library
) -> None:
    async with site.running() as running:
        library.knows_tracks = False
        site.stay.come(remote())
        await asyncio.sleep(10)
        assert not running.done()
        assert site.phases.count(LinkPhase.RECONNECTING) == 1
        assert site.phases[-1] is LinkPhase.IN_ROOM
        assert (site.engine.counters["link_losses"], site.engine.counters["joins"]) == (1, 2)


async def test_an_error_of_our_own_while_an_event_is_handled_is_not_hidden(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site.running() as running:
        monkeypatch.setattr(Roomful, "came", _mistaken)
        site.stay.come(remote())
        await asyncio.sleep(1)
        assert running.done()
        assert isinstance(running.exception(), KeyError)


async def test_what_the_server_refuses_to_show_is_told_again_later_and_the_device_stays(
    site: Site, library: Library
) -> None:
    library.error = REFUSAL
    async with site.running() as running:
        site.engine.set_hand(True)
        await asyncio.sleep(60)
        assert 3 <= len(library.attributes) <= 10
        library.error = ""
        await asyncio.sleep(15)
        assert library.attributes[-1][HAND] == "1"
        asked = len(library.attributes)
        await asyncio.sleep(60)
        assert len(library.attributes) == asked, "it was taken"
        assert not running.done()
        assert site.engine.counters["joins"] == 1


async def test_a_server_that_is_asked_again_and_again_in_vain_is_joined_anew(site: Site, library: Library) -> None:
    library.error = NO_ANSWER
    async with site.running() as running:
        await asyncio.sleep(1)
        assert site.engine.counters["joins"] == 1, "not within a moment"
        await asyncio.sleep(10)
        assert site.engine.counters["joins"] > 1
        library.error = ""
        await asyncio.sleep(20)
        assert not running.done()
        assert site.phases[-1] is LinkPhase.IN_ROOM


async def test_what_becomes_of_attributes_is_known(library: Library) -> None:
    assert await set_attributes(local(), {HAND: "1"})
    assert library.attributes == [{HAND: "1"}]
    library.error = REFUSAL
    assert not await set_attributes(local(), {})
    library.error = NO_ANSWER
    with pytest.raises(Lost) as lost:
        await set_attributes(local(), {})
    assert lost.value.fault.kind == "network"
    assert library.queue._subscribers == []
