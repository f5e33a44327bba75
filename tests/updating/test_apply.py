"""An update from a folder: taken, tried, kept or left; refused for every reason; resumed, and only what is missing fetched."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.core.boot_slots import encode, factory
from appliance.core.documents import Pointer
from appliance.core.updating import BLOCK, State
from appliance.provisioning import ledger
from appliance.update.source import Folder
from tests.updating.machine import KEY, NEW_KEY, NOW, Image, Machine, at, image, published

OLD = image(100)
NEW = image(200, like=OLD, changed=3)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "card", OLD)
    made.updater().confirm(full=False)
    made.images[NEW.built] = NEW
    return made


async def test_an_update_is_written_tried_and_kept(machine: Machine, tmp_path: Path) -> None:
    status = await machine.apply(at(published(tmp_path / "www", NEW)))
    assert (status["state"], status["next"], status["found"]) == (State.READY, "b", NEW.version)
    assert machine.runs("b") == NEW
    assert machine.start() == "b"
    machine.updater().confirm(full=False)
    assert machine.status["state"] == State.ON_TRIAL
    assert not machine.record.slots["b"].good
    machine.updater().confirm(full=True)
    assert machine.status["state"] == State.UP_TO_DATE
    assert machine.record.slots["b"].good
    assert machine.start() == "b"
    assert events(machine) == ["update_started", "update_ready", "update_kept"]


def events(machine: Machine) -> list[str]:
    return [line.split("event=")[1].split()[0] for line in machine.lines.getvalue().splitlines()]


async def test_what_runs_is_no_update(machine: Machine, tmp_path: Path) -> None:
    before = card(machine)
    status = await machine.apply(at(published(tmp_path / "www", OLD)))
    assert status["state"] == State.UP_TO_DATE
    assert card(machine) == before


async def test_only_blocks_that_the_card_lacks_are_fetched(machine: Machine, tmp_path: Path) -> None:
    manifest = published(tmp_path / "www", NEW)
    files = Folder(manifest.parent)
    await machine.apply(at(manifest, files=files))
    lacking = 3 + 1  # the new blocks, and the one of the boot partition that tells the version
    overhead = sum(path.stat().st_size for path in manifest.parent.iterdir() if path.suffix != ".blocks")
    # What lies between two is fetched along, and the last block once more, to see that the file is whole.
    assert lacking * BLOCK <= files.fetched - overhead < (lacking + 5) * BLOCK


async def test_a_second_time_nothing_is_fetched_but_the_index(machine: Machine, tmp_path: Path) -> None:
    manifest = published(tmp_path / "www", NEW)
    await machine.apply(at(manifest))
    fetched = machine.status["fetched"]
    (machine.devices / "record-0").write_bytes(encode(factory()))
    (machine.devices / "record-1").write_bytes(encode(factory()))
    await machine.apply(at(manifest))
    assert machine.status["state"] == State.READY
    assert int(str(machine.status["fetched"])) == int(str(fetched)) - 4 * BLOCK


async def test_a_slot_that_never_comes_up_gives_way_and_is_tried_twice(machine: Machine, tmp_path: Path) -> None:
    find = at(published(tmp_path / "www", NEW))
    for attempt in (1, 2):
        assert (await machine.apply(find))["state"] == State.READY
        assert [machine.start() for _ in range(4)] == ["b", "b", "b", "a"]
        machine.updater().confirm(full=False)
        assert machine.status["state"] == State.LEFT
        assert "did not come up" in str(machine.status["why"])
        assert events(machine).count("update_left") == attempt
    assert (await machine.apply(find))["state"] == State.LEFT
    assert machine.start() == "a"
    assert (await machine.apply(find, again=True))["state"] == State.READY, "somebody asked for it"


async def test_a_lost_trial_goes_back_and_says_why(machine: Machine, tmp_path: Path) -> None:
    await machine.apply(at(published(tmp_path / "www", NEW)))
    machine.start()
    machine.updater().confirm(full=False)
    assert machine.updater().roll_back("on trial: the room was lost", by_hand=False)
    assert (machine.status["state"], machine.status["next"]) == (State.LEFT, "a")
    machine.updater().confirm(full=True)
    assert machine.record.slots["b"].left == 0, "what waits for the next start is not undone"
    assert machine.start() == "a"
    machine.updater().confirm(full=False)
    assert (machine.status["why"], machine.status["fell"]) == ("on trial: the room was lost",) * 2


async def test_whoever_goes_back_by_hand_is_not_updated_to_the_same_again(machine: Machine, tmp_path: Path) -> None:
    find = at(published(tmp_path / "www", NEW))
    await machine.apply(find)
    machine.start()
    machine.updater().confirm(full=True)
    assert machine.updater().roll_back("somebody asked for it", by_hand=True)
    waits = await machine.apply(find)
    assert waits["state"] == State.LEFT, "it runs still, and a start comes first"
    assert machine.start() == "a"
    machine.updater().confirm(full=False)
    assert (await machine.apply(find))["state"] == State.LEFT
    newer = image(300, like=NEW, changed=2)
    machine.images[300] = newer
    assert (await machine.apply(at(published(tmp_path / "www", newer))))["state"] == State.READY


async def test_without_another_good_version_nobody_goes_back(machine: Machine) -> None:
    assert not machine.updater().roll_back("by hand", by_hand=True)
    assert machine.record.first == "a"
    assert machine.status["state"] == State.FAILED


async def test_a_version_that_has_not_proved_itself_is_not_left_for_a_third(machine: Machine, tmp_path: Path) -> None:
    await machine.apply(at(published(tmp_path / "www", NEW)))
    machine.start()
    machine.updater().confirm(full=False)
    before = card(machine)
    status = await machine.apply(at(published(tmp_path / "www", image(300, like=NEW, changed=1))))
    assert (status["state"], status["kind"]) == (State.FAILED, "not_now")
    assert card(machine) == before


async def test_a_key_may_be_changed(machine: Machine, tmp_path: Path) -> None:
    manifest = published(tmp_path / "www", NEW, NEW_KEY)
    assert (await machine.apply(at(manifest)))["kind"] == "foreign_key"
    assert (await machine.apply(at(manifest, KEY, NEW_KEY)))["state"] == State.READY


async def test_a_lost_record_is_written_anew(machine: Machine, tmp_path: Path) -> None:
    for number in range(2):
        (machine.devices / f"record-{number}").write_bytes(bytes(4096))
    machine.updater().confirm(full=False)
    assert machine.copies()[0] == machine.copies()[1]
    assert machine.record.slots["a"].good
    assert (await machine.apply(at(published(tmp_path / "www", NEW))))["state"] == State.READY


async def test_one_copy_of_the_record_that_cannot_be_written_is_no_hindrance(machine: Machine, tmp_path: Path) -> None:
    (machine.devices / "record-1").unlink()
    (machine.devices / "record-1").mkdir()
    assert (await machine.apply(at(published(tmp_path / "www", NEW))))["state"] == State.READY
    (machine.devices / "record-0").unlink()
    with pytest.raises(OSError, match="record-"):
        machine.updater().confirm(full=True)


# ---- refused, and the slot is as it was


def card(machine: Machine) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in machine.devices.iterdir() if path.is_file()}


def changed(path: Path, at_byte: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[at_byte] ^= 1
    path.write_bytes(bytes(data))


def forged(manifest: Path) -> None:
    changed(manifest, 10)


def another_index(manifest: Path) -> None:
    changed(manifest.with_suffix(".index"))


def truncated(manifest: Path) -> None:
    blocks = manifest.with_suffix(".blocks")
    blocks.write_bytes(blocks.read_bytes()[:-BLOCK])


def without_blocks(manifest: Path) -> None:
    manifest.with_suffix(".blocks").unlink()


def without_signature(manifest: Path) -> None:
    manifest.with_name(manifest.name + ".minisig").unlink()


@pytest.mark.parametrize(
    ("spoil", "state", "kind"),
    [
        (forged, State.REFUSED, "forged"),
        (another_index, State.REFUSED, "damaged"),
        (truncated, State.FAILED, "cut_off"),
        (without_blocks, State.FAILED, "missing"),
        (without_signature, State.FAILED, "missing"),
    ],
)
async def test_a_spoilt_bundle_leaves_the_slot_alone(
    machine: Machine, tmp_path: Path, spoil: Callable[[Path], None], state: State, kind: str
) -> None:
    manifest = published(tmp_path / "www", NEW)
    spoil(manifest)
    before = card(machine)
    for _ in range(2):
        status = await machine.apply(at(manifest))
        assert (status["state"], status["kind"]) == (state, kind)
        assert str(status["why"]).endswith(".")
    assert card(machine) == before
    assert events(machine) == [f"update_{state.value}"], "told once"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (image(50), "older"),
        (image(200, 97), "too_large"),
        (Image(200, bytes(17 * BLOCK), OLD.root), "too_large"),
    ],
)
async def test_what_is_older_or_too_large_is_refused(
    machine: Machine, tmp_path: Path, content: Image, kind: str
) -> None:
    before = card(machine)
    status = await machine.apply(at(published(tmp_path / "www", content)))
    assert (status["state"], status["kind"]) == (State.REFUSED, kind)
    assert card(machine) == before


async def test_another_board_is_refused(machine: Machine, tmp_path: Path) -> None:
    (machine.root / "proc/device-tree/compatible").write_bytes(b"raspberrypi,5-model-b\0brcm,bcm2712\0")
    before = card(machine)
    status = await machine.apply(at(published(tmp_path / "www", NEW)))
    assert (status["state"], status["kind"]) == (State.REFUSED, "other_board")
    assert "raspberrypi,5-model-b" in str(status["why"])
    assert card(machine) == before
    machine.updater().confirm(full=False)
    assert (machine.status["state"], machine.status["kind"]) == (State.REFUSED, "other_board")


async def test_a_block_that_is_not_the_one_that_was_signed_is_not_written(machine: Machine, tmp_path: Path) -> None:
    manifest = published(tmp_path / "www", NEW)
    changed(manifest.with_suffix(".blocks"), 5)
    status = await machine.apply(at(manifest))
    assert (status["state"], status["kind"]) == (State.REFUSED, "damaged")
    assert not machine.record.slots["b"].left
    assert machine.start() == "a"


async def test_settings_are_no_update(machine: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "www"
    folder.mkdir()
    content = b"schema = 1\n"
    (folder / "all.1.toml").write_bytes(content)
    (folder / "all.1.toml.minisig").write_bytes(KEY.publish(Pointer("all", 1, "all.1.toml"), content))
    status = await machine.apply(at(folder / "all.1.toml"))
    assert (status["state"], status["kind"]) == (State.REFUSED, "other_scope")


async def test_what_has_expired_is_not_taken(machine: Machine, tmp_path: Path) -> None:
    status = await machine.apply(at(published(tmp_path / "www", NEW, expires=NOW - 1)))
    assert (status["state"], status["kind"]) == (State.REFUSED, "expired")


async def test_a_card_that_does_not_hold_what_was_written_is_noticed(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.posix_fadvise

    def worn(handle: int, *given: int) -> None:
        if os.readlink(f"/proc/self/fd/{handle}").endswith("root-b"):
            changed(machine.devices / "root-b", 40 * BLOCK)
        real(handle, *given)

    monkeypatch.setattr(os, "posix_fadvise", worn)
    status = await machine.apply(at(published(tmp_path / "www", NEW)))
    assert (status["state"], status["kind"]) == (State.FAILED, "storage")
    assert machine.record.slots["b"].left == 0
    monkeypatch.undo()
    assert (await machine.apply(at(tmp_path / "www/images" / f"kontor-{NEW.version}-arm64.toml")))[
        "state"
    ] == State.READY


async def test_a_data_partition_that_takes_nothing_undoes_nothing(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = at(published(tmp_path / "www", NEW))

    def refuses(*_: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "atomic_write", refuses)
        assert (await machine.apply(find))["state"] == State.READY
        machine.start()
        machine.updater().confirm(full=True)
        assert machine.record.slots["b"].good
        assert machine.updater().roll_back("by hand", by_hand=True)
    assert machine.start() == "a"


async def test_the_running_slot_may_be_worn(machine: Machine, tmp_path: Path) -> None:
    """What it does not give comes from afar."""
    find = at(published(tmp_path / "www", NEW))
    running = machine.devices / "root-a"
    running.write_bytes(OLD.root[: 20 * BLOCK])
    assert (await machine.apply(find))["state"] == State.READY
    assert machine.runs("b") == NEW
    assert int(str(machine.status["fetched"])) > 40 * BLOCK
