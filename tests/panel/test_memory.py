"""The stored mute: what comes back, and that whatever cannot be believed reads as muted."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.controls import REMEMBERED, Door, Reason
from appliance.panel.memory import MuteMemory, Remembered

MUTED = frozenset({Reason.HAND})


@given(st.frozensets(st.sampled_from(sorted(REMEMBERED))), st.sampled_from(Door))
def test_what_is_stored_comes_back(
    tmp_path_factory: pytest.TempPathFactory, reasons: frozenset[Reason], door: Door
) -> None:
    memory = MuteMemory(tmp_path_factory.mktemp("state"))
    memory.save(reasons, door)
    assert memory.load() == Remembered(reasons, door)


def test_reasons_that_are_found_out_anew_are_not_stored(tmp_path: Path) -> None:
    memory = MuteMemory(tmp_path)
    memory.save(frozenset(Reason), Door.LISTENING)
    assert memory.load() == Remembered(REMEMBERED, Door.LISTENING)


def written(tmp_path: Path, **content: object) -> Remembered:
    """What is read of a file with this content and the checksum that belongs to it."""
    summed = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    (tmp_path / "mute.json").write_text(json.dumps(content | {"sum": summed}))
    return MuteMemory(tmp_path).load()


def test_only_what_is_found_out_otherwise_is_left_out_of_the_file_and_ignored_in_it(tmp_path: Path) -> None:
    memory = MuteMemory(tmp_path)
    memory.save(frozenset(Reason), Door.OPEN)
    everything = (tmp_path / "mute.json").read_bytes()
    memory.save(REMEMBERED, Door.OPEN)
    assert (tmp_path / "mute.json").read_bytes() == everything
    assert written(tmp_path, schema=1, reasons=0xFFFF, door=1) == Remembered(REMEMBERED, Door.LISTENING)


@pytest.mark.parametrize(
    "content",
    [
        {"schema": True, "reasons": 0, "door": 0},
        {"schema": 1, "reasons": False, "door": 0},
        {"schema": 1, "reasons": 0, "door": False},
        {"schema": 2, "reasons": 0, "door": 0},
        {"schema": 1, "reasons": 0, "door": 3},
    ],
)
def test_what_we_would_never_write_reads_as_muted_though_its_sum_is_right(
    tmp_path: Path, content: dict[str, object]
) -> None:
    assert written(tmp_path, schema=1, reasons=0, door=0) == Remembered()
    assert written(tmp_path, **content).reasons == MUTED


@pytest.mark.parametrize(
    ("stored", "asked", "current", "changed"),
    [(0, 0, True, False), (7, 0, True, False), (0, 7, False, False), (7, 7, True, False), (8, 7, False, True)],
)
def test_a_mute_of_another_panel_waits_for_a_hand_and_has_to_be_stored_anew(
    tmp_path: Path, stored: int, asked: int, current: bool, changed: bool
) -> None:
    MuteMemory(tmp_path, stored).save(frozenset({Reason.ADMIN}), Door.LISTENING)
    memory = MuteMemory(tmp_path, asked) if asked else MuteMemory(tmp_path)
    reasons = {Reason.ADMIN, Reason.HAND} if changed else {Reason.ADMIN}
    assert memory.load() == Remembered(frozenset(reasons), Door.LISTENING)
    assert memory.current is current
    memory.save(frozenset(), Door.OPEN)
    assert memory.current
    assert memory.load() == Remembered()


def test_a_store_that_is_not_there_has_to_be_written_where_a_panel_is_asked_for(tmp_path: Path) -> None:
    for panel, current in ((0, True), (7, False)):
        memory = MuteMemory(tmp_path, panel)
        assert memory.load() == Remembered(stored=False)
        assert memory.current is current


def test_first_start_has_no_store(tmp_path: Path) -> None:
    assert MuteMemory(tmp_path).load() == Remembered(stored=False)


def _stored(tmp_path: Path) -> Path:
    MuteMemory(tmp_path).save(frozenset({Reason.BUTTON}), Door.OPEN)
    return tmp_path / "mute.json"


def test_every_single_flipped_bit_reads_as_muted(tmp_path: Path) -> None:
    path = _stored(tmp_path)
    good = path.read_bytes()
    for index in range(len(good)):
        for bit in range(8):
            path.write_bytes(good[:index] + bytes([good[index] ^ 1 << bit]) + good[index + 1 :])
            found = MuteMemory(tmp_path).load()
            assert found.reasons, (index, bit, path.read_bytes())


@pytest.mark.parametrize("length", [0, 1, 20, 60])
def test_half_written_reads_as_muted(tmp_path: Path, length: int) -> None:
    path = _stored(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    found = MuteMemory(tmp_path).load()
    assert found.reasons == MUTED
    assert found.door is Door.LISTENING
    assert "cannot be read" in found.damaged


@pytest.mark.parametrize("content", [[], 3, {"schema": 1}, {"schema": True, "reasons": 0, "door": 0, "sum": ""}])
def test_foreign_content_reads_as_muted(tmp_path: Path, content: object) -> None:
    (tmp_path / "mute.json").write_text(json.dumps(content))
    assert MuteMemory(tmp_path).load().reasons == MUTED


def test_unreadable_reads_as_muted(tmp_path: Path) -> None:
    (tmp_path / "mute.json").mkdir()
    assert MuteMemory(tmp_path).load().reasons == MUTED


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    memory = MuteMemory(tmp_path / "missing")
    with pytest.raises(OSError, match="missing"):
        memory.save(frozenset(), Door.OPEN)
