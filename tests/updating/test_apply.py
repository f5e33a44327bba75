"""An update from a folder: taken, tried, kept or left; refused for every reason; resumed, and only what is missing fetched."""

from pathlib import Path

import pytest

from appliance.core.updating import State
from tests.updating.machine import Machine, at, image, published

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
    assert [line.split("event=")[1].split()[0] for line in machine.lines.getvalue().splitlines()] == [
        "update_started",
        "update_ready",
        "update_kept",
    ]
