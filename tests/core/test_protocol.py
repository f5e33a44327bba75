"""Presence messages in both directions."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core import protocol
from appliance.core.protocol import (
    MOST_CLIENT_BYTES,
    MOST_MEMBERS,
    MOST_SERVER_BYTES,
    AdminMuteLifted,
    AskDoor,
    AskedToUnmute,
    AskUnmute,
    Capabilities,
    Claims,
    ClientMessage,
    CloseCode,
    DoorAsked,
    Hello,
    Knock,
    Knocked,
    LevelsChanged,
    MemberChanged,
    MemberLeft,
    MutedByAdmin,
    MuteMember,
    ProtocolError,
    Recording,
    Refused,
    Report,
    SetHand,
    SetMuted,
    SlotsChanged,
    UnmuteMember,
    Welcome,
    Who,
    client_text,
    dump,
    parse_client,
    parse_server,
)
from appliance.core.roster import Member, new_member

CLAIMS = Claims("lobby", "ada", "Ada Lovelace", "speaker", "person", 2_000, "k1")
BY = Who("bob", "Bob")
SITE: dict[str, Any] = {
    "gate": "closed",
    "reasons": ["switch", "quiet hours"],
    "door": "listening",
    "lamps": {"mic": "steady", "room": "steady", "speak": "off", "fault": "off"},
    "loudspeaker": -30,
}

identities = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789._-", min_size=1, max_size=64)
names = st.text(min_size=1, max_size=64).filter(lambda text: text.isprintable() and not text.isspace())


def wire(**fields: Any) -> str:
    return json.dumps(fields)


# ---- from a member to the host

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
    ],
)
def test_junk_closes_the_socket_with_a_code(text: str | bytes, code: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_client(text)
    assert caught.value.code == code
    assert str(caught.value).endswith(".")


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
    report = parse_client(wire(type="report", site={**SITE, "extra": extra, "direction": 90, "level": -20}))
    assert report == Report({**SITE, "extra": extra})


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


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
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


# ---- from the host to its members

ADA = new_member("ada", "Ada Lovelace", "person", "admin")
ROOM = replace(new_member("room", "Meeting room", "site", "speaker"), connecting=False, on_hold=True, site=SITE)

SERVER: list[tuple[dict[str, Any], object]] = [
    (
        protocol.welcome(CLAIMS, "The lobby", [ROOM, ADA], [None, "ada", None]),
        Welcome(
            you=Who("ada", "Ada Lovelace"),
            role="speaker",
            kind="person",
            room="lobby",
            title="The lobby",
            members=(ROOM, ADA),
            slots=(None, "ada", None),
            capabilities=Capabilities("real", True, True, True),
        ),
    ),
    (protocol.member_changed(ADA), MemberChanged(ADA)),
    (protocol.member_left("ada"), MemberLeft("ada")),
    (protocol.slots_changed([None, "ada", "room"]), SlotsChanged((None, "ada", "room"))),
    (
        protocol.levels_changed({"ada": -20.4, "room": -127.0, "bob": 0.3}, {"room", "ada"}),
        LevelsChanged({"ada": -20, "room": -127, "bob": 0}, frozenset({"ada", "room"})),
    ),
    (protocol.muted_by_admin(BY), MutedByAdmin(BY)),
    (protocol.admin_mute_lifted(), AdminMuteLifted()),
    (protocol.asked_to_unmute(BY), AskedToUnmute(BY)),
    (protocol.knocked(BY), Knocked(BY)),
    (protocol.door_asked("listening", BY), DoorAsked("listening", BY)),
    (protocol.recording(on=True), Recording(True)),
    (protocol.error("forbidden", "Only an admin may do that."), Refused("forbidden", "Only an admin may do that.")),
]


@pytest.mark.parametrize(("body", "message"), SERVER)
def test_a_host_s_messages_are_written_and_read(body: dict[str, Any], message: object) -> None:
    assert parse_server(dump(body)) == message
    assert parse_server(dump(body).encode()) == message


def test_the_welcome_as_the_page_reads_it() -> None:
    body = protocol.welcome(CLAIMS, "The lobby", [ADA], [None] * 3, Capabilities(levels="on_off", volumes=False))
    assert body == {
        "type": "welcome",
        "v": 1,
        "you": {"id": "ada", "name": "Ada Lovelace", "role": "speaker", "kind": "person"},
        "room": {"id": "lobby", "title": "The lobby"},
        "members": [ADA.as_dict()],
        "slots": [None, None, None],
        "capabilities": {"levels": "on_off", "hands": True, "admin_mute": True, "volumes": False},
    }


def test_levels_are_whole_and_on_the_scale() -> None:
    body = protocol.levels_changed({"a": -200.0, "b": 5.0, "c": -0.4}, ["b", "a"])
    assert body == {"type": "levels", "levels": {"a": -127, "b": 0, "c": 0}, "speaking": ["a", "b"]}
    assert all(
        (isinstance(level, int) and not math.copysign(1, level) < 0) or level < 0 for level in body["levels"].values()
    )


def test_a_newer_host_may_say_more() -> None:
    assert parse_server(wire(type="weather", sunny=True)) is None
    assert parse_server(wire(type="knock", by={"id": "bob", "name": "Bob", "shoe": 43}, loud=True)) == Knocked(BY)


def test_fewer_slots_are_filled_up() -> None:
    assert parse_server(wire(type="slots", slots=["ada"])) == SlotsChanged(("ada", None, None))


def member(**change: Any) -> str:
    return wire(type="member", member={**ADA.as_dict(), **change})


@pytest.mark.parametrize(
    "text",
    [
        wire(type=None),
        wire(x=1),
        wire(type="welcome"),
        wire(**{**SERVER[0][0], "v": 2}),
        wire(**{**SERVER[0][0], "members": {}}),
        wire(**{**SERVER[0][0], "members": [1]}),
        wire(**{**SERVER[0][0], "members": [{}]}),
        wire(**{**SERVER[0][0], "members": [None] * (MOST_MEMBERS + 1)}),
        wire(**{**SERVER[0][0], "you": None}),
        wire(**{**SERVER[0][0], "room": {"id": "lobby", "title": "t" * 200}}),
        wire(**{**SERVER[0][0], "capabilities": {"levels": "some"}}),
        wire(type="member"),
        member(id=None),
        member(name="\x1b[2J"),
        member(kind="robot"),
        member(role="root"),
        member(joined="yes"),
        member(muted=0),
        member(sign=None),
        member(sign={"hue": 8, "place": 0}),
        member(sign={"hue": 0, "place": 12}),
        member(sign={"hue": 0, "place": -1}),
        member(sign={"hue": True, "place": 0}),
        member(site={"gate": "open"}),
        wire(type="left", id=3),
        wire(type="slots", slots=["a", "b", "c", "d"]),
        wire(type="slots", slots=["A"]),
        wire(type="slots", slots=None),
        wire(type="levels", levels=[], speaking=[]),
        wire(type="levels", levels={"A": -3}, speaking=[]),
        wire(type="levels", levels={"a": 1}, speaking=[]),
        wire(type="levels", levels={"a": -3.5}, speaking=[]),
        wire(type="levels", levels={f"m{i}": -3 for i in range(MOST_MEMBERS + 1)}, speaking=[]),
        wire(type="levels", levels={}, speaking=[None]),
        wire(type="levels", levels={}),
        wire(type="muted_by_admin"),
        wire(type="asked_to_unmute", by={"id": "bob"}),
        wire(type="knock", by="bob"),
        wire(type="door", door="open", by=BY.as_dict()),
        wire(type="recording", on="yes"),
        wire(type="error", code="x", text="y" * 300),
    ],
)
def test_a_device_does_not_trust_its_host(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_server(text)


def test_a_host_cannot_send_without_end() -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_server(b" " * (MOST_SERVER_BYTES + 1))
    assert caught.value.code is CloseCode.TOO_BIG


def test_a_room_as_large_as_allowed_can_be_welcomed() -> None:
    members = [new_member(f"member-{i}", f"Member number {i}", "person", "speaker") for i in range(MOST_MEMBERS)]
    text = dump(protocol.welcome(CLAIMS, "The lobby", members, [None] * 3))
    welcomed = parse_server(text)
    assert isinstance(welcomed, Welcome)
    assert len(welcomed.members) == MOST_MEMBERS


flags = st.booleans()


@given(
    st.builds(
        Member,
        id=identities,
        name=names,
        kind=st.sampled_from(["person", "site"]),
        role=st.sampled_from(["listener", "speaker", "admin"]),
        joined=flags,
        muted=flags,
        admin_muted=flags,
        hand=flags,
        on_hold=flags,
        connecting=flags,
        sign=st.sampled_from([ADA.sign, ROOM.sign]),
        site=st.none() | st.just(SITE),
    )
)
def test_a_member_crosses_the_wire_with_the_state_that_is_shown(before: Member) -> None:
    message = parse_server(dump(protocol.member_changed(before)))
    assert isinstance(message, MemberChanged)
    assert message.member.state == before.state
    assert message.member.as_dict() == before.as_dict()


@given(st.sampled_from([body for body, _ in SERVER]), st.data())
def test_any_change_of_a_host_s_message_is_read_or_a_protocol_error(body: dict[str, Any], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(body)))
    changed = {**body, key: data.draw(json_values)}
    try:
        parse_server(json.dumps(changed))
    except ProtocolError as error:
        text = str(error)
    else:
        text = ""
    assert "\n" not in text


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
