"""Who is forwarded, with simulated talkers."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.slots import HANGOVER, Slots

FRAME = 0.02


def talk(slots: Slots, talker: str, level: float, start: float, seconds: float) -> list[int | None]:
    """Offer a packet of ``level`` every 20 ms."""
    return [slots.offer(talker, level, start + i * FRAME) for i in range(round(seconds / FRAME))]


@pytest.mark.parametrize(("level", "packets"), [(-20.0, 1), (-40.0, 1), (-45.0, 2)])
def test_a_first_syllable_is_not_cut_off(level: float, packets: int) -> None:
    slots = Slots()
    talk(slots, "ada", -127.0, 0.0, 3.0)
    answers = talk(slots, "ada", level, 3.0, 0.2)
    assert answers.index(0) == packets - 1
    assert slots.holders == ("ada", None, None)


def test_silence_gets_no_slot() -> None:
    slots = Slots()
    assert set(talk(slots, "ada", -127.0, 0.0, 5.0) + talk(slots, "bob", -62.0, 0.0, 5.0)) == {None}
    assert slots.holders == (None, None, None)


def test_a_slot_is_kept_through_pauses_and_lost_after_the_hangover() -> None:
    slots = Slots()
    talk(slots, "ada", -25.0, 0.0, 1.0)
    quiet = talk(slots, "ada", -127.0, 1.0, 4.0)
    lost = quiet.index(None) * FRAME
    # The smoothed level takes its time to fall; then the hangover runs.
    assert HANGOVER < lost < HANGOVER + 1.5
    assert set(quiet[quiet.index(None) :]) == {None}
    assert slots.holders == (None, None, None)


def test_a_pause_shorter_than_the_hangover_loses_nothing() -> None:
    slots = Slots()
    for start in range(0, 20, 2):
        assert None not in talk(slots, "ada", -25.0, start, 1.0)
        assert None not in talk(slots, "ada", -127.0, start + 1, 0.98)


def test_packets_that_stop_free_the_slot() -> None:
    slots = Slots()
    talk(slots, "ada", -25.0, 0.0, 1.0)
    assert slots.expire(1.5) == []
    assert slots.expire(2.1) == [0]
    assert slots.expire(2.2) == []


def test_three_talk_and_a_fourth_waits_for_a_free_slot() -> None:
    slots = Slots()
    for who in ("ada", "bob", "cleo"):
        talk(slots, who, -25.0, 0.0, 0.5)
    assert slots.holders == ("ada", "bob", "cleo")
    assert set(talk(slots, "dora", -25.0, 0.0, 0.5)) == {None}
    slots.release("bob")
    assert slots.offer("dora", -25.0, 0.6) == 1


def test_a_talker_takes_the_slot_of_a_much_quieter_one_only() -> None:
    slots = Slots()
    for who, level in (("ada", -20.0), ("bob", -40.0), ("cleo", -30.0)):
        talk(slots, who, level, 0.0, 0.5)
    assert set(talk(slots, "dora", -35.0, 0.0, 0.5)) == {None}  # 5 dB above the quietest
    assert talk(slots, "eve", -33.0, 0.0, 0.5)[-1] == 1  # 7 dB
    assert slots.holders == ("ada", "eve", "cleo")
    # Who lost the slot does not get it back by going on as before.
    assert set(talk(slots, "bob", -40.0, 0.5, 1.0)) == {None}


def test_a_returning_talker_gets_its_old_slot() -> None:
    slots = Slots()
    talk(slots, "ada", -25.0, 0.0, 0.1)
    talk(slots, "bob", -25.0, 0.1, 0.1)
    slots.expire(10.0)
    assert slots.holders == (None, None, None)
    assert slots.offer("bob", -20.0, 10.0) == 1
    assert slots.offer("ada", -20.0, 10.0) == 0


def test_whose_old_slot_is_taken_gets_the_one_that_was_quiet_longest() -> None:
    slots = Slots()
    for who, start in (("ada", 0.0), ("bob", 5.0), ("cleo", 10.0)):
        talk(slots, who, -25.0, start, 0.1)
        slots.expire(start + 3.0)
    assert slots.offer("dora", -20.0, 20.0) == 0
    assert slots.offer("ada", -20.0, 20.0) == 1
    assert slots.offer("cleo", -20.0, 20.0) == 2


def test_a_released_talker_that_comes_back_gets_its_old_slot() -> None:
    slots = Slots()
    talk(slots, "ada", -25.0, 0.0, 0.1)
    talk(slots, "bob", -25.0, 0.0, 0.1)
    slots.release("bob")
    slots.release("bob")
    slots.release("nobody")
    assert slots.holders == ("ada", None, None)
    assert slots.offer("bob", -20.0, 1.0) == 1


def test_a_holder_found_silent_by_its_own_packet_must_be_loud_to_begin_again() -> None:
    slots = Slots()
    talk(slots, "ada", -25.0, 0.0, 0.1)
    assert slots.offer("ada", -127.0, 9.0) is None
    assert slots.holders == (None, None, None)
    assert slots.offer("ada", -20.0, 9.02) == 0


def test_a_click_takes_no_slot_from_a_talker() -> None:
    slots = Slots()
    for second in range(5):
        for who in ("ada", "bob", "cleo"):
            assert None not in talk(slots, who, -40.0, float(second), 1.0)
        # Only the loud packets of somebody without a slot are looked at (the others need no deciphering).
        assert slots.offer("dora", -20.0, second + 0.99) is None
    assert talk(slots, "dora", -20.0, 5.0, 0.1)[-1] is not None


def test_clicks_do_not_add_up() -> None:
    slots = Slots()
    assert {slots.offer("ada", -50.0, float(second)) for second in range(20)} == {None}
    assert talk(slots, "ada", -50.0, 20.0, 0.2)[-1] == 0


def test_packets_of_60_ms_are_no_pauses() -> None:
    slots = Slots()
    assert {slots.offer("ada", -56.0, i * 0.06) for i in range(8, 60)} == {0, None}
    assert {slots.offer("ada", -56.0, i * 0.06) for i in range(60, 90)} == {0}


def test_levels_outside_the_scale_do_no_harm() -> None:
    slots = Slots()
    talk(slots, "loud", 1e9, 0.0, 0.5)
    talk(slots, "loud", -60.0, 0.5, 3.5)
    for who in ("ada", "bob"):
        talk(slots, who, -30.0, 3.5, 0.5)
    assert slots.holders == ("loud", "ada", "bob")
    assert slots.offer("loud", -1e9, 4.0) == 0
    # Nobody is louder than 0 dBov, however much it says so: its level falls like that of any other.
    assert talk(slots, "cleo", -30.0, 4.0, 0.1)[-1] == 0


def test_the_breath_of_a_talker_does_not_cost_its_slot() -> None:
    slots = Slots()
    for who in ("ada", "bob", "cleo"):
        talk(slots, who, -30.0, 0.0, 1.0)
    talk(slots, "cleo", -127.0, 1.0, 0.06)
    assert set(talk(slots, "dora", -30.0, 0.8, 0.26)) == {None}
    # But whoever is silent for longer makes room, before the hangover is over.
    talk(slots, "cleo", -127.0, 1.06, 0.4)
    for who in ("ada", "bob"):
        talk(slots, who, -30.0, 1.0, 0.5)
    assert talk(slots, "dora", -30.0, 1.4, 0.1)[-1] == 2


def test_packets_that_stop_for_a_moment_are_a_pause_like_any_other() -> None:
    slots = Slots()
    for who in ("ada", "bob", "cleo"):
        talk(slots, who, -30.0, 0.0, 1.0)
    assert slots.offer("cleo", -30.0, 1.15) == 2
    assert set(talk(slots, "dora", -30.0, 0.9, 0.25)) == {None}
    assert slots.offer("cleo", -66.0, 2.1) == 2
    assert talk(slots, "dora", -50.0, 1.2, 0.95)[-1] == 2


def test_a_stale_holder_makes_room_without_being_asked() -> None:
    slots = Slots()
    for who in ("ada", "bob", "cleo"):
        talk(slots, who, -20.0, 0.0, 0.5)
    assert talk(slots, "dora", -50.0, 5.0, 0.2)[-1] == 0
    assert slots.holders == ("dora", None, None)


def test_a_slot_never_used_has_been_quiet_longest() -> None:
    slots = Slots()
    talk(slots, "ada", -20.0, 0.0, 0.1)
    slots.release("ada")
    assert slots.offer("bob", -20.0, 50.0) == 1


def test_a_talker_without_a_slot_can_be_released() -> None:
    slots = Slots()
    talk(slots, "ada", -20.0, 0.0, 0.1)
    slots.offer("bob", -70.0, 0.1)
    slots.release("bob")
    assert slots.holders == ("ada", None, None)


@given(st.integers(0, 2**32))
def test_four_talkers_of_about_the_same_level_do_not_take_slots_from_each_other(seed: int) -> None:
    rng = random.Random(seed)
    slots = Slots()
    names = ("ada", "bob", "cleo", "dora")
    holders = []
    for i in range(250):
        for who in names:
            slots.offer(who, -30.0 + rng.uniform(-2.5, 2.5), i * FRAME)
        holders.append(slots.holders)
    assert set(holders[1:]) == {holders[-1]}


STEPS = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.sampled_from(["offer", "offer", "offer", "release", "expire"]),
        st.floats(-130.0, 3.0),
        st.floats(0.0, 1.5),
    ),
    max_size=80,
)


@given(STEPS, st.integers(1, 4))
def test_slots_agree_with_what_they_answer(steps: list[tuple[str, str, float, float]], size: int) -> None:
    slots, now = Slots(size), 0.0
    for who, action, level, pause in steps:
        now += pause
        before = slots.holders
        if action == "offer":
            slot = slots.offer(who, level, now)
            held = [i for i, holder in enumerate(slots.holders) if holder == who]
            assert held == ([] if slot is None else [slot])
        elif action == "release":
            slots.release(who)
            assert who not in slots.holders
        else:
            freed = slots.expire(now)
            assert freed == [i for i in range(size) if before[i] is not None and slots.holders[i] is None]
        holders = [holder for holder in slots.holders if holder is not None]
        assert len(set(holders)) == len(holders)
        assert len(slots.holders) == size


def test_talkers_who_are_gone_are_forgotten() -> None:
    slots = Slots()
    for i in range(500):
        slots.offer(f"guest-{i}", -80.0, i * 0.1)
    slots.expire(100.0)
    assert slots._talkers == {}


def test_who_had_a_slot_is_forgotten_after_a_minute() -> None:
    slots = Slots(3)
    for who, at in (("anna", 0.0), ("ben", 0.02)):
        for packet in range(5):
            slots.offer(who, -20.0, at + packet * 0.02)
    slots.release("anna")
    slots.release("ben")
    slots.expire(50.0)
    assert slots._last[:2] == ["anna", "ben"]
    slots.expire(61.0)
    assert slots._last == [None, None, None]
