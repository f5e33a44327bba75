"""The settings of quiet hours: ``[quiet]``."""

# ruff: noqa: RUF009  # setting() makes dataclass fields, they are no mutable defaults

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from appliance.settings import schedule
from appliance.settings.kinds import Flag, Many
from appliance.settings.problems import Refused, did_you_mean
from appliance.settings.schedule import Dates, Hours, Schedule
from appliance.settings.setting import Effect, Where, setting

T = TypeVar("T")
_MOST_HOURS, _MOST_HOLIDAYS = 32, 128
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class TimeZone:
    """The name of a time zone, or "" for none."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(default='must be a time zone like Europe/Berlin, or ""', init=False)

    def convert(self, value: object, _where: Where, /) -> str:
        """The name as it is."""
        if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
            raise Refused(self.allowed)
        try:
            if value:
                ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, as Europe
            known = available_timezones()
            if not known:
                why = "cannot be looked up: there is no time zone database on this machine"
                raise Refused(why, "Install tzdata, which Debian and PyPI have.") from None
            raise Refused(self.allowed, did_you_mean(value, known)) from None
        return value

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "maxLength": _LONGEST_NAME}


@dataclass(frozen=True)  # with slots Python 3.11 cannot make a Phrase[Hours]
class Phrase(Generic[T]):
    """A short text that is read by a function of its own."""

    allowed: str
    pattern: str
    parse: Callable[[str], T]
    """Raises ValueError; its text is a hint."""
    optional: bool = False
    """Whether "" is allowed and means None."""
    secret: bool = field(default=False, init=False)

    def convert(self, value: object, _where: Where, /) -> T:
        """What the text says."""
        if not isinstance(value, str):
            raise Refused(self.allowed)
        try:
            return self.parse(value)
        except ValueError as error:
            raise Refused(self.allowed, str(error)) from None

    def plain(self, value: T) -> object:
        return "" if value is None else str(value)

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": f"^({self.pattern})?$" if self.optional else f"^({self.pattern})$"}


def _maybe_hours(text: str) -> Hours | None:
    return schedule.parse_hours(text) if text else None


_HOURS = Phrase('must be like "mon-fri 19:00-07:00"', schedule.HOURS, schedule.parse_hours)
_DATES = Phrase('must be like "2026-12-24 to 2027-01-02" or "12-25"', schedule.DATES, schedule.parse_dates)
_NIGHT = Phrase('must be like "22:00-06:00", or ""', schedule.HOURS, _maybe_hours, optional=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietSettings:
    """Quiet hours."""

    time_zone: str = setting(
        TimeZone(),
        "",
        about="The time zone of the office, for example Europe/Berlin. The times below are those of a clock on its wall.",
        effect=Effect.RESTART,
    )
    hours: tuple[Hours, ...] = setting(
        Many(_HOURS, _MOST_HOURS),
        (),
        about='When the door is closed: "mon-fri 19:00-24:00", "mon-fri 00:00-07:00", "sat,sun 00:00-24:00".',
        effect=Effect.RESTART,
    )
    holidays: tuple[Dates, ...] = setting(
        Many(_DATES, _MOST_HOLIDAYS),
        (),
        about='Days on which it is closed all day: "2026-12-24 to 2027-01-02", or each year "12-25", "12-24 to 01-02".',
        effect=Effect.RESTART,
    )
    night: Hours | None = setting(
        _NIGHT,
        None,
        about='When SPEAK and the ring are darker, as "22:00-06:00".',
        effect=Effect.RESTART,
    )
    trust_clock: bool = setting(
        Flag(),
        False,
        about="Whether the clock counts as right although no time server has set it: only with a battery behind the clock.",
        effect=Effect.RESTART,
    )

    @property
    def schedule(self) -> Schedule:
        """What the settings mean.

        :raises ZoneInfoNotFoundError: the time zone has gone since the settings were read.
        """
        zone = ZoneInfo(self.time_zone) if self.time_zone else UTC
        return Schedule(zone, self.hours, self.holidays, self.night)
