"""A whole root file system of packages made by hand, with a toolbox that does as if."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.tools.image.made import deb
from tools.image import bytecode
from tools.image.errors import ImageError
from tools.image.fetch import Package
from tools.image.root import Root, make_root
from tools.image.toolbox import Toolbox

_EPOCH = 1_700_000_000
_KERNEL = "usr/lib/modules/7.3"
_MODULES = {f"{_KERNEL}/kernel/{name}.ko.xz": name for name in ("wanted", "helper", "other")}


@dataclass
class _Toolbox(Toolbox):
    """Does what the real tools would, as far as it shows here; notes in which order."""

    done: list[str] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        *,
        binds: Mapping[Path, str] | None = None,
        cwd: str = "/",
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        capture: bool = False,
    ) -> bytes:
        (root,) = binds or {}
        self.done.append(argv[0])
        if argv[0] == "depmod":
            there = {path.name: path for path in (root / _KERNEL).rglob("*.ko.xz")}
            lines = [f"kernel/{name}: {'kernel/helper.ko.xz' if 'wanted' in name else ''}\n" for name in sorted(there)]
            (root / _KERNEL / "modules.dep").write_text("".join(lines))
            (root / _KERNEL / "modules.builtin").write_text("")
        elif argv[0] == "systemd-sysusers":
            assert b"u x 901" in (stdin or b"")
            (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nx:x:901:901::/:/bin/false\n")
            (root / "etc/group").write_text("root:x:0:\nx:x:901:\nshadow:x:42:\n")
            (root / "etc/shadow").write_text("root:*:1::::::\n")
        elif argv[0] == "systemctl":
            assert (root / "usr/lib/systemd/system/kontor.target").exists(), "our units are there by now"
            (root / "etc/systemd/system/multi-user.target.wants").mkdir(parents=True)
        elif argv[0] == "qemu-aarch64":
            (root / "etc/ld.so.cache").write_text("cache")
        elif argv[0] == bytecode.PYTHON:
            (root / "usr/lib/kontor/lib/x.pyc").write_text("compiled")
        return b""


@dataclass
class _Recipe:
    """A recipe below ``folder``, and the packages that it is for."""

    folder: Path
    packages: list[Package] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)

    def add(self, name: str, files: dict[str, str | bytes], scripts: dict[str, str] | None = None) -> Path:
        control = f"Package: {name}\nVersion: 1\nArchitecture: arm64\nDescription: none\n"
        data = deb(control, files, scripts)
        digest = hashlib.sha256(data).hexdigest()
        path = self.folder / f"{digest}.deb"
        path.write_bytes(data)
        self.packages.append(Package(name, "1", "arm64", len(data), digest, "debian", "pool/x.deb"))
        self.files[digest] = path
        return path


@pytest.fixture
def recipe(tmp_path: Path) -> _Recipe:
    image = tmp_path / "image"
    (image / "debian/etc").mkdir(parents=True)
    (image / "root/etc/kontor").mkdir(parents=True)
    (image / "root/usr/lib").mkdir(parents=True)
    (image / "debian/etc/hosts").write_text("Debian's")
    (image / "root/etc/hosts").write_text("ours")
    (image / "root/etc/motd").symlink_to("hosts")
    (image / "root/usr/lib/run.sh").write_text("#!/bin/sh\n")
    (image / "root/usr/lib/run.sh").chmod(0o700)
    texts = {
        "packages.txt": "base-files\nlinux-modules-7.3\nunpack blobs\n",
        "paths.txt": "-/usr/share/man/*\n",
        "modules.txt": "wanted\n",
        "users.txt": "x 901\n",
        "modes.txt": "/data/ 0700 x:x\n/etc/shadow 0640 root:shadow\n",
        "scripts.toml": "",
    }
    for name, text in texts.items():
        (image / name).write_text(text)
    made = _Recipe(image)
    certificate = {"usr/share/ca-certificates/mozilla/a.crt": "A"}
    made.add(
        "base-files",
        {
            "bin": "-> usr/bin",
            "usr/bin/python3.13": "",
            "usr/share/man/x": "",
            "usr/lib/os-release": "ID=debian\n",
            **certificate,
        },
    )
    made.add(
        "linux-modules-7.3",
        {**_MODULES, f"{_KERNEL}/vmlinuz": "K", f"{_KERNEL}/dtb/x.dtb": "T", f"{_KERNEL}/config": ""},
    )
    made.add("blobs", {"usr/lib/firmware/blob": "B"}, {"postinst": "nobody reads this, and nobody runs it"})
    return made


def _make(recipe: _Recipe, work: Path, toolbox: _Toolbox | None = None) -> Root:
    own = work.parent / "kontor.deb"
    files: dict[str, str | bytes] = {
        "usr/lib/systemd/system/kontor.target": "",
        "usr/lib/sysusers.d/k.conf": "u x -\n",
        "usr/lib/kontor/lib/x.py": "",
    }
    own.write_bytes(
        deb("Package: kontor\nVersion: 2\nArchitecture: arm64\nDescription: none\n", files, {"postinst": "ours"})
    )
    box = toolbox or _Toolbox()
    return make_root(work, box, recipe.files, recipe.packages, own, _EPOCH, image=recipe.folder)


def _members(root: Root) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(root.tar) as archive:
        return {entry.name: entry for entry in archive}


def test_a_root_of_packages_recipe_and_our_own(recipe: _Recipe, tmp_path: Path) -> None:
    toolbox = _Toolbox()
    root = _make(recipe, tmp_path / "work", toolbox)
    found = _members(root)
    assert root.release == "7.3"
    assert (root.kernel / "vmlinuz").read_text() == "K"
    assert (root.kernel / "dtb/x.dtb").read_text() == "T"
    kernel = {name.removeprefix(f"{_KERNEL}/") for name in found if name.startswith(f"{_KERNEL}/")}
    assert kernel == {"kernel", "kernel/helper.ko.xz", "kernel/wanted.ko.xz", "modules.builtin", "modules.dep"}
    assert (root.folder / "etc/hosts").read_text() == "ours"
    assert found["etc/motd"].linkname == "hosts"
    assert found["usr/lib/run.sh"].mode == 0o755
    assert (found["data"].mode, found["data"].uid, found["data"].gid) == (0o700, 901, 901)
    assert (found["etc/shadow"].mode, found["etc/shadow"].gid) == (0o640, 42)
    assert "usr/share/man/x" not in found
    assert "usr/lib/kontor/lib/x.pyc" in found
    status = (root.folder / "var/lib/dpkg/status").read_text()
    assert "Package: kontor\n" in status
    assert "Package: blobs\n" not in status
    assert "usr/lib/firmware/blob" in found
    assert (root.folder / "usr/lib/os-release").read_text() == (
        f"ID=debian\nIMAGE_ID=kontor\nIMAGE_VERSION=2\nKONTOR_BUILT={_EPOCH}\n"
    )
    assert toolbox.done == ["depmod", "depmod", "systemd-sysusers", "systemctl", "qemu-aarch64", "python3.13"]


def test_the_same_whoever_makes_it_and_where(recipe: _Recipe, tmp_path: Path) -> None:
    first = _make(recipe, tmp_path / "work").tar.read_bytes()
    recipe.packages.reverse()
    before = os.umask(0o077)
    try:
        (tmp_path / "elsewhere").mkdir()
        second = _make(recipe, tmp_path / "elsewhere/work").tar.read_bytes()
    finally:
        os.umask(before)
    assert first == second
    assert _make(recipe, tmp_path / "work").tar.read_bytes() == first, "what was there goes first"


def test_a_script_that_nobody_has_read_keeps_it_from_being_made(recipe: _Recipe, tmp_path: Path) -> None:
    recipe.add("daemon", {"usr/bin/daemon": ""}, {"postinst": "systemctl enable daemon"})
    with pytest.raises(ImageError, match="nobody has read the maintainer scripts of daemon"):
        _make(recipe, tmp_path / "work")
    assert not (tmp_path / "work/root.tar").exists()


def test_a_module_that_is_not_there_keeps_it_from_being_made(recipe: _Recipe, tmp_path: Path) -> None:
    (recipe.folder / "modules.txt").write_text("wanted gone")
    with pytest.raises(ImageError, match="no module gone"):
        _make(recipe, tmp_path / "work")


def test_another_python_keeps_it_from_being_made(
    recipe: _Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bytecode, "PYTHON", "python3.14")
    with pytest.raises(ImageError, match=r"the image has no python3\.14"):
        _make(recipe, tmp_path / "work")
