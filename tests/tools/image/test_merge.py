"""Packages into one tree, and what dpkg will know of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.image.made import deb as made_deb
from tools.image import deb
from tools.image.errors import ImageError
from tools.image.merge import Filter, Merger
from tools.image.tree import Tree

_CONTROL = "Package: {name}\nVersion: 1\nArchitecture: arm64\nMulti-Arch: {multi}\nDescription: one\n of two lines\n"


def _package(
    folder: Path,
    name: str,
    files: dict[str, str | bytes],
    *,
    multi: str = "no",
    conffiles: str = "",
) -> deb.Deb:
    path = folder / f"{name}.deb"
    scripts = {"conffiles": conffiles} if conffiles else {}
    path.write_bytes(made_deb(_CONTROL.format(name=name, multi=multi), files, scripts))
    return deb.read(path)


def _filter(folder: Path, *rules: str) -> Filter:
    path = folder / "paths.txt"
    path.write_text("# what is not wanted\n" + "\n".join(rules) + "\n")
    return Filter.read(path)


def _merger(folder: Path, *rules: str) -> tuple[Tree, Merger]:
    (folder / "root").mkdir()
    tree = Tree(folder / "root")
    return tree, Merger(tree, _filter(folder, *rules))


def test_the_last_rule_that_fits_holds(tmp_path: Path) -> None:
    rules = _filter(tmp_path, "-/usr/share/doc/*", "+/usr/share/doc/*/copyright  # licences stay", "-/etc/cron*")
    assert not rules.takes("usr/share/doc/a/changelog.gz")
    assert rules.takes("usr/share/doc/a/copyright")
    assert rules.takes("usr/bin/a")
    assert not rules.takes("etc/cron.d/a")
    assert not rules.takes("etc/cron.d", folder=True)
    assert not rules.takes("usr/share/doc/a", folder=True)
    assert not rules.takes("usr/share/doc", folder=True), "it comes with the first file that is wanted"


@pytest.mark.parametrize("rule", ["/usr/share/doc/*", "-usr/share", "~/x"])
def test_a_rule_that_is_none_is_told_with_its_line(tmp_path: Path, rule: str) -> None:
    with pytest.raises(ImageError, match=r"paths.txt:2: a rule is"):
        _filter(tmp_path, rule)


def test_packages_come_to_lie_in_one_tree(tmp_path: Path) -> None:
    tree, merger = _merger(tmp_path, "-/usr/share/doc/*", "+/usr/share/doc/*/copyright")
    merger.add(_package(tmp_path, "base-files", {"bin": "-> usr/bin", "etc/issue": "hello", "usr/bin/x": ""}))
    merger.add(
        _package(tmp_path, "b", {"bin/tool": "T", "usr/share/doc/b/copyright": "free", "usr/share/doc/b/NEWS": ""})
    )
    merger.finish()
    assert (tree.folder / "usr/bin/tool").read_text() == "T"
    assert (tree.folder / "bin").is_symlink()
    assert (tree.folder / "usr/share/doc/b/copyright").exists()
    assert not (tree.folder / "usr/share/doc/b/NEWS").exists()


def test_dpkg_knows_what_is_installed(tmp_path: Path) -> None:
    tree, merger = _merger(tmp_path, "-/usr/share/doc/*")
    merger.add(_package(tmp_path, "libx", {"usr/lib/libx.so": "x", "usr/share/doc/libx/NEWS": ""}, multi="same"))
    merger.add(_package(tmp_path, "a", {"etc/a.conf": "hello", "usr/bin/a": ""}, conffiles="/etc/a.conf\n/etc/gone\n"))
    merger.add(_package(tmp_path, "blobs", {"usr/lib/blob": "b"}), installed=False)
    merger.finish()
    head = (
        "Package: {}\nStatus: install ok installed\nVersion: 1\nArchitecture: arm64\nMulti-Arch: {}\nDescription: one\n"
    )
    of_a = f"{head.format('a', 'no')} of two lines\nConffiles:\n /etc/a.conf 5d41402abc4b2a76b9719d911017c592\n"
    of_libx = f"{head.format('libx', 'same')} of two lines\n"
    assert (tree.folder / "var/lib/dpkg/status").read_text() == f"{of_a}\n{of_libx}"
    info = tree.folder / "var/lib/dpkg/info"
    assert {path.name for path in info.iterdir()} == {"a.list", "libx:arm64.list", "format"}
    assert (info / "libx:arm64.list").read_text() == "/.\n/usr\n/usr/lib\n/usr/lib/libx.so\n/usr/share\n"
    assert (tree.folder / "usr/lib/blob").exists()


def test_two_packages_with_the_same_file_and_not_the_same_bytes(tmp_path: Path) -> None:
    _tree, merger = _merger(tmp_path)
    merger.add(_package(tmp_path, "a", {"usr/bin/x": "1", "usr/bin/y": "-> x"}))
    merger.add(_package(tmp_path, "b", {"usr/bin/x": "1", "usr/bin/y": "-> x"}))
    with pytest.raises(ImageError, match="a and c both have usr/bin/x, and not the same"):
        merger.add(_package(tmp_path, "c", {"usr/bin/x": "2"}))
    with pytest.raises(ImageError, match="a and d both have usr/bin/y, and not the same"):
        merger.add(_package(tmp_path, "d", {"usr/bin/y": "-> z"}))


@pytest.mark.parametrize("data", [b"", b"no archive at all", b"!<arch>\n", made_deb("Package: a\n", {})[:200]])
def test_what_is_no_package_is_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"x\.deb"):
        deb.read(path)


def test_a_field_of_a_package_is_its_own(tmp_path: Path) -> None:
    package = _package(tmp_path, "a", {})
    assert (package.name, package.field("version"), package.field("Depends")) == ("a", "1", "")
