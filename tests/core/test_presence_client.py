"""Presence messages from a member to the host, and what both directions refuse."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.protocol import (
    MOST_CLIENT_BYTES,
    AdmitMember,
    AskDoor,
    AskUnmute,
    ClientMessage,
    CloseCode,
    Hello,
    Knock,
    MuteMember,
    ProtocolError,
    RemoveMember,
    Report,
    SetHand,
    SetMuted,
    SetMuteNew,
    SetRecording,
    SetRole,
    SetTitle,
    UnmuteMember,
    client_text,
    dump,
    parse_client,
    parse_server,
)
from tests.core.presence import SITE, json_values, wire
from tests.core.test_site_details import DETAILS

DETAILED = {**SITE, "gate": "open", "direction": 45, "details": DETAILS}

CLIENT: list[tuple[ClientMessage, dict[str, Any]]] = [
    (Hello("token"), {"type": "hello", "v": 1, "token": "token"}),
    (SetMuted(False), {"type": "muted", "muted": False}),
    (SetHand(True), {"type": "hand", "up": True}),
    (Knock(), {"type": "knock"}),
    (MuteMember("ada"), {"type": "mute", "member": "ada"}),
    (UnmuteMember("ada"), {"type": "unmute", "member": "ada"}),
    (AskUnmute("ada"), {"type": "ask_unmute", "member": "ada"}),
    (AskDoor("room", "closed"), {"type": "door", "member": "room", "door": "closed"}),
    (Report(SITE), {"type": "report", "site": SITE}),
    (Report(DETAILED), {"type": "report", "site": DETAILED}),
    (AdmitMember("ada"), {"type": "admit", "member": "ada"}),
    (SetRole("ada", "listener"), {"type": "role", "member": "ada", "role": "listener"}),
    (RemoveMember("ada"), {"type": "remove", "member": "ada"}),
    (SetMuteNew(True), {"type": "mute_new", "on": True}),
    (SetTitle("Küche 😀"), {"type": "title", "title": "Küche 😀"}),
    (SetTitle(""), {"type": "title", "title": ""}),
    (SetRecording(True), {"type": "recording", "on": True}),
]


@pytest.mark.parametrize(("message", "body"), CLIENT)
def test_a_member_s_messages_are_written_and_read(message: ClientMessage, body: dict[str, Any]) -> None:
    text = client_text(message)
    assert json.loads(text) == body
    assert parse_client(text) == message
    assert parse_client(text.encode()) == message


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 4400),
        ("junk", 4400),
        ("[]", 4400),
        ("null", 4400),
        ("{}", 4400),
        (b"\xff\xfe", 4400),
        ("[" * 4000, 4400),
        ('{"a":' * 800, 4400),
        ('{"type":"knock","x":NaN}', 4400),
        (wire(type="nonsense"), 4400),
        (wire(type=["knock"]), 4400),
        (wire(type=None), 4400),
        ("x" * (MOST_CLIENT_BYTES + 1), 4413),
        ("ä" * (MOST_CLIENT_BYTES // 2 + 1), 4413),
        ("\ud800", 4400),
        (wire(type="hello", token="t"), 4400),
        (wire(type="hello", v=2, token="t"), 4400),
        (wire(type="hello", v=1), 4400),
        (wire(type="hello", v=1, token=1), 4400),
        (wire(type="hello", v=1, token="t" * 1025), 4400),
        (wire(type="muted"), 4400),
        (wire(type="muted", muted=1), 4400),
        (wire(type="muted", muted="false"), 4400),
        (wire(type="hand", up=None), 4400),
        (wire(type="mute"), 4400),
        (wire(type="mute", member="A"), 4400),
        (wire(type="mute", member="a" * 65), 4400),
        (wire(type="unmute", member=7), 4400),
        (wire(type="door", member="room", door="open"), 4400),
        (wire(type="door", member="room", door=["closed"]), 4400),
        (wire(type="door", door="closed"), 4400),
        (wire(type="report"), 4400),
        (wire(type="report", site=[]), 4400),
        (wire(type="title"), 4400),
        (wire(type="title", title=["Kitchen"]), 4400),
        (wire(type="recording"), 4400),
        (wire(type="recording", on=1), 4400),
    ],
)
def test_junk_closes_the_socket_with_a_code(text: str | bytes, code: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_client(text)
    assert caught.value.code == code
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("  Kitchen ", "Kitchen"),
        ("<b>ﺎﻠﻤﻄﺒﺧ</b> 👩", "<b>ﺎﻠﻤﻄﺒﺧ</b> 👩"),
        ("x" * 64, "x" * 64),
        ("x" * 65, ""),
        ("", ""),
        (" \t", ""),
        ("two\nlines", ""),
        ("\x1b[2J", ""),
        ("over\u202eride", ""),
        ("half \ud800", ""),
    ],
)
def test_a_title_is_trimmed_and_what_is_none_is_empty(asked: str, title: str) -> None:
    assert parse_client(wire(type="title", title=asked)) == SetTitle(title)


@pytest.mark.parametrize(
    "change",
    [
        {"gate": "ajar"},
        {"gate": None},
        {"reasons": "switch"},
        {"reasons": [1]},
        {"reasons": ["switch", ""]},
        {"reasons": ["\n"]},
        {"reasons": ["switch"] * 17},
        {"door": "ajar"},
        {"lamps": {"mic": "steady"}},
        {"lamps": {**SITE["lamps"], "mic": "purple"}},
        {"lamps": None},
        {"loudspeaker": -128},
        {"loudspeaker": 1},
        {"loudspeaker": -3.5},
        {"loudspeaker": False},
        {"direction": 360},
        {"direction": -1},
        {"direction": 9.5},
        {"direction": "north"},
        {"quiet_until": -1},
        {"quiet_until": 2**32},
        {"quiet_until": "13:00"},
        {"extra": []},
        {"extra": {"a": []}},
        {"extra": {"a": 1, "b": []}},
        {"extra": {"A": 1}},
        {"extra": {f"k{i}": 1 for i in range(17)}},
        {"extra": {"a": "\u202e"}},
        {"extra": {"a": 1e300}},
        {"extra": {"a": 2**53}},
        {"extra": {"a": 10**1000}},
    ],
)
def test_a_site_s_report_is_checked(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        parse_client(wire(type="report", site={**SITE, **change}))


def test_a_report_keeps_what_is_known_and_nothing_else() -> None:
    extra = {"version": "0.1", "overruns": 3, "direct": True, "ratio": 0.5}
    report = parse_client(wire(type="report", site={**SITE, "extra": extra, "level": -20}))
    assert report == Report({**SITE, "extra": extra})


def test_when_quiet_hours_end_is_told_if_it_is_known() -> None:
    for until in (0, 1_811_912_400, 2**32 - 1):
        site = {**SITE, "quiet_until": until}
        assert parse_client(wire(type="report", site=site)) == Report(site)
    assert parse_client(wire(type="report", site={**SITE, "quiet_until": None})) == Report(SITE)


def test_a_direction_is_told_of_an_open_microphone_only() -> None:
    told = [
        parse_client(wire(type="report", site={**SITE, "gate": gate, "direction": direction}))
        for gate in ("open", "closed")
        for direction in (0, 359, None)
    ]
    opened = {**SITE, "gate": "open"}
    assert told[:3] == [Report({**opened, "direction": 0}), Report({**opened, "direction": 359}), Report(opened)]
    assert told[3:] == [Report({**SITE, "gate": "closed"})] * 3


def test_that_somebody_talks_into_a_closed_microphone_is_not_told() -> None:
    site = {**SITE, "lamps": {**SITE["lamps"], "mic": "slow"}}
    assert parse_client(wire(type="report", site=site)) == Report(SITE)


def test_messages_are_compact_json_for_everybody() -> None:
    assert dump({"name": "Zoë", "to": [1, 2]}) == '{"name":"Zoë","to":[1,2]}'
    with pytest.raises(ValueError, match="JSON"):
        dump({"level": math.nan})


def test_a_refusal_says_what_is_allowed() -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_client(wire(type="door", member="room", door="open"))
    assert str(caught.value) == 'The field "door" has to be one of listening, closed.'


def test_a_message_may_be_as_large_as_the_limit() -> None:
    text = '{"type":"knock"}'
    assert parse_client(text + " " * (MOST_CLIENT_BYTES - len(text))) == Knock()


def test_fields_that_are_not_known_are_ignored() -> None:
    assert parse_client(wire(type="knock", loudly=True)) == Knock()


client_fields = st.dictionaries(
    st.sampled_from(["v", "token", "muted", "up", "member", "door", "site", "x"]), json_values, max_size=5
)


@given(st.sampled_from([body["type"] for _, body in CLIENT]) | json_values, client_fields)
def test_any_json_is_a_message_or_a_protocol_error(kind: Any, fields: dict[str, Any]) -> None:
    text = json.dumps({"type": kind, **fields})
    try:
        message = parse_client(text)
    except ProtocolError:
        return
    assert parse_client(client_text(message)) == message


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_are_a_protocol_error(junk: str | bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_client(junk)
    with pytest.raises(ProtocolError):
        parse_server(junk)


def test_close_codes_are_those_of_the_protocol() -> None:
    assert {code.name: code.value for code in CloseCode} == {
        "GOING_AWAY": 1001,
        "INTERNAL": 1011,
        "TRY_AGAIN": 1013,
        "JUNK": 4400,
        "BAD_TOKEN": 4401,
        "FOREIGN_TOKEN": 4403,
        "UNKNOWN_ROOM": 4404,
        "NO_HELLO": 4408,
        "REPLACED": 4409,
        "REMOVED": 4410,
        "TOO_BIG": 4413,
    }
