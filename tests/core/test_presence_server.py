"""Presence messages from the host to its members."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core import protocol
from appliance.core.protocol import (
    MOST_MEMBERS,
    MOST_SERVER_BYTES,
    AdminMuteLifted,
    AskedToUnmute,
    BundleAsked,
    Capabilities,
    Claims,
    CloseCode,
    DoorAsked,
    Knocked,
    LevelsChanged,
    MemberChanged,
    MemberLeft,
    MembersChanged,
    MutedByAdmin,
    MuteNewChanged,
    ProtocolError,
    Recording,
    Refused,
    RoomRecording,
    SlotsChanged,
    TitleChanged,
    Welcome,
    Who,
    dump,
    parse_server,
)
from appliance.core.roster import Member, new_member
from tests.core.presence import SITE, json_values, wire

CLAIMS = Claims("lobby", "ada", "Ada Lovelace", "speaker", "person", 2_000, "k1")
BY = Who("bob", "Bob")
RECORDED = RoomRecording(1_000.0, 1_005.0, BY)
identities = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789._-", min_size=1, max_size=64)
names = st.text(min_size=1, max_size=64).filter(lambda text: text.isprintable() and not text.isspace())

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
            takes_recordings=True,
        ),
    ),
    (protocol.member_changed(ADA), MemberChanged(ADA)),
    (protocol.member_left("ada"), MemberLeft("ada")),
    (protocol.members_changed([ADA, ROOM], ["bob"]), MembersChanged((ADA, ROOM), ("bob",))),
    (protocol.mute_new_changed(on=True), MuteNewChanged(True)),
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
    (protocol.recording(RECORDED), Recording(True)),
    (protocol.bundle_asked("Zm9v_-" + "x" * 16), BundleAsked("Zm9v_-" + "x" * 16)),
    (protocol.recording(RoomRecording(1.0, 6.0, None)), Recording(True)),
    (protocol.recording(None), Recording(False)),
    (protocol.title_changed("Küche 😀"), TitleChanged("Küche 😀")),
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
        "you": {
            "id": "ada",
            "name": "Ada Lovelace",
            "role": "speaker",
            "kind": "person",
            "initials": "AL",
            "sign": {"hue": 5, "place": 2},
        },
        "room": {"id": "lobby", "title": "The lobby"},
        "members": [ADA.as_dict()],
        "slots": [None, None, None],
        "capabilities": {"levels": "on_off", "hands": True, "admin_mute": True, "volumes": False},
        "ice_servers": [],
        "listen_only": None,
        "guest": False,
        "mute_new": False,
        "recording": None,
        "now": 0.0,
        "last_spoke": None,
    }


def test_the_welcome_says_on_what_terms_one_comes_in() -> None:
    relay = {"urls": ["turn:relay.example"], "username": "u", "credential": "c"}
    terms = protocol.Terms(ice_servers=[relay], listen_only="no_https", mute_new=True)
    body = protocol.welcome(replace(CLAIMS, role="guest"), "The lobby", [ADA], [None] * 3, terms=terms)
    assert (body["ice_servers"], body["listen_only"], body["guest"], body["mute_new"]) == (
        [relay],
        "no_https",
        True,
        True,
    )
    read = parse_server(dump(body))
    assert isinstance(read, Welcome)
    assert read.role == "guest"


def test_the_welcome_tells_who_records_by_the_clock_of_the_host() -> None:
    spoke = {"room": 990, "members": {"ada": 990}}
    terms = protocol.Terms(recording=RECORDED, now=1_002.5, last_spoke=spoke)
    body = protocol.welcome(CLAIMS, "The lobby", [ADA], [None] * 3, terms=terms)
    assert body["recording"] == {"since": 1_000.0, "starts": 1_005.0, "by": {"id": "bob", "name": "Bob"}}
    assert (body["now"], body["last_spoke"]) == (1_002.5, spoke)
    read = parse_server(dump(body))
    assert isinstance(read, Welcome)
    assert read.recording and read.takes_recordings
    older = {key: value for key, value in body.items() if key not in ("recording", "now", "last_spoke")}
    read = parse_server(dump(older))
    assert isinstance(read, Welcome)
    assert not read.recording and not read.takes_recordings


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
        wire(type="bundle_asked"),
        wire(type="bundle_asked", word=7),
        wire(type="bundle_asked", word="w" * 21),
        wire(type="bundle_asked", word="../../rooms/other/link"),
        wire(type="title", title="\x1b[2J"),
        wire(type="title", title="t" * 200),
        wire(type="title"),
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


def test_members_that_are_text_already_make_the_same_message() -> None:
    texts = [dump(member.as_dict()) for member in (ADA, ROOM)]
    for bare, whole in (
        (protocol.welcome(CLAIMS, "The lobby", None, []), protocol.welcome(CLAIMS, "The lobby", [ADA, ROOM], [])),
        (protocol.members_changed(None, ["bob"]), protocol.members_changed([ADA, ROOM], ["bob"])),
    ):
        assert json.loads(protocol.with_members(bare, texts)) == whole
    assert json.loads(protocol.member_changed_text(texts[0])) == protocol.member_changed(ADA)
