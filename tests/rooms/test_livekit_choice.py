"""Who of a large room is listened to."""

import random

from appliance.rooms.livekit_choice import KEPT, UNUSED, Choice

ON = dict.fromkeys("abcdefgh", True)


def test_where_there_are_places_everybody_with_an_open_microphone_has_one() -> None:
    choice = Choice(3)
    assert choice.choose({"a": True, "b": False, "c": True}, (), 0) == {"a", "c"}
    assert choice.choose({"a": True, "b": True, "c": True}, (), 0) == {"a", "b", "c"}


def test_never_more_than_three_and_whoever_came_first_stays_while_nobody_else_speaks() -> None:
    choice = Choice(3)
    assert choice.choose(ON, (), 0) == {"a", "b", "c"}
    assert choice.choose(ON, (), 500) == {"a", "b", "c"}


def test_who_speaks_takes_the_place_of_who_was_silent_longest() -> None:
    choice = Choice(3)
    choice.choose(ON, (), 0)
    choice.choose(ON, ("a", "c"), 10)
    assert choice.choose(ON, ("a", "h"), 11) == {"a", "c", "h"}, "b has not spoken at all"
    assert choice.choose(ON, ("a", "h", "g"), 10 + KEPT) == {"a", "h", "g"}


def test_a_pause_between_two_sentences_loses_no_place() -> None:
    choice = Choice(3)
    choice.choose(ON, ("a", "b", "c"), 0)
    assert choice.choose(ON, ("h",), KEPT - 0.1) == {"a", "b", "c"}
    assert "h" in choice.choose(ON, ("h",), KEPT)


def test_a_microphone_that_is_switched_off_keeps_its_place_for_a_while_unless_it_is_needed() -> None:
    choice = Choice(3)
    choice.choose({"a": True, "b": True}, (), 0)
    assert choice.choose({"a": True, "b": False}, (), 1) == {"a", "b"}
    assert choice.choose({"a": True, "b": False}, (), UNUSED + 1) == {"a"}
    choice = Choice(3)
    choice.choose({"a": True, "b": True, "c": True, "d": True}, (), 0)
    assert choice.choose({"a": True, "b": False, "c": True, "d": True}, (), 0.1) == {"a", "c", "d"}


def test_who_left_gives_its_place_up_at_once() -> None:
    choice = Choice(3)
    choice.choose(ON, (), 0)
    assert choice.choose(dict.fromkeys("bcdefgh", True), (), 0) == {"b", "c", "d"}


def test_the_server_may_say_that_somebody_speaks_whose_microphone_is_off_or_who_is_not_there() -> None:
    choice = Choice(3)
    assert choice.choose({"a": False}, ("a", "nobody"), 0) == set()


def test_whatever_happens_there_are_three_at_most_and_all_of_them_are_there() -> None:
    chance, choice = random.Random(4), Choice(3)
    changes, before = 0, frozenset[str]()
    for turn in range(3000):
        there = {who: chance.random() < 0.8 for who in "abcdefgh" if chance.random() < 0.98}
        speaking = chance.sample("abcdefgh", chance.randint(0, 4))
        chosen = choice.choose(there, speaking, turn * 0.1)
        assert len(chosen) <= 3
        assert chosen <= there.keys()
        changes += len(chosen - before)
        before = chosen
    assert changes < 3000, "three places, and nobody takes one ten times a second"
