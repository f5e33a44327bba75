"""What provisioning remembers."""

from pathlib import Path

import pytest

from appliance.core.documents import Floor
from appliance.core.rollout import State
from appliance.provisioning.ledger import Ledger, Remembered

FLOORS = {"all": Floor(42, "ab" * 32), "devices/blue": Floor(3, "cd" * 32, 1_900_000_000.0)}


def test_what_is_remembered_is_there_at_the_next_start(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger.load() == ""
    assert ledger.remembered == Remembered()
    ledger.change(floors=FLOORS, state=State.REVERTED, why="the room was lost", since=5, refused="abc")
    ledger.change(trying="def", attempts=2)
    again = Ledger(tmp_path)
    assert again.load() == ""
    assert again.remembered == ledger.remembered
    assert again.remembered.floors == FLOORS
    assert again.remembered.state is State.REVERTED


def test_nothing_new_is_not_written(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.change(state=State.KEPT)
    before = (tmp_path / "state.json").stat().st_ino
    ledger.change(state=State.KEPT)
    ledger.store()
    assert (tmp_path / "state.json").stat().st_ino == before


def test_what_the_disk_does_not_take_is_remembered_and_stored_later(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "missing")
    with pytest.raises(OSError, match="No such file"):
        ledger.change(floors=FLOORS)
    assert ledger.remembered.floors == FLOORS
    (tmp_path / "missing").mkdir()
    ledger.store()
    again = Ledger(tmp_path / "missing")
    again.load()
    assert again.remembered.floors == FLOORS


def test_what_was_refused_may_be_tried_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.change(refused="abc", trying="abc", attempts=3, state=State.REVERTED, why="so")
    ledger.forget_refused()
    assert ledger.remembered == Remembered(state=State.REVERTED, why="so")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"schema": 2, "floors": {}, "state": "kept"}',
        b'{"schema": 1, "floors": {}, "state": "odd"}',
        b'{"schema": 1, "floors": {"all": 5}, "state": "kept"}',
        b'{"schema": 1, "floors": {}, "state": "kept", "x": 1}',
    ],
)
def test_a_damaged_file_is_told_and_read_as_if_nothing_were_remembered(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    ledger = Ledger(tmp_path)
    assert ledger.load().startswith(f"{tmp_path}/state.json cannot be read: ")
    assert ledger.remembered == Remembered()
    ledger.change(state=State.KEPT)
    assert Ledger(tmp_path).load() == ""
