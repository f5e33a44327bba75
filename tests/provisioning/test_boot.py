"""The settings on the boot partition, and the secrets that are taken from there."""

import os
import stat
from pathlib import Path

import pytest

from appliance.provisioning.boot import MOVED, Taken, forget, take
from appliance.settings import load

TOKEN = "a-token-of-the-room"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "boot"
    folder.mkdir()
    return folder / "kontor.toml"


def taken(path: Path, text: str) -> Taken:
    path.write_bytes(text.encode())
    return take(path, path.parent.parent / "secrets")


def secret(path: Path, name: str) -> Path:
    return path.parent.parent / "secrets" / name


def test_a_file_without_secrets_is_as_it_is(path: Path) -> None:
    text = 'schema = 1\r\n# ours\r\n[device]\r\nname = "Büro"\r\n'
    before = os.stat(path.parent)
    found = taken(path, text)
    assert (found.layer.content, found.layer.folder, found.moved) == (text.encode(), path.parent, ())
    assert path.read_bytes() == text.encode()
    assert not secret(path, "").exists()
    assert before.st_ino == os.stat(path.parent).st_ino


def test_a_secret_goes_where_one_service_reads_it_and_nothing_else_in_the_file_changes(path: Path) -> None:
    text = f'\ufeffschema = 1\r\n[room]  # ours\r\nurl = "https://a.example.org"\r\n  token  = "{TOKEN}"  # secret "one"\r\n# end'
    found = taken(path, text)
    file = secret(path, "link/room.token.1")
    assert file.read_text() == TOKEN
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o2750
    assert path.read_bytes().decode() == text.removeprefix("\ufeff").replace(TOKEN, MOVED)
    wanted = text.removeprefix("\ufeff").replace(f'token  = "{TOKEN}"', f'token_file  = "{file}"')
    assert found.layer.content.decode() == wanted
    assert (found.moved, found.problems, found.not_blanked) == (("room.token",), (), "")
    settings = load([found.layer.source], {"room"})
    assert settings.room.token_file is not None
    assert settings.room.token_file.read() == TOKEN.encode()


def test_what_was_moved_is_found_again(path: Path) -> None:
    first = taken(path, f'schema = 1\n[room]\ntoken = "{TOKEN}"\n')
    again = take(path, secret(path, ""))
    assert again.layer == first.layer
    assert (again.moved, again.problems) == ((), ())
    before = path.stat().st_mtime_ns
    take(path, secret(path, ""))
    assert path.stat().st_mtime_ns == before


def test_a_new_secret_is_written_beside_the_old_one_and_the_same_one_is_not(path: Path) -> None:
    taken(path, f'schema = 1\n[room]\ntoken = "{TOKEN}"\n')
    taken(path, f"schema = 1\n[room]\ntoken = '{TOKEN}'\n")
    assert [each.name for each in secret(path, "link").iterdir()] == ["room.token.1"]
    found = taken(path, 'schema = 1\n[room]\ntoken = "another"\n')
    assert b"room.token.2" in found.layer.content
    assert secret(path, "link/room.token.1").read_text() == TOKEN
    assert b"room.token.2" in taken(path, f'schema = 1\n[room]\ntoken = "{MOVED}"\n').layer.content


def test_items_of_a_list_keep_their_secrets_when_they_change_places(path: Path) -> None:
    one, two = (
        '[[network.wifi]]\nssid = "{}"\npassword = "{}"\n'.format(*each) for each in (("Büro", "pw-1"), ("lab", "pw-2"))
    )
    found = taken(path, f"schema = 1\n{one}{two}")
    (file,) = [each for each in secret(path, "provision").iterdir() if "lab-" in each.name]
    assert file.read_text() == "pw-2"
    assert len(found.moved) == 2
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *lines[4:], *lines[1:4]]))
    again = take(path, secret(path, ""))
    assert again.problems == ()
    files = [each.password_file for each in load([again.layer.source]).network.wifi]
    assert [file.read() for file in files if file] == [b"pw-2", b"pw-1"]


def test_two_networks_of_one_name_as_a_file_is_written_have_two_secrets(path: Path) -> None:
    wifi = '[[network.wifi]]\nssid = "{}"\npassword = "{}"\n'
    taken(path, "schema = 1\n" + wifi.format("a b", "one") + wifi.format("a-b", "two"))
    assert sorted(each.read_text() for each in secret(path, "provision").iterdir()) == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("[room]\ntoken = 5\n", 3, "must be a text"),
        ('[room]\ntoken = " "\n', 3, "must be a text"),
        (f'[room]\ntoken = "{MOVED}"\n', 3, "was moved into another device"),
        ('[room]\ntoken = "a"\ntoken_file = "b"\n', 3, "is written beside token_file"),
        ('room = { token = "abc" }\n', 2, "must stand on a line of its own"),
        ('[room]\ntoken = """\nabc"""\n', 3, "must stand on a line of its own"),
        ('room.token = """abc"""\n', 2, "must stand on a line of its own"),
    ],
)
def test_how_a_secret_may_not_be_written(path: Path, text: str, line: int, told: str) -> None:
    before = f"schema = 1\n{text}"
    found = taken(path, before)
    (problem,) = found.problems
    assert (problem.file, problem.line, problem.key) == (str(path), line, "room.token")
    assert told in problem.allowed
    assert "abc" not in str(problem)
    assert path.read_text() == before


@pytest.mark.parametrize(
    "text",
    ['room.token = "{}"\n', '[room]\n"token" = "{}"\n', "[room]\ntoken='{}'#x", '[ room ]\n\ttoken =\t"{}"\n'],
)
def test_other_ways_to_write_it(path: Path, text: str) -> None:
    found = taken(path, "schema = 1\n" + text.format(TOKEN))
    assert (found.problems, found.moved) == ((), ("room.token",))
    assert TOKEN not in path.read_text()
    assert load([found.layer.source], {"room"}).room.token_file


def test_a_secret_that_stands_elsewhere_too_is_left_there(path: Path) -> None:
    found = taken(path, 'schema = 1\n[device]\nname = "token"\n[room]\ntoken = "token"  # token = "token"\n')
    assert found.problems == ()
    assert path.read_text() == f'schema = 1\n[device]\nname = "token"\n[room]\ntoken = "{MOVED}"  # token = "token"\n'


@pytest.mark.parametrize("text", ["no toml at all", "schema = 99\n", ""])
def test_what_cannot_be_read_is_left_to_whoever_loads_it(path: Path, text: str) -> None:
    found = taken(path, text)
    assert (found.layer.content, found.problems) == (text.encode(), ())


def test_a_file_that_cannot_be_read_is_told_as_such(path: Path) -> None:
    path.mkdir()
    (problem,) = take(path, secret(path, "")).problems
    assert str(problem) == f"{path} is no file."


def test_the_blocks_of_the_old_file_are_written_over(path: Path) -> None:
    path.write_text(f'schema = 1\n[room]\ntoken = "{TOKEN}"\n')
    with path.open("rb") as old:
        take(path, secret(path, ""))
        assert set(old.read()) == {0}


def test_a_partition_that_cannot_be_written_is_told_and_the_secret_is_used(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def refuse(old: str, new: Path) -> None:
        if new == path:
            raise OSError(30, "Read-only file system")
        replace(old, new)

    monkeypatch.setattr(os, "replace", refuse)
    found = taken(path, f'schema = 1\n[room]\ntoken = "{TOKEN}"\n')
    assert found.not_blanked == "Read-only file system"
    assert b"room.token.1" in found.layer.content
    assert TOKEN in path.read_text()
    assert os.listdir(path.parent) == ["kontor.toml"]
    monkeypatch.undo()
    path.chmod(0o400)
    if os.geteuid():
        assert take(path, secret(path, "")).not_blanked == "Permission denied"


def test_a_disk_that_does_not_take_the_secret_leaves_it_on_the_boot_partition(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        taken(path, f'schema = 1\n[room]\ntoken = "{TOKEN}"\n')
    assert TOKEN in path.read_text()


def test_a_file_without_modes_as_on_fat_is_replaced_all_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken(path, "schema = 1\n")
    fchmod = os.fchmod

    def refuse(handle: int, mode: int) -> None:
        if str(path) in os.readlink(f"/proc/self/fd/{handle}") or f".{path.name}." in os.readlink(
            f"/proc/self/fd/{handle}"
        ):
            raise PermissionError(1, "Operation not permitted")
        fchmod(handle, mode)

    monkeypatch.setattr(os, "fchmod", refuse)
    assert taken(path, f'schema = 1\n[room]\ntoken = "{TOKEN}"\n').not_blanked == ""
    assert TOKEN not in path.read_text()


def test_secrets_that_nothing_names_any_more_are_removed_but_for_the_newest(path: Path) -> None:
    folder = secret(path, "")
    contents = [taken(path, f'schema = 1\n[room]\ntoken = "number {each}"\n').layer.content for each in range(1, 5)]
    (folder / "link/by-hand").write_text("somebody's own")
    forget(folder, [contents[1]])
    assert sorted(each.name for each in (folder / "link").iterdir()) == ["by-hand", "room.token.2", "room.token.4"]
    forget(folder, [])
    assert sorted(each.name for each in (folder / "link").iterdir()) == ["by-hand", "room.token.4"]
    forget(path.parent / "nothing", [])
