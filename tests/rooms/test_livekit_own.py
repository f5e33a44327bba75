"""What a device shows of itself in a LiveKit room, and when its room may know it unmuted."""

import asyncio
from collections.abc import Mapping

import pytest

pytest.importorskip("livekit")

from appliance.core.controls import Door
from appliance.rooms.contract import SiteReport
from appliance.rooms.livekit_members import ADMIN_MUTED, ASK, DOOR, HAND, KNOCK
from appliance.rooms.livekit_own import Own

LAMPS = {"mic": "off", "room": "steady", "speak": "off", "fault": "off"}


def report(*, gate_open: bool) -> SiteReport:
    return SiteReport(gate_open, () if gate_open else ("button",), Door.OPEN, LAMPS, -127.0)


async def told(own: Own) -> Mapping[str, str]:
    async with asyncio.timeout(1):
        return await own.next()


async def nothing_to_tell(own: Own) -> bool:
    try:
        async with asyncio.timeout(0.05):
            await own.next()
    except TimeoutError:
        return True
    return False


async def test_what_did_not_arrive_is_told_again_also_that_something_is_no_more() -> None:
    own = Own("site")
    own.hand(True)
    own.admin_muted(True)
    await told(own)
    own.hand(False)
    lost = await told(own)
    assert lost == {HAND: ""}
    assert await nothing_to_tell(own)
    own.untold(lost)
    assert await told(own) == {HAND: ""}
    own.untold({HAND: ""})
    own.hand(True)
    assert await told(own) == {HAND: "1"}, "as it is now"
    assert await nothing_to_tell(own)
    own.begin()
    again = await told(own)
    assert (again[HAND], again[ADMIN_MUTED]) == ("1", "1")


async def test_a_knock_that_did_not_arrive_is_over_and_an_answer_to_an_admin_is_not() -> None:
    own = Own("site")
    own.begin()
    await told(own)
    own.knock()
    own.answered()
    lost = await told(own)
    assert set(lost) == {KNOCK, ASK, DOOR}
    own.untold(lost)
    assert await told(own) == {ASK: "", DOOR: ""}


def test_whom_an_admin_muted_is_opened_by_no_report_before_its_gate_was_closed() -> None:
    own = Own("site")
    own.gate_open = own.silenced = True
    for _ in range(3):
        own.report(report(gate_open=True))
        assert not own.sounds
    own.report(report(gate_open=False))
    assert not own.sounds
    own.report(report(gate_open=True))
    assert own.sounds
