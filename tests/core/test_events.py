"""The vocabulary of what happens, its rate limit and its one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.events import (
    LONGEST_VALUE,
    MOST_FIELDS,
    RULES,
    Event,
    EventName,
    RateLimiter,
    Rule,
    Severity,
    format_line,
)


def line(**fields: object) -> str:
    return format_line(Event(EventName.LINK_LOST, 1.0, fields))


def test_every_event_has_a_rule_and_a_plain_name() -> None:
    assert set(RULES) == set(EventName)
    for name, rule in RULES.items():
        assert name.value == name.name.lower()
        assert rule.most >= 1
        assert rule.window > 0


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        (EventName.VIOLATION, Severity.ERROR),
        (EventName.AUDIO_LOST, Severity.ERROR),
        (EventName.LINK_LOST, Severity.WARNING),
        (EventName.BAD_REQUEST, Severity.NOTICE),
        (EventName.GATE_CLOSED, Severity.INFO),
        (EventName.REASONS_CHANGED, Severity.DEBUG),
    ],
)
def test_severities_are_those_of_syslog(name: EventName, severity: Severity) -> None:
    assert Event(name, 0.0).severity is severity
    assert [int(s) for s in Severity] == [3, 4, 5, 6, 7]


def test_what_strangers_can_cause_is_written_rarely() -> None:
    assert RULES[EventName.BAD_REQUEST].most < RULES[EventName.GATE_CLOSED].most


def limiter() -> RateLimiter:
    return RateLimiter({name: Rule(most=2, window=10.0) for name in EventName})


def test_a_window_lets_so_many_through_and_counts_the_rest() -> None:
    limit = limiter()
    assert [limit.admit(Event(EventName.LINK_LOST, t)) for t in (0.0, 1.0, 2.0, 9.9)] == [
        (True, 0),
        (True, 0),
        (False, 0),
        (False, 0),
    ]
    assert limit.admit(Event(EventName.LINK_LOST, 10.0)) == (True, 2)
    assert limit.admit(Event(EventName.LINK_LOST, 10.1)) == (True, 0), "the count is told once"
    assert limit.admit(Event(EventName.LINK_LOST, 10.2)) == (False, 0)


def test_a_window_begins_with_its_first_event() -> None:
    limit = limiter()
    limit.admit(Event(EventName.LINK_LOST, 9.0))
    limit.admit(Event(EventName.LINK_LOST, 9.5))
    assert limit.admit(Event(EventName.LINK_LOST, 18.9)) == (False, 0)
    assert limit.admit(Event(EventName.LINK_LOST, 19.0)) == (True, 1)


def test_names_do_not_take_each_others_room() -> None:
    limit = limiter()
    for _ in range(5):
        limit.admit(Event(EventName.BAD_REQUEST, 0.0))
    assert limit.admit(Event(EventName.GATE_CLOSED, 0.0)) == (True, 0)


def test_without_rules_of_its_own_it_takes_the_vocabulary() -> None:
    limit = RateLimiter()
    admitted = [limit.admit(Event(EventName.BAD_REQUEST, 0.0))[0] for _ in range(10)]
    assert sum(admitted) == RULES[EventName.BAD_REQUEST].most


def test_a_line_is_keys_and_values() -> None:
    assert line(wait=0.25, attempts=3, again=True, fatal=False, why="cut") == (
        "event=link_lost wait=0.25 attempts=3 again=yes fatal=no why=cut"
    )


def test_how_many_were_left_out_stands_at_the_end() -> None:
    assert format_line(Event(EventName.LINK_LOST, 0.0, {"why": "cut"}), 7) == "event=link_lost why=cut suppressed=7"
    assert format_line(Event(EventName.LINK_LOST, 0.0), 0) == "event=link_lost"


def test_values_that_need_it_are_quoted() -> None:
    assert line(why="no answer") == 'event=link_lost why="no answer"'
    assert line(why="") == 'event=link_lost why=""'
    assert line(why="a=b") == 'event=link_lost why="a=b"'
    assert line(why='say "hi" \\') == 'event=link_lost why="say \\"hi\\" \\\\"'


def test_a_stranger_cannot_write_a_second_line_or_move_the_cursor() -> None:
    assert line(name="a\nevent=gate_opened\x1b[2J\u2028\u202e") == (
        'event=link_lost name="a\\u000aevent=gate_opened\\u001b[2J\\u2028\\u202e"'
    )
    assert line(name="\ud800") == 'event=link_lost name="\\ud800"'
    assert line(name="\U000e0001") == 'event=link_lost name="\\U000e0001"'
    assert line(name="Jürgen") == "event=link_lost name=Jürgen"
    assert line(**{"a\nb": 1}) == "event=link_lost a\\u000ab=1"


def test_long_values_and_many_fields_are_cut() -> None:
    assert line(name="x" * LONGEST_VALUE) == "event=link_lost name=" + "x" * LONGEST_VALUE
    assert line(name="x" * 10_000) == "event=link_lost name=" + "x" * LONGEST_VALUE + "…"
    assert len(line(**{f"k{n}": n for n in range(100)}).split()) == 1 + MOST_FIELDS


@given(st.dictionaries(st.text(), st.text() | st.floats() | st.binary() | st.none() | st.booleans()))
def test_whatever_the_fields_it_is_one_printable_bounded_line(fields: dict[str, object]) -> None:
    text = line_of(fields)
    assert text.isprintable()
    assert len(text.encode()) < 64 * 1024


def line_of(fields: dict[str, object]) -> str:
    return format_line(Event(EventName.BAD_REQUEST, 0.0, fields), 1)
