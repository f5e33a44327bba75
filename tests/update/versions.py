"""The next version of the image that is tested: built from the same commit with two lines changed, its version and one more."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.update.card import FileDisk, partitions
from tests.update.judge import SLOTS, Version, extract
from tools.kernel.fetch import ROOT

_LATER = 3600
"""Seconds after its parent's commit."""
_LINE = 'UP_TO_DATE = "up_to_date"'
_FILE = "appliance/core/updating.py"
_STAMP = "commit"


@dataclass(frozen=True, slots=True)
class Next:
    """A version that was built: its bundle's manifest, its images."""

    manifest: Path
    version: Version


def built_of(manifest: Path) -> int:
    """When a bundle's commit was made, Unix time in seconds."""
    return int(tomllib.loads(manifest.read_text())["built"])


def commit_of(manifest: Path) -> str:
    """The commit of this repository that a bundle was built from."""
    built = built_of(manifest)
    lines = _git(ROOT, "log", "--format=%ct %H").splitlines()
    return next(line.partition(" ")[2] for line in lines if line.startswith(f"{built} "))


def built(work: Path, parent: Path) -> Next:
    """Build what follows the bundle ``parent``, below ``work``; minutes, unless it is there already."""
    commit, out, made = commit_of(parent), work / "out", work / "made"
    stamp = work / _STAMP
    if not stamp.exists() or stamp.read_text() != commit:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        source = _changed(work / "source", commit)
        cache = ROOT / ".cache"
        places = ["--out", out, "--work", made, "--cache", cache / "image", "--wheels", cache / "wheels"]
        words = [sys.executable, "-m", "tools.image.build", *map(str, places)]
        with (work / "build.log").open("wb") as log:
            done = subprocess.run(words, cwd=source, stdout=log, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, (work / "build.log").read_text()[-2000:]
        stamp.write_text(commit)
    (manifest,) = out.glob("*.toml")
    return Next(manifest, Version("next", made / "boot.fat", made / "root.erofs"))


def _changed(source: Path, commit: str) -> Path:
    """A checkout whose last commit is another one."""
    _git(ROOT, "clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(source))
    _git(source, "checkout", "--quiet", commit)
    _replace(source / "appliance/__init__.py", r'__version__ = "(\d+\.\d+)\.\d+', r'__version__ = "\1.99')
    _replace(source / _FILE, re.escape(_LINE), f"{_LINE}  # and stays so")
    date = f"{int(_git(source, 'log', '-1', '--format=%ct')) + _LATER} +0000"
    who = {f"GIT_{role}_{what}": "test@localhost" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    _git(source, "commit", "--quiet", "--all", "-m", "The next version", **who, **dates)
    return source


def _replace(path: Path, pattern: str, text: str) -> None:
    changed, count = re.subn(pattern, text, path.read_text(), count=1)
    assert count == 1, f"{path.name} has no {pattern}"
    path.write_text(changed)


def _git(folder: Path, *words: str, **environment: str) -> str:
    done = subprocess.run(
        ["git", "-C", folder, *words], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def of_card(card: Path, folder: Path) -> Version:
    """The version in slot a of a card, its partitions in whole."""
    disk = FileDisk(card)
    try:
        table = partitions(disk)
        for name, number in zip(("boot", "root"), SLOTS["a"], strict=True):
            extract(disk, table[number], folder / name)
    finally:
        disk.close()
    return Version("first", folder / "boot", folder / "root")
