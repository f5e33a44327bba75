"""Quiet hours over two years in five time zones, against an oracle that only looks at the clock on the wall."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.settings.schedule import (
    DAYS,
    Hours,
    Moment,
    Schedule,
    never_opens,
    overlapping,
    parse_dates,
    parse_hours,
)

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago")
"""Summer time on both halves of the earth; one of half an hour; one against the sun, in Ramadan; one that begins at midnight."""

WEEK = ("mon-fri 19:00-24:00", "mon-fri 00:00-07:00", "mon-thu 12:15-13:00", "sat,sun 00:00-24:00")
NIGHTS = ("22:30-02:30", "03:00-04:15")
"""Edges in the hours that a clock leaves out or shows twice."""
FREE = ("12-24 to 01-02", "05-01", "2028-02-28 to 2028-03-01", "02-29")

FIRST, LAST = date(2027, 2, 1), date(2029, 2, 1)
QUARTER = 900


def schedule(zone: str, *hours: str, free: tuple[str, ...] = ()) -> Schedule:
    return Schedule(ZoneInfo(zone), tuple(map(parse_hours, hours)), tuple(map(parse_dates, free)))


def unix(zone: str, text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


class Wall:
    """A clock on the wall that somebody looked at every quarter of an hour, and wrote down what it showed."""

    def __init__(self, zone: str, first: date, last: date) -> None:
        here = ZoneInfo(zone)
        began, end = (datetime.combine(day, time(), UTC).timestamp() for day in (first, last))
        self.began = int(began) - 4 * 86400
        self.times = range(self.began, int(end) + 4 * 86400, QUARTER)
        self.shown = [datetime.fromtimestamp(t, here).replace(tzinfo=None) for t in self.times]
        self.first_seen: dict[datetime, int] = {}
        self.last_seen: dict[datetime, int] = {}
        for t, shown in zip(self.times, self.shown, strict=True):
            self.first_seen.setdefault(shown, t)
            self.last_seen[shown] = t
            before = self.shown[(t - self.began) // QUARTER - 1]
            while (
                timedelta(0) < shown - before < timedelta(days=2) and (before := before + timedelta(minutes=15)) < shown
            ):
                self.first_seen.setdefault(before, t)  # left out
                self.last_seen.setdefault(before, t)

    def quiet(self, hours: tuple[str, ...], free: tuple[str, ...]) -> list[bool]:
        """Whether it is quiet in each of the quarters, entry by entry and day by day."""
        found = [False] * len(self.times)
        day = self.shown[0].date() + timedelta(1)
        while day < self.shown[-1].date() - timedelta(1):
            for begin, end in _entries(day, hours, free):
                for t in range(self.first_seen[begin], self.last_seen[end], QUARTER):
                    found[(t - self.began) // QUARTER] = True
            day += timedelta(1)
        return found


def _entries(day: date, hours: tuple[str, ...], free: tuple[str, ...]) -> Iterator[tuple[datetime, datetime]]:
    midnight = datetime.combine(day, time())
    for entry in hours:
        *days, clock = entry.split()
        if not days or any(_is_day(day, part) for part in days[0].split(",")):
            begin, end = (timedelta(hours=int(text[:2]), minutes=int(text[3:])) for text in clock.split("-"))
            yield midnight + begin, midnight + (end if end > begin else end + timedelta(1))
    for dates in free:
        first, last = (dates.split(" to ") * 2)[:2]
        here = f"{day:%m-%d}" if len(first) == 5 else f"{day:%Y-%m-%d}"
        if first <= here <= last or (last < first and not last < here < first):
            yield midnight, midnight + timedelta(1)


def _is_day(day: date, part: str) -> bool:
    first, last = (DAYS.index(name) for name in (part.split("-") * 2)[:2])
    return (day.weekday() - first) % 7 <= (last - first) % 7


@lru_cache
def wall_of(zone: str) -> Wall:
    """Looked at once for all schedules."""
    return Wall(zone, FIRST, LAST)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("hours", "free"), [(WEEK, FREE), (NIGHTS, ())], ids=["office", "edges"])
def test_two_years_from_change_to_change(zone: str, hours: tuple[str, ...], free: tuple[str, ...]) -> None:
    wall = wall_of(zone)
    expected = wall.quiet(hours, free)
    here = schedule(zone, *hours, free=free)
    now, end, steps = unix(zone, FIRST.isoformat()), unix(zone, LAST.isoformat()), 0
    while now < end:
        moment = here.at(now)
        assert moment.changes > now
        quarters = range(int(now - wall.began) // QUARTER, int(moment.changes - wall.began) // QUARTER)
        assert all(expected[n] is (moment.stretch is not None) for n in quarters), datetime.fromtimestamp(
            now, here.zone
        )
        if moment.stretch:
            assert moment.stretch[0] <= now < moment.stretch[1] == moment.changes
            assert not expected[int(moment.stretch[0] - wall.began) // QUARTER - 1], "all that touches is one stretch"
            assert not expected[int(moment.stretch[1] - wall.began) // QUARTER]
        for inside in (now + 1, (now + moment.changes) / 2, moment.changes - 1):
            assert here.at(inside) == moment or moment.stretch is None
            assert here.at(inside).stretch == moment.stretch
        now, steps = moment.changes, steps + 1
    assert steps > 1000
    assert 0.2 < sum(expected) / len(expected) < 0.8


def _clock(quarter: int) -> str:
    return f"{quarter // 4:02}:{quarter % 4 * 15:02}"


ENTRIES = st.tuples(
    st.sampled_from(["", "mon-fri ", "sat,sun ", "fri-mon ", "wed "]), st.integers(0, 95), st.integers(1, 96)
).filter(lambda entry: entry[1] != entry[2])
SWITCHES = (
    "2027-03-28",
    "2027-10-31",
    "2028-03-12",
    "2027-04-04",
    "2027-10-03",
    "2027-09-05",
    "2028-03-26",
    "2028-02-29",
)
"""Days on which some of the clocks change, and a leap day."""


@given(
    st.sampled_from(ZONES),
    st.lists(ENTRIES, max_size=3),
    st.lists(st.sampled_from(FREE), max_size=2),
    st.sampled_from(SWITCHES),
    st.lists(st.integers(-3 * 96, 3 * 96), min_size=1, max_size=8),
)
def test_any_schedule_holds_when_the_clock_on_the_wall_says_so(
    zone: str, entries: list[tuple[str, int, int]], free: list[str], near: str, quarters: list[int]
) -> None:
    hours = [f"{days}{_clock(begin)}-{_clock(end)}" for days, begin, end in entries]
    wall, here = wall_of(zone), schedule(zone, *hours, free=tuple(free))
    noon = int(datetime.fromisoformat(near).replace(hour=12, tzinfo=UTC).timestamp())
    for now in (noon + QUARTER * quarter for quarter in quarters):
        today = wall.shown[(now - wall.began) // QUARTER].date()
        days = [today + timedelta(n) for n in range(-2, 2)]
        spans = [span for day in days for span in _entries(day, tuple(hours), tuple(free))]
        expected = any(wall.first_seen[begin] <= now < wall.last_seen[end] for begin, end in spans)
        assert (here.at(now).stretch is not None) is expected
        assert (here.at(now + QUARTER - 1).stretch is not None) is expected


BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("zone", "entry", "noon", "begin", "end"),
    [
        # 02:00 to 03:00 is left out on 2027-03-28, and comes twice on 2027-10-31.
        (BERLIN, "22:00-02:30", "2027-03-27T23:00", "2027-03-27T22:00", "2027-03-28T03:00"),
        (BERLIN, "02:30-05:00", "2027-03-28T04:00", "2027-03-28T03:00", "2027-03-28T05:00"),
        (BERLIN, "22:00-02:30", "2027-10-31T01:00", "2027-10-30T22:00", "2027-10-31T02:30 again"),
        (BERLIN, "02:30-05:00", "2027-10-31T04:00", "2027-10-31T02:30", "2027-10-31T05:00"),
        # Half an hour: 02:00 to 02:30 is left out on 2027-10-03, 01:30 to 02:00 comes twice on 2027-04-04.
        ("Australia/Lord_Howe", "02:15-04:00", "2027-10-03T03:00", "2027-10-03T02:30", "2027-10-03T04:00"),
        ("Australia/Lord_Howe", "22:00-01:45", "2027-04-04T00:00", "2027-04-03T22:00", "2027-04-04T01:45 again"),
        # Midnight itself: the first hour of 2027-09-05 is left out, the last of 2027-04-03 comes twice.
        ("America/Santiago", "sun 00:00-24:00", "2027-09-05T12:00", "2027-09-05T01:00", "2027-09-06T00:00"),
        ("America/Santiago", "sat 00:00-24:00", "2027-04-03T12:00", "2027-04-03T00:00", "2027-04-04T00:00"),
        ("America/Santiago", "sat 23:30-07:00", "2027-04-04T02:00", "2027-04-03T23:30", "2027-04-04T07:00"),
        # A whole day that an island left out.
        ("Pacific/Apia", "thu 00:00-24:00", "2011-12-29T12:00", "2011-12-29T00:00", "2011-12-31T00:00"),
        ("Pacific/Apia", "fri,sat 10:00-18:00", "2011-12-31T12:00", "2011-12-31T10:00", "2011-12-31T18:00"),
        # No summer time, a quarter of an hour beside everybody else.
        ("Asia/Kathmandu", "09:00-17:15", "2027-01-01T12:00", "2027-01-01T09:00", "2027-01-01T17:15"),
    ],
)
def test_hours_that_are_left_out_or_come_twice(zone: str, entry: str, noon: str, begin: str, end: str) -> None:
    moment = schedule(zone, entry).at(unix(zone, noon))
    first, last = (unix(zone, text.removesuffix(" again"), fold=text.endswith("again")) for text in (begin, end))
    assert moment == Moment((first, last), last)


def test_a_day_that_is_left_out_has_no_quiet_hours() -> None:
    apia = schedule("Pacific/Apia", free=("2011-12-30",))
    assert apia.spans(date(2011, 12, 30)) == ()
    assert apia.at(unix("Pacific/Apia", "2011-12-31T00:00")).stretch is None


def test_what_touches_is_one_stretch_over_days_and_holidays() -> None:
    office = schedule(BERLIN, *WEEK, free=("2027-12-24 to 2028-01-02",))
    weekend = office.at(unix(BERLIN, "2027-06-05T12:00")).stretch
    assert weekend == (unix(BERLIN, "2027-06-04T19:00"), unix(BERLIN, "2027-06-07T07:00"))
    for day in ("2027-12-24", "2027-12-25", "2027-12-28", "2028-01-01", "2028-01-02"):
        holidays = office.at(unix(BERLIN, f"{day}T12:00")).stretch
        assert holidays == (unix(BERLIN, "2027-12-23T19:00"), unix(BERLIN, "2028-01-03T07:00"))
    years = schedule(BERLIN, free=("2027-01-01 to 2036-12-31",)).at(unix(BERLIN, "2030-06-01T12:00"))
    assert years.stretch is not None
    assert years.changes - unix(BERLIN, "2030-06-01T12:00") > 365 * 86400, "as far as it is looked, which is far enough"
    assert schedule(BERLIN, free=("2027-01-01 to 2036-12-31",)).at(years.changes).stretch is not None


def test_without_entries_it_is_never_quiet() -> None:
    for now in (-1e9, 0.0, 1e9, 4e9):
        moment = Schedule().at(now)
        assert moment.stretch is None
        assert now < moment.changes <= now + 4 * 86400
    assert Schedule().empty
    assert not schedule(BERLIN, "12:00-13:00").empty
    assert not schedule(BERLIN, free=("12-25",)).empty


def test_a_leap_day_comes_every_four_years() -> None:
    leap = schedule(BERLIN, free=("02-29",))
    assert leap.at(unix(BERLIN, "2028-02-29T12:00")).stretch == (
        unix(BERLIN, "2028-02-29T00:00"),
        unix(BERLIN, "2028-03-01T00:00"),
    )
    assert all(leap.at(unix(BERLIN, "2027-02-28T00:00") + 3600 * hour).stretch is None for hour in range(48))


def test_night_follows_the_clock_on_the_wall() -> None:
    night = Schedule(ZoneInfo(BERLIN), night=parse_hours("22:00-06:00"))
    assert [night.is_night(unix(BERLIN, f"2027-06-01T{hour}")) for hour in ("21:59", "22:00", "05:59", "06:00")] == [
        False,
        True,
        True,
        False,
    ]
    assert not Schedule().is_night(0.0)
    late = parse_hours("sun 22:30-06:15")
    shown = ("2027-06-06T22:29", "2027-06-06T22:30", "2027-06-07T06:14", "2027-06-07T06:15", "2027-06-07T22:30")
    assert [late.at(datetime.fromisoformat(clock)) for clock in shown] == [False, True, True, False, False]
    friday = parse_hours("fri 22:00-06:00")
    assert [friday.at(datetime.fromisoformat(f"2027-06-0{day}T05:00")) for day in (4, 5, 6)] == [False, True, False]


@pytest.mark.parametrize(
    ("text", "days", "begin", "end"),
    [
        ("19:00-07:00", range(7), 1140, 1860),
        ("mon-fri 19:00-07:00", range(5), 1140, 1860),
        ("fri-mon 08:00-09:30", (4, 5, 6, 0), 480, 570),
        ("sat,sun 00:00-24:00", (5, 6), 0, 1440),
        ("mon,wed-thu 00:00-00:01", (0, 2, 3), 0, 1),
        ("tue 23:59-00:00", (1,), 1439, 1440),
    ],
)
def test_hours_are_read(text: str, days: tuple[int, ...], begin: int, end: int) -> None:
    assert parse_hours(text) == Hours(frozenset(days), begin, end, text)
    assert str(parse_hours(text)) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", ""),
        ("19:00", ""),
        ("19:00 - 07:00", ""),
        ("7:00-8:00", ""),
        ("24:00-07:00", ""),
        ("19:00-24:01", ""),
        ("19:60-20:00", ""),
        ("mon  19:00-20:00", ""),
        ("monday 19:00-20:00", ""),
        ("mon-fri 19:00-20:00\n", ""),
        ("Mon-Fri 19:00-07:00", "Write the days in lower case."),
        ("19:00-19:00", "For a whole day write 00:00-24:00."),
        ("mon-die 19:00-20:00", "There is no day die: they are mon, tue, wed, thu, fri, sat, sun."),
        ("mon-wed-fri 19:00-20:00", "Write the first and the last day, as in mon-fri."),
    ],
)
def test_hours_that_are_none(text: str, why: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - its text is compared
        parse_hours(text)
    assert str(refused.value) == why


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("2026-12-24", ["2026-12-24"], ["2026-12-23", "2026-12-25", "2027-12-24"]),
        ("2026-12-24 to 2027-01-02", ["2026-12-24", "2026-12-31", "2027-01-02"], ["2027-01-03", "2027-12-24"]),
        ("12-25", ["2026-12-25", "2040-12-25"], ["2026-12-24", "2026-12-26"]),
        ("12-24 to 01-02", ["2026-12-24", "2030-12-31", "2031-01-01", "2031-01-02"], ["2026-12-23", "2027-01-03"]),
        ("02-29", ["2028-02-29"], ["2028-02-28", "2028-03-01", "2027-03-01"]),
        ("02-28 to 03-01", ["2028-02-29", "2027-02-28", "2027-03-01"], ["2027-02-27", "2027-03-02"]),
        ("2028-02-29", ["2028-02-29"], ["2032-02-29"]),
    ],
)
def test_dates_are_read(text: str, inside: list[str], outside: list[str]) -> None:
    dates = parse_dates(text)
    assert str(dates) == text
    assert all(dates.at(date.fromisoformat(day)) for day in inside)
    assert not any(dates.at(date.fromisoformat(day)) for day in outside)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", ""),
        ("24.12.2026", ""),
        ("2026-12-24 - 2026-12-26", ""),
        ("26-12-24", ""),
        ("12-24 to", ""),
        ("2026-02-29", "There is no 2026-02-29."),
        ("02-30", "There is no 02-30."),
        ("0000-01-01", "There is no 0000-01-01."),
        ("13-01 to 13-02", "There is no 13-01."),
        ("12-24 to 12-32", "There is no 12-32."),
        ("2026-12-24 to 01-02", "Write both with a year, or both without."),
        ("2026-12-24 to 2026-12-23", "The last day comes before the first."),
    ],
)
def test_dates_that_are_none(text: str, why: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - its text is compared
        parse_dates(text)
    assert str(refused.value) == why


@pytest.mark.parametrize(
    ("hours", "free", "twice"),
    [
        (WEEK, FREE, None),  # each year and in one year is not the same
        (("19:00-07:00", "07:00-08:00"), (), None),
        (("fri 19:00-07:00", "sat 06:59-10:00"), (), ("fri 19:00-07:00", "sat 06:59-10:00", "sat 06:59")),
        (("sun 19:00-07:00", "mon 00:00-01:00"), (), ("sun 19:00-07:00", "mon 00:00-01:00", "mon 00:00")),
        (("mon 23:40-23:50", "mon 23:30-23:45"), (), ("mon 23:40-23:50", "mon 23:30-23:45", "mon 23:40")),
        ((), ("12-25", "2026-12-24 to 2026-12-26"), None),
        ((), ("12-20 to 01-06", "01-06"), ("12-20 to 01-06", "01-06", "01-06")),
        ((), ("2026-12-24 to 2027-01-02", "2027-01-02"), ("2026-12-24 to 2027-01-02", "2027-01-02", "2027-01-02")),
        ((), ("2026-12-24 to 2027-01-01", "2027-01-02"), None),
    ],
)
def test_what_is_said_twice(hours: tuple[str, ...], free: tuple[str, ...], twice: object) -> None:
    assert overlapping([parse_hours(text) for text in hours], [parse_dates(text) for text in free]) == twice


@pytest.mark.parametrize(
    ("hours", "free", "never"),
    [
        (("00:00-24:00",), (), True),
        (("19:00-07:00", "07:00-19:00"), (), True),
        (("mon-sat 00:00-24:00", "sun 00:00-23:59"), (), False),
        ((), ("01-01 to 12-31",), True),
        ((), ("03-01 to 02-28",), False),
        ((), ("01-02 to 12-31",), False),
        ((), ("01-01 to 12-30",), False),
        ((), ("03-01 to 02-28", "02-29"), True),
        ((), ("2026-01-01 to 2099-12-31",), False),
        ((), (), False),
    ],
)
def test_what_never_opens(hours: tuple[str, ...], free: tuple[str, ...], never: bool) -> None:
    assert never_opens([parse_hours(text) for text in hours], [parse_dates(text) for text in free]) is never
