"""The record of the slots: its bytes, what the boot loader does with it, and what the running system says in it."""

import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.boot_slots import (
    LONGEST_REASON,
    NAMES,
    SIZE,
    TRIES,
    Name,
    Record,
    RecordError,
    Slot,
    afresh,
    decode,
    encode,
    factory,
    flipped,
    kept,
    leaving,
    left,
    newest,
    next_start,
    on_trial,
    opened,
    other,
    slot_name,
)

names = st.sampled_from(NAMES)
slots = st.builds(Slot, st.integers(0, TRIES), st.booleans())
plain = st.text("abcXYZ 019.,:-+/()%", max_size=LONGEST_REASON).map(lambda text: " ".join(text.split()))
records = st.builds(
    Record, st.integers(0, 16**15 - 1), names, st.fixed_dictionaries({"a": slots, "b": slots}), plain
)  # fmt: skip


def sealed(text: bytes) -> bytes:
    body = text.ljust(SIZE - 4, b"\0")
    return zlib.crc32(body).to_bytes(4, "little") + body


def test_a_copy_is_an_environment_as_u_boot_writes_it() -> None:
    text = b"good_a=1\0good_b=0\0left_a=3\0left_b=0\0order=a b\0reason=\0serial=0x1\0\0"
    assert encode(factory()) == sealed(text)


@given(records)
def test_what_is_written_is_read(record: Record) -> None:
    data = encode(record)
    assert len(data) == SIZE
    assert decode(data) == record


def test_a_reason_is_a_line_that_no_shell_obeys() -> None:
    record = left(factory(), "a", "the room's \x1b[31m\n server; `reboot` $x ü" + "y" * 500)
    assert record.reason == decode(encode(record)).reason
    assert record.reason[:40] == "the room?s ??31m server? ?reboot? ?x ?yy"
    assert len(record.reason) == LONGEST_REASON


@pytest.mark.parametrize("at", [0, 3, 4, 30, SIZE - 1])
def test_a_changed_byte_is_noticed(at: int) -> None:
    data = bytearray(encode(factory()))
    data[at] ^= 1
    with pytest.raises(RecordError, match="checksum"):
        decode(bytes(data))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"order=a b", b"order=a a", "order"),
        (b"order=a b", b"order=", "order"),
        (b"order=a b", b"ordr=a b", "order"),
        (b"left_b=0", b"left_b=4", "slot b"),
        (b"left_b=0", b"left_b=-1", "slot b"),
        (b"good_a=1", b"good_a=yes", "slot a"),
        (b"good_a=1\0", b"", "slot a"),
        (b"serial=0x1", b"serial=1", "serial"),
        (b"serial=0x1", b"serial=0x", "serial"),
        (b"serial=0x1", b"serial=0xg", "serial"),
        (b"serial=0x1", b"serial=0x" + b"1" * 16, "serial"),
        (b"serial=0x1\0", b"", "serial"),
    ],
)
def test_what_is_sealed_and_no_record_is_none(old: bytes, new: bytes, said: str) -> None:
    text = encode(factory())[4:].rstrip(b"\0") + b"\0\0"
    assert old in text
    with pytest.raises(RecordError, match=said):
        decode(sealed(text.replace(old, new)))


def test_half_a_copy_is_none() -> None:
    with pytest.raises(RecordError, match="4096"):
        decode(encode(factory())[:-1])


def test_a_word_that_is_not_known_does_no_harm() -> None:
    text = b"zebra=1\0" + encode(factory())[4:].rstrip(b"\0") + b"\0\0"
    assert decode(sealed(text)) == factory()


def test_the_newest_copy_holds_and_the_other_is_written() -> None:
    old, new = encode(factory()), encode(replace(factory(), serial=2))
    junk = bytes(SIZE)
    assert newest((old, new)) == (replace(factory(), serial=2), (0, 1))
    assert newest((new, old)) == (replace(factory(), serial=2), (1, 0))
    assert newest((old, old)) == (factory(), (1, 0))
    assert newest((junk, old)) == (factory(), (0, 1))
    assert newest((old, junk)) == (factory(), (1, 0))
    assert newest((junk, b"")) == (None, (1, 0))


def starts(record: Record, number: int) -> tuple[str, Record]:
    taken = ""
    for _ in range(number):
        name, record = next_start(record)
        taken += name
    return taken, record


def test_a_slot_that_never_comes_up_gives_way_to_the_good_one() -> None:
    record = flipped(opened(factory(), "b"), "b")
    assert starts(record, 8)[0] == "bbbaaaaa"


def test_a_good_slot_whose_starts_were_cut_off_goes_on_being_started() -> None:
    taken, record = starts(factory(), 10)
    assert taken == "a" * 10
    assert record.serial == 11


def test_good_ones_take_turns_when_neither_comes_up() -> None:
    both = Record(1, "b", {"a": Slot(TRIES, True), "b": Slot(TRIES, True)})
    assert starts(both, 8)[0] == "bbbaaabb"


def test_without_any_good_one_the_first_is_tried_again() -> None:
    record = Record(1, "b", {"a": Slot(), "b": Slot()})
    assert next_start(record) == ("b", Record(2, "b", {"a": Slot(TRIES), "b": Slot(TRIES - 1)}))


def test_nobody_starts_a_slot_that_is_being_written() -> None:
    record = opened(Record(7, "b", {"a": Slot(2, True), "b": Slot(3, True)}), "b")
    assert record.slots["b"] == Slot()
    assert starts(record, 9)[0] == "a" * 9


def test_an_update_that_proves_itself_is_kept() -> None:
    _, record = next_start(flipped(opened(factory(), "b"), "b"))
    assert on_trial(record, "b")
    record = kept(record, "b")
    assert not on_trial(record, "b")
    assert record.slots == {"a": Slot(3, True), "b": Slot(3, True)}
    assert starts(record, 1)[0] == "b"


def test_an_update_that_does_not_is_left_and_says_why() -> None:
    _, record = next_start(flipped(opened(factory(), "b"), "b"))
    record = left(record, "b", "The room was not reached.")
    assert record.reason == "The room was not reached."
    assert starts(record, 5)[0] == "a" * 5
    assert flipped(opened(record, "b"), "b").reason == ""


def test_a_good_slot_that_had_no_start_left_can_be_gone_back_to() -> None:
    record = left(Record(5, "a", {"a": Slot(3, True), "b": Slot(0, True)}), "a", "by hand")
    assert leaving(record, "a")
    assert starts(record, 4)[0] == "bbbb"


def test_an_empty_other_slot_is_no_way_back() -> None:
    assert not on_trial(Record(1, "a", {"a": Slot(), "b": Slot()}), "a")


def test_whoever_came_up_instead_is_tried_first_from_then_on() -> None:
    worn = Record(5, "b", {"a": Slot(2, True), "b": Slot(0, True)})
    assert kept(worn, "a") == Record(6, "a", {"a": Slot(3, True), "b": Slot(0, True)})


def test_there_is_nothing_to_be_said_twice() -> None:
    assert kept(factory(), "a") is not None
    assert kept(factory(), "a") == factory()


@pytest.mark.parametrize("waits", [flipped(opened(factory(), "b"), "b"), left(kept(factory(), "a"), "a", "by hand")])
def test_what_waits_for_the_next_start_is_not_undone_by_being_well(waits: Record) -> None:
    waits = replace(waits, slots={"a": Slot(0, True), "b": Slot(TRIES)})
    assert leaving(waits, "a")
    assert kept(waits, "a") is waits
    assert not leaving(waits, "b")


def test_a_lost_record_is_written_afresh_by_whoever_runs() -> None:
    record = kept(afresh("b"), "b")
    assert record == Record(1, "b", {"a": Slot(TRIES), "b": Slot(TRIES, True)})
    assert starts(record, 1)[0] == "b"
    assert not on_trial(afresh("b"), "b")
    assert not leaving(afresh("b"), "b")


def test_names() -> None:
    assert [slot_name(text) for text in ("a", "b", "", "c", "ab")] == ["a", "b", None, None, None]
    assert [other(name) for name in NAMES] == ["b", "a"]


@given(records, names, st.lists(st.sampled_from(["start", "kept", "left", "opened", "flipped"]), max_size=8))
def test_a_good_slot_is_never_lost_by_what_happens_to_the_other(
    record: Record, running: Name, steps: list[str]
) -> None:
    record = replace(record, slots={**record.slots, running: Slot(TRIES, True)})
    for step in steps:
        if step == "start":
            record = next_start(record)[1]
        elif step == "kept":
            record = kept(record, running)
        elif step == "left":
            record = left(record, other(running), "")
        else:
            record = (opened if step == "opened" else flipped)(record, other(running))
    assert record.slots[running].good
    assert running in starts(record, 2 * TRIES + 1)[0]
