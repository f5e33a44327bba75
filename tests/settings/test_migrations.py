from collections.abc import Mapping

from appliance.settings.migrations import MIGRATIONS, SCHEMA, Table, migrate


def _frames_to_milliseconds(table: Table) -> Table:
    audio = table.get("audio")
    if not isinstance(audio, Mapping) or "frames" not in audio:
        return table
    return {**table, "audio": {**{k: v for k, v in audio.items() if k != "frames"}, "frame_ms": audio["frames"]}}


def _rename_section(table: Table) -> Table:
    return {"sound" if key == "audio" else key: value for key, value in table.items()}


STEPS = {1: _frames_to_milliseconds, 2: _rename_section}


def test_there_is_a_step_for_every_earlier_number() -> None:
    assert set(MIGRATIONS) == set(range(1, SCHEMA))


def test_todays_settings_stay_as_they_are() -> None:
    table = {"audio": {"frame_ms": 20}}
    assert migrate(table, SCHEMA) is table


def test_steps_follow_each_other() -> None:
    old = {"audio": {"frames": 20, "bitrate": 1}, "log": {}}
    assert migrate(old, 1, 3, STEPS) == {"sound": {"frame_ms": 20, "bitrate": 1}, "log": {}}
    assert migrate({"audio": {"frame_ms": 20}}, 2, 3, STEPS) == {"sound": {"frame_ms": 20}}


def test_a_step_changes_nothing_in_place_and_leaves_what_it_does_not_understand() -> None:
    old: dict[str, object] = {"audio": {"frames": 20}}
    migrate(old, 1, 3, STEPS)
    assert old == {"audio": {"frames": 20}}
    assert migrate({"audio": 5}, 1, 2, STEPS) == {"audio": 5}
