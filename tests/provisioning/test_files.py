import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from appliance.provisioning.files import ACTIVE, MOST_BESIDE, NAMES, Files, boot_file, find, source, sources
from appliance.settings import Settings, SettingsError, load
from appliance.settings.sources import LARGEST


def write(root: Path, name: str, text: str = "schema = 1\n") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def accept(root: Path, files: Mapping[str, str], text: str = "schema = 1\n") -> Path:
    """A set of accepted settings: the files, and how people know each."""
    settings = (root / ACTIVE).parent
    folder = settings / "sets" / "abc"
    for name in files:
        write(folder, name, text)
    known = {file: {"name": name, "folder": "/srv"} for file, name in files.items()}
    (folder / NAMES).write_text(json.dumps(known))
    (root / ACTIVE).symlink_to("sets/abc")
    return folder


def names(root: Path, named: Path | None = None) -> list[str]:
    return [os.path.relpath(found.name, root) for found in sources(named, root)]


def test_a_machine_without_files_has_no_sources(tmp_path: Path) -> None:
    assert sources(None, tmp_path) == []


def test_later_files_have_more_to_say(tmp_path: Path) -> None:
    for name in ("etc/kontor/conf.d/20-b.toml", "etc/kontor/conf.d/10-a.toml", "etc/kontor/kontor.toml"):
        write(tmp_path, name)
    accept(tmp_path, {"30-all.toml": "all (version 3)", "20-boot.toml": "boot.toml"})
    assert [each.name.removeprefix(f"{tmp_path}/") for each in sources(None, tmp_path)] == [
        "etc/kontor/kontor.toml",
        "etc/kontor/conf.d/10-a.toml",
        "etc/kontor/conf.d/20-b.toml",
        "boot.toml",
        "all (version 3)",
    ]


def test_the_last_word_is_that_of_what_was_accepted(tmp_path: Path) -> None:
    write(tmp_path, "etc/kontor/kontor.toml", "schema = 1\n[audio]\nbitrate = 24000\nframe_ms = 10")
    write(tmp_path, "etc/kontor/conf.d/a.toml", "schema = 1\n[audio]\nbitrate = 40000")
    accept(tmp_path, {"20-boot.toml": "/boot/kontor.toml"}, "schema = 1\n[audio]\nbitrate = 64000")
    audio = load(sources(None, tmp_path)).audio
    assert (audio.bitrate, audio.frame_ms) == (64000, 10)


def test_the_boot_partition_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, "boot/firmware/kontor.toml", "no settings at all")
    assert sources(None, tmp_path) == []


def test_where_the_boot_partition_may_be_mounted(tmp_path: Path) -> None:
    assert boot_file(tmp_path) is None
    write(tmp_path, "boot/kontor.toml")
    assert boot_file(tmp_path) == tmp_path / "boot/kontor.toml"
    write(tmp_path, "boot/firmware/kontor.toml")
    assert boot_file(tmp_path) == tmp_path / "boot/firmware/kontor.toml"


def test_accepted_settings_go_under_the_names_that_people_know(tmp_path: Path) -> None:
    folder = accept(tmp_path, {"20-boot.toml": "/boot/kontor.toml"}, 'schema = 1\n[audio]\nrecord = "out.wav"')
    found = find(None, tmp_path)
    assert found.digest == "abc"
    assert [(each.name, each.folder) for each in found.sources] == [("/boot/kontor.toml", Path("/srv"))]
    (folder / NAMES).unlink()
    assert [each.name for each in sources(None, tmp_path)] == [f"{folder}/20-boot.toml"], "better than nothing"


def test_accepted_settings_that_are_gone_do_not_read_as_if_there_had_been_none(tmp_path: Path) -> None:
    shutil.rmtree(accept(tmp_path, {"30-all.toml": "all"}))
    with pytest.raises(SettingsError, match="active does not exist"):
        load(sources(None, tmp_path))
    (tmp_path / ACTIVE).unlink()
    (tmp_path / ACTIVE).mkdir()
    with pytest.raises(SettingsError, match="active cannot be read"):
        load(sources(None, tmp_path))


def test_the_folder_may_be_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "etc/kontor/kontor.toml", "schema = 1\n[audio]\nbitrate = 24000")
    monkeypatch.setenv("KONTOR_ROOT", str(tmp_path))
    files = Files(None)
    assert files.current.settings == Settings()
    assert files.load().settings.audio.bitrate == 24000
    assert files.current.settings == Settings(), "whoever loads them has not taken them up yet"


def test_a_named_file_is_read_alone(tmp_path: Path) -> None:
    write(tmp_path, "etc/kontor/kontor.toml")
    named = write(tmp_path, "my.toml")
    assert names(tmp_path, named) == ["my.toml"]


def test_files_of_editors_are_left_alone(tmp_path: Path) -> None:
    for name in ("a.toml~", ".a.toml.swp", ".hidden.toml", "a.toml.bak", "README"):
        write(tmp_path, f"etc/kontor/conf.d/{name}")
    assert names(tmp_path) == []


def test_there_is_an_end_to_files_beside(tmp_path: Path) -> None:
    for number in range(MOST_BESIDE + 5):
        write(tmp_path, f"etc/kontor/conf.d/{number:03}.toml")
    with pytest.raises(SettingsError) as caught:
        load(sources(None, tmp_path))
    assert [problem.allowed for problem in caught.value.problems] == ["holds more than 100 settings files"]


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    monkeypatch.setattr(os, "readlink", refuse)
    monkeypatch.setattr(Path, "lstat", refuse)
    monkeypatch.setattr(Path, "stat", refuse)
    assert {found.unreadable for found in sources(None, tmp_path)} == {"is not readable for this user"}
    assert len(sources(None, tmp_path)) == 3


def test_a_file_where_a_folder_belongs(tmp_path: Path) -> None:
    write(tmp_path, "etc/kontor/conf.d")
    write(tmp_path, "boot/firmware")
    assert [found.unreadable for found in sources(None, tmp_path)] == ["does not exist"]


def test_relative_paths_start_where_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "srv/my.toml", 'schema = 1\n[audio]\nrecord = "out.wav"')
    monkeypatch.chdir(tmp_path)
    found = source(Path("srv/my.toml"))
    assert (found.name, found.folder) == ("srv/my.toml", tmp_path / "srv")
    assert load([found]).audio.record == tmp_path / "srv" / "out.wav"


def told(path: Path) -> str:
    found = source(path)
    with pytest.raises(SettingsError) as caught:
        load([found])
    assert found.content == b""
    return str(caught.value)


def test_says_why_a_file_cannot_be_read(tmp_path: Path) -> None:
    assert told(tmp_path / "missing.toml") == f"{tmp_path}/missing.toml does not exist."
    assert told(tmp_path) == f"{tmp_path} is no file."
    assert told(Path("a\0b")).endswith("cannot be read.")
    os.mkfifo(tmp_path / "pipe")
    assert told(tmp_path / "pipe").endswith("is no file.")


@pytest.mark.parametrize(
    ("error", "why"),
    [(PermissionError(13, "x"), "is not readable for this user"), (OSError(5, "x"), "cannot be read")],
)
def test_says_why_a_file_cannot_be_opened(
    error: OSError, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "a.toml")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Path, "open", fail)
    assert told(path) == f"{path} {why}."


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "etc/kontor").mkdir(parents=True)
    (tmp_path / "etc/kontor/kontor.toml").symlink_to("/nowhere")
    assert [found.unreadable for found in sources(None, tmp_path)] == ["does not exist"]


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "huge.toml"
    with path.open("wb") as file:
        file.truncate(10**9)
    assert len(source(path).content) == LARGEST + 1


def test_of_wrong_settings_everything_else_is_salvaged(tmp_path: Path) -> None:
    """An update may know a setting no more: where better ones come from, and the network, must not go with it."""
    key = "RWQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    own = f'schema = 1\n[provisioning]\nurl = "https://config.example.org"\nkeys = ["{key}"]\n[room]\nurl = "https://a.example"\n'
    write(tmp_path, "etc/kontor/kontor.toml", own)
    write(tmp_path, "etc/kontor/conf.d/10-broken.toml", "no TOML")
    wrong = 'schema = 1\n[audio]\nbitrate = "much"\n[provisioning]\npoll_s = 0\n[room]\nid = "b"\n["odd one"]\nx = 1\n[gone]\n'
    write(tmp_path, "etc/kontor/conf.d/20-wrong.toml", wrong.replace('["odd one"]\nx = 1\n', ""))
    files = Files(None, (), tmp_path)
    with pytest.raises(SettingsError):
        files.load()
    found = files.salvage()
    assert found.salvaged
    assert (found.settings.provisioning.url, found.settings.provisioning.poll_s) == ("https://config.example.org", 25)
    assert (found.settings.room.url, found.settings.room.id) == ("https://a.example", "b")
    write(tmp_path, "etc/kontor/conf.d/20-wrong.toml", wrong)
    found = files.salvage()
    assert (found.settings.provisioning.url, found.settings.room.id) == ("https://config.example.org", "main")


def test_where_nothing_can_be_used_nothing_is_salvaged(tmp_path: Path) -> None:
    write(tmp_path, "etc/kontor/kontor.toml", "no TOML")
    assert Files(None, (), tmp_path).salvage().settings == Settings()
