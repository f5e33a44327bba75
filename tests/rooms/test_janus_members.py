"""An AudioBridge room by what its plugin tells, and what a member of ours tells of itself. With a real Janus: tests/contract/."""

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from appliance.core.protocol import MOST_MEMBERS, ProtocolError
from appliance.core.units import SILENCE
from appliance.rooms import janus_messages as says
from appliance.rooms.contract import (
    AdminMuteLifted,
    Knocked,
    Levels,
    MemberChanged,
    MemberLeft,
    MutedByAdmin,
    Recording,
    RoomEvent,
)
from appliance.rooms.janus_members import Own, Roomful
from appliance.rooms.janus_messages import Participant
from appliance.rooms.janus_names import Shown, shown
from appliance.rooms.janus_presence import Presence
from appliance.rooms.janus_twins import MOST_PROOFS, Twins

OWN = Shown("desk", "Desk", "site")
FRIEND = Shown("friend", "Friend", "person")
TWINS = Twins(1, "desk", b"of the desk")


def one(
    ident: int, display: str | Shown, *, setup: bool = True, muted: bool = False, talking: bool | None = None
) -> Participant:
    text = display if isinstance(display, str) else display.display()
    return Participant(ident, text, setup, muted, talking)


class Room:
    """We in a room, and what is told."""

    def __init__(self) -> None:
        self.changes = 0
        self.own = Own(OWN, self._changed)
        self.roomful = Roomful(self.own.member, TWINS)
        self.told: list[RoomEvent] = []

    def _changed(self) -> None:
        self.changes += 1

    def __call__(self, events: Iterable[RoomEvent]) -> list[RoomEvent]:
        new = list(events)
        self.told += new
        return new

    def joined(self, *others: Participant) -> list[RoomEvent]:
        self.own.joining()
        return self(self.roomful.joined(1, others))


# ---- what is read


@pytest.mark.parametrize(
    ("data", "news"),
    [
        (
            {
                "audiobridge": "joined",
                "room": 1,
                "id": 7,
                "participants": [{"id": 8, "display": "Bob", "muted": False}],
            },
            says.Joined(7, (Participant(8, "Bob", True, False, None),)),
        ),
        (
            {"audiobridge": "joined", "participants": [{"id": 8, "setup": False, "muted": True, "talking": False}]},
            says.Changed((Participant(8, "", False, True, False),)),
        ),
        ({"audiobridge": "participants", "participants": []}, says.Listed(())),
        ({"audiobridge": "event", "leaving": 8}, says.Left(8)),
        ({"audiobridge": "event", "kicked": 8}, says.Kicked(8)),
        ({"audiobridge": "event", "muted": True}, says.RoomMuted(True)),
        ({"audiobridge": "talking", "id": 8}, says.Talks(8, True)),
        ({"audiobridge": "stopped-talking", "id": 8}, says.Talks(8, False)),
        ({"audiobridge": "destroyed", "room": 1}, says.Destroyed()),
        ({"audiobridge": "event", "result": "ok"}, None),
        ({"audiobridge": "announcement-started", "file_id": "x"}, None),
        ({}, None),
    ],
)
def test_what_the_plugin_says_is_understood(data: dict[str, Any], news: object) -> None:
    assert says.understand(data) == news


@pytest.mark.parametrize(
    "data",
    [
        {"audiobridge": "joined", "id": -1, "participants": []},
        {"audiobridge": "joined", "id": 1},
        {"audiobridge": "joined", "id": 1, "participants": [{"id": "Bob"}]},
        {"audiobridge": "joined", "id": 1, "participants": ["Bob"]},
        {"audiobridge": "joined", "id": 1, "participants": [{"id": 2}] * (MOST_MEMBERS + 1)},
        {"audiobridge": "event", "participants": [{"id": 1, "muted": "yes"}]},
        {"audiobridge": "event", "participants": [{"id": 1, "display": ["x"]}]},
        {"audiobridge": "event", "leaving": True},
        {"audiobridge": "event", "muted": 1},
        {"audiobridge": "talking", "id": 1.5},
        {"audiobridge": 7},
    ],
)
def test_what_has_another_form_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        says.understand(data)


def test_an_envelope_is_opened() -> None:
    text = {
        "janus": "event",
        "transaction": "t",
        "sender": 5,
        "plugindata": {"plugin": "janus.plugin.audiobridge", "data": {"audiobridge": "event", "error_code": 485}},
        "jsep": {"type": "answer", "sdp": "v=0"},
    }
    said = says.read(json.dumps(text))
    assert (said.kind, said.transaction, said.sender, said.description, said.code) == ("event", "t", 5, "v=0", 485)
    assert says.read('{"janus":"error","error":{"code":403,"reason":"SECRET"}}').code == 403
    assert says.id_of(says.read('{"janus":"success","data":{"id":9007199254740993}}')) == 9007199254740993


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"janus":5}',
        '{"janus":"event","sender":"x"}',
        '{"janus":"event","plugindata":{}}',
        '{"janus":"event","plugindata":5}',
        '{"janus":"error"}',
        '{"janus":"error","error":{"code":"x"}}',
        '{"janus":"event","jsep":{"sdp":5}}',
        '{"janus":"' + "x" * 65 + '"}',
        '{"janus":"event","x":"' + "x" * says.MOST_BYTES + '"}',
    ],
)
def test_what_is_no_message_of_janus_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        says.read(text)


# ---- what members are shown as


@pytest.mark.parametrize(
    "who",
    [
        OWN,
        Shown("a.b-c_9", "Büro [2] 会議", "person", hand=True),
        Shown("x", "y", "bridge", hand=True, knocks=True, by_admin=True, records=True),
        Shown("x" * 64, "n" * 64, "site", knocks=True),
    ],
)
def test_what_ours_are_shown_as_is_read_as_it_was_meant(who: Shown) -> None:
    assert shown(one(5, who)) == who
    assert who.display().startswith(f"{who.name} [kontor ")
    assert len(who.display()) <= says.MOST_DISPLAY


@pytest.mark.parametrize(
    ("display", "name"),
    [
        ("Bob", "Bob"),
        ("", "Member"),
        ("  ", "Member"),
        ("Bob [kontor site UPPER]", "Bob [kontor site UPPER]"),
        ("Bob [kontor robot x]", "Bob [kontor robot x]"),
        ("Bob [kontor site x hand hand]", "Bob [kontor site x hand hand]"),
        ("Bob [kontor site x knock hand]", "Bob [kontor site x knock hand]"),
        ("\u202eBob [kontor site x]", "\\u202eBob [kontor site x]"),
        ("x" * 300, "x" * 64),
    ],
)
def test_who_comes_by_another_client_is_a_person_with_a_name(display: str, name: str) -> None:
    found = shown(one(5, display))
    assert (found.identity, found.name, found.kind) == ("janus-5", name, "person")


# ---- who is there


def test_members_come_change_and_leave() -> None:
    room = Room()
    told = room.joined(one(2, FRIEND, setup=False, muted=True), one(3, "Bob"))
    members = {event.member.id: event.member for event in told if isinstance(event, MemberChanged)}
    assert set(members) == {"desk", "friend", "janus-3"}
    assert (members["friend"].connecting, members["friend"].muted) == (True, True)
    assert (members["janus-3"].name, members["janus-3"].connecting) == ("Bob", False)
    told = room(room.roomful.changed([one(2, FRIEND, muted=False)]))
    assert [(event.member.id, event.member.muted) for event in told if isinstance(event, MemberChanged)] == [
        ("friend", False)
    ]
    assert room(room.roomful.changed([one(2, FRIEND, muted=False)])) == []
    assert room(room.roomful.left(2)) == [MemberLeft("friend")]
    assert room(room.roomful.left(2)) == []
    assert set(room(room.roomful.empty())) == {MemberLeft("desk"), MemberLeft("janus-3")}


def test_a_session_that_was_cut_off_does_not_take_its_successor_along() -> None:
    room = Room()
    room.joined(one(2, FRIEND))
    assert room(room.roomful.changed([one(9, FRIEND)])) == []
    assert room(room.roomful.left(2)) == []
    assert room(room.roomful.left(9)) == [MemberLeft("friend")]


def test_who_takes_another_name_is_somebody_else() -> None:
    room = Room()
    room.joined(one(3, "Bob"))
    told = room(room.roomful.changed([one(3, FRIEND)]))
    assert isinstance(told[0], MemberLeft)
    assert [event.member.id for event in told if isinstance(event, MemberChanged)] == ["friend"]


def test_another_session_of_ours_replaces_us_only_if_it_came_later() -> None:
    room = Room()
    room.joined(one(2, OWN))
    room(room.roomful.changed([one(2, OWN, muted=True)]))
    assert not room.roomful.replaced
    room(room.roomful.listed([one(1, OWN), one(2, OWN)]))
    assert not room.roomful.replaced
    room(room.roomful.changed([one(3, proving(1, 3))]))
    assert room.roomful.replaced


def proving(older: int, newer: int, twins: Twins = TWINS) -> Shown:
    return replace(OWN, proofs=(twins.proof(9, newer), twins.proof(older, newer)))


def test_who_only_calls_themselves_like_us_does_not_replace_us() -> None:
    """By the PIN alone: what was shown before, to somebody else or by somebody else, proves nothing."""
    room = Room()
    room.joined()
    others = Twins(1, "desk", b"of somebody"), Twins(2, "desk", b"of the desk"), Twins(1, "door", b"of the desk")
    for wrong in (OWN, proving(2, 3), proving(1, 4), *(proving(1, 3, twins) for twins in others)):
        room(room.roomful.changed([one(3, wrong)]))
        assert not room.roomful.replaced
        assert room.roomful.strangers == {3}
    room(room.roomful.left(3))
    assert room.roomful.strangers == set()
    room(room.roomful.changed([one(5, OWN)]))
    room(room.roomful.changed([one(5, proving(1, 5))]))
    assert room.roomful.replaced, "it proves it a moment after it came"


@pytest.mark.virtual_time
async def test_whoever_takes_our_name_is_told_of_whether_they_came_before_us_or_after() -> None:
    """Of two devices with one identity both say so. A session of our own that was cut off is listed for a minute at most."""
    told: list[str] = []
    presence = Presence(OWN, lambda _: None, told.append, TWINS)
    room = presence.roomful
    metering = asyncio.create_task(presence.meter(lambda: SILENCE))
    try:
        list(room.joined(1, [one(8, OWN)]))
        await asyncio.sleep(70)
        assert told == []
        await asyncio.sleep(25)
        assert presence.but.startswith("Somebody else in the room calls themselves like this device")
        list(room.left(8))
        await asyncio.sleep(1)
        list(room.changed([one(9, OWN)]))
        await asyncio.sleep(10)
        assert [bool(but) for but in told] == [True, False, True]
        list(room.joined(2, [one(9, OWN)]))
        await asyncio.sleep(100)
        assert len(told) == 3, "coming back does not change who they are"
        list(room.left(9))
        await asyncio.sleep(1)
        assert told[3:] == [""]
    finally:
        metering.cancel()
        await asyncio.gather(metering, return_exceptions=True)


def test_who_comes_later_proves_it_to_those_of_its_name_as_long_as_they_are_there() -> None:
    room = Room()
    room.joined(one(8, OWN), one(9, OWN), one(4, FRIEND))
    assert room.roomful.proofs == (TWINS.proof(8, 1), TWINS.proof(9, 1))
    room(room.roomful.left(8))
    assert room.roomful.proofs == (TWINS.proof(9, 1),)
    room(room.roomful.listed([one(1, OWN), one(4, FRIEND)]))
    assert room.roomful.proofs == ()
    assert len(TWINS.proofs(1, range(2, 20))) == MOST_PROOFS
    room.own.show(proofs=TWINS.proofs(1, range(2, 20)), hand=True)
    told = room.own.who.display()
    assert shown(one(1, told)) == replace(room.own.who, proofs=room.own.who.proofs)
    assert (shown(one(1, told)).hand, len(shown(one(1, told)).proofs)) == (True, MOST_PROOFS)


@pytest.mark.virtual_time
async def test_of_more_than_one_name_can_address_each_is_shown_the_proof_in_turn() -> None:
    """Janus lists them in no order: the one that is alive may stand anywhere."""
    presence = Presence(OWN, lambda _: None, lambda _: None, TWINS)
    list(presence.roomful.joined(1, [one(ident, OWN) for ident in range(2, 12)]))
    expected = {TWINS.proof(ident, 1) for ident in range(2, 12)}
    shown_to: set[str] = set()
    metering = asyncio.create_task(presence.meter(lambda: SILENCE))
    try:
        for _ in range(20):
            await asyncio.sleep(1)
            assert len(presence.own.who.proofs) <= MOST_PROOFS
            shown_to.update(presence.own.who.proofs)
        assert shown_to == expected
        for ident in range(4, 12):
            list(presence.roomful.left(ident))
        await asyncio.sleep(5)
        settled = set(presence.own.who.proofs)
        assert settled == {TWINS.proof(2, 1), TWINS.proof(3, 1)}
    finally:
        metering.cancel()
        await asyncio.gather(metering, return_exceptions=True)


def test_a_time_in_which_nobody_told_is_made_up_for() -> None:
    room = Room()
    room.joined(one(2, FRIEND), one(3, "Bob"))
    told = room(room.roomful.listed([one(1, OWN), one(3, "Bob", muted=True), one(4, "Eve")]))
    assert MemberLeft("friend") in told
    told = room(room.roomful.listed([one(1, OWN), one(3, "Bob", muted=True), one(4, "Eve")]))
    assert {event.member.id for event in told if isinstance(event, MemberChanged)} == {"desk", "janus-3", "janus-4"}, (
        "whoever was told that we are not in the room has forgotten who is in it"
    )
    assert room.roomful.own_id == 1
    room(room.roomful.listed([one(3, "Bob")]))
    assert room.roomful.own_id == 0, "we are not among them"


def test_a_server_that_makes_up_members_fills_neither_our_memory_nor_our_time() -> None:
    room = Room()
    room.joined()
    began = time.process_time()
    for ident in range(2, MOST_MEMBERS + 500):
        room(room.roomful.changed([one(ident, f"n{ident}")]))
    room(room.roomful.listed([one(1, OWN), *(one(ident, f"m{ident}") for ident in range(2, MOST_MEMBERS))]))
    for ident in range(2, MOST_MEMBERS + 500):
        room(room.roomful.left(ident))
    assert time.process_time() - began < 3
    assert room.roomful._sessions == room.roomful._there == {}
    room.told = [event for event in room.told if not (isinstance(event, MemberChanged) and event.member.name[0] == "m")]
    assert len([event for event in room.told if isinstance(event, MemberChanged)]) <= MOST_MEMBERS + 2


def test_a_knock_is_told_once_and_a_hand_as_long_as_it_is_up() -> None:
    room = Room()
    room.joined(one(2, FRIEND), one(3, Shown("late", "Late", "person", knocks=True)))
    knocking = Shown("friend", "Friend", "person", hand=True, knocks=True)
    for _ in range(2):
        room(room.roomful.changed([one(2, knocking)]))
    room(room.roomful.changed([one(2, Shown("friend", "Friend", "person", hand=True))]))
    assert [event for event in room.told if isinstance(event, Knocked)] == [Knocked("Friend")]
    hands = [
        event.member.hand for event in room.told if isinstance(event, MemberChanged) and event.member.id == "friend"
    ]
    assert hands == [False, True]


def test_that_somebody_records_is_told_as_long_as_one_does() -> None:
    room = Room()
    recording = Shown("friend", "Friend", "person", records=True)
    assert Recording(True) in room.joined(one(2, recording), one(3, recording))
    room(room.roomful.left(3))
    room(room.roomful.listed([one(1, OWN), one(2, recording)]))
    room(room.own.report(gate_open=False, records=True))
    assert room.own.next() == {"display": "Desk [kontor site desk recording]"}
    room(room.roomful.own_changed(records=True))
    room(room.roomful.changed([one(2, FRIEND)]))
    assert [event for event in room.told if isinstance(event, Recording)] == [Recording(True)]
    assert Recording(False) in room(room.roomful.own_changed(records=False))
    room(room.roomful.changed([one(2, recording)]))
    assert Recording(False) in room(room.roomful.empty())


# ---- who talks


def test_who_talks_is_told_with_the_level_of_the_whole_and_kept_for_a_moment() -> None:
    room = Room()
    room.joined(one(2, FRIEND), one(3, "Bob"))
    assert room(room.roomful.heard(-20.0, 0.0)) == []
    room.roomful.talks(2, 0.1, on=True)
    assert room(room.roomful.heard(-20.0, 0.1)) == [Levels({"friend": -20.0}, frozenset({"friend"}))]
    assert room(room.roomful.heard(-20.3, 0.2)) == []
    room.roomful.talks(2, 0.3, on=False)
    assert room(room.roomful.heard(SILENCE, 1.7)) == [Levels({"friend": SILENCE}, frozenset({"friend"}))]
    assert room(room.roomful.heard(SILENCE, 1.9)) == [Levels({}, frozenset())]


@pytest.mark.parametrize("end", ["muted", "left", "silence"])
def test_of_who_is_muted_or_gone_nobody_says_that_it_has_stopped(end: str) -> None:
    room = Room()
    room.joined(one(2, FRIEND))
    room.roomful.talks(2, 0.0, on=True)
    room(room.roomful.heard(-20.0, 0.0))
    match end:
        case "muted":
            room(room.roomful.changed([one(2, FRIEND, muted=True)]))
        case "left":
            room(room.roomful.left(2))
        case "silence":
            assert room(room.roomful.silence()) == [Levels({"friend": SILENCE}, frozenset())]
    told = room(room.roomful.heard(-20.0, 0.1))
    assert all(isinstance(event, Levels) and not event.speaking for event in told)
    assert [event for event in room.told if isinstance(event, Levels)][-1].speaking == frozenset()


def test_who_talks_when_we_come_is_known_and_nobody_unknown_talks() -> None:
    room = Room()
    room.joined(one(2, FRIEND, talking=True))
    room.roomful.talks(77, 0.0, on=True)
    assert room(room.roomful.heard(-30.0, 0.0)) == [Levels({"friend": -30.0}, frozenset({"friend"}))]


def test_we_ourselves_talk_without_a_level_and_not_behind_a_closed_gate() -> None:
    room = Room()
    room.joined()
    room(room.own.report(gate_open=True))
    room.roomful.talks(1, 0.0, on=True)
    assert room(room.roomful.heard(-20.0, 0.0)) == [Levels({}, frozenset({"desk"}))]
    room(room.own.report(gate_open=False))
    assert room(room.roomful.heard(-20.0, 0.1)) == [Levels({}, frozenset())]


# ---- what we tell of ourselves


def test_we_join_muted_and_tell_the_gate_then() -> None:
    room = Room()
    room(room.own.report(gate_open=True))
    joining = room.own.joining()
    assert joining["muted"] is True
    assert joining["display"] == "Desk [kontor site desk]"
    told = room.own.next()
    assert told is not None
    assert told["muted"] is False
    assert told["prebuffer"] > joining["prebuffer"], "a buffer that grows is filled anew"
    assert room.own.next() is None
    room(room.own.report(gate_open=False))
    assert room.own.next() == {"muted": True, "prebuffer": joining["prebuffer"]}


def test_hand_and_knock_change_what_we_are_shown_as() -> None:
    room = Room()
    room.joined()
    room.own.show(hand=True)
    assert room.own.next() == {"display": "Desk [kontor site desk hand]"}
    room.own.show(knocks=True)
    room.own.show(hand=False)
    assert room.own.next() == {"display": "Desk [kontor site desk knock]"}
    assert room.changes >= 3


def test_an_admins_mute_is_obeyed_until_a_hand_acts() -> None:
    room = Room()
    room.joined()
    room(room.own.report(gate_open=True))
    room.own.next()
    assert room(room.own.set_by_admin(muted=True)) == [MutedByAdmin("")]
    assert room.own.next() == {"display": "Desk [kontor site desk admin]"}
    assert room.own.member().admin_muted
    room(room.own.report(gate_open=True))  # of before the mute arrived
    assert room.own.next() is None
    room(room.own.report(gate_open=False))
    assert room.own.next() is None
    room(room.own.report(gate_open=True))
    told = room.own.next()
    assert told is not None
    assert (told["muted"], told["display"]) == (False, "Desk [kontor site desk]")


def test_a_mute_that_is_lifted_leaves_us_muted_while_the_gate_is_closed() -> None:
    room = Room()
    room.joined()
    room(room.own.report(gate_open=True))
    room.own.next()
    room(room.own.set_by_admin(muted=True))
    room(room.own.report(gate_open=False))
    room.own.next()
    assert room(room.own.set_by_admin(muted=False)) == [AdminMuteLifted()]
    told = room.own.next()
    assert told is not None
    assert told["muted"] is True
    assert room(room.own.set_by_admin(muted=False)) == [], "nobody had muted us"
    assert room.own.muted


def test_while_everybody_is_muted_opening_the_gate_is_told_to_be_of_no_use() -> None:
    room = Room()
    room.joined()
    room(room.own.report(gate_open=True))
    assert room(room.own.room_muted(on=True)) == [MutedByAdmin("")]
    room(room.own.report(gate_open=False))
    assert room(room.own.report(gate_open=True)) == [MutedByAdmin("")]
    room(room.own.report(gate_open=False))
    assert room(room.own.room_muted(on=False)) == [AdminMuteLifted()]
    assert room(room.own.report(gate_open=True)) == []
    assert not room.own.muted


def test_after_a_cut_an_admins_mute_is_found_and_what_did_not_arrive_is_told_again() -> None:
    room = Room()
    room.joined()
    room(room.own.report(gate_open=True))
    room.own.next()
    room.own.unanswered()
    assert room(room.own.listed(muted=True)) == [], "it had not arrived"
    told = room.own.next()
    assert told is not None
    assert told["muted"] is False
    assert room(room.own.listed(muted=False)) == []
    assert room(room.own.listed(muted=True)) == [MutedByAdmin("")]
