"""The tools of the image see what is bound for them and nothing else, and say in one sentence why they cannot run.

This machine's own root stands for an unpacked toolbox: it has a shell and coreutils as well.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.need import need
from tests.tools.image.made import deb
from tools.image import toolbox
from tools.image.errors import ImageError, MissingError
from tools.image.fetch import Package
from tools.image.toolbox import Toolbox

ROOT = Path(__file__).resolve().parents[3]
EPOCH = 1_764_200_000
CONTROL = "Package: one\nVersion: 1\nArchitecture: all\n"
NONE_LEFT = 'echo 0 >/proc/sys/user/max_user_namespaces; echo 0 >/proc/sys/user/max_mnt_namespaces; exec "$@"'
"""A system without user namespaces, met by somebody who is not root of it."""


@pytest.fixture
def own() -> Toolbox:
    """A toolbox of this machine's programs."""
    need(Path("/usr/bin/env"), "coreutils stand for the toolbox")
    need(Path("/etc/debian_version"), "Debian's root stands for the toolbox")
    try:
        toolbox.namespaces()
    except MissingError as error:
        need(None, str(error))
    return Toolbox(Path("/"), EPOCH)


@pytest.fixture
def fresh() -> Iterator[None]:
    """What this system allows is asked anew, before and after."""
    toolbox.namespaces.cache_clear()
    yield
    toolbox.namespaces.cache_clear()


def test_a_tool_finds_the_same_surroundings_whoever_calls(own: Toolbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TZ": "Asia/Tokyo", "LC_ALL": "de_DE.UTF-8", "SECRET": "x", "SOURCE_DATE_EPOCH": "7"}.items():
        monkeypatch.setenv(name, value)
    before = os.umask(0o077)
    try:
        told = own.run(["sh", "-c", "umask; id -u; env; ls -A /tmp /run /root"], env={"MORE": "1"}, capture=True)
    finally:
        os.umask(before)
    lines = told.decode().split()
    assert lines[:2] == ["0022", "0"]
    assert {"TZ=UTC", "LC_ALL=C.UTF-8", f"SOURCE_DATE_EPOCH={EPOCH}", "MORE=1"} <= set(lines)
    assert not [line for line in lines if line.startswith("SECRET")]


def test_a_tool_sees_what_is_bound_for_it(own: Toolbox, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/given").write_text("given\n")
    (tmp_path / "file").write_text("a file\n")
    binds = {tmp_path / "in": "/work/place", tmp_path / "file": "/work/file"}
    told = own.run(
        ["sh", "-c", "cat given ../file -; echo made >made; ls /work; exit 0"],
        binds=binds,
        cwd="/work/place",
        stdin=b"typed\n",
        capture=True,
    )
    assert told.decode().split("\n") == ["given", "a file", "typed", "file", "place", ""]
    assert (tmp_path / "in/made").read_text() == "made\n"
    assert (tmp_path / "in/made").stat().st_uid == os.getuid()
    assert not Path("/mnt/work").exists()


def test_a_tool_has_no_network_and_cannot_change_its_box(own: Toolbox) -> None:
    interfaces = own.run(["sh", "-c", "cat /proc/net/dev"], capture=True).decode()
    assert [line.partition(":")[0].strip() for line in interfaces.splitlines()[2:]] == ["lo"]
    with pytest.raises(ImageError, match=r"sh failed: .*Read-only file system"):
        own.run(["sh", "-c", ": >/usr/kontor-was-here"])
    assert not Path("/usr/kontor-was-here").exists()


def test_a_tool_that_fails_is_named_with_its_last_words(own: Toolbox) -> None:
    with pytest.raises(ImageError, match=r"^sh failed: two / three / four$"):
        own.run(["/bin/sh", "-c", "printf 'one\\ntwo\\nthree\\nfour\\n' >&2; exit 3"])
    with pytest.raises(ImageError, match=r"^false failed: it ended with 1$"):
        own.run(["false"])
    with pytest.raises(ImageError, match=r"^mkfs\.nothing failed: .*No such file"):
        own.run(["mkfs.nothing"])


@pytest.mark.parametrize("inside", ["work", "/", "/usr/x", "/etc/x", "/work/../usr"])
def test_nothing_is_bound_over_the_tools(own: Toolbox, tmp_path: Path, inside: str) -> None:
    with pytest.raises(ImageError, match="nothing of the builder's can be seen as"):
        own.run(["true"], binds={tmp_path: inside})
    with pytest.raises(ImageError, match="does not exist"):
        own.run(["true"], binds={tmp_path / "gone": "/work"})


def test_without_namespaces_and_without_root_it_says_what_to_do(own: Toolbox) -> None:
    # A namespace in which no further ones may be made: what a locked-down system is like for whoever is not its root.
    program = "from tools.image.toolbox import Toolbox; from pathlib import Path; Toolbox(Path('/'), 0).run(['true'])"
    inside = ["unshare", "--user", "--map-root-user", "sh", "-euc", NONE_LEFT, "sh", sys.executable, "-c", program]
    trial = ["unshare", "--user", "--map-root-user", "sh", "-euc", NONE_LEFT, "sh", "true"]
    need(subprocess.run(trial, capture_output=True, check=False).returncode == 0 or None, "no user namespaces to limit")
    done = subprocess.run(inside, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("tools.image.errors.MissingError: the tools of the image run in ")
    assert "or make it as root" in done.stderr.splitlines()[-1]


@pytest.mark.usefixtures("fresh")
def test_without_unshare_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolbox, "_PATH", str(tmp_path))
    with pytest.raises(MissingError, match="sudo apt-get install util-linux"):
        toolbox.namespaces()


def test_another_processor_has_no_toolbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(ImageError, match="amd64 or arm64, not on riscv64"):
        toolbox.architecture()


# ---- unpacking


def locked(folder: Path, packages: dict[str, bytes]) -> Path:
    """A folder with a lock of these packages, which lie in its cache."""
    lines, cache = [], folder / "cache"
    cache.mkdir()
    for name, data in packages.items():
        package = Package(name, "1", "all", len(data), _sha256(data), "debian", f"pool/{name}.deb")
        (cache / f"{package.sha256}.deb").write_bytes(data)
        lines.append(f"{package}\n")
    (folder / f"toolbox-{toolbox.architecture()}.lock").write_text("".join(lines))
    return cache


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_toolbox_is_unpacked_once_and_links_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = {
        "a-tool": deb(CONTROL, {"bin/tool": "tool\n", "usr/share/doc/tool": "words\n"}),
        "base-files": deb(CONTROL, {"bin": "-> usr/bin", "usr/bin/first": ""}),
    }
    cache = locked(tmp_path, packages)
    made = toolbox.make_toolbox(tmp_path, cache, EPOCH)
    assert (made.root / "usr/bin/tool").read_text() == "tool\n"
    assert (made.root / "bin").is_symlink()
    assert (made.root / "etc/passwd").read_text().startswith("root:x:0:0:")
    monkeypatch.setattr(toolbox, "fetch", lambda *_: pytest.fail("fetched again"))
    assert toolbox.make_toolbox(tmp_path, cache, EPOCH).root == made.root
    assert [path.name for path in cache.iterdir() if path.is_dir()] == [made.root.name]


def test_a_damaged_package_leaves_no_half_toolbox(tmp_path: Path) -> None:
    for number, data in enumerate((b"no package", deb(CONTROL, {"a": "b"})[:200], deb(CONTROL, {"../../out": "b"}))):
        folder = tmp_path / str(number)
        folder.mkdir()
        cache = locked(folder, {"base-files": deb(CONTROL, {"usr/x": ""}), "broken": data})
        with pytest.raises(ImageError, match=r"is no Debian package|cannot be unpacked|leads out of its folder"):
            toolbox.make_toolbox(folder, cache, EPOCH)
        assert not [path for path in cache.iterdir() if path.is_dir()]
    assert not list(tmp_path.rglob("out"))


def test_too_little_disk_leaves_no_half_toolbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = locked(tmp_path, {"base-files": deb(CONTROL, {"usr/x": ""})})
    monkeypatch.setattr(toolbox, "_UNPACKED", 2**60)
    with pytest.raises(MissingError, match="the unpacked toolbox needs"):
        toolbox.make_toolbox(tmp_path, cache, EPOCH)
    assert not [path for path in cache.iterdir() if path.is_dir()]
