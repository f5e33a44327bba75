"""Maintainer scripts: none runs. Each was read by somebody, who wrote down in image/scripts.toml what is done instead.

A script that is not known, or not the one that was read, keeps the image from being made. What counts are those of a first
installation: preinst, postinst, and triggers that a package is interested in.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.image.deb import Deb
from tools.image.errors import ImageError

OURS = "kontor"
"""Its scripts are in this repository (packaging/), and the same is done for all packages: users, compiled Python."""

_RUN = ("preinst", "postinst")
_TABLES = ("links", "copies", "folders", "modes")


@dataclass(frozen=True, slots=True)
class Review:
    """What is done instead of a package's scripts, by path in the tree.

    ``links``: link → what it names; ``copies``: new file → the file that it is a copy of; ``folders``: folder → "MODE
    USER:GROUP"; ``modes``: the same for what is there already.
    """

    package: str
    sha256: str
    instead: str
    links: Mapping[str, str] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    modes: Mapping[str, str] = field(default_factory=dict)


def read(path: Path) -> dict[str, Review]:
    """The reviews of image/scripts.toml, by package.

    :raises ImageError: the file is not as it should be.
    """
    try:
        told = tomllib.loads(path.read_text())
        return {name: _review(name, table) for name, table in told.items()}
    except (tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise ImageError(f"{path.name}: {error}") from error


def _review(name: str, table: Mapping[str, Any]) -> Review:
    found = Review(package=name, **table)
    words: list[object] = [found.sha256, found.instead]
    words += [text for table_name in _TABLES for pair in getattr(found, table_name).items() for text in pair]
    if not all(isinstance(word, str) and word for word in words):
        raise ValueError(f"{name} has something that is no text")
    return found


def digest(package: Deb) -> str:
    """The hash of what a package would run; empty if it would run nothing."""
    scripts = {name: package.scripts[name] for name in _RUN if name in package.scripts}
    interest = re.findall(rb"^interest.*$", package.scripts.get("triggers", b""), re.MULTILINE)
    if interest:
        scripts["triggers"] = b"\n".join(interest)
    if not scripts:
        return ""
    kernel = _kernel(package.name).encode()
    if kernel:
        scripts = {name: text.replace(kernel, b"VERSION") for name, text in scripts.items()}
    return hashlib.sha256(b"".join(name.encode() + b"\0" + text + b"\0" for name, text in scripts.items())).hexdigest()


def reviewed(packages: Iterable[Deb], reviews: Mapping[str, Review]) -> list[Review]:
    """What is done instead of the scripts of these packages, in the order of their names.

    :raises ImageError: somebody has to read scripts first; says which, and what to write down then.
    """
    found, unread = {}, []
    for package in packages:
        sha256 = digest(package)
        if not sha256 or package.name == OURS:
            continue
        name = package.name.removesuffix(f"-{_kernel(package.name)}")
        review = reviews.get(name)
        if review is None or review.sha256 != sha256:
            unread.append(f"{name} (sha256 = {sha256})")
        else:
            found[name] = review
    if unread:
        raise ImageError(
            f"nobody has read the maintainer scripts of {', '.join(sorted(unread))}: image/scripts.toml says what is done instead"
        )
    return [found[name] for name in sorted(found)]


def _kernel(name: str) -> str:
    """The version of the kernel in the name of a package, which is in its scripts too."""
    match = re.fullmatch(r"linux-[a-z]+-(\d.*)", name)
    return match[1] if match else ""
