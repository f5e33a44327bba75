"""What a device tells its room of its settings and its health: short, coarse, and only when it changes."""

import asyncio
from pathlib import Path

import pytest

from appliance import __version__
from appliance.app import about
from appliance.app.about import About, extra_of
from appliance.app.neighbours import Neighbours
from appliance.core import protocol
from appliance.core.controls import Door
from appliance.core.enrolment import fingerprint
from appliance.core.lamps import LAMPS
from appliance.health.machine import Machine
from appliance.health.status import StatusServer
from appliance.rooms.contract import SiteReport
from appliance.rooms.device_key import DeviceKey
from appliance.rooms.presence import site_message
from tests.support import until

CONFIG = {
    "state": "kept",
    "versions": {"all": 42, "group": 7, "device": 3},
    "group": "bonn",
    "digest": "ab12cd34",
    "since": 1.0,
    "why": "",
}


def test_settings_and_health_are_told_in_few_words() -> None:
    hot = Machine(uptime=1.0, temperature=62.4, throttled=("under_voltage",))
    sound = {"front_end": {"degraded": "one microphone is silent"}, "panel_problem": ""}
    assert extra_of({"config": CONFIG}, sound, hot) == {
        "version": __version__,
        "config": "kept",
        "digest": "ab12cd34",
        "all": 42,
        "group": 7,
        "in_group": "bonn",
        "device": 3,
        "limited": "one microphone is silent, under voltage",
        "temperature": 60,
    }
    assert extra_of({}, {}, Machine(uptime=1.0)) == {"version": __version__}


@pytest.mark.parametrize("said", [{"config": 7}, {"config": {"versions": "x", "state": ["\x1b"], "why": "y\n" * 99}}])
def test_whatever_others_say_the_host_takes_it(said: dict[str, object]) -> None:
    extra = extra_of(said, {"front_end": None, "panel_problem": "\u202e" * 80}, Machine(uptime=1.0))
    lamps = dict.fromkeys(LAMPS, "off")
    message = site_message(SiteReport(False, (), Door.OPEN, lamps, -90.0, extra=extra))
    parsed = protocol.parse_client(protocol.client_text(message))
    assert isinstance(parsed, protocol.Report)
    assert parsed.site["extra"] == extra


async def test_it_is_told_when_it_changes_and_not_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(about, "EVERY", 0.01)
    monkeypatch.setattr(about, "machine", lambda _: Machine(uptime=1.0))
    config = dict(CONFIG)
    asked = 0

    async def status(_request: object) -> dict[str, object]:
        nonlocal asked
        asked += 1
        return {"config": config}

    clock = [0.0]
    provision = StatusServer(tmp_path / "provision.status", {"status": status})
    await provision.start()
    told: list[object] = []
    mind = About(Neighbours(tmp_path, lambda: clock[0]), tmp_path, lambda: told.append(dict(mind.extra)))
    task = asyncio.create_task(mind.run())
    try:
        await until(lambda: len(told) == 1)
        config["versions"] = {"all": 43}
        clock[0] = 10.0
        await until(lambda: len(told) == 2)
        clock[0] = 20.0
        await until(lambda: asked >= 3)
        await asyncio.sleep(0.05)
        assert len(told) == 2
        assert mind.extra["all"] == 43 and "group" not in mind.extra
        assert mind.key == fingerprint(DeviceKey.public_in(tmp_path))
    finally:
        task.cancel()
        await asyncio.wait([task])
        await provision.stop()
