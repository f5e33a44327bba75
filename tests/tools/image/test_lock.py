"""The lock files of the image: what is in the repository, and what becomes of lists that cannot be locked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.need import need
from tests.tools.image.made import Archive
from tools.image import lock
from tools.image.errors import ImageError, MissingError
from tools.image.fetch import read_lock

ROOT = Path(__file__).resolve().parents[3]
IMAGE = ROOT / "image"


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """An archive that this machine's apt is said to be set up with, and whose missing signature is of no matter."""
    need(Path("/usr/lib/apt/apt-helper"), "Debian's apt makes lock files")
    monkeypatch.setattr(lock, "TRUST", "[trusted=yes]")
    made = Archive(tmp_path / "archive")
    monkeypatch.setattr(lock, "mirrors", made.publish)
    return made


@pytest.mark.parametrize("name", ["root.lock", "toolbox-amd64.lock", "toolbox-arm64.lock"])
def test_a_committed_lock_names_no_address_and_each_package_once(name: str) -> None:
    packages = read_lock(IMAGE / name)
    text = (IMAGE / name).read_text()
    assert len(packages) > 100
    assert len({package.name for package in packages}) == len(packages)
    assert {package.architecture for package in packages} <= {"all", "amd64" if "amd64" in name else "arm64"}
    assert not re.search(r"https?:|\b[\w-]+\.(org|net|com)/", text)


@pytest.mark.parametrize(
    ("source", "name"),
    [("packages.txt", "root.lock"), ("toolbox.txt", "toolbox-amd64.lock"), ("toolbox.txt", "toolbox-arm64.lock")],
)
def test_a_committed_lock_is_of_its_list(source: str, name: str) -> None:
    wanted, locked = lock.read_wanted(IMAGE / source), {package.name for package in read_lock(IMAGE / name)}
    names = [word for word in (*wanted.installed, *wanted.unpacked) if lock.KERNEL not in word]
    assert set(names) <= locked
    for word in set(wanted.installed) - set(names):
        assert [there for there in locked if re.fullmatch(word.replace(lock.KERNEL, r"\d.*"), there)]


def test_the_image_has_what_the_package_depends_on() -> None:
    control = (ROOT / "packaging/control.in").read_text()
    depends = re.search(r"^Depends: (.*)$", control, re.MULTILINE)
    locked = {package.name for package in read_lock(IMAGE / "root.lock")}
    assert depends
    for needed in depends[1].split(", "):
        assert {choice.partition(" ")[0] for choice in needed.split(" | ")} & locked, needed


def test_a_list_is_resolved_with_what_it_depends_on(archive: Archive, tmp_path: Path) -> None:
    wanted = archive.add("wanted", depends="brought")
    brought = archive.add("brought", "1:2.0+b1")
    alone = archive.add("alone", depends="never-there")
    archive.add("bystander")
    found = lock.resolve(lock.Wanted(("wanted",), ("alone",)), "arm64", tmp_path / "apt")
    assert found == (alone, brought, wanted)


def test_the_kernel_is_that_of_the_backports_and_nothing_else_is(archive: Archive, tmp_path: Path) -> None:
    kernel = archive.add("linux-modules-7.9-arm64", suite=lock.BACKPORTS)
    archive.add("linux-image-arm64", depends="linux-image-6.1-arm64")
    archive.add("linux-image-arm64", "2", suite=lock.BACKPORTS, depends="linux-image-7.9-arm64 (= 2)")
    old = archive.add("systemd", "1")
    archive.add("systemd", "2", suite=lock.BACKPORTS)
    wanted = lock.Wanted(("linux-modules-@KERNEL@", "systemd"))
    assert lock.resolve(wanted, "arm64", tmp_path / "apt") == (kernel, old)


def test_a_list_that_does_not_resolve_says_what_is_missing(archive: Archive, tmp_path: Path) -> None:
    archive.add("wanted", depends="never-there (>= 3)")
    with pytest.raises(MissingError, match="does not resolve: wanted : Depends: never-there"):
        lock.resolve(lock.Wanted(("wanted",)), "arm64", tmp_path / "one")
    with pytest.raises(MissingError, match="does not resolve: Unable to locate package gone"):
        lock.resolve(lock.Wanted(("gone",)), "arm64", tmp_path / "two")
    with pytest.raises(MissingError, match="linux-image-arm64 of trixie-backports names no kernel"):
        lock.resolve(lock.Wanted(("linux-modules-@KERNEL@",)), "arm64", tmp_path / "three")


def test_without_a_mirror_nothing_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "mirrors", dict)
    with pytest.raises(MissingError, match="knows no mirror of debian:"):
        lock.resolve(lock.Wanted(("wanted",)), "arm64", tmp_path / "apt")


def test_the_lock_that_was_there_stays_when_a_new_one_cannot_be_made(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.add("other")
    (tmp_path / "packages.txt").write_text("gone  # by now\n")
    (tmp_path / "root.lock").write_text("# as it was\n")
    monkeypatch.setattr(lock, "IMAGE", tmp_path)
    assert lock.main() == 75
    assert (tmp_path / "root.lock").read_text() == "# as it was\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "packages.txt", "root.lock"]
    assert capsys.readouterr().out == "kontor: the lock does not resolve: Unable to locate package gone\n"


def test_what_is_written_is_read_again(archive: Archive, tmp_path: Path) -> None:
    packages = (archive.add("one", "1:2~b+c"), archive.add("two"))
    lock.write(packages, tmp_path / "x.lock", Path("x.txt"))
    assert read_lock(tmp_path / "x.lock") == packages


def test_a_list_has_names_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("# why\n\none\nunpack two # alone\nlinux-@KERNEL@\n")
    assert lock.read_wanted(tmp_path / "x.txt") == lock.Wanted(("one", "linux-@KERNEL@"), ("two",))
    for line in ("one two", "-o=evil", "install one", "one/trixie"):
        (tmp_path / "x.txt").write_text(f"good\n{line}\n")
        with pytest.raises(ImageError, match=r"x\.txt line 2 names no package"):
            lock.read_wanted(tmp_path / "x.txt")
