"""Members, signs, hands and knocks."""

import itertools
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.roster import (
    FIGURES,
    HUES,
    KNOCK_SECONDS,
    MOST_KNOCKERS,
    PLACES,
    Kind,
    Member,
    Roster,
    Sign,
    initials,
    new_member,
    sign_of,
)


def member(identity: str = "ada", name: str = "Ada Lovelace", kind: Kind = "person", **fields: Any) -> Member:
    return replace(new_member(identity, name, kind, "speaker"), connecting=False, **fields)


def test_the_figures_are_all_binary_words_of_up_to_four_digits_that_begin_and_end_in_one() -> None:
    words = [
        word
        for length in range(1, 5)
        for word in itertools.product((0, 1), repeat=length)
        if word[0] == 1 and word[-1] == 1
    ]
    assert sorted(words) == sorted(FIGURES)
    assert len(HUES) == len(FIGURES) == 8
    # The order is the one of the design: hue and figure belong together.
    assert ["".join(map(str, f)) for f in FIGURES] == ["1", "11", "101", "111", "1001", "1101", "1011", "1111"]
    assert HUES[0] == "blue"
    assert HUES[7] == "orchid"


@given(st.text())
def test_every_identity_has_one_sign_for_ever(identity: str) -> None:
    sign = sign_of(identity)
    assert sign == sign_of(identity)
    assert 0 <= sign.hue < 8
    assert 0 <= sign.place < 12


def test_signs_stay_what_they_were_and_are_spread_over_all_96() -> None:
    assert sign_of("meeting-room") == Sign(hue=6, place=6)
    seen = {sign_of(f"member-{i}") for i in range(1500)}
    assert len(seen) == 8 * PLACES


@pytest.mark.parametrize(("hue", "place"), [(-1, 0), (8, 0), (0, -1), (0, 12)])
def test_a_sign_that_is_none_is_refused(hue: int, place: int) -> None:
    with pytest.raises(ValueError, match=f"hue {hue} and place {place}"):
        Sign(hue, place)


def test_a_figure_is_lit_clockwise_from_its_place_and_wraps() -> None:
    assert Sign(5, 10).lit() == (10, 11, 1)
    assert Sign(0, 11).lit(8) == (3,)
    assert Sign(7, 6).lit(4) == (2, 3, 0, 1)
    assert Sign(7, 6).lit(3) == ()
    assert Sign(0, 6).lit(3) == ()


@given(st.integers(0, 7), st.integers(0, 11), st.integers(4, 64))
def test_a_figure_lights_as_many_leds_as_it_has_ones(hue: int, place: int, leds: int) -> None:
    lit = Sign(hue, place).lit(leds)
    assert len(set(lit)) == sum(FIGURES[hue])
    assert all(0 <= led < leds for led in lit)


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Meeting room", "MR"),
        ("Ada", "AD"),
        ("J", "J"),
        ("O'Neill", "ON"),
        ("anna maria von hohenstein", "AH"),
        ("  ", "?"),
        ("", "?"),
        ("(Karl) - Lopez", "KL"),
        ("ßeta", "ßE"),
        ("7th floor", "7F"),
        ("🎉", "?"),
        ("Élodie Østby", "ÉØ"),
    ],
)
def test_initials(name: str, letters: str) -> None:
    assert initials(name) == letters


@given(st.text(max_size=64))
def test_initials_are_one_or_two_letters(name: str) -> None:
    assert 1 <= len(initials(name)) <= 2


FLAGS = ("connecting", "admin_muted", "hand", "on_hold", "muted")


@given(st.tuples(*[st.booleans()] * len(FLAGS)))
def test_the_state_is_the_first_that_holds(values: tuple[bool, ...]) -> None:
    flags: dict[str, Any] = dict(zip(FLAGS, values, strict=True))
    expected = next((name for name in FLAGS if flags[name]), "listening")
    assert replace(member(), **flags).state == expected


def test_a_new_member_is_connecting_and_muted() -> None:
    new = new_member("ada", "Ada", "person", "listener")
    assert (new.state, new.muted, new.joined) == ("connecting", True, True)
    assert new.sign == sign_of("ada")
    assert new_member("ada", "Ada", "person", "listener", Sign(1, 2)).sign == Sign(1, 2)


def test_the_wire_form_is_json_and_whole() -> None:
    site = {"gate": "open", "reasons": []}
    wire = member("room", "Meeting room", "site", sign=Sign(2, 9), site=site, muted=False).as_dict()
    assert json.loads(json.dumps(wire)) == {
        "id": "room",
        "name": "Meeting room",
        "initials": "MR",
        "kind": "site",
        "role": "speaker",
        "state": "listening",
        "joined": True,
        "muted": False,
        "admin_muted": False,
        "hand": False,
        "sign": {"hue": 2, "place": 9},
        "site": site,
    }
    assert wire["site"] is not site
    assert member().as_dict()["site"] is None


def test_members_are_ordered_sites_first_then_by_name_then_by_identity() -> None:
    roster = Roster()
    for m in (
        member("c", "zoe"),
        member("b", "Ada"),
        member("r", "Workshop", "site"),
        member("a", "ada"),
        member("d", "Bo"),
    ):
        roster.join(m)
    assert [m.id for m in roster.members] == ["r", "a", "b", "d", "c"]
    assert roster.count == 5


def test_a_newer_session_takes_the_place_of_the_old_one() -> None:
    roster = Roster()
    roster.join(member(muted=False))
    roster.join(member(muted=True))
    assert roster.count == 1
    assert roster.members[0].muted


def test_leaving() -> None:
    roster = Roster()
    roster.join(member())
    assert roster.leave("ada") == member()
    assert roster.leave("ada") is None
    assert roster.get("ada") is None
    assert roster.members == ()


def test_changing_makes_a_new_member_and_leaves_the_old_value_alone() -> None:
    roster = Roster()
    old = member()
    roster.join(old)
    new = roster.change("ada", hand=True, muted=False)
    assert (new.hand, new.muted, new.state) == (True, False, "hand")
    assert not old.hand
    assert roster.get("ada") is new
    assert roster.hands == 1


def test_changing_what_is_not_there_is_an_error() -> None:
    roster = Roster()
    roster.join(member())
    with pytest.raises(KeyError):
        roster.change("bob", hand=True)
    with pytest.raises(TypeError):
        roster.change("ada", nose=True)
    with pytest.raises(TypeError, match=re.escape("The identity of a member does not change.")):
        roster.change("ada", id="bob")
    assert roster.members == (member(),)


def test_a_knock_passes_once_in_ten_seconds_for_each_identity() -> None:
    assert KNOCK_SECONDS == 10
    roster = Roster()
    assert roster.knock("ada", 100.0)
    assert not roster.knock("ada", 100.0 + KNOCK_SECONDS - 0.01)
    assert roster.knock("bob", 101.0)
    roster.leave("ada")
    assert not roster.knock("ada", 105.0)
    assert roster.knock("ada", 100.0 + KNOCK_SECONDS)


def test_a_refused_knock_does_not_extend_the_wait() -> None:
    roster = Roster()
    assert [roster.knock("ada", now / 2) for now in range(60)].count(True) == 3


def test_the_memory_of_knocks_is_bounded() -> None:
    roster = Roster()
    passed = sum(roster.knock(f"guest-{i}", 1.0) for i in range(MOST_KNOCKERS + 50))
    assert passed == MOST_KNOCKERS
    assert roster.knock("late", 1.0 + KNOCK_SECONDS)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100)), max_size=60))
def test_knocks_of_one_identity_are_never_closer_than_ten_seconds(events: list[tuple[str, float]]) -> None:
    roster = Roster()
    passed: dict[str, list[float]] = {}
    for who, now in sorted(events, key=lambda event: event[1]):
        if roster.knock(who, now):
            passed.setdefault(who, []).append(now)
    for times in passed.values():
        assert all(b - a >= KNOCK_SECONDS for a, b in itertools.pairwise(times))
