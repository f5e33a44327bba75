"""What the maintainer scripts of all packages would do together, done from outside: nothing of the image runs.

The tools are those of the toolbox, of the same Debian: systemd-sysusers and systemctl work on another root by themselves.
ldconfig alone has to be the image's own, since it reads programs of its own processor only; it is one static program, run by
QEMU.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.image.errors import ImageError
from tools.image.scripts import Review
from tools.image.toolbox import Toolbox
from tools.image.tree import Owned, Tree

_DAY = 86400
_CERTIFICATES = "usr/share/ca-certificates/mozilla"
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_EMPTY = ("usr/lib/aarch64-linux-gnu/gio/modules", "usr/share/glib-2.0/schemas")
"""Folders for which a package would have a list made, if there were anything in them."""
_DONE = ("etc/.updated", "var/.updated")
"""systemd compares these with /usr, and would make users, caches and lists anew at each start of a root that forgets."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A line of image/modes.txt; ``folder`` is made if it is not there."""

    path: str
    folder: bool
    words: str


def read_modes(path: Path) -> list[Mode]:
    """The lines of image/modes.txt.

    :raises ImageError: a line is not PATH MODE USER:GROUP.
    """
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.partition("#")[0].split()
        if words and (len(words) != 3 or not words[0].startswith("/")):
            raise ImageError(f"{path.name} line {number} is not PATH MODE USER:GROUP")
        if words:
            found.append(Mode(words[0].rstrip("/"), words[0].endswith("/"), f"{words[1]} {words[2]}"))
    return found


def read_users(path: Path) -> dict[str, int]:
    """The numbers of image/users.txt by name.

    :raises ImageError: a line is not NAME NUMBER, or a name or number is there twice.
    """
    found: dict[str, int] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or not words[1].isdigit() or words[0] in found or int(words[1]) in found.values():
            raise ImageError(f"{path.name} line {number} is not NAME NUMBER, both of them new")
        found[words[0]] = int(words[1])
    return found


def copies_and_links(tree: Tree, reviews: Iterable[Review]) -> None:
    """What scripts would copy and link.

    :raises ImageError: what is to be copied is not there.
    """
    for review in reviews:
        for name, to in review.links.items():
            path = tree.path(name)
            if path.is_dir() and not path.is_symlink():
                path.rmdir()  # /var/run is an empty folder until base-files' script makes a link of it
            tree.add_link(name, to)
        for name, source in review.copies.items():
            if not tree.path(source).is_file():
                raise ImageError(f"{review.package}: the image has no {source}, of which {name} is a copy")
            tree.add_file(name, tree.path(source).read_bytes())


def accounts(tree: Tree, toolbox: Toolbox, numbers: Mapping[str, int], epoch: int) -> None:
    """All users and groups of sysusers.d, and their shadow files; nobody has a password.

    :raises ImageError: somebody has no number in ``numbers``.
    """
    files = sorted((tree.folder / "usr/lib/sysusers.d").glob("*.conf"), key=lambda path: path.name)
    lines = [
        words for path in files for line in path.read_text().splitlines() if (words := shlex.split(line, comments=True))
    ]
    fixed = {words[1] for words in lines if _is_account(words) and words[2][0].isdigit()}
    told, unnumbered = [], []
    for words in lines:
        if _is_account(words) and not words[2][0].isdigit():
            if words[1] in fixed:
                continue  # Debian has given it a number elsewhere
            if words[1] not in numbers or not words[2].startswith("-"):
                unnumbered.append(words[1])
            words[2] = words[2].replace("-", str(numbers.get(words[1])), 1)
        told.append(shlex.join(words))
    if unnumbered:
        raise ImageError(f"image/users.txt has no number for {', '.join(sorted(unnumbered))}")
    toolbox.run(
        ["systemd-sysusers", "--root=/target", "-"],
        binds={tree.folder: "/target"},
        stdin="\n".join([*told, ""]).encode(),
        env={"SOURCE_DATE_EPOCH": str(epoch // _DAY * _DAY)},
    )
    for name in ("passwd", "group", "shadow", "gshadow"):
        tree.remove(f"etc/{name}-")
        if (tree.folder / "etc" / name).exists():
            (tree.folder / "etc" / name).chmod(0o600)  # root reads what nobody may, another builder does not
    tree.remove("etc/.pwd.lock")


def _is_account(words: list[str]) -> bool:
    """Whether a line of sysusers.d is about a user or a group."""
    return len(words) >= 3 and words[0].rstrip("!") in ("u", "g")


def give(tree: Tree, reviews: Iterable[Review], modes: Iterable[Mode]) -> None:
    """Owners and modes that reviews and image/modes.txt say, once there are users.

    :raises ImageError: there is no such path, user or group.
    """
    users, groups = _numbers(tree, "passwd"), _numbers(tree, "group")
    told = [Mode(path, True, words) for review in reviews for path, words in review.folders.items()]
    told += [Mode(path, False, words) for review in reviews for path, words in review.modes.items()]
    for mode in (*told, *modes):
        try:
            digits, whose = mode.words.split()
            user, _, group = whose.partition(":")
            owned = Owned(int(digits, 8), users[user], groups[group])
        except (ValueError, KeyError) as error:
            raise ImageError(f"{mode.path} cannot be {mode.words}: {error}") from None
        if mode.folder:
            tree.add_folder(mode.path)
        tree.give(mode.path, owned)


def _numbers(tree: Tree, file: str) -> dict[str, int]:
    lines = (tree.folder / "etc" / file).read_text().splitlines()
    return {line.split(":")[0]: int(line.split(":")[2]) for line in lines if line}


def certificates(tree: Tree) -> None:
    """The bundle of all authorities that Mozilla trusts, as update-ca-certificates makes it.

    :raises ImageError: there are none.
    """
    files = sorted((tree.folder / _CERTIFICATES).glob("*.crt"))
    if not files:
        raise ImageError("the image has no certificates of authorities")
    tree.add_file(_BUNDLE, b"".join(path.read_bytes().rstrip(b"\n") + b"\n" for path in files))
    tree.remove("usr/share/ca-certificates")


def services(tree: Tree, toolbox: Toolbox) -> None:
    """Enable what the presets enable, and nothing else."""
    toolbox.run(["systemctl", "--root=/target", "preset-all"], binds={tree.folder: "/target"})


def libraries(tree: Tree, toolbox: Toolbox) -> None:
    """Where the loader finds libraries."""
    toolbox.run(["qemu-aarch64", "/target/usr/sbin/ldconfig", "-r", "/target"], binds={tree.folder: "/target"})
    tree.remove("var/cache/ldconfig")


def release(tree: Tree, version: str, epoch: int) -> None:
    """Which image it is (os-release(5)): an update is only taken if it was built later (appliance/update/slots.py)."""
    debian = tree.path("usr/lib/os-release").read_text()
    own = f"IMAGE_ID=kontor\nIMAGE_VERSION={version}\nKONTOR_BUILT={epoch}\n"
    tree.add_file("usr/lib/os-release", (debian + own).encode())


def finish(tree: Tree) -> None:
    """What is left to do, and to look at.

    :raises ImageError: something is there for which a list would have to be made, or a program runs as somebody else than
        who calls it.
    """
    for name in _EMPTY:
        folder = tree.folder / name
        if folder.is_dir() and any(folder.iterdir()):
            raise ImageError(f"{name} has something of which a list is to be made: tools/image/configure.py")
    others = [name for name in tree.names() if (tree.folder / name).is_file() and tree.owned(name).mode & 0o6000]
    if others:
        raise ImageError(
            f"no program of the image may run as somebody else: {', '.join(others)} (image/paths.txt, modes.txt)"
        )
    for name in _DONE:
        tree.add_file(name, b"# All that an update would do was done when the image was made.\n")
    tree.add_file("etc/machine-id", b"", Owned(0o444))
