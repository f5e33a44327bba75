import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from appliance.settings import Effect, Settings, Source, load, resolve
from appliance.settings.describe import as_dict, as_toml, effects, entries, toml_value
from appliance.settings.json_schema import json_schema
from appliance.settings.setting import Setting, members
from tests.settings.support import key_file, room, source
from tests.settings.test_model import SETTINGS

KEY = "A" * 43 + "="


def everything(folder: Path) -> str:
    """A file that changes a setting of each kind."""
    key = key_file(folder)
    return f'''
[device]
name = "Büro \\"2\\" \\\\ ☎"
[room]
url = "https://rooms.example.org"
token_file = "{key}"
certificate_sha256 = "{"AB" * 32}"
[audio]
microphone = "tone:440"
record = "/tmp/out.wav"
frame_ms = 10
[panel]
mute = "momentary"
push_to_talk = true
[door]
first = "listening"
[network]
ca = """
-----BEGIN CERTIFICATE-----
MII=
-----END CERTIFICATE-----
"""
[[network.wifi]]
ssid = "Büro"
password_file = "{key}"
address = "192.0.2.7/24"
[host]
public_address = "192.0.2.7"
[host.tls]
certificate = "c.pem"
key = "{key}"
{room(key)}
[[host.devices]]
id = "box"
name = "Box"
room = "lobby"
public_key = "{KEY}"
hue = "jade"
[log]
level = "error"
'''


def test_what_is_shown_gives_the_same_settings_again(tmp_path: Path) -> None:
    settings = load([source(everything(tmp_path))])
    for only_changed in (False, True):
        shown = as_toml(resolve([source(everything(tmp_path))]), only_changed)
        assert load([Source("shown", shown.encode())]) == settings


def test_the_defaults_too_give_the_same_again() -> None:
    shown = as_toml(resolve([]))
    assert load([Source("shown", shown.encode())]) == Settings()
    assert as_toml(resolve([]), only_changed=True) == "schema = 1\n"


def test_shows_the_origin_of_every_value() -> None:
    shown = as_toml(resolve([source("[audio]\nbitrate = 24000", "/etc/kontor/kontor.toml")]))
    assert "bitrate = 24000                           # /etc/kontor/kontor.toml:3\n" in shown
    assert "frame_ms = 20                             # default\n" in shown


def test_diff_shows_only_what_differs_and_the_default() -> None:
    shown = as_toml(resolve([source("[audio]\nbitrate = 24000\nframe_ms = 20", "a.toml")]), only_changed=True)
    assert shown.splitlines() == [
        "schema = 1",
        "",
        "[audio]",
        "bitrate = 24000                           # a.toml:3, default: 32000",
    ]


def test_shows_every_setting_there_is(tmp_path: Path) -> None:
    found = as_dict(resolve([source(everything(tmp_path))]))
    assert {key.replace("[1]", "") for key in found} == set(SETTINGS)
    assert found["audio.bitrate"] == {"value": 32000, "default": 32000, "origin": "default", "effect": "rejoin"}
    assert found["host.devices[1].place"]["value"] is None
    json.dumps(found)


def test_what_is_not_set_and_has_no_word_for_it_is_a_comment(tmp_path: Path) -> None:
    assert "# place is not set\n" in as_toml(resolve([source(everything(tmp_path))]))


def test_an_odd_name_of_a_file_stays_in_its_comment() -> None:
    shown = as_toml(resolve([source("[audio]\nbitrate = 24000", "a\n[room]\x1b.toml")]))
    assert "# a\\u000a[room]\\u001b.toml:3" in shown


def test_rooms_are_told_apart(tmp_path: Path) -> None:
    key = key_file(tmp_path)
    shown = as_toml(resolve([source(room(key, "a") + room(key, "b"))]), only_changed=True)
    assert [each["id"] for each in tomllib.loads(shown)["host"]["rooms"]] == ["a", "b"]


def test_never_shows_a_secret() -> None:
    text = '[room]\ntoken_file = "hunter2"\n' + room(Path("hunter2"))
    found = resolve([source(text)], secrets=())
    for shown in (as_toml(found), as_toml(found, only_changed=True), json.dumps(as_dict(found)), repr(found)):
        assert "hunter2" not in shown
    assert 'token_file = "(hidden)"' in as_toml(found)


def test_tells_when_a_change_takes_effect(tmp_path: Path) -> None:
    old = Settings()
    new = load([source('[log]\nlevel = "debug"\n[panel]\npush_to_talk = true\n' + room(key_file(tmp_path)))])
    assert effects(old, old) == {}
    assert effects(old, new) == {
        "panel.push_to_talk": Effect.HAND,
        "host.rooms[1].id": Effect.RESTART,
        "host.rooms[1].title": Effect.RESTART,
        "host.rooms[1].key_files": Effect.RESTART,
        "host.rooms[1].mute_new": Effect.RESTART,
        "log.level": Effect.LIVE,
    }
    assert effects(new, old) == effects(old, new)


def test_what_must_be_set_has_no_default(tmp_path: Path) -> None:
    found = {entry.key: entry for entry in entries(load([source(everything(tmp_path))]))}
    assert found["host.rooms[1].id"].default is None
    assert found["host.rooms[1].id"].changed
    assert found["audio.frame_ms"].default == 20


@pytest.mark.parametrize(
    "value", [True, False, 0, -5, "", 'a"b\\c', "ä☎\n\t\x7f\u2028", [1, "x", [True]], {"a b": {"c": 1}}, {}, []]
)
def test_writes_toml(value: object) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}") == {"x": value}


def test_does_not_write_what_toml_has_not() -> None:
    with pytest.raises(TypeError, match="TOML has no NoneType"):
        toml_value(None)


def properties(schema: Any, key: str) -> dict[str, Any]:
    for name in key.split("."):
        assert isinstance(schema, dict)
        schema = schema.get("items", schema)
        schema = schema["properties"][name]
    assert isinstance(schema, dict)
    return schema


@pytest.mark.parametrize("key", SETTINGS)
def test_the_json_schema_has_every_setting(key: str) -> None:
    found, member = properties(json_schema(), key), SETTINGS[key]
    assert str(found["description"]).startswith(member.about)
    assert (found["x-effect"], found["x-secret"]) == (member.effect.value, member.kind.secret)
    if not member.required and member.kind.plain(member.default) is not None:
        assert found["default"] == member.kind.plain(member.default)


def test_the_json_schema_refuses_unknown_keys_and_asks_for_what_must_be_set() -> None:
    schema = json_schema()
    assert schema["required"] == ["schema"]
    assert properties(schema, "schema")["const"] == 1
    assert schema["additionalProperties"] is False
    rooms = properties(schema, "host.rooms")["items"]
    assert isinstance(rooms, dict)
    assert rooms["required"] == ["id"]
    assert rooms["additionalProperties"] is False
    assert all(isinstance(member, Setting) or member.cls for member in members(Settings).values())
    json.dumps(schema)
