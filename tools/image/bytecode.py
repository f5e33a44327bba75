"""Compiled Python: nothing on a box can write it, and each start would compile all of it anew."""

from __future__ import annotations

from tools.image.errors import ImageError
from tools.image.toolbox import Toolbox
from tools.image.tree import Tree

PYTHON = "python3.13"
"""Compiled for what is in the image, by the same in the toolbox."""
FOLDERS = (f"usr/lib/{PYTHON}", "usr/lib/python3/dist-packages", "usr/lib/kontor/lib", f"etc/{PYTHON}")


def compile_all(tree: Tree, toolbox: Toolbox) -> None:
    """Compile every Python file in the folders that a box imports from.

    The compiled file has the source's hash and not its time, and is believed unread: what the root's hash vouches for needs
    no second look. One process, since what a compiled file looks like depends on what the process has compiled before.

    :raises ImageError: a file cannot be compiled, or the image has another Python.
    """
    if not (tree.folder / "usr/bin" / PYTHON).exists():
        raise ImageError(f"the image has no {PYTHON}: tools/image/bytecode.py names the one that it compiles for")
    folders = [f"/target/{folder}" for folder in FOLDERS if (tree.folder / folder).is_dir()]
    toolbox.run(
        [
            *(PYTHON, "-I", "-S", "-B", "-m", "compileall", "-q", "-j", "1"),
            *("--invalidation-mode", "unchecked-hash", "-s", "/target", "-p", "/", *folders),
        ],
        binds={tree.folder: "/target"},
        env={"PYTHONHASHSEED": "0"},
    )
