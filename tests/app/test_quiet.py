"""Quiet hours told to a real desk: nights, hands, what is kept, and two years of them."""

import asyncio
from pathlib import Path

import pytest

from appliance.app import quiet
from appliance.app.quiet import Kept, QuietMemory
from appliance.core.chimes import Chime
from appliance.core.controls import Door, Event
from appliance.core.state import QuietState
from appliance.settings import QuietSettings
from appliance.settings.schedule import parse_dates
from tests.app.office import BERLIN, NIGHTS, WEEK, Office, unix
from tests.support import until


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path, *NIGHTS)


def test_a_night_closes_the_door_and_gives_it_back_listening(office: Office) -> None:
    assert (office.door, office.gate.is_open) == (Door.OPEN, True)
    office.wait_until("2027-06-01T18:59:59")
    assert office.gate.is_open
    office.wait(1)
    assert (office.door, office.held, office.gate.is_open) == (Door.CLOSED, True, False)
    assert office.quiet.until == unix("2027-06-02T07:00")
    office.wait_until("2027-06-02T06:58:59")
    assert not office.quiet.warning
    office.wait_until("2027-06-02T06:59:00")
    assert office.quiet.warning
    office.wait(59.9)
    assert office.door is Door.CLOSED
    office.wait(0.1)
    assert (office.door, office.held, office.quiet.warning) == (Door.LISTENING, False, False)
    assert office.quiet.until is None
    assert not office.gate.is_open, "no schedule opens the microphone"
    assert office.chimes == [Chime.CLOSED, Chime.WARNING, Chime.LISTENING]


def test_a_door_that_was_closed_stays_closed_and_nobody_is_warned(office: Office) -> None:
    office.press(2)
    office.wait_until("2027-06-01T20:00")
    assert (office.door, office.held) == (Door.CLOSED, True)
    office.wait_until("2027-06-02T06:59:30")
    assert (office.held, office.quiet.warning) == (True, False)
    office.wait_until("2027-06-02T07:00")
    assert (office.door, office.held) == (Door.CLOSED, False)
    assert Chime.WARNING not in office.chimes


def test_nor_when_it_is_closed_from_afar_during_the_warning(office: Office) -> None:
    office.wait_until("2027-06-02T06:59:30")
    assert office.quiet.warning
    office.desk.apply(Event.DOOR_ASKED_CLOSED)
    office.wait(1)
    assert not office.quiet.warning
    office.wait_until("2027-06-02T07:00")
    assert (office.door, office.held) == (Door.CLOSED, False)


def test_nor_when_it_listens_already_as_was_asked_from_afar(office: Office) -> None:
    office.wait_until("2027-06-01T21:00")
    office.desk.apply(Event.DOOR_ASKED_LISTENING)
    office.wait_until("2027-06-02T06:59:30")
    assert (office.door, office.held, office.quiet.warning) == (Door.LISTENING, True, False)
    office.wait_until("2027-06-02T07:00")
    assert (office.door, office.held) == (Door.LISTENING, False)
    assert Chime.WARNING not in office.chimes


def test_a_hand_outranks_the_schedule_until_it_begins_again(office: Office) -> None:
    office.wait_until("2027-06-01T21:00")
    office.press()
    assert (office.door, office.gate.is_open) == (Door.OPEN, True)
    assert office.quiet.until is None
    assert len(office.lines.lines("quiet_outranked")) == 1
    office.wait_until("2027-06-02T18:59:59")
    assert office.gate.is_open, "neither the night nor its end did anything"
    assert Chime.WARNING not in office.chimes
    office.wait(1)
    assert (office.door, office.held) == (Door.CLOSED, True)


def test_a_hand_before_quiet_hours_does_not_outrank_them(office: Office) -> None:
    office.wait_until("2027-06-01T18:59:50")
    office.press(3)
    office.wait(10)
    assert (office.door, office.held) == (Door.CLOSED, True)


def test_in_quiet_hours_that_last_for_days_a_hand_outranks_them_for_one(tmp_path: Path) -> None:
    office = Office(tmp_path, *WEEK)
    office.wait_until("2027-06-05T10:00")  # a Saturday
    office.press()
    office.wait_until("2027-06-06T09:59:59")
    assert office.gate.is_open
    office.wait(1)
    assert (office.door, office.held) == (Door.CLOSED, True)
    office.wait_until("2027-06-07T07:00")
    assert office.door is Door.LISTENING


async def test_a_hand_of_before_a_restart_still_counts(office: Office) -> None:
    office.wait_until("2027-06-01T21:00")
    office.press()
    await office.cut(synchronised=True)
    assert office.gate.is_open
    office.wait(3600)
    assert office.gate.is_open
    office.wait_until("2027-06-02T19:00")
    assert office.door is Door.CLOSED


async def test_so_does_one_of_before_a_power_cut(office: Office) -> None:
    office.wait_until("2027-06-01T21:00")
    office.press()
    await office.cut(clock="2026-01-01T12:00")
    office.wait(600)
    office.set("2027-06-01T23:00", synchronised=True)
    office.wait(600)
    assert office.gate.is_open


async def test_a_restart_in_quiet_hours_changes_nothing_and_rings_nothing(office: Office) -> None:
    office.wait_until("2027-06-01T21:00")
    office.chimes.clear()
    await office.cut(synchronised=True)
    assert (office.door, office.held, office.gate.is_open) == (Door.CLOSED, True, False)
    office.wait_until("2027-06-02T07:00")
    assert office.door is Door.LISTENING
    assert office.chimes == [Chime.WARNING, Chime.LISTENING]


def test_a_device_that_comes_up_in_quiet_hours_for_the_first_time_closes(tmp_path: Path) -> None:
    office = Office(tmp_path, "10:00-14:00")
    assert (office.door, office.held) == (Door.CLOSED, True)


# Power cuts. A Raspberry Pi has no clock behind a battery.


async def test_quiet_hours_that_were_taken_out_of_the_settings_end(office: Office) -> None:
    office.wait_until("2027-06-01T22:00")
    office.settings = QuietSettings()
    await office.cut()
    assert (office.door, office.held) == (Door.CLOSED, True)
    assert office.quiet.state() is not None
    office.wait(60)
    assert (office.door, office.held) == (Door.LISTENING, False)
    assert office.quiet.state() is None
    await office.store()
    assert not QuietMemory(office.folder).load().held


async def test_whoever_has_no_quiet_hours_has_no_file_and_needs_no_clock(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.synchronised = False
    office.settings = QuietSettings()
    office.power()
    office.press(3)
    office.wait(3 * 86400, every=3600)
    await office.store()
    assert not (tmp_path / "quiet.json").exists()
    assert office.quiet.state() is None
    assert not office.lines.lines("clock_not_trusted")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"schema": 2}', b'{"schema": 1, "held": 0, "outranked": 0, "seen": 0}', b"\xff" * 300],
)
async def test_a_file_that_cannot_be_read_counts_as_closed(office: Office, content: bytes) -> None:
    (office.folder / "quiet.json").write_bytes(content)
    office.synchronised = False
    office.power()
    assert (office.door, office.held) == (Door.CLOSED, True)
    assert "error=" in office.lines.lines("quiet_not_kept")[0]
    office.synchronised = True
    office.wait(90)
    assert office.door is Door.LISTENING
    await office.store()
    assert QuietMemory(office.folder).load() == Kept(held=False, outranked=0, seen=int(office.now))


def test_nothing_is_lost_where_there_is_nothing_to_lose(office: Office) -> None:
    (office.folder / "quiet.json").write_bytes(b"junk")
    office.settings = QuietSettings()
    office.power()
    assert office.gate.is_open


async def test_what_changes_is_stored_at_once_and_again_when_the_disk_refuses(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet, "_STORE_AGAIN", 0.01)
    memory = QuietMemory(office.folder)
    save, refusals = QuietMemory.save, [OSError("full"), OSError("full")]

    def full(self: QuietMemory, kept: Kept) -> None:
        if refusals:
            raise refusals.pop()
        save(self, kept)

    monkeypatch.setattr(QuietMemory, "save", full)
    keeping = asyncio.create_task(office.quiet.keep())
    office.wait_until("2027-06-01T19:00")
    await until(lambda: memory.load().held)
    assert ["full" in line for line in office.lines.lines("quiet_not_kept")] == [True, True]
    assert memory.load() == Kept(held=True, outranked=0, seen=int(office.now))
    office.press()
    await until(lambda: memory.load().outranked > 0)
    assert memory.load() == Kept(held=False, outranked=int(office.now), seen=int(office.now))
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


def test_the_file_is_as_later_versions_will_find_it(tmp_path: Path) -> None:
    QuietMemory(tmp_path).save(Kept(True, 12, 34))
    assert (tmp_path / "quiet.json").read_text() == '{"schema": 1, "held": true, "outranked": 12, "seen": 34}'
    assert QuietMemory(tmp_path).load() == Kept(True, 12, 34)


async def test_the_time_is_remembered_once_a_day(office: Office) -> None:
    await office.store()
    first = QuietMemory(office.folder).load()
    assert first.seen == int(office.now)
    office.settings = QuietSettings(time_zone=BERLIN, holidays=(parse_dates("12-25"),))
    office.power()
    office.wait(86400)
    await office.store()
    assert QuietMemory(office.folder).load() == first
    office.wait(30)
    await office.store()
    assert QuietMemory(office.folder).load().seen == int(office.now)


# What is told


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("2027-06-02T03:00", "07:00"),
        ("2027-06-01T20:00", "Wed 07:00"),
        ("2027-06-04T20:00", "Mon 07:00"),
        ("2027-12-24T12:00", "2028-01-03 07:00"),
    ],
)
def test_until_when_in_words(tmp_path: Path, at: str, words: str) -> None:
    office = Office(tmp_path, *WEEK, free=("2027-12-24 to 2028-01-02",))
    office.set(at, synchronised=True)
    state = office.quiet.state()
    assert state is not None
    assert (state.until, state.until_words) == (office.quiet.until, words)
    assert state.clock_trusted


def test_by_day_it_is_told_that_there_are_quiet_hours(office: Office) -> None:
    assert office.quiet.state() == QuietState(False, None, "", True, False)
    office.wait_until("2027-06-02T06:59:30")
    assert office.quiet.state() == QuietState(True, int(unix("2027-06-02T07:00")), "07:00", True, True)


def test_lamps_are_darker_at_night_if_the_time_is_known(office: Office) -> None:
    assert not office.quiet.night
    office.wait_until("2027-06-01T22:00")
    assert office.quiet.night
    office.set("2027-06-02T02:00", synchronised=False)
    assert not office.quiet.night
    office.synchronised = True
    office.wait_until("2027-06-02T06:00")
    assert not office.quiet.night


# Two years


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago"]
)
def test_two_years_in_five_time_zones(tmp_path: Path, zone: str) -> None:
    """Of three nights somebody stays in the room during one, and somebody opens the door after another."""
    office = Office(tmp_path, *WEEK, "mon-thu 12:15-13:00", zone=zone, free=("12-24 to 01-02", "05-01", "02-29"))
    office.set("2027-02-01T12:00", synchronised=True)
    end, nights, mornings = office.now + 2 * 365.25 * 86400, 0, 0
    while office.now < end:
        moment = office.settings.schedule.at(office.now)
        if moment.stretch is None:
            door = office.door
            assert (door, office.held) in {(Door.OPEN, False), (Door.LISTENING, False)}
            office.wait(moment.changes - office.now - 1, every=86400)
            assert office.door is door, "nothing happens by day"
            office.wait(1)
            nights += 1
        elif nights % 3 == 0:
            stay_in_the_room(office, moment.changes)
        else:
            wake_up(office, moment.changes)
            mornings += 1
            if nights % 3 == 1:
                office.press(2)
                assert office.gate.is_open
    assert nights > 800
    assert mornings > 500


def stay_in_the_room(office: Office, end: float) -> None:
    """Quiet hours that a hand outranks, each day anew when they last for days."""
    assert (office.door, office.held) == (Door.CLOSED, True)
    office.wait(600)
    office.press()
    day_later = office.now + 86400
    office.wait(min(end, day_later) - office.now - 1, every=3600)
    assert (office.gate.is_open, office.quiet.warning) == (True, False)
    office.wait(1)
    assert (office.door, office.held) == ((Door.CLOSED, True) if day_later < end else (Door.OPEN, False))


def wake_up(office: Office, end: float) -> None:
    """Quiet hours that end by themselves."""
    assert (office.door, office.held, office.quiet.until) == (Door.CLOSED, True, end)
    office.wait(end - office.now - 61, every=86400)
    assert (office.door, office.quiet.warning) == (Door.CLOSED, False)
    office.wait(2)
    assert (office.door, office.quiet.warning) == (Door.CLOSED, True)
    office.wait(60)
    assert (office.door, office.held) == (Door.LISTENING, False)
    assert not office.gate.is_open
