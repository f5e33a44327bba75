"""Quiet hours as the settings have them, and what they mean at a moment: no clock and no file but the time zone's own.

People read a schedule off the clock on the wall, so it is kept in wall time. What begins at a time begins when that clock
first shows it, and what ends at a time ends when it shows it for the last time: in the autumn, when an hour comes twice, it is
quiet for longer rather than less. A time that the clock leaves out in the spring is the moment at which it is left out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
_WEEK_MINUTES = 7 * DAY_MINUTES
_NEAR, _FAR = 2, 512
"""Days around a moment that are looked at: as few as tell, as hours reach into the next day and some zones move dates, and as
many as it takes when quiet hours go on and on."""
_LEAP_YEAR = 2000

_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
HOURS = rf"(?:([a-z]{{3}}(?:[,-][a-z]{{3}})*) )?({_CLOCK})-({_CLOCK}|24:00)"
DATES = r"(?:([0-9]{4})-)?([0-9]{2})-([0-9]{2})(?: to (?:([0-9]{4})-)?([0-9]{2})-([0-9]{2}))?"


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of the day, on some days of the week. Minutes from midnight; after 1440 it is the next day."""

    days: frozenset[int]
    """0 is Monday."""
    begin: int
    end: int
    text: str

    def __str__(self) -> str:
        return self.text

    def at(self, moment: datetime) -> bool:
        """Whether it is within on a clock that shows ``moment``."""
        minute = 60 * moment.hour + moment.minute
        yesterday = (moment.weekday() - 1) % 7
        return (moment.weekday() in self.days and self.begin <= minute < self.end) or (
            yesterday in self.days and minute < self.end - DAY_MINUTES
        )

    def week(self) -> frozenset[int]:
        """The minutes of the week, from Monday's midnight, that are within."""
        return frozenset(
            (day * DAY_MINUTES + minute) % _WEEK_MINUTES for day in self.days for minute in range(self.begin, self.end)
        )


@dataclass(frozen=True, slots=True)
class Dates:
    """Days on which it is quiet from midnight to midnight, the last included. Year 0 stands for every year."""

    first: tuple[int, int, int]
    last: tuple[int, int, int]
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def yearly(self) -> bool:
        """Whether they come every year."""
        return not self.first[0]

    def at(self, day: date) -> bool:
        """Whether ``day`` is one of them."""
        here = (0 if self.yearly else day.year, day.month, day.day)
        if self.first <= self.last:
            return self.first <= here <= self.last
        return here >= self.first or here <= self.last  # over the turn of the year


def parse_hours(text: str) -> Hours:
    """``mon-fri 19:00-07:00``, ``sat,sun 00:00-24:00``; without days it is every day.

    :raises ValueError: the text is none; its message is a sentence, or empty.
    """
    found = re.fullmatch(HOURS, text)
    if not found:
        raise ValueError("Write the days in lower case." if re.fullmatch(HOURS, text.lower()) else "")
    days = frozenset(_days(found[1])) if found[1] else frozenset(range(7))
    begin, end = _minutes(found[2]), _minutes(found[3])
    if begin == end:
        raise ValueError("For a whole day write 00:00-24:00.")
    return Hours(days, begin, end if end > begin else end + DAY_MINUTES, text)


def _minutes(clock: str) -> int:
    return 60 * int(clock[:2]) + int(clock[3:])


def _days(text: str) -> Iterator[int]:
    for part in text.split(","):
        names = part.split("-")
        unknown = [name for name in names if name not in DAYS]
        if unknown:
            raise ValueError(f"There is no day {unknown[0]}: they are {', '.join(DAYS)}.")
        if len(names) > 2:
            raise ValueError("Write the first and the last day, as in mon-fri.")
        first, last = DAYS.index(names[0]), DAYS.index(names[-1])
        yield from (day % 7 for day in range(first, last + 1 if last >= first else last + 8))


def parse_dates(text: str) -> Dates:
    """``2026-12-24``, ``2026-12-24 to 2027-01-02``, or every year ``12-25`` and ``12-24 to 01-02``.

    :raises ValueError: the text is none; its message is a sentence, or empty.
    """
    found = re.fullmatch(DATES, text)
    if not found:
        raise ValueError
    first = _date(found[1], found[2], found[3])
    last = _date(found[4], found[5], found[6]) if found[5] else first
    if bool(first[0]) is not bool(last[0]):
        raise ValueError("Write both with a year, or both without.")
    if first[0] and last < first:
        raise ValueError("The last day comes before the first.")
    return Dates(first, last, text)


def _date(year: str | None, month: str, day: str) -> tuple[int, int, int]:
    try:
        date(int(year) if year else _LEAP_YEAR, int(month), int(day))
    except ValueError:
        raise ValueError(f"There is no {f'{year}-' if year else ''}{month}-{day}.") from None
    return int(year or 0), int(month), int(day)


def overlapping(hours: Sequence[Hours], holidays: Sequence[Dates]) -> tuple[str, str, str] | None:
    """Two entries of a kind that say the same twice, which is never meant, and when; holidays over hours are fine."""
    weeks = [(each, each.week()) for each in hours]
    for n, (one, minutes) in enumerate(weeks):
        for other, others in weeks[:n]:
            if minutes & others:
                day, minute = divmod(min(minutes & others), DAY_MINUTES)
                return str(other), str(one), f"{DAYS[day]} {minute // 60:02}:{minute % 60:02}"
    for n, dates in enumerate(holidays):
        for earlier in holidays[:n]:
            if dates.yearly is earlier.yearly and (day_of_both := _meet(dates, earlier)):
                return str(earlier), str(dates), day_of_both
    return None


def _meet(one: Dates, other: Dates) -> str:
    """The first day of both, or ""."""
    if one.yearly:
        return next((f"{day:%m-%d}" for day in _leap_year() if one.at(day) and other.at(day)), "")
    first = max(one.first, other.first)
    return "{:04}-{:02}-{:02}".format(*first) if first <= min(one.last, other.last) else ""


def never_opens(hours: Sequence[Hours], holidays: Sequence[Dates]) -> bool:
    """Whether no time of any week, or no day of any year, is left."""
    week = len(frozenset().union(*(each.week() for each in hours)))
    yearly = [each for each in holidays if each.yearly]
    return week == _WEEK_MINUTES or all(any(each.at(day) for each in yearly) for day in _leap_year())


def _leap_year() -> Iterator[date]:
    return (date(_LEAP_YEAR, 1, 1) + timedelta(days) for days in range(366))


Span = tuple[float, float]
"""Begin and end, Unix time."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What holds at a moment, and until when that need not be asked again."""

    stretch: Span | None
    """The quiet hours that hold: all that touches is one stretch. None: they do not hold."""
    changes: float
    """This holds until then at least, Unix time."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When it is quiet in a time zone."""

    zone: tzinfo = UTC
    hours: tuple[Hours, ...] = ()
    holidays: tuple[Dates, ...] = ()
    night: Hours | None = None

    @property
    def empty(self) -> bool:
        """Whether it is never quiet."""
        return not self.hours and not self.holidays

    def wall(self, now: float) -> datetime:
        """What the clock on the wall shows at ``now``, Unix time; it knows no zone."""
        return datetime.fromtimestamp(now, self.zone).replace(tzinfo=None)

    def is_night(self, now: float) -> bool:
        """Whether lamps are darker at ``now``, Unix time."""
        return self.night is not None and self.night.at(self.wall(now))

    def at(self, now: float) -> Moment:
        """What holds at ``now``, Unix time."""
        today, reach = self.wall(now).date(), _NEAR
        while True:
            spans = sorted(span for days in range(-reach, reach + 1) for span in self.spans(today + timedelta(days)))
            stretch = next((each for each in _joined(spans) if each[0] <= now < each[1]), None)
            # What lies beyond the days looked at can touch only what comes near to them.
            first, last = (self._midnight(today + timedelta(days)) for days in (1 - reach, 1 + reach))
            if stretch is None:
                return Moment(None, min((begin for begin, _ in spans if begin > now), default=last))
            if reach >= _FAR or (first < stretch[0] and stretch[1] < last):
                return Moment(stretch, stretch[1])
            reach *= 4

    def spans(self, day: date) -> tuple[Span, ...]:
        """Every entry that begins on ``day``, in no order; they may touch and overlap."""
        return _spans(self, day)

    def _midnight(self, day: date) -> float:
        return self.instant(datetime.combine(day, time()), last=False)

    def instant(self, wall: datetime, *, last: bool) -> float:
        """When the clock on the wall shows ``wall``, for the first or the last time, Unix time."""
        # PEP 495: fold tells which of two is meant; of a time that is left out both are beside it, the other way round.
        first, second = (wall.replace(tzinfo=self.zone, fold=fold).timestamp() for fold in (0, 1))
        if first <= second:
            return second if last else first
        early, late = int(second) - 1, int(first)
        while late - early > 1:
            middle = (early + late) // 2
            early, late = (early, middle) if self.wall(middle) >= wall else (middle, late)
        return float(late)


def _joined(spans: Sequence[Span]) -> Iterator[Span]:
    """Sorted spans, with those that touch or overlap made one."""
    begin, end = float("-inf"), float("-inf")
    for each in spans:
        if each[0] > end:
            yield begin, end
            begin, end = each
        end = max(end, each[1])
    yield begin, end


@lru_cache(maxsize=2048)
def _spans(schedule: Schedule, day: date) -> tuple[Span, ...]:
    midnight = datetime.combine(day, time())
    minutes = [(each.begin, each.end) for each in schedule.hours if day.weekday() in each.days]
    if any(each.at(day) for each in schedule.holidays):
        minutes.append((0, DAY_MINUTES))
    spans = (
        (
            schedule.instant(midnight + timedelta(minutes=begin), last=False),
            schedule.instant(midnight + timedelta(minutes=end), last=True),
        )
        for begin, end in minutes
    )
    return tuple(span for span in spans if span[0] < span[1])
