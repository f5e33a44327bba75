"""The root file system as it was made: what was left out is missed by nothing that is there."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.need import need
from tools.image import modules
from tools.kernel.fetch import ROOT

_ROOT = ROOT / "build/image/root"
_LIBRARIES = ("usr/lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu/systemd", "usr/lib/systemd", "usr/lib")
_DYNAMIC, _LOADED, _NEEDED, _STRINGS, _AARCH64 = 2, 1, 1, 5, 183
_MADE_AT_START = r"/(run|proc|dev|sys|data|var/log)(/|$)"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def root() -> Path:
    """The folder of which the image was packed."""
    need((_ROOT / "etc/os-release").exists(), "no image was made here: make image")
    return _ROOT


@cache
def _files(root: Path) -> tuple[Path, ...]:
    return tuple(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())


def _resolve(root: Path, name: str) -> Path:
    """A path of the tree with links followed inside it; it may not exist."""
    at = root
    parts = [part for part in reversed(name.split("/")) if part not in ("", ".")]
    for _ in range(200):
        if not parts:
            break
        part = parts.pop()
        if part == "..":
            at = at.parent if at != root else root
            continue
        if (at / part).is_symlink():
            to = os.readlink(at / part)
            at = root if to.startswith("/") else at
            parts += [word for word in reversed(to.split("/")) if word not in ("", ".")]
        else:
            at /= part
    return at


def _programs(root: Path) -> Iterator[tuple[Path, bytes]]:
    """Programs and libraries of the board's processor."""
    for path in _files(root):
        if "/modules/" not in str(path) and (data := path.read_bytes())[:4] == b"\x7fELF":
            assert struct.unpack_from("<H", data, 18) == (_AARCH64,), f"{path} is of another processor"
            yield path, data


def _needed(data: bytes) -> list[str]:
    """The libraries that a program names (ELF-64, little endian)."""
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    heads = [struct.unpack_from("<IIQQQQQQ", data, table + number * size) for number in range(count)]
    loaded = [(head[3], head[2], head[5]) for head in heads if head[0] == _LOADED]
    names, strings = [], 0
    for head in heads:
        if head[0] == _DYNAMIC:
            for at in range(head[2], head[2] + head[5], 16):
                tag, value = struct.unpack_from("<QQ", data, at)
                if tag == _NEEDED:
                    names.append(value)
                elif tag == _STRINGS:
                    strings = next(
                        value - start + offset for start, offset, long in loaded if start <= value < start + long
                    )
    return [data[strings + at : data.index(b"\0", strings + at)].decode() for at in names]


def test_every_library_that_something_is_linked_to_is_there(root: Path) -> None:
    there = {path.name for folder in _LIBRARIES for path in (root / folder).iterdir()}
    there |= {path.name for folder in (root / "usr/lib/kontor").rglob("*.libs") for path in folder.iterdir()}
    missing = {}
    for path, data in _programs(root):
        lost = [name for name in _needed(data) if name not in there and not (path.parent / name).exists()]
        if lost:
            missing[str(path.relative_to(root))] = lost
    assert missing == {}


def test_every_script_finds_what_runs_it(root: Path) -> None:
    lost = {}
    for path in _files(root):
        with path.open("rb") as file:
            head = file.read(128)
        line = re.match(rb"#! *(/\S+)(?: +(\S+))?", head)
        if line and os.access(path, os.X_OK):
            program = line[1].decode()
            if program == "/usr/bin/env" and line[2]:
                program = f"/usr/bin/{line[2].decode()}"
            if not _resolve(root, program).exists():
                lost[str(path.relative_to(root))] = program
    assert lost == {}


def test_every_unit_finds_what_it_runs(root: Path) -> None:
    """Of units that can start: what is left out comes with its unit, or somebody gave the unit a condition for it."""
    lost = {}
    for unit in (root / "usr/lib/systemd/system").glob("*.service"):
        text = unit.read_text()
        for program in re.findall(r"^Exec\w+=[-+!@:|]*(/\S+)", text, re.MULTILINE):
            asked = re.search(rf"^Condition\w+=\|?{re.escape(program)}$", text, re.MULTILINE)
            if not _resolve(root, program).exists() and not asked:
                lost[unit.name] = program
    assert lost == {}


def test_every_link_leads_somewhere(root: Path) -> None:
    lost = []
    for path in root.rglob("*"):
        if path.is_symlink():
            end = _resolve(root, str(path.relative_to(root)))
            inside = f"/{end.relative_to(root)}"
            if not end.exists() and not re.match(_MADE_AT_START, inside):
                lost.append(f"{path.relative_to(root)} -> {os.readlink(path)}")
    assert lost == []


def test_every_wanted_module_and_what_it_needs_is_there(root: Path) -> None:
    folder = root / modules.FOLDER / modules.release(root)
    found = modules.needed(folder, modules.read_wanted(ROOT / "image/modules.txt"))
    assert found == {str(path.relative_to(folder)) for path in folder.rglob("*.ko*")}
    assert {"snd_usb_audio", "mc", "mii", "overlay", "dm_verity"} <= {modules.plain(path) for path in found}


def test_every_part_of_our_overlays_has_its_driver(root: Path) -> None:
    """What firmware/*.dts put into a board's tree, and the kernel would look for a module for."""
    folder = root / modules.FOLDER / modules.release(root)
    aliases = {
        line.split()[1] for line in (folder / "modules.alias").read_text().splitlines() if line.startswith("alias ")
    }
    built_in = (folder / "modules.builtin.modinfo").read_bytes().decode(errors="replace")
    aliases |= set(re.findall(r"\.alias=([^\0]+)", built_in))
    parts = set()
    for overlay in (ROOT / "firmware").glob("*.dts"):
        parts |= set(re.findall(r'^\t+compatible = "([^"]+)";$', overlay.read_text(), re.MULTILINE))
    assert {"gpio-leds", "dmic-codec"} <= parts
    assert [part for part in sorted(parts) if f"of:N*T*C{part}" not in aliases] == []


def test_nobody_has_a_password_or_a_key(root: Path) -> None:
    for line in (root / "etc/shadow").read_text().splitlines():
        assert line.split(":")[1].startswith(("!", "*")), line
    assert not [
        path for path in _files(root) if re.search(r"ssh_host_|authorized_keys$|/random-seed$|\.pem$", str(path))
    ]
    assert (root / "etc/machine-id").read_text() == ""


def test_all_python_that_is_imported_is_compiled(root: Path) -> None:
    for folder in ("usr/lib/python3.13", "usr/lib/kontor/lib"):
        sources = list((root / folder).rglob("*.py"))
        assert sources
        lost = [path for path in sources if not (path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc").exists()]
        assert lost == []
