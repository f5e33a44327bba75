"""Who is in a LiveKit room, by what its participants carry."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.controls import Door
from appliance.core.roster import Member
from appliance.rooms.contract import Knocked, MemberChanged, MemberLeft, Recording, RoomEvent, SiteReport
from appliance.rooms.livekit_members import ADMIN_MUTED, HAND, KNOCK, MOST_MEMBERS, RECORDS, SITE, Roomful, read_report
from appliance.rooms.livekit_own import Own
from appliance.rooms.livekit_tokens import KIND


@dataclass
class Microphone:
    muted: bool = False
    sid: str = "TR_1"
    kind: int = 1


@dataclass
class Rights:
    can_publish: bool = True


@dataclass
class Participant:
    """A participant as the library has it."""

    identity: str
    name: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    permissions: Rights = field(default_factory=Rights)
    track_publications: dict[str, Any] = field(default_factory=dict)


def told(events: Iterable[RoomEvent]) -> list[Member]:
    return [event.member for event in events if isinstance(event, MemberChanged)]


def only(events: Iterable[RoomEvent]) -> Member:
    (member,) = told(events)
    return member


def test_a_person_with_a_browser_and_a_device_are_told_apart() -> None:
    room = Roomful("me")
    ann = only(room.came(Participant("ann", "Ann")))
    assert (ann.name, ann.kind, ann.role, ann.muted, ann.site) == ("Ann", "person", "speaker", True, None)
    box = only(room.came(Participant("box", "", {KIND: "site"}, track_publications={"TR_1": Microphone()})))
    assert (box.name, box.kind, box.muted) == ("box", "site", False)


def test_what_did_not_change_is_not_told_again() -> None:
    room = Roomful("me")
    assert told(room.came(Participant("ann")))
    assert not told(room.came(Participant("ann")))
    assert told(room.came(Participant("ann", attributes={HAND: "1"})))[0].hand


def test_a_microphone_off_is_muted_and_a_camera_is_no_microphone() -> None:
    room = Roomful("me")
    camera = Microphone(kind=2)
    assert only(room.came(Participant("ann", track_publications={"c": camera}))).muted
    assert only(room.came(Participant("bob", track_publications={"c": camera, "m": Microphone(True)}))).muted
    assert not only(room.came(Participant("cyd", track_publications={"c": camera, "m": Microphone()}))).muted


def test_who_may_not_speak_listens_and_who_lost_the_right_was_muted_by_an_admin() -> None:
    room = Roomful("me")
    assert only(room.came(Participant("ann", permissions=Rights(False)))).role == "listener"
    room.came(Participant("bob"))
    list(room.came(Participant("bob")))
    bob = only(room.came(Participant("bob", permissions=Rights(False))))
    assert (bob.role, bob.admin_muted) == ("speaker", True)
    later = Roomful("you")
    assert only(later.came(Participant("bob", "", {ADMIN_MUTED: "1"}, Rights(False)))).admin_muted
    assert not only(later.came(Participant("bob", "", {ADMIN_MUTED: "1"}))).admin_muted, "it may speak again"


def test_our_own_name_is_ours_whatever_the_token_calls_us_and_nobody_else_can_have_it() -> None:
    room = Roomful("me")
    (member,) = told(room.welcome(Participant("token-name", "Me"), [], recorded=False))
    assert member.id == "me"
    assert not told(room.came(Participant("me", "Impostor")))
    assert not told(room.came(Participant("")))


def test_a_knock_is_told_once_and_not_again_to_who_comes_back_or_too_often() -> None:
    room = Roomful("me")
    ann = Participant("ann", "Ann", {KNOCK: "1"})
    list(room.came(ann))
    assert list(room.knocked(ann, 0)) == [Knocked("Ann")]
    assert not list(room.knocked(ann, 1))
    ann.attributes[KNOCK] = "2"
    assert not list(room.knocked(ann, 5)), "not twice in ten seconds"
    ann.attributes[KNOCK] = "3"
    assert list(room.knocked(ann, 11)) == [Knocked("Ann")]
    later = Roomful("you")
    list(later.welcome(Participant("you"), [ann], recorded=False))
    assert not list(later.knocked(ann, 0)), "that was before we came"


def test_the_room_is_recorded_while_the_server_or_any_device_says_so() -> None:
    room = Roomful("me")
    assert list(room.welcome(Participant("me"), [], recorded=True))[-1] == Recording(True)
    box = Participant("box", attributes={RECORDS: "1"})
    assert Recording(True) not in list(room.came(box))
    assert list(room.recording(on=False)) == []
    assert list(room.left("box")) == [MemberLeft("box"), Recording(False)]


def test_after_a_time_away_who_is_gone_has_left_and_everybody_else_is_told_anew() -> None:
    room, own = Roomful("me"), Participant("me")
    list(room.welcome(own, [Participant("ann"), Participant("bob")], recorded=False))
    events = list(room.welcome(own, [Participant("bob")], recorded=False))
    assert MemberLeft("ann") in events
    assert {member.id for member in told(events)} == {"me", "bob"}
    assert {event.id for event in room.empty() if isinstance(event, MemberLeft)} == {"me", "bob"}


def test_a_flood_of_members_does_not_fill_the_memory() -> None:
    room = Roomful("me")
    heard = sum(len(told(room.came(Participant(f"m{n}")))) for n in range(MOST_MEMBERS + 500))
    assert heard == MOST_MEMBERS


def test_names_are_harmless() -> None:
    name = only(Roomful("me").came(Participant("x", "Eve\x1b[2J\u202e" + "e" * 500))).name
    assert name.isprintable()
    assert len(name) <= 64


def report(**changed: Any) -> SiteReport:
    given: dict[str, Any] = {
        "gate_open": False,
        "reasons": ("button",),
        "door": Door.OPEN,
        "lamps": {"mic": "steady", "room": "steady", "speak": "off", "fault": "off"},
        "loudspeaker": -31.4,
    }
    return SiteReport(**{**given, **changed})


async def test_another_kontor_reads_what_a_site_reports_and_not_what_is_for_admins() -> None:
    own = Own("site")
    own.report(report(details={"version": "1.0"}, extra={"x": 1}))
    shown = await own.next()
    site = read_report(shown[SITE])
    assert site is not None
    assert (site["gate"], site["door"], site["loudspeaker"], site["extra"]) == ("closed", "open", -31, {"x": 1})
    assert "details" not in site
    assert "1.0" not in shown[SITE]


@given(
    st.text(max_size=300) | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps)
)
def test_a_report_of_any_form_is_read_or_left(text: str) -> None:
    assert read_report(text) is None or text.startswith("{")


def test_a_report_that_is_too_long_or_nested_is_left() -> None:
    assert read_report("[" * 4000) is None
    assert read_report('{"a":' * 800) is None
    assert read_report("{" + " " * 5000 + "}") is None
