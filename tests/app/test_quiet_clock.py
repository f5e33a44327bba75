"""Quiet hours told to a real desk after power cuts, and by clocks that are wrong or set."""

from pathlib import Path

import pytest

from appliance.core.controls import Door
from appliance.settings import QuietSettings
from appliance.settings.schedule import parse_hours
from tests.app.office import BERLIN, NIGHTS, Office, unix


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path, *NIGHTS)


async def test_a_cut_at_night_ends_closed_until_a_server_tells_the_time(office: Office) -> None:
    office.wait_until("2027-06-01T23:00")
    await office.cut()
    assert (office.door, office.held, office.quiet.until) == (Door.CLOSED, True, None)
    office.wait(10 * 3600)  # by its own clock it is 9 o'clock, but that one was hours behind
    assert office.door is Door.CLOSED
    office.set("2027-06-02T14:00", synchronised=True)
    assert office.door is Door.CLOSED
    assert office.quiet.warning, "whoever sits there is warned first"
    office.wait(60)
    assert office.door is Door.LISTENING


async def test_a_cut_in_the_night_and_a_server_in_the_same_night(office: Office) -> None:
    office.wait_until("2027-06-01T23:00")
    await office.cut()
    office.set("2027-06-02T04:00", synchronised=True)
    assert (office.door, office.held) == (Door.CLOSED, True)
    assert office.quiet.until == unix("2027-06-02T07:00")


async def test_after_a_cut_at_night_a_hand_opens_the_door_without_any_clock(office: Office) -> None:
    office.wait_until("2027-06-01T23:00")
    await office.cut(clock="2026-01-01T12:00")
    office.press()
    assert office.gate.is_open
    office.set("2027-06-02T06:30", synchronised=True)
    office.wait(10)
    assert office.gate.is_open, "the night that it outranked is still the same one"
    office.wait_until("2027-06-02T19:00")
    assert office.door is Door.CLOSED


async def test_a_hand_does_not_make_a_wrong_clock_right(office: Office) -> None:
    office.wait_until("2027-06-01T23:00")
    await office.cut(clock="2026-01-01T12:00")
    office.press()
    office.wait(12 * 3600)
    assert office.gate.is_open, "that clock says midnight, and is a year behind"


async def test_a_cut_at_noon_leaves_the_door_as_it_was(office: Office) -> None:
    await office.cut()
    assert office.gate.is_open
    office.set("2027-06-01T12:06", synchronised=True)
    office.wait(60)
    assert office.gate.is_open


@pytest.mark.parametrize("clock", ["2026-01-01T02:00", "1970-01-01T01:00", "2026-12-24T23:59"])
async def test_a_clock_that_starts_in_the_past_closes_nothing(office: Office, clock: str) -> None:
    await office.cut(clock=clock)
    office.wait(24 * 3600)
    assert office.gate.is_open, "it is noon, whatever that clock says"
    office.set("2027-06-01T20:00", synchronised=True)
    assert (office.door, office.held) == (Door.CLOSED, True)


def test_a_device_that_never_knew_the_time_does_not_close_by_it(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.settings = QuietSettings(time_zone=BERLIN, hours=(parse_hours("00:00-23:59"),))
    office.synchronised = False
    office.power()
    office.wait(23 * 3600)
    assert office.gate.is_open
    office.synchronised = True
    office.wait(1)
    assert office.door is Door.CLOSED


async def test_a_clock_that_went_on_may_close_and_not_open(office: Office) -> None:
    office.wait_until("2027-06-01T18:50")
    await office.cut()
    office.wait_until("2027-06-01T19:00")
    assert (office.door, office.held, office.quiet.until) == (Door.CLOSED, True, None)
    office.wait_until("2027-06-02T12:00")
    assert office.door is Door.CLOSED
    state = office.quiet.state()
    assert state is not None
    assert (state.holds, state.clock_trusted, state.until_words) == (True, False, "")
    office.press()
    assert office.gate.is_open
    office.wait_until("2027-06-02T19:00")
    assert office.door is Door.CLOSED


async def test_a_closing_by_a_clock_that_was_late_is_undone_when_the_time_is_known(office: Office) -> None:
    office.wait_until("2027-06-01T18:50")
    await office.cut()
    office.wait(600)
    assert office.door is Door.CLOSED, "its clock says seven in the evening, and it is eleven in the morning"
    office.set("2027-06-02T11:00", synchronised=True)
    office.wait(59)
    assert office.door is Door.CLOSED
    office.wait(1)
    assert office.door is Door.LISTENING


# Clocks that are set


def test_a_clock_that_jumps_over_a_night_does_nothing(office: Office) -> None:
    office.set("2027-06-02T12:00", synchronised=True)
    assert office.gate.is_open


def test_a_jump_into_the_night_closes_and_one_out_of_it_warns_first(office: Office) -> None:
    office.set("2027-06-01T22:00", synchronised=True)
    assert office.door is Door.CLOSED
    office.set("2027-06-01T12:00", synchronised=True)
    assert office.door is Door.CLOSED
    assert office.quiet.warning
    office.wait(30)
    office.set("2027-06-01T22:00", synchronised=True)
    assert not office.quiet.warning
    office.wait(300)
    assert office.door is Door.CLOSED
    office.set("2027-06-02T06:59:50", synchronised=True)
    office.wait(59)
    assert office.door is Door.CLOSED, "a minute is a minute, whatever the clock does"
    office.wait(1)
    assert office.door is Door.LISTENING


def test_a_clock_that_is_set_back_within_the_last_minute_ends_nothing_early(office: Office) -> None:
    office.wait_until("2027-06-02T06:59:30")
    office.set("2027-06-02T06:59:05", synchronised=True)
    office.wait(50)
    assert (office.door, office.held) == (Door.CLOSED, True), "the minute is over, and the night is not"
    office.wait(5)
    assert office.door is Door.LISTENING


def test_a_jump_back_into_a_night_that_seemed_over_closes_again(office: Office) -> None:
    office.wait_until("2027-06-01T22:00")
    office.set("2027-06-02T08:00", synchronised=True)
    office.wait(60)
    assert office.door is Door.LISTENING
    office.set("2027-06-01T22:02", synchronised=True)
    assert (office.door, office.held) == (Door.CLOSED, True)


def test_a_clock_set_by_nobody_who_knows_ends_no_quiet_hours(office: Office) -> None:
    office.wait_until("2027-06-01T22:00")
    office.set("2027-06-02T12:00", synchronised=False)
    office.wait(3600)
    assert office.door is Door.CLOSED
    assert "seconds=50400 trusted=no" in office.lines.lines("clock_set")[0]
    assert len(office.lines.lines("clock_not_trusted")) == 1
    office.synchronised = True
    office.wait(90)
    assert office.door is Door.LISTENING
    assert len(office.lines.lines("clock_trusted")) == 2


@pytest.mark.parametrize("to", ["2027-06-01T21:30", "2027-06-01T20:00", "2027-06-02T05:00"])
def test_a_clock_that_is_set_takes_the_hand_at_the_door_along(office: Office, to: str) -> None:
    office.wait_until("2027-06-01T21:00")
    office.press()
    office.set(to, synchronised=True)
    office.wait(600)
    assert office.gate.is_open


async def test_a_hand_that_acted_in_the_far_future_is_forgotten(office: Office) -> None:
    office.set("2035-06-01T21:00", synchronised=True)
    office.press()
    assert office.gate.is_open
    await office.cut()
    office.set("2027-06-01T21:00", synchronised=True)
    assert (office.door, office.held) == (Door.CLOSED, True)


async def test_but_not_for_being_a_little_ahead(office: Office) -> None:
    office.wait_until("2027-06-01T21:00")
    office.press()
    await office.cut()
    office.set("2027-06-01T20:50", synchronised=True)
    office.wait(600)
    assert office.gate.is_open


# What is kept
