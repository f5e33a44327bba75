"""Maintainer scripts: none runs, and none that nobody has read goes by unseen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.image import scripts
from tools.image.deb import Deb
from tools.image.errors import ImageError
from tools.image.fetch import read_lock

_ROOT = Path(__file__).resolve().parents[3]
_IMAGE = _ROOT / "image"


def _deb(name: str, **files: str) -> Deb:
    return Deb(Path(f"{name}.deb"), f"Package: {name}\n", {key: text.encode() for key, text in files.items()})


def test_a_package_that_runs_nothing_needs_no_review() -> None:
    package = _deb("a", postrm="rm -rf /", prerm="true", md5sums="", triggers="activate-noawait ldconfig\n")
    assert scripts.digest(package) == ""
    assert scripts.reviewed([package], {}) == []


@pytest.mark.parametrize("name", ["preinst", "postinst"])
def test_a_script_that_nobody_has_read_is_refused_with_its_hash(name: str) -> None:
    package = _deb("a", **{name: "adduser x"})
    with pytest.raises(ImageError, match=rf"nobody has read .* of a \(sha256 = {scripts.digest(package)}\)"):
        scripts.reviewed([package], {})


def test_a_script_that_has_changed_is_refused() -> None:
    review = scripts.Review("a", scripts.digest(_deb("a", postinst="true")), "nothing")
    assert scripts.reviewed([_deb("a", postinst="true")], {"a": review}) == [review]
    with pytest.raises(ImageError, match="nobody has read"):
        scripts.reviewed([_deb("a", postinst="true", preinst="false")], {"a": review})
    with pytest.raises(ImageError, match="nobody has read"):
        scripts.reviewed([_deb("a", postinst="true", triggers="interest /usr/share/x\n")], {"a": review})


def test_all_that_is_unread_is_told_at_once() -> None:
    with pytest.raises(ImageError, match=r"of a \(.*\), b \("):
        scripts.reviewed([_deb("b", postinst="x"), _deb("a", preinst="x")], {})


def test_a_new_kernel_with_the_same_script_is_the_same() -> None:
    packages = [_deb(f"linux-modules-{v}", postinst=f"depmod {v}") for v in ("7.3.4+deb13-arm64", "7.3.9+deb13-arm64")]
    review = scripts.Review("linux-modules", scripts.digest(packages[0]), "depmod runs later")
    assert scripts.reviewed([packages[1]], {"linux-modules": review}) == [review]


def test_our_own_package_is_known() -> None:
    assert scripts.reviewed([_deb("kontor", postinst="systemd-sysusers")], {}) == []


def test_our_own_script_does_what_the_image_does_instead() -> None:
    """Whoever changes it looks here: users, folders at each start, compiled Python; what runs is not started anew."""
    lines = (_ROOT / "packaging/postinst.in").read_text().splitlines()
    orders = [line.strip() for line in lines if re.match(r" *(install|systemd-\w+|/usr/\S+|for|getent) ", line)]
    assert orders == [
        "for group in @SHARED@; do",
        'getent group "$group" >/dev/null || echo "$group" >>"$made"',
        "systemd-sysusers @SYSUSERS@",
        "systemd-tmpfiles --create @TMPFILES@",
        "/usr/lib/kontor/bin/python3 -I -m compileall -q -j 0 /usr/lib/kontor/lib",
    ]


def test_every_review_says_what_is_done_instead_and_is_of_a_package() -> None:
    reviews = scripts.read(_IMAGE / "scripts.toml")
    names = {package.name for package in read_lock(_IMAGE / "root.lock")}
    for name, review in reviews.items():
        assert name in names or any(package.startswith(f"{name}-") for package in names), name
        assert re.fullmatch(r"[0-9a-f]{64}", review.sha256), name
        assert len(review.instead) > 5, name
        for path in (*review.links, *review.copies, *review.folders, *review.modes):
            assert path.startswith("/"), path


@pytest.mark.parametrize(
    "text",
    [
        "[a]\nsha256 = 1\ninstead = 'x'\n",
        "[a]\nsha256 = 'x'\n",
        "[a]\nsha256 = 'x'\ninstead = ''\n",
        "[a]\nsha256 = 'x'\ninstead = 'x'\nlinks = { '/a' = 1 }\n",
        "[a]\nsha256 = 'x'\ninstead = 'x'\nrun = 'rm'\n",
        "a = 'x'\n",
        "[a\n",
    ],
)
def test_a_list_of_reviews_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scripts.toml"
    path.write_text(text)
    with pytest.raises(ImageError, match=r"scripts\.toml: "):
        scripts.read(path)
