"""Packages come by hash, from a cache, a mirror or a snapshot; what comes otherwise is told in one sentence and not kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.need import need
from tests.tools.image.made import Archive, serving
from tools.image import fetch
from tools.image.errors import ImageError, MissingError
from tools.image.fetch import Package, read_lock

GOOD = f"one 1:2 arm64 12 {'ab' * 32} debian pool/main/o/one/one_2_arm64.deb"


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """An archive that this machine's apt is said to be set up with."""
    need(Path("/usr/lib/apt/apt-helper"), "apt fetches the packages of the image")
    made = Archive(tmp_path / "archive")
    monkeypatch.setattr(fetch, "mirrors", made.publish)
    return made


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server of ``tmp_path``/snapshot, which apt asks without this machine's proxy."""
    (tmp_path / "apt.conf").write_text('Acquire::http::Proxy::127.0.0.1 "DIRECT";\n')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    folder = tmp_path / "snapshot"
    folder.mkdir()
    with serving(folder) as address:
        yield address


def vanish(archive: Archive, package: Package, to: Path) -> None:
    """Move a package from its mirror."""
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(archive.place / package.path, to)


def test_packages_come_from_the_mirror_once(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages, cache = [archive.add("one"), archive.add("two")], tmp_path / "cache"
    found = fetch.fetch(packages, cache)
    assert {path.name for path in cache.iterdir()} == {f"{package.sha256}.deb" for package in packages}
    assert all(path.is_file() and not path.is_symlink() for path in found.values())
    monkeypatch.setattr(fetch, "mirrors", lambda: pytest.fail("asked again"))
    assert fetch.fetch(packages, cache) == found


def test_a_wrong_hash_in_the_cache_ends_it(archive: Archive, tmp_path: Path) -> None:
    package, cache = archive.add("one", "1.5"), tmp_path / "cache"
    fetch.fetch([package], cache)
    place = cache / f"{package.sha256}.deb"
    place.write_bytes(place.read_bytes()[:-1] + b"?")
    with pytest.raises(ImageError, match=r"should be one 1\.5, but has another hash: delete it") as raised:
        fetch.fetch([package], cache)
    assert raised.value.status == 70


def test_a_vanished_package_is_named_and_what_came_is_kept(archive: Archive, tmp_path: Path) -> None:
    gone, there = archive.add("gone", "1:7"), archive.add("there")
    vanish(archive, gone, tmp_path / "elsewhere.deb")
    with pytest.raises(MissingError, match="no mirror of this machine has gone 1:7: SNAPSHOT= names") as raised:
        fetch.fetch([gone, there], tmp_path / "cache")
    assert raised.value.status == 75
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [f"{there.sha256}.deb"]


@pytest.mark.parametrize(
    ("form", "place"),
    [
        ("", "debian/{path}"),
        ("/archive/{archive}/20260101T000000Z/", "archive/debian/20260101T000000Z/{path}"),
        ("/kept/{sha256}.deb", "kept/{sha256}.deb"),
    ],
)
def test_a_snapshot_has_what_vanished(archive: Archive, served: str, tmp_path: Path, form: str, place: str) -> None:
    gone = archive.add("gone")
    where = place.replace("{path}", gone.path).replace("{sha256}", gone.sha256)
    vanish(archive, gone, tmp_path / "snapshot" / where)
    found = fetch.fetch([gone, archive.add("there")], tmp_path / "cache", served + form)
    assert len(found) == 2
    assert all(path.exists() for path in found.values())


def test_a_snapshot_that_has_something_else_is_not_believed(archive: Archive, served: str, tmp_path: Path) -> None:
    gone = archive.add("gone")
    place = tmp_path / "snapshot/debian" / gone.path
    vanish(archive, gone, place)
    place.write_bytes(place.read_bytes()[:-1] + b"?")
    with pytest.raises(MissingError, match="neither a mirror nor the snapshot has gone 1:"):
        fetch.fetch([gone], tmp_path / "cache", served)
    assert list((tmp_path / "cache").iterdir()) == []


def test_too_little_disk_ends_it_before_anything_is_fetched(archive: Archive, tmp_path: Path) -> None:
    package = archive.add("one")
    vast = Package(package.name, "1", "arm64", 2**60, package.sha256, "debian", package.path)
    with pytest.raises(MissingError, match=r"needs 1099511627776 MiB in .*, which has \d+ free"):
        fetch.fetch([vast], tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_mirrors_are_those_of_this_machines_apt() -> None:
    need(Path("/etc/debian_version"), "the mirrors of Debian's apt")
    found = fetch.mirrors()
    assert set(found) <= {"debian", "debian-security"}
    assert all(address.endswith("/") and ":" in address for address in found.values())


@pytest.mark.parametrize(
    "line",
    [
        GOOD.rpartition(" ")[0],
        GOOD + " more",
        GOOD.replace(" 12 ", " -12 "),
        GOOD.replace("ab" * 32, "ab" * 31),
        GOOD.replace("debian", "nowhere"),
        GOOD.replace("pool/main", "pool/../.."),
        GOOD.replace("pool/main", "/etc"),
        GOOD.replace("pool/main", "https://host/pool"),
    ],
)
def test_a_line_that_is_no_package_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "x.lock").write_text(f"# head\n{GOOD}\n{line}\n")
    with pytest.raises(ImageError, match=r"x\.lock line 3 "):
        read_lock(tmp_path / "x.lock")


def test_a_lock_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"x\.lock cannot be read: "):
        read_lock(tmp_path / "x.lock")
