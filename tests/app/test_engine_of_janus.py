"""The settings of a Janus room become its engine; a device that has one needs no room of ours."""

from dataclasses import replace
from pathlib import Path

import pytest
from yarl import URL

from appliance.app.bridge_sides import read_side
from appliance.app.doctor import by_settings
from appliance.app.engines import make_engine
from appliance.app.one_box import has_room, is_member, place_of, room_of
from appliance.app.process import NotAllowed
from appliance.app.rollout import needs
from appliance.rooms.janus import CAPABILITIES, JanusEngine
from appliance.settings import Settings, Source, load

PIN, TOKEN = "hunter2-pin", "hunter2-token"


def settings(folder: Path, *lines: str, **files: str) -> Settings:
    for name, content in files.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    text = [
        'schema = 1\n[device]\nname = "Büro"\nid = "office-1"',
        '[room]\nengine = "janus"\n[janus]\nurl = "ws://127.0.0.1:1/janus/"\nroom = 1234',
        *lines,
    ]
    return load([Source("kontor.toml", "\n".join(text).encode(), folder)])


def test_all_of_it_is_handed_to_the_engine_and_no_secret_is_told_by_it(tmp_path: Path) -> None:
    files = 'pin_file = "pin"\ntoken_file = "token"\n[audio]\nbitrate = 24000\nframe_ms = 10'
    made = make_engine(settings(tmp_path, files, pin=f"{PIN}\n", token=TOKEN))
    assert isinstance(made, JanusEngine)
    assert made.capabilities == CAPABILITIES
    given = made._settings
    assert (given.url, given.room, given.pin, given.token) == ("ws://127.0.0.1:1/janus", 1234, PIN, TOKEN)
    assert (given.identity, given.name, given.kind, given.codec.bitrate) == ("office-1", "Büro", "site", 24_000)
    assert made._url == URL("ws://127.0.0.1:1/janus")
    assert "hunter2" not in f"{made!r} {vars(made)!r} {given!r}"


def test_a_room_may_have_neither_pin_nor_token(tmp_path: Path) -> None:
    made = make_engine(settings(tmp_path))
    assert isinstance(made, JanusEngine)
    assert (made._settings.pin, made._settings.token) == ("", "")


def test_a_pin_that_is_none_is_told_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(NotAllowed, match=r"\[janus\] pin_file") as error:
        make_engine(settings(tmp_path, 'pin_file = "pin"', pin="hünter2"))
    assert "hünter2" not in str(error.value)


def test_a_device_shows_by_its_key_that_it_is_the_same_one_and_a_bridge_on_its_machine_has_none(tmp_path: Path) -> None:
    """Nor makes it one, which would be root's where root runs it: then the device could not read its own."""
    given = settings(tmp_path)
    given = replace(given, device=replace(given.device, state_dir=tmp_path / "state"))
    side = tmp_path / "side.toml"
    side.write_text(
        f'schema = 1\n[device]\nid = "office-1"\nstate_dir = "{tmp_path / "state"}"\n'
        '[room]\nengine = "janus"\n[janus]\nurl = "ws://127.0.0.1:1/janus/"\nroom = 1234\n'
    )

    def of_bridge() -> bytes:
        made = read_side(str(side)).engine
        assert isinstance(made, JanusEngine)
        return made._settings.secret

    def of_device() -> bytes:
        made = make_engine(given)
        assert isinstance(made, JanusEngine)
        return made._settings.secret

    (tmp_path / "state" / "link").mkdir(parents=True)
    assert of_bridge() != of_bridge()
    assert list((tmp_path / "state").rglob("*")) == [tmp_path / "state" / "link"]
    assert of_device() == of_device() != of_bridge()


def test_a_device_with_a_room_elsewhere_looks_for_none_of_ours(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert has_room(found)
    assert needs(found) == ""
    assert room_of(found) == "1234"
    assert place_of(found).url == ""
    with pytest.raises(NotAllowed, match="engine is janus"):
        by_settings(found)


def test_a_box_may_hold_rooms_while_its_device_is_elsewhere(tmp_path: Path) -> None:
    found = settings(tmp_path, '[host]\nenabled = true\nport = 8080\n[[host.rooms]]\nid = "main"\ntitle = "Main"')
    assert not is_member(found)
    assert place_of(found).url == ""
