from pathlib import Path

import pytest

from appliance.host import pages
from appliance.settings import (
    AudioBackend,
    EngineName,
    Origin,
    PanelKind,
    Settings,
    SettingsError,
    Source,
    load,
    resolve,
)
from tests.settings.support import FOLDER, key_file, loaded, only, problems, room, source

KEY = "A" * 43 + "="
DEVICE = f'[[host.devices]]\nid = "box"\nname = "Box"\nroom = "lobby"\npublic_key = "{KEY}"\n'


def test_without_a_file_everything_has_its_default() -> None:
    settings = load([])
    assert settings == Settings()
    assert settings.room.engine is EngineName.HOSTED
    assert (settings.audio.backend, settings.panel.kind) == (AudioBackend.VIRTUAL, PanelKind.NONE)
    assert (settings.host.listen, settings.host.port) == ("127.0.0.1", 8080)


def test_later_files_have_the_last_word_key_by_key() -> None:
    settings = loaded("[audio]\nframe_ms = 10\nbitrate = 24000", "[audio]\nbitrate = 64000", '[room]\nid = "x"')
    assert (settings.audio.frame_ms, settings.audio.bitrate, settings.audio.complexity) == (10, 64000, 8)
    assert settings.room.id == "x"


def test_tells_where_each_value_was_written() -> None:
    first = source("[audio]\nframe_ms = 10\nbitrate = 24000", "first.toml")
    origins = resolve([first, source("\naudio.bitrate = 64000", "second.toml")]).origins
    assert origins == {"audio.frame_ms": Origin("first.toml", 3), "audio.bitrate": Origin("second.toml", 3)}
    assert str(origins["audio.bitrate"]) == "second.toml:3"
    assert str(Origin("second.toml", None)) == "second.toml"


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_files() -> None:
    found = problems(
        '[audio]\nframe_ms = 15\nbitrate = "32000"\n[device]\nnam = "x"\n[rom]\nid = "y"',
        'colour = 1\n[panel]\npush_to_talk = "true"\n[log]\nlevel = "inof"',
    )
    assert [str(problem) for problem in found] == [
        "1.toml:3: audio.frame_ms = 15: must be 10 or 20 (ms).",
        '1.toml:4: audio.bitrate = "32000": must be a whole number from 8000 to 128000 (bit/s). Write it without quotes.',
        '1.toml:6: device.nam is no setting of Kontor. Did you mean "name"?',
        '1.toml:7: rom is no section of Kontor. Did you mean "room"?',
        "2.toml:2: colour is no setting of Kontor.",
        '2.toml:4: panel.push_to_talk = "true": must be true or false. Write it without quotes.',
        '2.toml:6: log.level = "inof": must be "debug", "info", "warning" or "error". Did you mean "info"?',
    ]


def test_a_value_that_is_overruled_must_be_right_too() -> None:
    assert only("[audio]\nframe_ms = 15", "[audio]\nframe_ms = 20").file == "1.toml"


def test_a_setting_in_the_wrong_section_is_found_in_the_right_one() -> None:
    assert only('[audio]\nlevel = "info"').hint == "Did you mean log.level?"
    assert only('listen = "127.0.0.1"').hint == "Did you mean host.listen?"
    assert only('[host.tls]\npublic_address = ""').hint == "Did you mean host.public_address?"


def test_the_value_of_an_unknown_key_is_never_shown() -> None:
    assert "hunter2" not in str(only('[room]\ntoken = "hunter2"'))
    assert only('[room]\ntoken = "hunter2"').hint == 'Did you mean "token_file"?'


def test_an_odd_key_cannot_talk_to_the_terminal() -> None:
    assert only('"a\\u001b[31m\\nb" = 1').key == '"a\\u001b[31m\\u000ab"'
    assert len(only(f'"{"x y" * 1000}" = 1').key) < 80


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("audio = 5", "1.toml:2: audio = 5: must be one section: [audio]."),
        ("[[audio]]", "1.toml:2: audio = (a list): must be one section: [audio]."),
        ("[host]\nrooms = 5", "1.toml:3: host.rooms = 5: must be a list of sections: [[host.rooms]]."),
        ("[host.rooms]", "1.toml:2: host.rooms = (a table): must be a list of sections: [[host.rooms]]."),
        ("[host]\nrooms = [5]", "1.toml:3: host.rooms = (a list): must be a list of sections: [[host.rooms]]."),
        ("[host]\ntls = 1979-05-27", "1.toml:3: host.tls = (a date or time): must be one section: [host.tls]."),
    ],
)
def test_a_section_must_be_a_section(text: str, told: str) -> None:
    assert str(only(text)) == told


def test_rooms_of_several_files_add_up(tmp_path: Path) -> None:
    key = key_file(tmp_path)
    sources = [source(room(key, "a"), "1.toml"), source(room(key, "b"), "2.toml"), source(DEVICE, "3.toml")]
    sources[2] = source(DEVICE.replace("lobby", "b"), "3.toml")
    found = resolve(sources)
    assert [each.id for each in found.settings.host.rooms] == ["a", "b"]
    assert found.settings.host.devices[0].room == "b"
    assert found.settings.host.devices[0].public_key == bytes(32)
    assert found.settings.host.rooms[0].key_files["k1"].read() == b"0123456789abcdef"
    assert found.origins["host.rooms[2].id"] == Origin("2.toml", 3)


def test_the_same_room_twice_is_an_error_wherever_it_stands() -> None:
    problem = only(room(FOLDER / "k"), "\n" + room(FOLDER / "k"))
    assert str(problem) == '2.toml:4: host.rooms[2].id = "lobby": is there already, at 1.toml:3.'
    assert only(room(FOLDER / "k") + DEVICE + DEVICE).key == "host.devices[2].id"


def test_what_must_be_set_is_asked_for_with_its_meaning() -> None:
    found = problems('[[host.rooms]]\ntitle = "x"\n[[host.devices]]')
    assert [(problem.line, problem.key) for problem in found] == [
        (2, "host.rooms[1].id"),
        (4, "host.devices[1].id"),
        (4, "host.devices[1].name"),
        (4, "host.devices[1].room"),
        (4, "host.devices[1].public_key"),
    ]
    assert str(found[0]) == "1.toml:2: host.rooms[1].id is missing. The last part of the page's address."


def test_a_device_needs_a_room_of_this_server() -> None:
    problem = only(room(FOLDER / "k") + DEVICE.replace("lobby", "loby"))
    assert str(problem) == '1.toml:8: host.devices[1].room = "loby": is no room of this server. Did you mean "lobby"?'
    # A room that is wrong itself is told once, not once more for each of its devices.
    assert only('[[host.rooms]]\nid = "lobby"\nkey_files = 5\n' + DEVICE).key == "host.rooms[1].key_files"


def test_the_right_one_of_a_list_is_told_when_others_are_wrong_too() -> None:
    text = room(FOLDER / "k") + "[[host.devices]]\n" + DEVICE.replace("lobby", "attic")
    told = {problem.key: problem.line for problem in problems(text)}
    assert told["host.devices[2].room"] == 9
    assert "host.devices[1].room" in told


@pytest.mark.parametrize("name", ["health", "rooms", "devices", "page", "certificate", "demo", "robots.txt"])
def test_a_room_cannot_have_an_address_of_the_server(name: str) -> None:
    problem = only(room(FOLDER / "k", name))
    assert (problem.key, problem.allowed) == ("host.rooms[1].id", "is an address that the server needs for itself")


@pytest.mark.parametrize("end", sorted(pages._TYPES))
def test_a_room_cannot_have_the_address_of_a_file_of_the_page(end: str) -> None:
    problem = only(room(FOLDER / "k", f"team.{end}"))
    assert problem.key == "host.rooms[1].id"
    assert f"must not end in .{end}" in problem.allowed
    assert problem.hint == f'Without the dot it can be, as "team-{end}".'
    assert loaded(room(FOLDER / "k", f"team-{end}")).host.rooms[0].id == f"team-{end}"


def test_a_dot_in_the_id_of_a_room_is_fine_else() -> None:
    assert loaded(room(FOLDER / "k", "team.berlin")).host.rooms[0].id == "team.berlin"
    assert loaded(room(FOLDER / "k", "js")).host.rooms[0].id == "js"


def test_certificate_and_key_belong_together(tmp_path: Path) -> None:
    assert str(only('[host.tls]\ncertificate = "c.pem"')) == (
        '1.toml:3: host.tls.certificate = "c.pem": needs host.tls.key beside it.'
    )
    assert only('[host.tls]\nkey = "k.pem"').allowed == "needs host.tls.certificate beside it"
    assert only('[host.tls]\ncertificate = "c.pem"\nkey = 5').key == "host.tls.key"
    assert loaded('[host.tls]\ncertificate = "c.pem"\nkey = "k.pem"').host.tls.certificate == FOLDER / "c.pem"
    assert loaded('[host.tls]\ncertificate = "c.pem"', '[host.tls]\ncertificate = ""').host.tls.certificate is None


def test_the_runtime_folder_leaves_room_for_sockets() -> None:
    assert loaded(f'[device]\nruntime_dir = "/{"x" * 79}"').device.runtime_dir.is_absolute()
    assert only(f'[device]\nruntime_dir = "/{"ä" * 40}"').allowed == "must be a path of at most 80 bytes"


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('array = "respeaker_usb_4"\nchannels = 4', "audio.channels", "are on 5 channels"),
        (
            'array = "respeaker_usb_4"\ngeometry_mm = "9,0; 0,9"',
            "audio.geometry_mm",
            "has 2 microphones, but audio.array has 4",
        ),
        (
            'geometry_mm = "9,0; 0,9; -9,0"\nchannels = 2',
            "audio.geometry_mm",
            "has 3 microphones, but audio.channels is 2",
        ),
    ],
)
def test_array_channels_and_geometry_fit_each_other(text: str, key: str, words: str) -> None:
    problem = only(f"[audio]\n{text}")
    assert problem.key == key
    assert words in problem.allowed
    assert loaded('[audio]\ngeometry_mm = "9,0; 0,9"\nchannels = 6').audio.channels == 6
    assert only('[audio]\ngeometry_mm = "9,0; 0,9"\nchannels = 9').key == "audio.channels", "and no more of it"


def test_relative_paths_start_at_the_folder_of_their_file() -> None:
    sources = [
        source('[audio]\nmicrophone = "talk.wav"', folder=Path("/boot")),
        source('[device]\nstate_dir = "state"\n[room]\ntoken_file = "/run/token"', folder=Path("/srv")),
    ]
    settings = load(sources, secrets=())
    assert settings.audio.microphone == "/boot/talk.wav"
    assert settings.device.state_dir == Path("/srv/state")
    assert settings.room.token_file is not None
    assert settings.room.token_file.path == Path("/run/token")


def test_secret_files_are_looked_into(tmp_path: Path) -> None:
    text = f'[room]\ntoken_file = "{tmp_path}/token"\n' + room(tmp_path / "missing")
    key_file(tmp_path, "token").chmod(0o644)
    with pytest.raises(SettingsError) as caught:
        load([source(text)])
    found = [(p.file, p.line, p.key, p.allowed) for p in caught.value.problems]
    assert found == [
        ("kontor.toml", 3, "room.token_file", "is open to everybody on this machine"),
        ("kontor.toml", 6, "host.rooms[1].key_files.k1", "names a file that does not exist"),
    ]


def test_each_service_looks_into_its_own_secrets_alone(tmp_path: Path) -> None:
    text = f'[room]\ntoken_file = "{key_file(tmp_path)}"\n' + room(tmp_path / "missing")
    assert load([source(text)], {"room"}).room.token_file is not None
    load([source(text)], ())
    with pytest.raises(SettingsError):
        load([source(text)], {"host"})


def test_a_secret_that_is_overruled_is_not_looked_into(tmp_path: Path) -> None:
    first = source('[room]\ntoken_file = "/nowhere"')
    assert load([first, source('[room]\ntoken_file = ""')]).room.token_file is None
    second = source(f'[room]\ntoken_file = "{key_file(tmp_path)}"')
    assert load([first, second]).room.token_file is not None


@pytest.mark.parametrize("text", ['[room]\ntoken_file = "hunter2"', '[room]\ntoken_file = "hunter2\\u0000"'])
def test_a_secret_written_where_its_file_belongs_is_not_shown(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load([source(text)])
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value)


def test_settings_never_show_a_secret_file_that_is_not_there() -> None:
    settings = loaded('[room]\ntoken_file = "hunter2"\n' + room(Path("hunter2")))
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)


def test_problems_can_be_had_by_programs() -> None:
    assert only("[audio]\nframe_ms = 15").as_dict() == {
        "file": "1.toml",
        "line": 3,
        "key": "audio.frame_ms",
        "value": "15",
        "allowed": "must be 10 or 20 (ms)",
        "hint": "",
    }


def test_inline_tables_count_as_sections() -> None:
    settings = load([Source("a", b'schema = 1\naudio = { frame_ms = 10 }\nroom.id = "x"')])
    assert (settings.audio.frame_ms, settings.room.id) == (10, "x")
