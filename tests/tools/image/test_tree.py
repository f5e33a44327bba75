"""A file system as a folder and a table: the same archive whoever makes it, and no way out of it."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from tools.image.errors import ImageError
from tools.image.tree import Owned, Tree, place

_EPOCH = 1_700_000_000


def _tree(folder: Path) -> Tree:
    folder.mkdir()
    return Tree(folder)


def _packed(tree: Tree, path: Path) -> list[tarfile.TarInfo]:
    tree.pack(path, _EPOCH)
    with tarfile.open(path) as archive:
        return archive.getmembers()


def _fill(tree: Tree) -> None:
    tree.add_folder("usr/share", Owned(0o755))
    tree.add_file("usr/bin/su", b"su", Owned(0o4755))
    tree.add_file("etc/shadow", b"", Owned(0o640, 0, 42))
    tree.add_link("etc/mtab", "../proc/self/mounts")
    tree.add_file("usr/bin/gzip", b"zip", Owned(0o755))
    tree.add_name("usr/bin/gunzip", "usr/bin/gzip")
    tree.add_file("etc/é", b"2")


def test_owners_and_modes_are_those_that_were_said(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "root")
    _fill(tree)
    found = {entry.name: entry for entry in _packed(tree, tmp_path / "root.tar")}
    assert (found["usr/bin/su"].mode, found["usr/bin/su"].uid) == (0o4755, 0)
    assert (found["etc/shadow"].mode, found["etc/shadow"].gid) == (0o640, 42)
    assert found["etc/mtab"].linkname == "../proc/self/mounts"
    assert {entry.mtime for entry in found.values()} == {_EPOCH}
    names = [entry.name for entry in found.values()]
    assert names == sorted(names, key=str.encode)
    assert names.index("usr") < names.index("usr/bin") < names.index("usr/bin/su")


def test_a_second_name_of_a_file_is_one(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "root")
    _fill(tree)
    found = {entry.name: entry for entry in _packed(tree, tmp_path / "root.tar")}
    assert found["usr/bin/gunzip"].isreg()
    assert found["usr/bin/gzip"].islnk()
    assert found["usr/bin/gzip"].linkname == "usr/bin/gunzip"


def test_the_archive_does_not_depend_on_umask_times_or_order(tmp_path: Path) -> None:
    archives = []
    for number, umask in enumerate((0o077, 0o002)):
        before = os.umask(umask)
        try:
            tree = _tree(tmp_path / f"root{number}")
            if number:
                tree.add_file("usr/zz", b"")
                tree.add_folder("usr/share", Owned(0o755))
            _fill(tree)
            tree.remove("usr/zz")
            (tree.folder / "etc/made").write_text("by a tool")
            (tree.folder / "etc/made").chmod(0o600 + number)
            os.utime(tree.folder / "etc", (number, number))
            tree.pack(tmp_path / f"{number}.tar", _EPOCH)
        finally:
            os.umask(before)
        archives.append((tmp_path / f"{number}.tar").read_bytes())
    assert archives[0] == archives[1]


def test_what_a_tool_made_is_roots_and_for_all_to_read(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "root")
    (tree.folder / "usr").mkdir(mode=0o700)
    for name, mode in (("program", 0o700), ("text", 0o600)):
        (tree.folder / "usr" / name).write_text("")
        (tree.folder / "usr" / name).chmod(mode)
    (tree.folder / "usr/link").symlink_to("text")
    assert [tree.owned(f"usr/{name}") for name in ("program", "text", "link")] == [
        Owned(0o755),
        Owned(0o644),
        Owned(0o777),
    ]
    assert tree.owned("usr") == Owned(0o755)


@pytest.mark.parametrize("name", ["../etc/passwd", "usr/../../x", "./usr/.."])
def test_no_path_leads_out_of_the_tree(tmp_path: Path, name: str) -> None:
    tree = _tree(tmp_path / "root")
    with pytest.raises(ImageError, match="leads out of the root file system"):
        tree.add_file(name, b"")
    assert not list(tree.folder.iterdir())


def test_no_path_goes_through_a_link(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "root")
    tree.add_link("var/run", str(tmp_path))
    with pytest.raises(ImageError, match="through a link"):
        tree.add_file("var/run/stolen", b"")
    assert not (tmp_path / "stolen").exists()


def test_a_file_takes_the_place_of_a_link_and_not_of_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("mine")
    tree = _tree(tmp_path / "root")
    tree.add_link("etc/file", str(tmp_path / "outside"))
    tree.add_file("etc/file", b"new")
    assert (tree.folder / "etc/file").read_bytes() == b"new"
    assert (tmp_path / "outside").read_text() == "mine"


def test_a_folder_does_not_become_a_file(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "root")
    tree.add_folder("etc/ssh")
    with pytest.raises(ImageError, match="etc/ssh is a folder"):
        tree.add_link("etc/ssh", "ssh2")


def test_who_comes_first_says_whose_a_folder_is(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "root")
    tree.add_folder("var/mail", Owned(0o2775, 0, 8))
    tree.add_folder("var/mail", Owned(0o755))
    assert tree.owned("var/mail") == Owned(0o2775, 0, 8)
    tree.give("var/mail", Owned(0o700))
    assert tree.owned("var/mail") == Owned(0o700)
    with pytest.raises(ImageError, match="has no var/none"):
        tree.give("var/none", Owned(0o700))


def test_what_is_removed_is_gone_with_all_below_it(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "root")
    _fill(tree)
    tree.remove("usr/bin")
    tree.remove("etc/mtab")
    tree.remove("not/there")
    assert list(tree.names()) == ["etc", "etc/shadow", "etc/é", "usr", "usr/share"]
    tree.prune("usr")
    assert list(tree.names()) == ["etc", "etc/shadow", "etc/é"]


def test_devices_and_pipes_are_none_of_it(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "root")
    os.mkfifo(tree.folder / "pipe")
    with pytest.raises(ImageError, match="pipe, which is no file, folder or link"):
        tree.pack(tmp_path / "root.tar", _EPOCH)


@pytest.mark.parametrize(
    ("name", "there"),
    [("./bin/sh", "usr/bin/sh"), ("/lib/x/y", "usr/lib/x/y"), ("./bin", "bin"), ("./usr/bin/", "usr/bin"), ("./", "")],
)
def test_what_is_linked_to_usr_lies_there(name: str, there: str) -> None:
    assert place(name) == there
