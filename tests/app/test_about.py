"""What a device tells its room of itself: short, coarse, only when it changes, and nothing that the gate hides."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from appliance import __version__
from appliance.app import about
from appliance.app.about import About, Own, details_of, extra_of
from appliance.app.measures import Processor
from appliance.app.neighbours import Neighbours
from appliance.core import protocol
from appliance.core.controls import Door
from appliance.core.enrolment import fingerprint
from appliance.core.lamps import LAMPS
from appliance.core.site_details import read_details
from appliance.core.state import ProofState, WayState
from appliance.health.machine import Machine
from appliance.health.status import StatusServer
from appliance.rooms.contract import SiteReport
from appliance.rooms.device_key import DeviceKey
from appliance.rooms.presence import site_message
from appliance.settings.model import AudioSettings
from tests.support import until

CONFIG = {
    "state": "kept",
    "versions": {"all": 42, "group": 7, "device": 3},
    "signed_by": {"all": "0123456789ABCDEF", "group": "0123456789ABCDEF", "device": "FEDCBA9876543210"},
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
        "limited_by": "sound under_voltage",
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


OWN = Own(
    engine="hosted",
    proof=ProofState(violations=1, looked=3_412_006),
    way=WayState(rtt_ms=23.6, loss=0.00213, delay_ms=46.4),
    audio=AudioSettings(array="respeaker_usb_4", direction=True),
    since=1_794_000_000.5,
    back_s=4,
    bundle=True,
)
SOUND = {"proof": {"violations": 2}, "front_end": {"array": "respeaker_hat_4"}}


def test_admins_are_told_proof_settings_way_and_array() -> None:
    details = details_of(OWN, {"config": CONFIG}, SOUND, {"dropouts_day": 0, "temperature_c": 50})
    assert details == {
        "proof": {"violations": 3, "checked": 3_412_006, "since": 1_794_000_000, "engine": "hosted"},
        "config": {"version": 3, "digest": "ab12cd34", "signed_by": "FEDCBA9876543210", "applied": 1, "back_s": 4},
        "health": {
            "round_trip_ms": 24,
            "loss_percent": 0.2,
            "playout_ms": 46,
            "dropouts_day": 0,
            "temperature_c": 50,
        },
        "array": {"mics": [[-0.032, 0.0], [0.0, -0.032], [0.032, 0.0], [0.0, 0.032]]},
        "direction_error": 8,
        "bundle": True,
    }
    assert read_details(details, gate_open=True) == details


def test_what_is_not_known_is_left_out() -> None:
    bare = {"proof": {"violations": 0, "checked": 0, "since": 0, "engine": "hosted"}, "bundle": False}
    assert details_of(Own("hosted"), {}, {}, {}) == bare
    assert details_of(Own("hosted"), {"config": CONFIG | {"digest": ""}}, {}, {}) == bare, "the machine's own settings"
    odd = {"config": {"digest": "x y", "versions": {"all": "1"}, "signed_by": 7, "since": "now"}}
    assert details_of(Own("hosted"), odd, {"proof": 3, "front_end": "?"}, {"temperature_c": 1e9}) == bare


def test_the_array_is_that_of_the_settings_or_the_one_that_the_front_end_knows() -> None:
    def mics(audio: AudioSettings) -> int:
        return len(details_of(Own(audio=audio), {}, SOUND, {}).get("array", {"mics": ()})["mics"])

    assert mics(AudioSettings()) == 4, "as the front end found it"
    assert mics(AudioSettings(array="mono")) == 0, "one microphone is no array"
    assert mics(AudioSettings(geometry_mm="32,0; -32,0")) == 2
    assert "direction_error" not in details_of(Own(audio=AudioSettings()), {}, SOUND, {}), "no direction is told"


async def test_what_was_asked_of_a_closed_gate_is_no_figure_of_an_open_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openings: list[int | None] = []
    opening: int | None = None

    class Watched(Processor):
        def look(self, took: Mapping[str, float], now: float, opening: int | None) -> None:
            openings.append(opening)
            super().look(took, now, opening)

    async def status(_request: object) -> dict[str, object]:
        nonlocal opening
        opening = 1  # it opens when sound has just said what it had taken
        return {"cpu_s": 5.0}

    monkeypatch.setattr(about, "EVERY", 0.01)
    monkeypatch.setattr(about, "machine", lambda _: Machine(uptime=1.0))
    monkeypatch.setattr(about, "Processor", Watched)
    sound = StatusServer(tmp_path / "sound.status", {"status": status})
    await sound.start()
    mind = About(Neighbours(tmp_path), tmp_path, lambda: Own(opening=opening), lambda: None)
    task = asyncio.create_task(mind.run())
    try:
        await until(lambda: len(openings) == 2)
        assert openings == [None, 1]
    finally:
        task.cancel()
        await asyncio.wait([task])
        await sound.stop()


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
    mind = About(Neighbours(tmp_path, lambda: clock[0]), tmp_path, Own, lambda: told.append(dict(mind.extra)))
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
