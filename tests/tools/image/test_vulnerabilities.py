"""What is known to be wrong with locked packages, and what could not be asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.need import need
from tests.tools.image.made import Archive, serving
from tools.image import lock, vulnerabilities
from tools.image.errors import MissingError
from tools.image.fetch import Package
from tools.image.vulnerabilities import SECURITY, Newer

ALIKE = {"id": "PYSEC-1", "aliases": ["GHSA-x", "CVE-2026-1"], "fixed_in": ["1.1", "1.2"]}


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """An archive that this machine's apt is said to be set up with, and whose missing signature is of no matter."""
    need(Path("/usr/lib/apt/apt-helper"), "Debian's apt tells newer versions")
    need("dpkg", "dpkg compares versions")
    monkeypatch.setattr(lock, "TRUST", "[trusted=yes]")
    made = Archive(tmp_path / "archive")
    monkeypatch.setattr(vulnerabilities, "mirrors", made.publish)
    made.add("linux-image-arm64", suite=lock.BACKPORTS, depends="linux-image-7.9-arm64")
    return made


def test_what_security_mended_is_named_first(archive: Archive) -> None:
    packages = [archive.add(name, "1.9") for name in ("alpha", "beta", "gamma", "linux-modules-7.9-arm64")]
    archive.add("alpha", "1.10", suite="trixie-updates")
    archive.add("beta", "1.9~rc", suite=SECURITY)
    archive.add("gamma", "1.9+deb13u1", suite=SECURITY)
    archive.add("stranger", "5", suite=SECURITY)
    archive.add("beta", "7", suite=lock.BACKPORTS)
    assert list(vulnerabilities.debian_lines(packages)) == [
        f"4 packages of Debian's: 1 with a newer version in {SECURITY}, 2 in all.",
        f"  gamma 1.9: {SECURITY} has 1.9+deb13u1",
        "  alpha 1.9: trixie-updates has 1.10",
        "make image-lock takes them.",
    ]


def test_a_newer_kernel_is_named(archive: Archive) -> None:
    packages = [archive.add("linux-modules-7.8-arm64")]
    assert list(vulnerabilities.debian_lines(packages))[1:] == ["  the kernel: trixie-backports has 7.9-arm64"]


def test_of_several_newer_versions_the_newest_counts() -> None:
    need("dpkg", "dpkg compares versions")
    package = Package("one", "1.9", "arm64", 1, "00", "debian", "pool/x.deb")
    known = [(SECURITY, {"Package": "one", "Version": version}) for version in ("1.10", "1.11", "1.8")]
    assert vulnerabilities.newer([package], iter(known)) == [Newer("one", "1.9", "1.11", SECURITY)]


def test_without_a_mirror_of_security_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vulnerabilities, "mirrors", lambda: {"debian": "file:/nowhere/"})
    assert list(vulnerabilities.debian_lines([])) == [
        "Debian's packages could not be asked for: apt on this machine knows no mirror of Debian's security archive."
    ]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that a package index serves."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "index"


def tell(index: Path, name: str, told: object) -> None:
    path = index / "pypi" / name / "1.0" / "json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(told))


def test_an_index_is_asked_for_every_wheel(index: Path) -> None:
    withdrawn = {**ALIKE, "withdrawn": "2026-01-01"}
    tell(index, "one", {"vulnerabilities": [ALIKE, {"id": "PYSEC-2"}, withdrawn]})
    tell(index, "two", {"vulnerabilities": []})
    with serving(index) as address:
        told = list(vulnerabilities.wheel_lines([("one", "1.0"), ("two", "1.0")], address))
    assert told == [
        "2 wheels: 2 known vulnerabilities.",
        "  one 1.0: CVE-2026-1, mended in 1.1, 1.2",
        "  one 1.0: PYSEC-2, mended in no version",
    ]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (None, "it answers 404"),
        ({"info": {}}, "KeyError"),
        ({"vulnerabilities": "many"}, "of a form"),
        ([], "TypeError"),
    ],
)
def test_an_index_without_such_a_list_is_not_asked_on(index: Path, told: object, why: str) -> None:
    tell(index, "one", {"vulnerabilities": [ALIKE]})
    if told is not None:
        tell(index, "two", told)
    with serving(index) as address:
        lines = list(vulnerabilities.wheel_lines([("one", "1.0"), ("two", "1.0"), ("three", "1.0")], address))
    assert lines[0].startswith("3 wheels: 2 could not be asked for: the package index has no list of vulnerabilities (")
    assert why in lines[0]
    assert lines[1:] == ["  one 1.0: CVE-2026-1, mended in 1.1, 1.2"]


def test_the_index_is_the_one_that_pip_is_set_up_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.invalid/root/pypi/simple/")
    assert vulnerabilities.index() == "https://mirror.invalid/root/pypi"
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(MissingError, match="pip names no package index"):
        vulnerabilities.index()


def test_the_pins_are_those_of_the_lock_files() -> None:
    text = "aiohttp[speedups]==3.1 \\\n    --hash=sha256:00\nidna==3.20 ; python_version < '4' \\\n    # via yarl\n"
    assert vulnerabilities.pins(text) == [("aiohttp", "3.1"), ("idna", "3.20")]
