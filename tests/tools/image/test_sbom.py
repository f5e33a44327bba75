"""The bill of materials: every package and wheel with version, licence, hash and purl, the same on a second run."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.tools.image.made import Archive, deb
from tools.image import licences, sbom
from tools.image.errors import ImageError
from tools.image.fetch import Package

EPOCH = 1_764_200_000


def wheel(folder: Path, name: str, said: str) -> Path:
    path = folder / f"{name}-1.5-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        text = f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.5\nSummary: a wheel\n{said}\n"
        archive.writestr(f"{name}-1.5.dist-info/METADATA", text)
    return path


def bill(tmp_path: Path, archive: Archive, packages: Sequence[Package], wheels: Sequence[Path]) -> str:
    own = tmp_path / "own.deb"
    own.write_bytes(deb("Package: kontor\nVersion: 1\n", {"usr/x": ""}))
    files = {package.sha256: archive.place / package.path for package in packages}
    texts = licences.texts(packages, files)
    return sbom.make_sbom(packages, files, texts, wheels, own, version="1.2", epoch=EPOCH)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def test_every_part_is_named_with_version_licence_hash_and_purl(archive: Archive, tmp_path: Path) -> None:
    packages = [archive.add("libone", "1:2~b+c"), archive.add("two-firmware")]
    wheels = [wheel(tmp_path, "Some_Wheel", "License-Expression: MIT AND ISC"), wheel(tmp_path, "old", "License: BSD")]
    told = json.loads(bill(tmp_path, archive, packages, wheels))
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.6")
    assert told["metadata"]["timestamp"] == "2025-11-26T23:33:20Z"
    by_purl: dict[str, Any] = {component["purl"]: component for component in told["components"]}
    assert list(by_purl) == [
        "pkg:deb/debian/libone@1%3A2~b%2Bc?arch=arm64&distro=trixie",
        "pkg:deb/debian/two-firmware@1?arch=arm64&distro=trixie",
        "pkg:generic/kontor@1.2",
        "pkg:pypi/old@1.5",
        "pkg:pypi/some-wheel@1.5",
    ]
    one, firmware, kontor, old, new = by_purl.values()
    assert one["hashes"] == [{"alg": "SHA-256", "content": packages[0].sha256}]
    assert (one["name"], one["version"], firmware["type"]) == ("libone", "1:2~b+c", "firmware")
    assert one["licenses"] == [{"license": {"id": "MIT"}}]
    assert old["licenses"] == [{"license": {"name": "BSD"}}]
    assert new["licenses"] == [{"expression": "MIT AND ISC"}]
    assert new["hashes"][0]["content"] == hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    assert kontor["hashes"][0]["content"] == hashlib.sha256((tmp_path / "own.deb").read_bytes()).hexdigest()
    assert set(told["dependencies"][0]["dependsOn"]) == set(by_purl)


def test_the_same_parts_give_the_same_bytes_and_others_another_number(archive: Archive, tmp_path: Path) -> None:
    packages = [archive.add("one"), archive.add("two")]
    first = bill(tmp_path, archive, packages, [])
    assert bill(tmp_path, archive, packages[::-1], []) == first
    assert json.loads(bill(tmp_path, archive, packages[:1], []))["serialNumber"] != json.loads(first)["serialNumber"]


def test_a_part_without_a_licence_is_named(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(
        ImageError, match=r"silent-1\.5-py3-none-any\.whl names no licence: requirements/purposes\.toml"
    ):
        bill(tmp_path, archive, [], [wheel(tmp_path, "silent", "")])
    silent = archive.add("silent", files={"usr/share/doc/silent/copyright": "Copyright 2020 somebody\n"})
    with pytest.raises(ImageError, match="silent: no licence is recognized"):
        bill(tmp_path, archive, [silent], [])


def test_a_bill_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.cdx.json"
    sbom.write(path, "{}\n")
    sbom.write(path, "[]\n")
    assert path.read_text() == "[]\n"
    assert [there.name for there in tmp_path.iterdir()] == ["x.cdx.json"]
