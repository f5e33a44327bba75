import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.settings.store import atomic_write, give


def test_writes_and_replaces(tmp_path: Path) -> None:
    target = tmp_path / "mute.json"
    atomic_write(target, b"old")
    atomic_write(target, b"new")
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["mute.json"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_has_exactly_the_mode_whatever_the_umask(tmp_path: Path, mode: int, umask: int) -> None:
    before = os.umask(umask)
    try:
        atomic_write(tmp_path / "a", b"x", mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_is_never_wider_than_its_mode_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    fchmod = os.fchmod

    def spy(handle: int, mode: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(handle).st_mode))
        fchmod(handle, mode)

    monkeypatch.setattr(os, "fchmod", spy)
    before = os.umask(0)
    try:
        atomic_write(tmp_path / "a", b"x", 0o640)
    finally:
        os.umask(before)
    assert seen == [0o600]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    (tmp_path / "link").symlink_to(elsewhere)
    atomic_write(tmp_path / "link", b"x")
    assert elsewhere.read_bytes() == b"precious"
    assert not (tmp_path / "link").is_symlink()


def test_content_is_on_the_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def note(name: str, original: Callable[..., None]) -> Callable[..., None]:
        def step(*arguments: object) -> None:
            is_folder = isinstance(arguments[0], int) and stat.S_ISDIR(os.fstat(arguments[0]).st_mode)
            steps.append(f"{name} folder" if is_folder else name)
            original(*arguments)

        return step

    monkeypatch.setattr(os, "fsync", note("sync", os.fsync))
    monkeypatch.setattr(os, "replace", note("rename", os.replace))
    atomic_write(tmp_path / "a", b"x")
    assert steps == ["sync", "rename", "sync folder"]


@pytest.mark.parametrize("step", ["fsync", "fchmod", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write(target, b"new")
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_nobody_else_reads_it_unless_that_is_said(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a", b"x")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


def test_nothing_is_left_open(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a", b"x")
    with pytest.raises(FileNotFoundError):
        atomic_write(tmp_path / "nowhere" / "a", b"x")
    handles = [handle for handle in Path("/proc/self/fd").iterdir() if handle.is_symlink()]
    assert not [handle for handle in handles if str(handle.readlink()).startswith(str(tmp_path))]


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        atomic_write(tmp_path / "nowhere" / "a", b"x")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_writes_belongs_to_whom_the_folder_belongs(tmp_path: Path) -> None:
    folder = tmp_path / "sound"
    folder.mkdir()
    os.chown(folder, 4321, 1234)
    atomic_write(folder / "mute.json", b"{}")
    found = (folder / "mute.json").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (4321, 1234, 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_gives_a_service_nothing_that_it_only_links_to(tmp_path: Path) -> None:
    target, service = tmp_path / "shadow", tmp_path / "service"
    target.write_text("root's")
    service.mkdir()
    os.chown(service, 65534, 65534)
    (service / "link").symlink_to(target)
    give(service / "link", service)
    assert (target.stat().st_uid, (service / "link").lstat().st_uid) == (0, 65534)
    (service / "folder").mkdir()
    give(service / "folder", service)
    assert (service / "folder").stat().st_uid == 65534
