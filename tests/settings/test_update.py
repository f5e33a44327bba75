"""[update]: when the window of updates is open."""

from datetime import UTC, datetime

import pytest

from appliance.settings import Settings, Source, load
from tests.settings.support import FOLDER

MONDAY_NIGHT = datetime(2027, 1, 4, 3, 0, tzinfo=UTC).timestamp()
MONDAY_NOON = datetime(2027, 1, 4, 12, 0, tzinfo=UTC).timestamp()
QUIET = '[quiet]\ntime_zone = "UTC"\nhours = ["mon 11:00-13:00"]\n'
EAST = '[quiet]\ntime_zone = "Asia/Tokyo"\n'


def settings(text: str) -> Settings:
    return load([Source("test.toml", f"schema = 1\n{text}".encode(), FOLDER)])


@pytest.mark.parametrize(
    ("text", "night", "noon"),
    [
        ("", True, False),
        (EAST, False, False),
        (QUIET, False, True),
        ('[update]\nwindow = "any"\n', True, True),
        ('[update]\nwindow = "mon 11:30-12:30"\n', False, True),
        ('[update]\nwindow = "tue 11:30-12:30"\n', False, False),
        (f'[update]\nwindow = "02:00-03:30"\n{QUIET}', True, False),
        ('[update]\nwindow = "sun 22:00-04:00"\n', True, False),
        ('[update]\nwindow = "11:00-13:00"\n[quiet]\ntime_zone = "Asia/Tokyo"\n', True, False),
    ],
)
def test_the_window_is_open_by_the_clock_on_the_wall(text: str, night: bool, noon: bool) -> None:
    found = settings(text)
    for now, is_open in ((MONDAY_NIGHT, night), (MONDAY_NOON, noon)):
        assert found.update.window.is_open(now, True, found.quiet.schedule) is is_open


def test_a_clock_that_is_not_right_opens_no_window_but_any() -> None:
    plain, at_any = settings(""), settings('[update]\nwindow = "any"\n')
    assert not plain.update.window.is_open(MONDAY_NIGHT, False, plain.quiet.schedule)
    assert at_any.update.window.is_open(MONDAY_NIGHT, False, at_any.quiet.schedule)


def test_a_window_is_written_as_it_was_read() -> None:
    for text in ("any", "quiet hours", "mon-fri 22:00-05:00"):
        assert str(settings(f'[update]\nwindow = "{text}"\n').update.window) == text
