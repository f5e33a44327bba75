"""A release's folder of packages: whole files, nothing of an earlier lock, and good as a snapshot."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.need import need
from tests.tools.image.made import Archive
from tools.image import cache, fetch
from tools.image.errors import MissingError


def test_a_folder_of_packages_stands_in_for_every_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need(Path("/usr/lib/apt/apt-helper"), "apt fetches the packages of the image")
    archive = Archive(tmp_path / "archive")
    monkeypatch.setattr(fetch, "mirrors", archive.publish)
    packages = [archive.add("one"), archive.add("two")]
    out = tmp_path / "with spaces"
    out.mkdir()
    (out / "of-an-earlier-lock.deb").touch()
    (out / "wheels").mkdir()
    size = cache.fill(out, sorted(fetch.fetch(packages, tmp_path / "cache").values()))
    assert size == sum(package.size for package in packages)
    assert {path.name for path in out.iterdir()} == {"wheels", *(f"{package.sha256}.deb" for package in packages)}
    monkeypatch.setattr(fetch, "mirrors", dict)
    snapshot = f"file://{str(out).replace(' ', '%20')}/{{sha256}}.deb"
    assert len(fetch.fetch(packages, tmp_path / "other", snapshot)) == 2


def test_without_room_nothing_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one").write_bytes(b"1")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 0}))
    with pytest.raises(MissingError, match="a copy of the packages needs 1 MiB"):
        cache.fill(tmp_path / "out", [tmp_path / "one"])
    assert not (tmp_path / "out").exists()
