"""The power goes at any call that an act of the update makes: a whole slot is started, and the update can be made after it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.core.boot_slots import Name, newest, next_start
from appliance.core.updating import BLOCK, State
from appliance.update.work import Find
from tests.support.disk import Recorder, restore
from tests.support.disk import State as Disk
from tests.updating.machine import Image, Machine, at, bundle, image, published

OLD = image(100, 4)
NEW = Image(
    200,
    OLD.boot[:BLOCK][::-1] + OLD.boot[BLOCK:],
    OLD.root[: 2 * BLOCK] + bytes(range(256)) * 16 + OLD.root[3 * BLOCK :],
)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "card", OLD, (8, 4))
    made.updater().confirm(full=False)
    made.images[NEW.built] = NEW
    return made


def cuts_of(machine: Machine, act: Callable[[], None]) -> list[Disk]:
    """Every state in which the card may come back when the power goes during ``act``."""
    with pytest.MonkeyPatch.context() as patch:
        recorder = Recorder(machine.devices, patch)
        act()
    states: dict[Disk, None] = {}
    for cut in recorder.cuts:
        states |= dict.fromkeys(sorted(cut, key=str))
    return list(states)


async def cuts_of_apply(machine: Machine, find: Find) -> list[Disk]:
    with pytest.MonkeyPatch.context() as patch:
        recorder = Recorder(machine.devices, patch)
        assert (await machine.apply(find))["state"] == State.READY
    states: dict[Disk, None] = {}
    for cut in recorder.cuts:
        states |= dict.fromkeys(sorted(cut, key=str))
    return list(states)


def come_back(machine: Machine, state: Disk) -> None:
    """The power is there again."""
    sizes = {path.name: path.stat().st_size for path in machine.devices.iterdir()}
    restore(state, machine.devices)
    for name, size in sizes.items():
        with (machine.devices / name).open("r+b") as file:
            file.truncate(size)  # half a file is half a partition of zeros: no partition shrinks


def comes_up(machine: Machine) -> Image:
    """What the boot loader starts, which has to be whole; every later start, too, if this one is cut off again and again."""
    record, _ = newest(machine.copies())
    assert record is not None, "one copy of the record is always whole"
    for _ in range(7):
        slot, record = next_start(record)
        assert machine.runs(slot) is not None, f"slot {slot} is started, and is not whole"
    machine.start()
    found = machine.runs(machine.booted)
    assert found is not None
    return found


@pytest.mark.timeout(120)
async def test_while_an_update_is_written(machine: Machine, tmp_path: Path) -> None:
    find = at(published(tmp_path / "www", NEW))
    shutil.copytree(machine.state, tmp_path / "before")
    states = await cuts_of_apply(machine, find)
    shutil.copytree(machine.state, tmp_path / "after")
    assert len(states) > 30
    for number, state in enumerate(states):
        come_back(machine, state)
        # What is remembered beside the record is on another disk: of before, or of after.
        shutil.rmtree(machine.state)
        shutil.copytree(tmp_path / ("before" if number % 2 else "after"), machine.state)
        runs = comes_up(machine)
        machine.updater().confirm(full=True)
        if runs == OLD and number % 3 == 0:
            assert (await machine.apply(find, again=True))["state"] == State.READY
            assert machine.runs("b") == NEW
    assert comes_up(machine) == NEW


@pytest.mark.parametrize("act", ["confirm", "rollback"])
async def test_while_a_version_is_kept_or_left(machine: Machine, tmp_path: Path, act: str) -> None:
    await machine.apply(at(published(tmp_path / "www", NEW)))
    running: Name = machine.start()

    def done() -> None:
        if act == "confirm":
            machine.updater().confirm(full=True)
        else:
            machine.updater().roll_back("by hand", by_hand=True)

    states = cuts_of(machine, done)
    assert len(states) > 4
    for state in states:
        come_back(machine, state)
        comes_up(machine)
    assert machine.booted == (running if act == "confirm" else "a")


async def test_while_an_update_is_written_over_the_one_before(machine: Machine, tmp_path: Path) -> None:
    """The slot that is written was good, and is the way back: from the first byte on nobody starts it."""
    await machine.apply(at(published(tmp_path / "www", NEW)))
    machine.start()
    machine.updater().confirm(full=True)
    third = Image(300, NEW.boot, NEW.root[BLOCK:] + bytes(range(255, -1, -1)) * 16)
    machine.images[300] = third
    made = bundle(tmp_path / "third", third)
    made.with_name(made.name + ".minisig").write_bytes(
        published(tmp_path / "www", third).with_name(made.name + ".minisig").read_bytes()
    )
    states = await cuts_of_apply(machine, at(made))
    found = set()
    for state in states:
        come_back(machine, state)
        found.add(comes_up(machine).built)
    assert found == {200, 300}
