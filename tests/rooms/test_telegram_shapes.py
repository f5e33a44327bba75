"""What Telegram tells of a voice chat, as members: versions, holes, names and signs of numbers."""

from typing import Any

import pytest
from telethon.tl import types as t

from appliance.rooms.contract import AdminMuteLifted, MemberChanged, MemberLeft, MutedByAdmin
from appliance.rooms.telegram_seen import Wanted
from appliance.rooms.telegram_shapes import MOST_MEMBERS, People, signed, unsigned
from tests.telegram.wire import made, now

ME = 7


def people() -> People:
    found = People("kontor", "Meeting room")
    found.begin(ME)
    return found


def one(user: int, source: int = 0, **more: Any) -> t.GroupCallParticipant:
    given = {"versioned": True, "muted": True, "can_self_unmute": True, **more}
    return t.GroupCallParticipant(t.PeerUser(user), now(), source or user, **given)


def user(number: int, **more: Any) -> t.User:
    return made(t.User, id=number, access_hash=1, **more)


@pytest.mark.parametrize("source", [0, 1, 2**31 - 1, 2**31, 2**32 - 1])
def test_a_source_is_signed_in_tl_and_unsigned_in_packets(source: int) -> None:
    assert -(2**31) <= signed(source) < 2**31
    assert unsigned(signed(source)) == source
    assert signed(signed(source)) == signed(source)


def test_names_and_ids_are_those_that_people_know_and_nobody_takes_the_devices_own() -> None:
    found = people()
    found.learn([user(1, first_name="Ann", last_name="Lee", username="AnnLee"), user(2, first_name="Bob\u202e\n")])
    found.learn([user(3, first_name="Rogue", username="Kontor"), made(t.Channel, id=4, title="News", photo=None)])
    channel = t.GroupCallParticipant(t.PeerChannel(4), now(), 44, versioned=True)
    found.whole([one(1), one(2), one(3), one(5), channel, one(ME)], 1)
    members = {event.member.id: event.member for event in found.changes() if isinstance(event, MemberChanged)}
    assert {who: member.name for who, member in members.items()} == {
        "annlee": "Ann Lee",
        "telegram-2": "Bob",
        "telegram-3": "Rogue",
        "telegram-5": "Member 5",
        "telegram-4": "News",
        "kontor": "Meeting room",
    }
    assert [member.kind for who, member in members.items() if who == "kontor"] == ["site"]


def test_an_update_counts_once_and_in_its_order_and_a_hole_is_noticed() -> None:
    found = people()
    found.whole([one(1)], 10)
    list(found.changes())
    found.update([one(1, muted=False)], 11)
    found.update([one(1, muted=True)], 11)  # once more, as an answer and an update bring the same
    found.update([one(1, muted=True)], 9)
    [told] = found.changes()
    assert isinstance(told, MemberChanged)
    assert not told.member.muted
    assert not found.stale
    found.update([one(1, raise_hand_rating=5)], 14)
    assert found.stale
    found.whole([one(2)], 15)
    assert not found.stale
    assert [type(event) for event in found.changes()] == [MemberLeft, MemberChanged]


def test_who_left_is_told_first_and_is_not_found_by_its_source_any_more() -> None:
    found = people()
    found.whole([one(1, 11), one(2, 22)], 1)
    list(found.changes())
    assert found.whose(11) == "telegram-1"
    found.update([one(2, 33), one(1, 11, left=True)], 2)
    assert found.whose(11) is None
    assert (found.whose(22), found.whose(33)) == (None, "telegram-2")
    found.update([one(2, 22, left=True)], 3)  # of the place that it had before
    assert found.whose(33) == "telegram-2"
    assert next(found.changes()) == MemberLeft("telegram-1")


def test_this_device_is_never_heard_by_itself() -> None:
    found = people()
    found.whole([one(ME, 70)], 1)
    assert found.whose(70) is None


def test_what_an_admin_did_is_told_once() -> None:
    found = people()
    found.whole([one(ME)], 1)
    assert not [event for event in found.changes() if isinstance(event, MutedByAdmin)]
    found.update([one(ME, can_self_unmute=False)], 2)
    assert MutedByAdmin("") in list(found.changes())
    found.update([one(ME, can_self_unmute=False, raise_hand_rating=3)], 3)
    assert not [event for event in found.changes() if isinstance(event, MutedByAdmin)]
    found.update([one(ME)], 4)
    assert AdminMuteLifted() in list(found.changes())


def test_an_account_that_is_an_admin_is_muted_by_others_too_and_does_not_undo_that_itself() -> None:
    found, wanted = people(), Wanted(muted=False)
    found.asked_muted = False
    found.whole([one(ME, muted=False)], 1)
    list(found.changes())
    found.update([one(ME)], 2)
    assert MutedByAdmin("") in list(found.changes())
    assert wanted.differs(found, 0.0) == {}, "nothing is undone while the gate has not yet closed"
    found.silenced = False  # it has, and a hand opened it
    assert wanted.differs(found, 0.0) == {"muted": False}


def test_what_this_device_asked_for_itself_is_no_act_of_an_admin() -> None:
    found = people()
    found.asked_muted = False
    found.whole([one(ME, muted=False)], 7)
    found.asked_muted = True
    found.update([one(ME)], 8)
    found.asked_muted = False
    found.update([one(ME, muted=False)], 9)
    found.whole([one(ME)], 8)  # a list that was asked for before
    found.whole([one(ME)], 9)
    assert not [event for event in found.changes() if isinstance(event, MutedByAdmin)]
    assert not found.silenced


def test_what_an_admin_did_during_an_absence_is_told_afterwards() -> None:
    found = people()
    found.asked_muted = False
    found.whole([one(ME, muted=False)], 1)
    list(found.changes())
    list(found.untell())
    found.begin(ME)
    found.whole([one(ME, can_self_unmute=False)], 5)
    assert MutedByAdmin("") in list(found.changes())
    list(found.untell())
    found.begin(ME)
    found.whole([one(ME)], 9)
    assert AdminMuteLifted() in list(found.changes())


def test_before_the_list_of_a_stay_nobody_knows_that_this_device_is_not_in_it() -> None:
    found = people()
    found.whole([one(ME), one(1)], 1)
    assert found.own.source == ME
    assert found.listed
    found.begin(ME)
    found.update([one(1, muted=False)], 2)
    assert found.own.source is None
    assert not found.listed


def test_members_are_bounded_and_told_in_portions() -> None:
    found = people()
    found.whole([one(n) for n in range(10, MOST_MEMBERS + 500)], 1)
    portions = []
    while told := list(found.changes()):
        portions.append(len(told))
    assert sum(portions) == MOST_MEMBERS
    assert max(portions) <= 200
    found.update([one(n) for n in range(20_000, 21_000)], 2)
    assert not list(found.changes())
