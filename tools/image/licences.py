"""Under which licences Debian's packages are, by what each says of itself.

Most packages have /usr/share/doc/NAME/copyright in a form for machines (copyright-format 1.0, "DEP-5"); of the others the names
of Debian's common licences are taken, to which they refer, and well-known texts. All texts are in the image as they are here.
"""

from __future__ import annotations

import posixpath
import re
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.image import deb
from tools.image.errors import ImageError
from tools.image.fetch import Package

DOC = "usr/share/doc"
_SAME = {
    "Apache-2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD-2-clause": "BSD-2-Clause",
    "BSD-3-clause": "BSD-3-Clause",
    "BSD-4-clause": "BSD-4-Clause",
    "BSD-4-clause-UC": "BSD-4-Clause-UC",
    "Expat": "MIT",
    "expat": "MIT",
    "zlib": "Zlib",
}
"""Names of licences as Debian and wheels have them, and SPDX's."""

_SPDX = {
    *(
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "Beerware",
        "CC0-1.0",
        "FSFAP",
        "FSFUL",
        "FSFULLR",
    ),
    *("ISC", "MIT", "PSF-2.0", "X11", "Zlib", "bzip2-1.0.6", "curl", *_SAME.values()),
}
_GNU = re.compile(r"(A?GPL|LGPL|GFDL)-?v?([1-3])(?:\.([0-3]))?(\+|-or-later|-only)?")
_VERSIONS = {
    *("GPL-1.0", "GPL-2.0", "GPL-3.0", "LGPL-2.0", "LGPL-2.1", "LGPL-3.0", "AGPL-3.0"),
    *("GFDL-1.1", "GFDL-1.2", "GFDL-1.3"),
}

_LONGEST = 80
"""Characters of a licence's name: what is longer is its text."""

_LINK = "-> "

_TEXTS = {
    "MIT-like": r"Permission\s+is\s+hereby\s+granted,\s+free\s+of\s+charge",
    "BSD-like": r"Redistribution\s+and\s+use\s+in\s+source\s+and\s+binary\s+forms",
    "PSF": r"PSF\s+LICENSE\s+AGREEMENT|PYTHON\s+SOFTWARE\s+FOUNDATION\s+LICENSE",
    "LGPL": r"GNU\s+(?:Lesser|Library)\s+General\s+Public\s+License",
    "GPL": r"GNU\s+General\s+Public\s+License",
    "public domain": r"[Pp]ublic\s+[Dd]omain",
}
"""Licences that are recognized by what they say, where a package says it in words of its own."""


def spdx(name: str) -> str | None:
    """SPDX's identifier of a licence that Debian calls so; None if there is none that means just this."""
    if name in _SPDX or name in _SAME:
        return _SAME.get(name, name)
    if found := _GNU.fullmatch(name):
        version = f"{found[1]}-{found[2]}.{found[3] or 0}"
        if version in _VERSIONS:
            return f"{version}-{'only' if found[4] in (None, '-only') else 'or-later'}"
    return None


def names(copyright_text: str) -> tuple[str, ...]:
    """The licences that a copyright file names, each once, in order of the alphabet.

    :raises ImageError: none is recognized.
    """
    if re.search(r"^Format(-Specification)?:", copyright_text, re.MULTILINE | re.IGNORECASE):
        told = re.findall(r"^Licen[sc]e:[ \t]*(\S.*)$", copyright_text, re.MULTILINE)
        found = {word.strip() for word in told if len(word) <= _LONGEST}
    else:
        common = {word.rstrip(".") for word in re.findall(r"/common-licenses/([A-Z][\w.+-]*)", copyright_text)}
        said = {name for name, text in _TEXTS.items() if re.search(text, copyright_text)}
        plain = {name for name in said if not any(word.startswith(name.partition("-")[0]) for word in common)}
        found = {f"common-licenses/{word}" for word in common} | plain
    if not found:
        raise ImageError("no licence is recognized")
    return tuple(sorted(found, key=lambda name: (name.lower(), name)))


def texts(packages: Sequence[Package], files: Mapping[str, Path]) -> dict[str, str]:
    """The copyright file of each package, by name; where one stands in for another (a linked folder), that one's.

    :raises ImageError: a package has none.
    """
    found = {package.name: _entry(files[package.sha256], package.name) for package in packages}
    return {name: _followed(name, found) for name in found}


def _followed(name: str, found: Mapping[str, str | None]) -> str:
    seen: list[str] = []
    at, text = name, found[name]
    while text is None or text.startswith(_LINK):
        seen.append(at)
        at = text.removeprefix(_LINK) if text else ""
        if at in seen or at not in found:
            raise ImageError(f"{name} has no copyright file, and nothing that stands in for it is locked")
        text = found[at]
    return text


def _entry(package: Path, name: str) -> str | None:
    """A package's copyright file, or :data:`_LINK` and the name of the package that has it; None if there is none."""
    folder = f"{DOC}/{name}"
    with deb.data(package) as archive:
        for entry in archive:
            path = entry.name.removeprefix("./").rstrip("/")
            if path in (folder, f"{folder}/copyright"):
                if entry.issym():
                    return f"{_LINK}{_owner(path, entry.linkname)}"
                if entry.isreg():
                    return _text(archive, entry)
    return None


def _owner(path: str, target: str) -> str:
    """The package in whose documents a link from ``path`` ends."""
    ends = posixpath.normpath(posixpath.join(posixpath.dirname(path), target)).lstrip("/")
    return ends.removeprefix(f"{DOC}/").partition("/")[0]


def _text(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> str:
    file = archive.extractfile(entry)
    return file.read().decode(errors="replace") if file else ""


def require(folder: Path, wanted: Mapping[str, str]) -> None:
    """Make sure that what :func:`texts` found is all in a root file system, under whichever package's name.

    :raises ImageError: a text is not there; says whose.
    """
    there = {path.read_text(errors="replace") for path in (folder / DOC).glob("*/copyright")}
    lacking = [name for name, text in wanted.items() if text not in there]
    if lacking:
        raise ImageError(f"the image lacks the licences of {', '.join(lacking[:5])} ({len(lacking)} in all)")
