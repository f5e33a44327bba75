"""What a device's microphone makes of switchings in a LiveKit room: whose they are, and what holds."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("livekit")

from appliance.core.controls import Door
from appliance.rooms.contract import MutedByAdmin, RoomEvent, SiteReport
from appliance.rooms.livekit_microphone import Microphone
from appliance.rooms.livekit_own import Own
from appliance.rooms.signalling import Lost

pytestmark = pytest.mark.virtual_time

LAMPS = {"mic": "off", "room": "steady", "speak": "off", "fault": "off"}


class Track:
    """The library's: it tells of its switchings what changes something, unless it keeps that to itself."""

    def __init__(self, tell: Callable[[bool], None]) -> None:
        self._tell = tell
        self.muted, self.tells, self.works, self.calls = True, True, True, 0

    def mute(self) -> None:
        self.switch(True)

    def unmute(self) -> None:
        self.switch(False)

    def switch(self, muted: bool) -> None:
        """We or the server."""
        self.calls += 1
        if not self.works:
            raise AssertionError("the library does not know this track")
        if muted is not self.muted:
            self.muted = muted
            if self.tells:
                asyncio.get_running_loop().call_later(0.01, self._tell, muted)


class Desk:
    """A microphone that the room has."""

    def __init__(self) -> None:
        self.told: list[RoomEvent] = []
        self.failed: list[Lost] = []
        self.own = Own("site")
        self.microphone = Microphone(self.own, 32_000, self.told.append, self.failed.append)
        self.track = Track(lambda muted: self.microphone.switched(muted=muted))
        given: Any = self.track
        self.microphone._track = given

    async def report(self, *, gate_open: bool) -> None:
        reasons = () if gate_open else ("button",)
        self.own.report(SiteReport(gate_open, reasons, Door.OPEN, LAMPS, -127.0))
        self.microphone.mute_as_the_gate_is()
        await asyncio.sleep(0.3)

    @property
    def mutes(self) -> int:
        return sum(isinstance(event, MutedByAdmin) for event in self.told)


async def test_a_switching_of_ours_that_the_library_never_told_does_not_hide_an_admins_mute() -> None:
    desk = Desk()
    await desk.report(gate_open=True)
    desk.track.tells = False
    await desk.report(gate_open=False)
    await desk.report(gate_open=True)
    desk.track.tells = True
    await asyncio.sleep(3)
    desk.track.mute()
    await asyncio.sleep(0.1)
    assert desk.mutes == 1
    await desk.report(gate_open=True)
    assert desk.track.muted, "the gate was not seen closed since"


async def test_a_switching_of_ours_that_is_told_a_second_late_is_ours() -> None:
    desk = Desk()
    await desk.report(gate_open=True)
    desk.track.tells = False
    await desk.report(gate_open=False)
    await desk.report(gate_open=True)
    await asyncio.sleep(1)
    desk.microphone.switched(muted=True)
    desk.microphone.switched(muted=False)
    assert desk.mutes == 0
    assert not desk.track.muted


async def test_an_admins_mute_in_the_moment_when_the_gate_closes_holds_until_a_hand_opens_it() -> None:
    desk = Desk()
    await desk.report(gate_open=True)
    desk.track.mute()  # the server; ours, right after it, changes nothing and is told by nobody
    await desk.report(gate_open=False)
    for _ in range(10):
        await desk.report(gate_open=False)
        assert desk.track.muted
    await desk.report(gate_open=True)
    assert not desk.track.muted
    await desk.report(gate_open=True)
    desk.track.mute()
    await asyncio.sleep(0.1)
    assert desk.mutes == 1, "the next mute is known for what it is"


async def test_a_library_that_cannot_switch_ends_the_stay_and_nothing_else() -> None:
    desk = Desk()
    desk.track.works = False
    await desk.report(gate_open=True)
    assert [lost.fault.kind for lost in desk.failed] == ["server"]
