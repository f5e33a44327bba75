"""Updates: which bundle is taken, where its blocks are, what is asked for, and how long nobody has talked."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.documents import NotTaken, Why
from appliance.core.updating import BLOCK, HASH, Bundle, Here, Part, Silence, judge_bundle, judge_index, runs

BOARD = "raspberrypi,4-model-b"
BUNDLE = Bundle(
    version="0.9.0",
    built=200,
    boards=("raspberrypi,5-model-b", BOARD),
    index="x.index",
    index_sha256="",
    blocks="x.blocks",
    blocks_size=3 * BLOCK,
    parts={"boot": Part(BLOCK, ""), "root": Part(3 * BLOCK, "")},
)
HERE = Here("a", "0.8.0", 100, (BOARD, "brcm,bcm2711"))
ROOM = {"boot": BLOCK, "root": 3 * BLOCK}


def refused(bundle: Bundle = BUNDLE, here: Here = HERE, room: dict[str, int] = ROOM) -> tuple[Why, str]:
    with pytest.raises(NotTaken) as caught:
        judge_bundle(bundle, here, room)
    return caught.value.why, str(caught.value)


def test_a_newer_one_for_this_board_that_fits_is_taken() -> None:
    assert judge_bundle(BUNDLE, HERE, ROOM)
    assert not judge_bundle(replace(BUNDLE, built=100), HERE, ROOM), "it is what runs"


def test_an_older_one_is_not() -> None:
    why, text = refused(replace(BUNDLE, built=99))
    assert (why, text) == (
        Why.OLDER,
        "Version 0.9.0 is older than 0.8.0, which runs: an update never goes back.",
    )


def test_one_for_another_board_is_not() -> None:
    why, text = refused(here=replace(HERE, boards=("raspberrypi,3-model-b", "brcm,bcm2837")))
    assert (why, text) == (Why.OTHER_BOARD, "Version 0.9.0 is not for this board (raspberrypi,3-model-b).")
    assert "one that does not tell its name" in refused(here=replace(HERE, boards=()))[1]


@pytest.mark.parametrize("part", ["boot", "root"])
def test_one_that_is_larger_than_the_slot_is_not(part: str) -> None:
    why, text = refused(room={**ROOM, part: ROOM[part] - 1})
    assert why is Why.TOO_LARGE
    assert f"has {ROOM[part]} bytes for {part}, and the slot has room for {ROOM[part] - 1}." in text


def index_of(*names: str) -> bytes:
    return b"".join(name.encode().ljust(HASH, b"\0") for name in names)


def test_each_different_block_has_its_place() -> None:
    places = judge_index(BUNDLE, index_of("one", "two", "one", "three"))
    assert [places[index_of(name)] for name in ("one", "two", "three")] == [0, 1, 2]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("one", "two", "three"), "a hash for every block"),
        (("one", "two", "one", "two"), "not those of its index"),
        (("one", "two", "three", "four"), "not those of its index"),
    ],
)
def test_an_index_that_does_not_fit_is_refused(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(NotTaken, match=said) as caught:
        judge_index(BUNDLE, index_of(*names))
    assert caught.value.why is Why.DAMAGED


def test_what_is_near_comes_with_one_question() -> None:
    assert runs([]) == []
    assert runs([3]) == [range(3, 4)]
    assert runs([0, 1, 6, 12]) == [range(7), range(12, 13)]


@given(st.sets(st.integers(0, 5000)).map(sorted))
def test_all_that_is_wanted_comes_in_pieces_of_a_bounded_size(wanted: list[int]) -> None:
    found = runs(wanted)
    numbers = [number for run in found for number in run]
    assert numbers == sorted(set(numbers))
    assert set(wanted) <= set(numbers)
    assert all(len(run) <= 516 and run[0] in wanted and run[-1] in wanted for run in found)


def test_silence_begins_when_the_last_one_stops() -> None:
    silence = Silence(100.0)
    assert silence.look(talks=False, now=130.0) == 30.0
    assert silence.look(talks=True, now=140.0) == 0.0
    assert silence.look(talks=False, now=150.0) == 10.0
