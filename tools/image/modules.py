"""Modules of the kernel: those of a list and what they need; all others go.

A list of what to leave out loses what something else turns out to need (a USB microphone without mc.ko); a list of what is
wanted cannot, and every name in it has to be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from tools.image.errors import ImageError
from tools.image.toolbox import Toolbox
from tools.image.tree import Tree

FOLDER = "usr/lib/modules"


def read_wanted(path: Path) -> list[str]:
    """The names of a list: words, ``#`` begins a comment."""
    return [word for line in path.read_text().splitlines() for word in line.partition("#")[0].split()]


def release(root: Path) -> str:
    """The release of the one kernel in a root file system.

    :raises ImageError: there is none, or more than one.
    """
    folder = root / FOLDER
    found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if len(found) != 1:
        raise ImageError(f"an image has one kernel, and not {len(found)}: {', '.join(found)}")
    return found[0]


def choose(tree: Tree, toolbox: Toolbox, wanted: Sequence[str]) -> str:
    """Leave the wanted modules of the one kernel and what they need, with an index of them; the kernel's release.

    :raises ImageError: a wanted module is not there.
    """
    which = release(tree.folder)
    _index(tree, toolbox, which)
    folder = tree.folder / FOLDER / which
    keep = needed(folder, wanted)
    for path in folder.rglob("*.ko*"):
        if str(path.relative_to(folder)) not in keep:
            path.unlink()
    tree.prune(f"{FOLDER}/{which}/kernel")
    _index(tree, toolbox, which)
    return which


def _index(tree: Tree, toolbox: Toolbox, which: str) -> None:
    toolbox.run(["depmod", "-b", "/target", which], binds={tree.folder: "/target"})


def needed(folder: Path, wanted: Sequence[str]) -> set[str]:
    """The files (below ``folder``, that of a kernel with an index) of these modules and of all that they need.

    :raises ImageError: one is neither there nor built into the kernel.
    """
    files, depends = read_index(folder, wanted)
    soft = dict(_soft(folder / "modules.softdep"))
    found: set[str] = set()
    queue = [plain(name) for name in wanted]
    while queue:
        name = queue.pop()
        if name in files and files[name] not in found:
            found.add(files[name])
            queue += [plain(path) for path in depends[name]]
            queue += soft.get(name, [])
    return found


def read_index(folder: Path, wanted: Sequence[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """By the name of each module its file, and the files that it needs, of modules.dep: ``FILE: FILE…``.

    :raises ImageError: one that is wanted is neither there nor built into the kernel.
    """
    files, depends = {}, {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        files[plain(path)], depends[plain(path)] = path, rest.split()
    built_in = {plain(line) for line in (folder / "modules.builtin").read_text().split()}
    missing = [name for name in wanted if plain(name) not in files and plain(name) not in built_in]
    if missing:
        raise ImageError(f"the kernel {folder.name} has no module {', '.join(missing)}")
    return files, depends


def _soft(path: Path) -> Iterator[tuple[str, list[str]]]:
    """What modules would like to have: ``softdep NAME pre: NAME… post: NAME…``."""
    for line in path.read_text().splitlines() if path.exists() else []:
        words = line.split()
        if words[:1] == ["softdep"]:
            yield plain(words[1]), [plain(word) for word in words[2:] if not word.endswith(":")]


def plain(name: str) -> str:
    """A module's name, of its file or as somebody wrote it."""
    return PurePosixPath(name).name.partition(".ko")[0].replace("-", "_")
