"""The root file system: locked packages, Kontor's own, and what is ours to set, as one tar archive that is always the same.

Order matters: what image/root has stands above Debian's files, Kontor's package between both; users are made when all of
sysusers.d is there, services are enabled when all units are.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.image import bytecode, configure, deb, modules, scripts
from tools.image.fetch import Package
from tools.image.lock import read_wanted
from tools.image.merge import Filter, Merger
from tools.image.toolbox import Toolbox
from tools.image.tree import Owned, Tree

IMAGE = Path(__file__).resolve().parents[2] / "image"
_KERNEL_FILES = ("vmlinuz", "dtb")
_USELESS = ("System.map", "config")


@dataclass(frozen=True, slots=True)
class Root:
    """A root file system, and its kernel, which is not in it.

    ``tar`` is all of it; ``folder`` the same unpacked, but for owners and modes; ``kernel`` a folder with vmlinuz and dtb/;
    ``release`` the kernel's.
    """

    tar: Path
    folder: Path
    kernel: Path
    release: str


def make_root(
    work: Path,
    toolbox: Toolbox,
    files: Mapping[str, Path],
    packages: Sequence[Package],
    own: Path,
    epoch: int,
    *,
    image: Path = IMAGE,
) -> Root:
    """Make it below ``work`` (what is there from the last time goes first).

    :param files: the packages' files by their SHA-256.
    :param packages: the lock of the root, with those that are only to be unpacked.
    :param own: Kontor's package, a .deb.
    :param epoch: seconds; every time in the tar.
    :param image: the folder with the recipe.
    :raises ImageError: something is not as it should be; says what.
    """
    folder, kernel = work / "root", work / "kernel"
    for old in (folder, kernel):
        shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True)
    tree = Tree(folder)
    reviews = _merge(tree, files, packages, own, image)
    for overlay in ("debian", "root"):
        _lay_over(tree, image / overlay)
    configure.copies_and_links(tree, reviews)
    release = modules.choose(tree, toolbox, modules.read_wanted(image / "modules.txt"))
    _take_kernel(tree, release, kernel)
    configure.accounts(tree, toolbox, configure.read_users(image / "users.txt"), epoch)
    configure.give(tree, reviews, configure.read_modes(image / "modes.txt"))
    configure.certificates(tree)
    configure.release(tree, deb.read(own).field("Version"), epoch)
    configure.services(tree, toolbox)
    configure.libraries(tree, toolbox)
    bytecode.compile_all(tree, toolbox)
    configure.finish(tree)
    tree.pack(work / "root.tar", epoch)
    return Root(work / "root.tar", folder, kernel, release)


def _merge(
    tree: Tree, files: Mapping[str, Path], packages: Sequence[Package], own: Path, image: Path
) -> list[scripts.Review]:
    """Unpack all packages, after a look at their scripts: what is done instead of these."""
    apart = read_wanted(image / "packages.txt").unpacked
    read = [(package.name in apart, deb.read(files[package.sha256])) for package in packages]
    installed = [package for alone, package in read if not alone]
    reviews = scripts.reviewed(installed, scripts.read(image / "scripts.toml"))
    merger = Merger(tree, Filter.read(image / "paths.txt"))
    for alone, package in [*read, (False, deb.read(own))]:
        merger.add(package, installed=not alone)
    merger.finish()
    return reviews


def _lay_over(tree: Tree, overlay: Path) -> None:
    """Lay our own files over the tree; an empty unit is one that is masked (systemd.unit(5))."""
    for path in sorted(overlay.rglob("*")):
        name = str(path.relative_to(overlay))
        if path.is_symlink():
            tree.add_link(name, str(path.readlink()))
        elif path.is_file():
            tree.add_file(name, path.read_bytes(), Owned(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644))


def _take_kernel(tree: Tree, release: str, kernel: Path) -> None:
    """Move the kernel and its device trees out of the tree: they go to the boot slot."""
    kernel.mkdir(parents=True)
    for name in _KERNEL_FILES:
        shutil.move(tree.path(f"{modules.FOLDER}/{release}/{name}"), kernel / name)
    for name in _USELESS:
        tree.remove(f"{modules.FOLDER}/{release}/{name}")
