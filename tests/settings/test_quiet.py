"""``[quiet]``: what is taken, and what is refused with its place and the way out."""

import sys
import zoneinfo
from collections.abc import Iterator
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from appliance.settings.json_schema import json_schema
from appliance.settings.model_quiet import TimeZone
from appliance.settings.problems import Refused
from appliance.settings.schedule import Schedule, parse_dates, parse_hours
from appliance.settings.setting import Where
from tests.settings.support import FOLDER, loaded, only, problems
from tests.support import need

BERLIN = '[quiet]\ntime_zone = "Europe/Berlin"\n'


def test_a_schedule_is_read() -> None:
    quiet = loaded(f'{BERLIN}hours = ["mon-fri 19:00-07:00"]\nholidays = ["12-25"]\nnight = "22:00-06:00"').quiet
    assert quiet.schedule == Schedule(
        ZoneInfo("Europe/Berlin"),
        (parse_hours("mon-fri 19:00-07:00"),),
        (parse_dates("12-25"),),
        parse_hours("22:00-06:00"),
    )
    assert not quiet.trust_clock


def test_without_one_it_is_never_quiet() -> None:
    assert loaded("").quiet.schedule == Schedule(UTC)
    assert loaded(f'{BERLIN}night = ""').quiet.schedule.empty


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[quiet]\nhours = ["19:00-07:00"]\nholidays = ["12-25"]\nnight = "22:00-06:00"',
            [
                "1.toml:3: quiet.hours = (a list): needs quiet.time_zone beside it.",
                "1.toml:4: quiet.holidays = (a list): needs quiet.time_zone beside it.",
                '1.toml:5: quiet.night = "22:00-06:00": needs quiet.time_zone beside it.',
            ],
        ),
        (
            '[quiet]\ntime_zone = "Europe/Berln"\nhours = ["19:00-07:00"]',
            [
                (
                    '1.toml:3: quiet.time_zone = "Europe/Berln": must be a time zone like Europe/Berlin, or "". '
                    'Did you mean "Europe/Berlin"?'
                )
            ],
        ),
        (
            BERLIN + 'hours = ["mon-fri 19:00-07:00", "sat,sun 00:00-24:00"]',
            [
                (
                    '1.toml:4: quiet.hours = (a list): must not overlap, but "mon-fri 19:00-07:00" and "sat,sun 00:00-24:00" '
                    "both hold on sat 00:00. Let one end where the other begins; 19:00-07:00 is also 19:00-24:00 and "
                    "00:00-07:00."
                )
            ],
        ),
        (
            BERLIN + 'holidays = ["12-24 to 01-06", "01-06"]',
            [
                (
                    '1.toml:4: quiet.holidays = (a list): must not overlap, but "12-24 to 01-06" and "01-06" both hold on '
                    "01-06. Leave one of them out, or let it end before the other begins."
                )
            ],
        ),
        (
            BERLIN + 'hours = ["07:00-19:00", "19:00-07:00"]',
            [
                (
                    "1.toml:4: quiet.hours = (a list): must leave a time at which the door can be open. To keep it closed for "
                    "good, leave the device's door closed."
                )
            ],
        ),
        (
            BERLIN + 'holidays = ["01-01 to 12-31"]',
            [
                (
                    "1.toml:4: quiet.holidays = (a list): must leave a time at which the door can be open. To keep it closed "
                    "for good, leave the device's door closed."
                )
            ],
        ),
        (
            BERLIN + 'hours = ["mon-die 19:00-07:00"]\nholidays = ["2027-02-29"]\nnight = "dark"',
            [
                (
                    '1.toml:4: quiet.hours = (a list): must be like "mon-fri 19:00-07:00". Wrong: "mon-die 19:00-07:00". '
                    "There is no day die: they are mon, tue, wed, thu, fri, sat, sun."
                ),
                (
                    '1.toml:5: quiet.holidays = (a list): must be like "2026-12-24 to 2027-01-02" or "12-25". Wrong: '
                    '"2027-02-29". There is no 2027-02-29.'
                ),
                '1.toml:6: quiet.night = "dark": must be like "22:00-06:00", or "".',
            ],
        ),
        (
            BERLIN + 'hours = ["7pm", "sat 10:00-11:00", "8pm", "9pm", "10pm", "11pm", "12pm"]',
            [
                (
                    '1.toml:4: quiet.hours = (a list): must be like "mon-fri 19:00-07:00". Wrong: "7pm", "8pm", "9pm", "10pm", '
                    '"11pm" and others.'
                )
            ],
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_the_way_out(text: str, told: list[str]) -> None:
    assert [str(problem) for problem in problems(text)] == told


@pytest.mark.parametrize(
    "value", ["1", "true", '["Europe/Berlin"]', '"Europe"', '"../Berlin"', '"/etc/passwd"', f'"{"x" * 65}"']
)
def test_what_is_no_time_zone(value: str) -> None:
    assert only(f"[quiet]\ntime_zone = {value}").allowed.startswith("must be a time zone")


@pytest.mark.parametrize("value", ["1", "[1]", "[[]]", '"19:00-07:00"', '["19:00-07:00", "19:00-07:00"]'])
def test_what_is_no_list_of_hours(value: str) -> None:
    assert only(f"{BERLIN}hours = {value}").key == "quiet.hours"


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without tzdata, neither Debian's nor that of PyPI."""
    before = zoneinfo.TZPATH
    for module in ("tzdata", "tzdata.zoneinfo", "tzdata.zoneinfo.Europe"):  # those that were imported before count too
        monkeypatch.setitem(sys.modules, module, None)
    zoneinfo.reset_tzpath(to=[])
    ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath(to=before)
    ZoneInfo.clear_cache()


@pytest.mark.usefixtures("no_database")
def test_a_machine_without_time_zones_says_so() -> None:
    problem = only('[quiet]\ntime_zone = "Europe/Berlin"\nhours = ["19:00-07:00"]')
    assert problem.key == "quiet.time_zone"
    assert problem.allowed == "cannot be looked up: there is no time zone database on this machine"
    assert problem.hint == "Install tzdata, which Debian and PyPI have."
    assert loaded("").quiet.schedule.empty, "and needs none where there are no quiet hours"


def test_with_the_database_of_the_wheel_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    need("module:tzdata", "tzdata from PyPI is needed")
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[])
    ZoneInfo.clear_cache()
    try:
        assert TimeZone().convert("Europe/Berlin", Where("quiet.time_zone", FOLDER)) == "Europe/Berlin"
        with pytest.raises(Refused) as refused:
            TimeZone().convert("Europe/Berln", Where("quiet.time_zone", FOLDER))
        assert refused.value.hint == 'Did you mean "Europe/Berlin"?'
    finally:
        zoneinfo.reset_tzpath(to=before)
        ZoneInfo.clear_cache()


def test_values_go_back_to_what_was_written() -> None:
    kinds = loaded(f'{BERLIN}hours = ["fri-mon 19:00-07:00"]\nholidays = ["12-25"]').quiet
    assert [str(each) for each in (*kinds.hours, *kinds.holidays)] == ["fri-mon 19:00-07:00", "12-25"]
    assert kinds.night is None
    assert '"quiet"' in str(json_schema()).replace("'", '"')
