"""The demo's speech: from a real Debian package made here, and sentences for when it cannot be had."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import need
from tools import debian, speech


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "speech"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of the same build, with one recording and a copyright file."""
    need("dpkg-deb", "dpkg-deb unpacks the recordings: a Debian system")
    tree = tmp_path / "tree"
    for name, text in {
        "DEBIAN/control": f"Package: {speech.PACKAGE}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: c\n",
        f"usr/share/asterisk/sounds/en/{speech.RECORDING}": "sound",
        f"usr/share/doc/{speech.PACKAGE}/copyright": "CC-BY-SA-3.0",
    }.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    deb = tmp_path / f"{speech.PACKAGE}_1_all.deb"
    subprocess.run(["dpkg-deb", "-b", tree, deb], check=True, capture_output=True)
    return deb


def apt_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put an apt-get of ours before the system's."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "apt-get").write_text(f"#!/bin/sh\n{script}\n")
    (programs / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setattr(debian, "update", lambda: True)


def test_fetched_with_its_copyright_and_attribution(
    tmp_path: Path, directory: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apt_get(tmp_path, monkeypatch, f'[ "$2 $3" = "download {speech.PACKAGE}" ] && cp {package} .')
    assert not speech.tried(directory)
    said = speech.fetch(directory)
    assert "Allison Smith" in said
    assert "CC BY-SA 3.0" in said
    found = speech.find(directory)
    assert found is not None
    assert found.read_text() == "sound"
    assert [path.read_text() for path in directory.rglob("copyright")] == ["CC-BY-SA-3.0"]
    assert list(directory.parent.iterdir()) == [directory]  # no download left lying about


@pytest.mark.parametrize("script", ["exit 100", "exit 0", "touch broken.deb"])
def test_not_to_be_had_is_one_sentence_and_remembered(
    tmp_path: Path, directory: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    apt_get(tmp_path, monkeypatch, script)
    said = speech.fetch(directory)
    assert "voice-like signal" in said
    assert "\n" not in said
    assert speech.find(directory) is None
    assert speech.tried(directory)


def test_a_system_without_apt(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert "this system has no apt" in speech.fetch(directory)
    assert speech.size() == 0
