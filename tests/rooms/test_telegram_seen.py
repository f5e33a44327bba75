"""What this device asks Telegram for to be seen as it is, when it is refused, and when it gives up."""

from typing import Any

import pytest
from telethon.tl import types as t

from appliance.core.reconnect import Fault
from appliance.rooms.signalling import Lost
from appliance.rooms.telegram_account import WaitAsked
from appliance.rooms.telegram_seen import LISTENS, MIXED, Wanted
from appliance.rooms.telegram_shapes import People
from tests.telegram.wire import now

ME = 7


def people(**own: Any) -> People:
    found = People("kontor", "Meeting room")
    found.begin(ME)
    found.whole(
        [t.GroupCallParticipant(t.PeerUser(ME), now(), 1, **{"muted": True, "can_self_unmute": True, **own})], 1
    )
    return found


def opened() -> Wanted:
    wanted = Wanted()
    wanted.gate(opened=True)
    return wanted


def test_what_is_refused_is_asked_for_after_ever_longer_waits_and_told_after_the_third_time() -> None:
    found, wanted, at, waits = people(), opened(), 0.0, []
    for count in range(8):
        assert wanted.differs(found, at) == {"muted": False}
        assert bool(wanted.of_being_there(mixed=False)) is (count >= 3)
        wanted.refused({"muted"}, Lost(Fault("server"), "No."), at)
        before = at
        while not wanted.differs(found, at):
            at += 1.0
        waits.append(at - before)
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300]
    wanted.taken({"muted"})
    assert wanted.of_being_there(mixed=False) == ""


def test_a_hand_is_raised_though_unmuting_is_refused() -> None:
    found, wanted = people(), opened()
    wanted.refused({"muted"}, Lost(Fault("server"), "No."), 0.0)
    wanted.hand = True
    assert wanted.differs(found, 1.0) == {"raise_hand": True}


def test_a_wait_that_telegram_asks_for_is_kept_whatever_the_gate_does() -> None:
    found, wanted = people(), opened()
    wanted.refused({"muted"}, WaitAsked(Fault("server", 30.0), "Wait."), 0.0)
    wanted.gate(opened=False)
    wanted.gate(opened=True)
    wanted.hand = True
    assert wanted.differs(found, 29.0) == {}
    assert wanted.differs(found, 30.0) == {"muted": False}


def test_a_voice_chat_that_comes_mixed_is_joined_twice_for_one_opening_and_no_more() -> None:
    found, wanted = people(), Wanted()
    assert not wanted.joins_anew(found, 0.0)
    assert wanted.of_being_there(mixed=True) == MIXED
    for _ in range(2):
        wanted.gate(opened=True)
        wanted.gate(opened=True)  # told more than once
        assert [second for second in range(3600) if wanted.joins_anew(found, float(second))] == [0, 15]
        assert wanted.of_being_there(mixed=True) == LISTENS
        assert wanted.differs(found, 3600.0, mixed=True) == {}, "it is not shown as somebody who speaks"
        wanted.gate(opened=False)
        assert wanted.of_being_there(mixed=True) == MIXED


@pytest.mark.parametrize("own", [{"can_self_unmute": False}, {"left": True}])
def test_whom_an_admin_muted_or_who_is_not_there_does_not_join_to_speak(own: dict[str, bool]) -> None:
    assert not opened().joins_anew(people(**own), 0.0)
