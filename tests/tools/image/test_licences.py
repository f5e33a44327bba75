"""Licences are taken from what each package says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.image.made import COPYRIGHT, Archive
from tools.image import licences
from tools.image.errors import ImageError
from tools.image.fetch import Package

DEP5 = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: GPL-2+

Files: debian/*
License: Expat

Files: lib/*
License:  GPL-2+
 This program is free software
License: Permission to do with this whatever anybody may want to do with it, as long as nobody complains
"""


def files(archive: Archive, *packages: Package) -> dict[str, Path]:
    return {package.sha256: archive.place / package.path for package in packages}


def test_what_a_form_for_machines_names_is_taken_once() -> None:
    assert licences.names(DEP5) == ("Expat", "GPL-2+")


def test_names_that_differ_in_capitals_alone_have_an_order() -> None:
    """A set has another one in each process: make image-verify found it."""
    forms = [word.replace("e", end) for word in ("one", "One", "oNe", "ONe") for end in ("e", "E")]
    told = licences.names("Format: x\n" + "".join(f"License: {form}\n" for form in forms))
    assert list(told) == sorted(forms)


def test_other_files_refer_to_debians_common_licences_or_quote() -> None:
    text = "License: see /usr/share/common-licenses/GPL-2. Also the GNU General Public License, and\n"
    text += "Permission is hereby granted, free\n  of charge, to any person\n"
    assert licences.names(text) == ("common-licenses/GPL-2", "MIT-like")
    assert licences.names("It is in the public domain.\n") == ("public domain",)


def test_a_text_without_a_licence_is_not_passed_over() -> None:
    for text in ("", "Copyright 2020 somebody\n", "Format: x\nLicense:\n nothing\n"):
        with pytest.raises(ImageError, match="no licence is recognized"):
            licences.names(text)


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPL-2", "GPL-2.0-only"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("LGPL-2.0-only", "LGPL-2.0-only"),
        ("GFDL-1.3+", "GFDL-1.3-or-later"),
        ("Expat", "MIT"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("Apache-2.0", "Apache-2.0"),
        ("GPL-2.3", None),
        ("GPL", None),
        ("GPL-2+ with Libtool exception", None),
        ("common-licenses/GPL-2", None),
        ("public-domain", None),
    ],
)
def test_a_name_has_an_identifier_only_if_it_means_the_same(name: str, identifier: str | None) -> None:
    assert licences.spdx(name) == identifier


def test_a_linked_folder_stands_for_another_packages_file(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    base = archive.add("base")
    folder = archive.add("folder", files={"usr/share/doc/folder": "-> base", "usr/lib/x": ""})
    file = archive.add("file", files={"usr/share/doc/file/copyright": "-> ../folder/copyright"})
    found = licences.texts([base, folder, file], files(archive, base, folder, file))
    assert found == dict.fromkeys(("base", "folder", "file"), COPYRIGHT)


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    bare = archive.add("bare", files={"usr/lib/x": ""})
    lost = archive.add("lost", files={"usr/share/doc/lost": "-> gone"})
    ring = archive.add("ring", files={"usr/share/doc/ring": "-> rung"})
    rung = archive.add("rung", files={"usr/share/doc/rung": "-> ring"})
    for packages in ([bare], [lost], [ring, rung]):
        with pytest.raises(ImageError, match="has no copyright file, and nothing that stands in for it is locked"):
            licences.texts(packages, files(archive, *packages))


def test_a_root_without_a_packages_licence_is_told(tmp_path: Path) -> None:
    place = tmp_path / "usr/share/doc/one/copyright"
    place.parent.mkdir(parents=True)
    place.write_text(COPYRIGHT)
    licences.require(tmp_path, {"one": COPYRIGHT, "stands-in": COPYRIGHT})
    with pytest.raises(ImageError, match=r"lacks the licences of two, three \(2 in all\)"):
        licences.require(tmp_path, {"one": COPYRIGHT, "two": "else", "three": ""})
