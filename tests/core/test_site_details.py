"""What a device tells its room's admins of itself: bounded, and silent of whatever the gate hides."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.arrays import ARRAYS, MOST_MICROPHONES
from appliance.core.controls import Reason
from appliance.core.protocol import MOST_CLIENT_BYTES, ProtocolError, Report, client_text, parse_client
from appliance.core.site_details import LAST_SECOND, MOST_COUNT, by_the_host, fitting, read_details
from tests.core.presence import SITE, json_values, wire

DETAILS: dict[str, Any] = {
    "held": {"switch": [1_795_000_000, 1_795_001_680], "quiet hours": [1_795_002_000, None]},
    "proof": {"violations": 0, "checked": 3_412_006, "since": 1_794_000_000, "engine": "hosted"},
    "config": {
        "version": 41,
        "digest": "7f3a91c2",
        "signed_by": "ops-2",
        "applied": 1_795_000_120,
        "back_s": 4,
    },
    "health": {
        "round_trip_ms": 24,
        "loss_percent": 0.2,
        "playout_ms": 46,
        "dropouts_day": 0,
        "processor_percent": 31,
        "temperature_c": 52,
    },
    "link": {"phase": "in_room", "since": 1_795_000_124},
    "array": {"mics": [[-0.032, 0.0], [0.0, -0.032], [0.032, 0.0], [0.0, 0.032]]},
    "direction_error": 8,
    "bundle": True,
}


def told(details: object, gate: str = "open") -> Any:
    message = parse_client(wire(type="report", site={**SITE, "gate": gate, "details": details}))
    assert isinstance(message, Report)
    return message.site.get("details")


def test_all_of_it_passes_and_so_does_nothing() -> None:
    assert told(DETAILS) == DETAILS
    assert told({}) == {}
    assert told(None) is None
    for key, part in DETAILS.items():
        assert told({key: part}) == {key: part}, "each part stands alone"
    for key in ("proof", "config", "health", "link"):
        for field, value in DETAILS[key].items():
            assert told({key: {field: value}}) == {key: {field: value}}, "and so does each field"


def test_what_a_newer_device_says_is_left_out() -> None:
    newer = {**DETAILS, "mood": "good", "health": {**DETAILS["health"], "fan": 3}, "bundle": None}
    assert told(newer) == {key: part for key, part in DETAILS.items() if key != "bundle"}


def test_of_a_closed_gate_nothing_is_told_that_goes_with_a_direction() -> None:
    closed = told(DETAILS, "closed")
    assert closed == {key: part for key, part in DETAILS.items() if key != "direction_error"}


@pytest.mark.parametrize(
    "details",
    [
        [],
        "all well",
        {"held": []},
        {"held": {"switch": 1}},
        {"held": {"switch": [1]}},
        {"held": {"switch": [1, 2, 3]}},
        {"held": {"switch": [None, None]}},
        {"held": {"switch": [2, 1]}},
        {"held": {"switch": [0, LAST_SECOND + 1]}},
        {"held": {"switch": [True, None]}},
        {"held": {"<b>": [1, 2]}},
        {"held": {"Switch": [1, 2]}},
        {"held": {"x" * 25: [1, 2]}},
        {"held": {f"reason-{chr(97 + n)}": [1, 2] for n in range(17)}},
        {"proof": 0},
        {"proof": {"violations": -1}},
        {"proof": {"violations": MOST_COUNT + 1}},
        {"proof": {"checked": 1.5}},
        {"proof": {"since": LAST_SECOND + 1}},
        {"proof": {"engine": "\u202eone"}},
        {"proof": {"engine": ""}},
        {"proof": {"engine": "e" * 33}},
        {"proof": {"engine": 1}},
        {"config": {"version": "41"}},
        {"config": {"digest": "7f3a 91c2"}},
        {"config": {"signed_by": "ops\n2"}},
        {"config": {"back_s": 86_401}},
        {"health": {"round_trip_ms": -1}},
        {"health": {"round_trip_ms": 24.5}},
        {"health": {"loss_percent": 100.1}},
        {"health": {"loss_percent": "0"}},
        {"health": {"loss_percent": True}},
        {"health": {"loss_percent": 10**400}},
        {"health": {"temperature_c": 1000}},
        {"link": {"phase": "asleep"}},
        {"link": {"since": -1}},
        {"array": {}},
        {"array": {"mics": [[0, 0]] * (MOST_MICROPHONES + 1)}},
        {"array": {"mics": [[0]]}},
        {"array": {"mics": [0]}},
        {"array": {"mics": [[0, 0, 0]]}},
        {"array": {"mics": [[0, 1.1]]}},
        {"array": {"mics": [[0, "0"]]}},
        {"direction_error": 181},
        {"direction_error": 8.5},
        {"bundle": 1},
    ],
)
def test_what_is_out_of_bounds_is_refused_by_one_and_left_out_by_the_other(details: Any) -> None:
    with pytest.raises(ProtocolError) as caught:
        told(details)
    assert str(caught.value).endswith(".")
    if isinstance(details, dict):
        found = fitting({**DETAILS, **details})
        assert read_details(found, gate_open=True) == found
        assert found != DETAILS
        other = next(key for key in DETAILS if key not in details)
        assert found[other] == DETAILS[other], "what is beside it is told all the same"


def test_one_bad_figure_does_not_cost_the_others() -> None:
    found = fitting({"health": {**DETAILS["health"], "temperature_c": -274}, "bundle": False, "link": {"since": "now"}})
    assert found == {"health": {k: v for k, v in DETAILS["health"].items() if k != "temperature_c"}, "bundle": False}


def test_times_are_told_by_the_clock_of_the_host() -> None:
    told_by_host = by_the_host(DETAILS, 1_000)
    assert told_by_host["held"] == {"switch": [1_794_999_000, 1_795_000_680], "quiet hours": [1_795_001_000, None]}
    assert told_by_host["proof"] == {**DETAILS["proof"], "since": 1_793_999_000}
    assert told_by_host["config"] == {**DETAILS["config"], "applied": 1_794_999_120}
    assert told_by_host["link"]["since"] == 1_794_999_124
    assert by_the_host(DETAILS, 0) == DETAILS
    assert by_the_host({"bundle": True}, 1_000) == {"bundle": True}
    for ahead in (2**40, -(2**40)):
        assert read_details(by_the_host(DETAILS, ahead), gate_open=True), "whatever a clock says, it is a time"


def test_fractions_are_rounded_to_what_can_be_shown() -> None:
    assert told({"health": {"loss_percent": 1 / 3}, "array": {"mics": [[0.03249999, -1]]}}) == {
        "health": {"loss_percent": 0.333},
        "array": {"mics": [[0.032, -1]]},
    }


def test_every_reason_and_every_array_of_ours_fits() -> None:
    held = {reason.word: [LAST_SECOND - 1, LAST_SECOND] for reason in Reason}
    for array in ARRAYS:
        mics = [[x, y] for x, y, _ in array.positions]
        found = told({"held": held, "array": {"mics": mics}})
        assert found["held"] == held
        assert found["array"]["mics"] == [[pytest.approx(x, abs=6e-4), pytest.approx(y, abs=6e-4)] for x, y in mics]


def test_the_longest_report_is_one_message() -> None:
    longest = {
        "held": {chr(97 + n) * 24: [LAST_SECOND, LAST_SECOND] for n in range(16)},
        "proof": {"violations": MOST_COUNT, "checked": MOST_COUNT, "since": LAST_SECOND, "engine": "e" * 32},
        "config": {
            "version": MOST_COUNT,
            "digest": "d" * 32,
            "signed_by": "s" * 32,
            "applied": LAST_SECOND,
            "back_s": 86_400,
        },
        "health": {
            "round_trip_ms": 60_000,
            "loss_percent": 99.999,
            "playout_ms": 60_000,
            "dropouts_day": 86_400,
            "processor_percent": 10_000,
            "temperature_c": -100,
        },
        "link": {"phase": "reconnecting", "since": LAST_SECOND},
        "array": {"mics": [[-0.999, -0.999]] * MOST_MICROPHONES},
        "direction_error": 180,
        "bundle": False,
    }
    site = {
        **SITE,
        "gate": "open",
        "reasons": [reason.word for reason in Reason],
        "direction": 359,
        "quiet_until": LAST_SECOND,
        "extra": {f"text{n}": "\N{EURO SIGN}" * 64 for n in range(6)} | {f"number{n}": MOST_COUNT for n in range(6)},
        "details": longest,
    }
    text = client_text(Report(site))
    assert len(text.encode()) <= MOST_CLIENT_BYTES
    assert parse_client(text) == Report(site)


@given(
    st.dictionaries(st.sampled_from([*DETAILS, "x"]), json_values | st.sampled_from([*DETAILS.values()]), max_size=8)
)
def test_whatever_is_there_the_fitting_part_of_it_is_taken(details: dict[str, Any]) -> None:
    found = fitting(details)
    assert read_details(found, gate_open=True) == found
    assert json.loads(json.dumps(found)) == found
