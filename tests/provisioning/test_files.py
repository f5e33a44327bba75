import os
from pathlib import Path

import pytest

from appliance.provisioning.files import MOST_BESIDE, source, sources
from appliance.settings import SettingsError, load
from appliance.settings.sources import LARGEST


def write(root: Path, name: str, text: str = "schema = 1\n") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(root: Path, named: Path | None = None) -> list[str]:
    return [os.path.relpath(found.name, root) for found in sources(named, root)]


def test_a_machine_without_files_has_no_sources(tmp_path: Path) -> None:
    assert sources(None, tmp_path) == []


def test_later_files_have_more_to_say(tmp_path: Path) -> None:
    for name in ("boot/firmware/kontor.toml", "etc/kontor/conf.d/20-b.toml", "etc/kontor/conf.d/10-a.toml"):
        write(tmp_path, name)
    write(tmp_path, "etc/kontor/kontor.toml")
    assert names(tmp_path) == [
        "etc/kontor/kontor.toml",
        "etc/kontor/conf.d/10-a.toml",
        "etc/kontor/conf.d/20-b.toml",
        "boot/firmware/kontor.toml",
    ]


def test_the_last_word_is_that_of_the_boot_partition(tmp_path: Path) -> None:
    write(tmp_path, "etc/kontor/kontor.toml", "schema = 1\n[audio]\nbitrate = 24000\nframe_ms = 10")
    write(tmp_path, "etc/kontor/conf.d/a.toml", "schema = 1\n[audio]\nbitrate = 40000")
    write(tmp_path, "boot/kontor.toml", "schema = 1\n[audio]\nbitrate = 64000")
    audio = load(sources(None, tmp_path)).audio
    assert (audio.bitrate, audio.frame_ms) == (64000, 10)


def test_a_boot_partition_that_is_mounted_twice_counts_once(tmp_path: Path) -> None:
    write(tmp_path, "boot/kontor.toml")
    write(tmp_path, "boot/firmware/kontor.toml")
    assert names(tmp_path) == ["boot/firmware/kontor.toml"]


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
