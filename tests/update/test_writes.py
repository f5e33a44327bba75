"""Logs of writes, and the states that a power cut may leave."""

from pathlib import Path

import pytest

from tests.update.card import SECTOR, FileDisk
from tests.update.made import write_log
from tests.update.writes import DISCARD, FLUSH, MARK, State, Write, draw, read_log, states, torn_over


def sectors(*letters: str) -> bytes:
    return b"".join(letter.encode() * SECTOR for letter in letters)


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    write_log(
        path,
        [
            (0, sectors("a", "b"), 0),
            (0, b"", FLUSH),
            (0, b"", FLUSH),
            (4, sectors("x"), 0),
            (0, sectors("c"), 0),
            (2, b"", DISCARD),
            (0, b"", FLUSH),
            (7, sectors("z"), 0),
        ],
    )
    return path


def card(tmp_path: Path) -> Path:
    path = tmp_path / "card"
    path.write_bytes(b"." * SECTOR * 8)
    return path


def letters(state: State) -> str:
    return state.disk.read(0, state.disk.size)[::SECTOR].decode()


def test_a_log_is_parted_by_its_flushes(log_path: Path) -> None:
    log = read_log(log_path)
    assert [[(write.at, write.size) for write in epoch] for epoch in log.epochs] == [
        [(0, 1024)],
        [(2048, 512), (0, 512)],
        [(3584, 512)],
    ]


def test_every_flush_is_a_state_with_all_that_was_written_before_it(log_path: Path, tmp_path: Path) -> None:
    with read_log(log_path) as log:
        found = [(state.name, letters(state)) for state in states(log, card(tmp_path), [])]
    assert found == [("0", "........"), ("1", "ab......"), ("2", "cb..x..."), ("3", "cb..x..z")]


def test_torn_states_have_of_each_sector_what_was_or_what_was_written(log_path: Path, tmp_path: Path) -> None:
    with read_log(log_path) as log:
        drawn = [(1, seed) for seed in range(64)]
        found = {letters(state) for state in states(log, card(tmp_path), drawn, flushes=[])}
    assert found == {"ab......", "cb......", "ab..x...", "cb..x..."}


def test_an_even_seed_tears_the_last_of_the_writes_that_came_in_order(log_path: Path, tmp_path: Path) -> None:
    disk = FileDisk(card(tmp_path))
    with read_log(log_path) as log:
        for seed in range(0, 64, 2):
            overlay = torn_over(disk, log, log.epochs[1], seed)
            assert set(overlay.sectors) in (set(), {4}, {4, 0}), "the second is not there without the first"
    disk.close()


def test_a_state_is_the_same_each_time_it_is_drawn(log_path: Path, tmp_path: Path) -> None:
    disk = FileDisk(card(tmp_path))
    with read_log(log_path) as log:
        one, two = (torn_over(disk, log, log.epochs[1], 12345) for _ in range(2))
        assert one.sectors == two.sectors
        assert draw(log, 10, 1) == draw(log, 10, 1)
        heavy = draw(log, 300, 1, [(3584, 4096)])
    assert sum(epoch == 2 for epoch, _ in heavy) > 200
    disk.close()


def test_a_key_tells_states_apart_where_they_differ(log_path: Path, tmp_path: Path) -> None:
    with read_log(log_path) as log:
        keys = [
            (state.key(0, 1024), state.key(2048, 2560), state.key(3584, 4096))
            for state in states(log, card(tmp_path), [])
        ]
    first, second, third = zip(*keys, strict=True)
    assert [len(set(each)) for each in (first, second, third)] == [3, 2, 2]
    assert second[0] == second[1]
    assert first[2] == first[3]


@pytest.mark.parametrize("harm", ["magic", "short", "empty"])
def test_what_is_no_log_is_refused(log_path: Path, harm: str) -> None:
    data = log_path.read_bytes()
    log_path.write_bytes({"magic": b"x" + data[1:], "short": data[:-SECTOR], "empty": b""}[harm])
    with pytest.raises(ValueError, match="log"):
        read_log(log_path)


def test_writes_after_the_last_flush_that_the_head_knows_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write_log(path, [(0, sectors("a"), 0), (0, b"", FLUSH), (1, sectors("b"), 0)], count=2)
    assert read_log(path).epochs == [[Write(0, 512, 2 * SECTOR)]]
    assert Write(0, 512, 0).touches(511, 600)
    assert not Write(0, 512, 0).touches(512, 600)


def test_a_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write_log(path, [(0, b"", MARK), (1, sectors("b"), 0), (0, b"", FLUSH)])
    assert [write.at for write in read_log(path).epochs[0]] == [512]


def test_what_was_found_of_one_log_is_not_taken_for_another(log_path: Path, tmp_path: Path) -> None:
    """The card of the second is as the first has left it, though neither has written anything yet."""
    working, second = card(tmp_path), tmp_path / "second"
    write_log(second, [(1, sectors("q"), 0)])
    seen: dict[object, str] = {}
    for path in (log_path, second):
        with read_log(path) as log:
            for state in states(log, working, []):
                assert seen.setdefault(state.key(0, 8 * SECTOR), letters(state)) == letters(state)
