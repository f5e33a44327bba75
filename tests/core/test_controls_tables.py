"""The tables of the controls that others rely on, said once more."""

from appliance.core.controls import ANSWERED_BY_HAND, FAULTS, ORIGIN, REMEMBERED, RULES, Door, Event, Origin, Reason

R, E = Reason, Event


def test_the_sets_of_reasons_and_origins() -> None:
    assert set(RULES) == set(ORIGIN) == set(Event)
    assert {event for event in Event if ORIGIN[event] is Origin.HAND} == {
        E.SWITCH_CLOSED,
        E.SWITCH_OPENED,
        E.PRESS_WHILE_OPEN,
        E.PRESS_WHILE_CLOSED,
        E.DOOR_PRESSED,
        E.DOOR_RELEASED,
        E.RESET_HELD,
        E.TALK_PRESSED,
        E.TALK_RELEASED,
    }
    assert {event for event in Event if ORIGIN[event] is Origin.SOUND} == {
        E.SWITCH_FOUND_CLOSED,
        E.SWITCH_FOUND_OPEN,
        E.STARTED,
        E.AUDIO_LOST,
        E.AUDIO_FOUND,
        E.PANEL_LOST,
        E.PANEL_FOUND,
        E.TRIAL_ENDED,
        E.RECORDING_ANNOUNCED,
    }
    assert {R.ADMIN, R.HAND, R.VIOLATION} == ANSWERED_BY_HAND
    assert {R.BUTTON, R.ADMIN, R.HAND, R.VIOLATION} == REMEMBERED
    assert {R.VIOLATION, R.AUDIO, R.PANEL} == FAULTS
    assert len({reason.word for reason in Reason}) == len(Reason)


def test_the_numbers_that_go_over_the_exchange_and_into_the_store_do_not_change() -> None:
    assert {reason.name: int(reason) for reason in Reason} == {
        "SWITCH": 0,
        "BUTTON": 1,
        "ADMIN": 2,
        "DOOR": 3,
        "QUIET": 4,
        "TALK": 5,
        "AUDIO": 6,
        "PANEL": 7,
        "HAND": 8,
        "STARTING": 9,
        "TRIAL": 10,
        "RECORDING": 11,
        "VIOLATION": 12,
    }
    assert [int(door) for door in (Door.OPEN, Door.LISTENING, Door.CLOSED)] == [0, 1, 2]


def test_reasons_have_the_words_of_the_page() -> None:
    assert [reason.word for reason in Reason] == [
        "switch",
        "button",
        "admin",
        "door",
        "quiet hours",
        "push-to-talk",
        "no audio",
        "panel lost",
        "hand",
        "starting",
        "settings on trial",
        "recording",
        "fault",
    ]
