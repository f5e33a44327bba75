"""What is done instead of maintainer scripts: users, copies, links, owners, certificates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tools.image import configure
from tools.image.errors import ImageError
from tools.image.scripts import Review
from tools.image.toolbox import Toolbox
from tools.image.tree import Owned, Tree

_ROOT = Path(__file__).resolve().parents[3]
_IMAGE = _ROOT / "image"


@dataclass
class _Toolbox(Toolbox):
    """Notes what it is asked to run."""

    asked: list[tuple[list[str], bytes]] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        *,
        binds: Mapping[Path, str] | None = None,
        cwd: str = "/",
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        capture: bool = False,
    ) -> bytes:
        self.asked.append((list(argv), stdin or b""))
        return b""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "root").mkdir()
    return Tree(tmp_path / "root")


def _write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def _told(tree: Tree, numbers: Mapping[str, int]) -> list[str]:
    toolbox = _Toolbox()
    configure.accounts(tree, toolbox, numbers, 1_700_000_000)
    ((argv, stdin),) = toolbox.asked
    assert argv == ["systemd-sysusers", "--root=/target", "-"]
    return stdin.decode().splitlines()


def test_users_get_the_numbers_of_the_list(tree: Tree) -> None:
    tree.add_file("usr/lib/sysusers.d/b.conf", b'u x - "The X" /var/x\nu y -:nogroup\nm x y\n\n# g none -\n')
    tree.add_file("usr/lib/sysusers.d/a.conf", b"g audio 29\nu! z -\nr - 500-900\n")
    tree.add_file("usr/lib/sysusers.d/c.conf", b"g audio - -\n")
    told = _told(tree, {"x": 901, "y": 902, "z": 903, "later": 904})
    assert told == ["g audio 29", "'u!' z 903", "r - 500-900", "u x 901 'The X' /var/x", "u y 902:nogroup", "m x y"]


def test_a_user_without_a_number_is_told(tree: Tree) -> None:
    tree.add_file("usr/lib/sysusers.d/a.conf", b"u x -\nu y /var/lib/y\ng w -\n")
    with pytest.raises(ImageError, match=r"users\.txt has no number for w, x, y"):
        _told(tree, {"y": 901})


def test_copies_of_user_files_do_not_stay(tree: Tree) -> None:
    for name in ("passwd", "passwd-", "shadow-", ".pwd.lock"):
        tree.add_file(f"etc/{name}", b"")
    _told(tree, {})
    assert [name for name in tree.names() if name != "etc"] == ["etc/passwd"]


@pytest.mark.parametrize("text", ["a\n", "a b\n", "a 1 2\n", "a 1\na 2\n", "a 1\nb 1\n", "a -1\n"])
def test_a_list_of_numbers_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(ImageError, match=r"users\.txt line \d is not NAME NUMBER"):
        configure.read_users(_write(tmp_path, "users.txt", f"# whose\n{text}"))


@pytest.mark.parametrize("text", ["/a 0755\n", "a 0755 root:root\n", "/a 0755 root:root more\n"])
def test_a_list_of_modes_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(ImageError, match=r"modes\.txt line 1 is not PATH MODE USER:GROUP"):
        configure.read_modes(_write(tmp_path, "modes.txt", text))


def test_links_and_copies_of_a_review(tree: Tree) -> None:
    tree.add_folder("var/run")
    tree.add_file("usr/share/shells", b"sh")
    review = Review(
        "a", "0", "it", links={"/var/run": "/run", "/bin/awk": "mawk"}, copies={"/etc/shells": "/usr/share/shells"}
    )
    configure.copies_and_links(tree, [review])
    assert (tree.folder / "var/run").readlink() == Path("/run")
    assert (tree.folder / "usr/bin/awk").readlink() == Path("mawk")
    assert (tree.folder / "etc/shells").read_bytes() == b"sh"
    with pytest.raises(ImageError, match="b: the image has no /usr/none, of which /etc/x is a copy"):
        configure.copies_and_links(tree, [Review("b", "0", "it", copies={"/etc/x": "/usr/none"})])


def test_owners_and_modes_are_given_by_name(tree: Tree) -> None:
    tree.add_file("etc/passwd", b"root:x:0:0::/root:/bin/sh\nx:x:901:0::/:/bin/false\n")
    tree.add_file("etc/group", b"root:x:0:\nx:x:902:\n")
    tree.add_file("etc/shadow", b"")
    review = Review("a", "0", "it", folders={"/var/mail": "2775 root:x"}, modes={"/etc/group": "0640 root:x"})
    configure.give(tree, [review], [configure.Mode("/etc/shadow", folder=False, words="0600 x:root")])
    assert tree.owned("var/mail") == Owned(0o2775, 0, 902)
    assert tree.owned("etc/group") == Owned(0o640, 0, 902)
    assert tree.owned("etc/shadow") == Owned(0o600, 901, 0)


@pytest.mark.parametrize("words", ["0755 nobody:root", "0755 root:nobody", "rwx root:root", "0755"])
def test_an_owner_that_is_not_there_is_told(tree: Tree, words: str) -> None:
    tree.add_file("etc/passwd", b"root:x:0:0::/root:/bin/sh\n")
    tree.add_file("etc/group", b"root:x:0:\n")
    with pytest.raises(ImageError, match="/etc/group cannot be"):
        configure.give(tree, [], [configure.Mode("/etc/group", folder=False, words=words)])


def test_all_authorities_are_in_one_file(tree: Tree) -> None:
    with pytest.raises(ImageError, match="no certificates"):
        configure.certificates(tree)
    for name, text in (("b", "B\n"), ("a", "A")):
        tree.add_file(f"usr/share/ca-certificates/mozilla/{name}.crt", text.encode())
    configure.certificates(tree)
    assert (tree.folder / "etc/ssl/certs/ca-certificates.crt").read_text() == "A\nB\n"
    assert not (tree.folder / "usr/share/ca-certificates").exists()


def test_nothing_is_left_of_which_a_list_is_to_be_made(tree: Tree) -> None:
    tree.add_folder("usr/share/glib-2.0/schemas")
    configure.finish(tree)
    assert tree.owned("etc/machine-id") == Owned(0o444)
    assert (tree.folder / "etc/machine-id").read_bytes() == b""
    tree.add_file("usr/share/glib-2.0/schemas/org.x.xml", b"")
    with pytest.raises(ImageError, match=r"glib-2\.0/schemas has something"):
        configure.finish(tree)


def test_no_program_runs_as_somebody_else(tree: Tree) -> None:
    tree.add_folder("var/mail", Owned(0o2775, 0, 8))
    tree.add_file("usr/bin/su", b"", Owned(0o4755))
    tree.add_file("usr/bin/wall", b"", Owned(0o2755, 0, 5))
    with pytest.raises(ImageError, match="as somebody else: usr/bin/su, usr/bin/wall"):
        configure.finish(tree)
    tree.give("usr/bin/su", Owned(0o755))
    tree.remove("usr/bin/wall")
    configure.finish(tree)


def test_every_user_of_ours_has_a_number_that_stays() -> None:
    """Files on the data partition belong to a number: a new user gets a new one, and nobody ever another one."""
    numbers = configure.read_users(_IMAGE / "users.txt")
    assert (
        numbers.items()
        >= {
            "systemd-timesync": 905,
            "systemd-journal": 906,
            "kontor": 930,
            "kontor-sound": 931,
            "kontor-link": 932,
            "kontor-provision": 933,
            "kontor-host": 934,
        }.items()
    )
    folders = (_ROOT / "systemd/sysusers.d", *(_IMAGE.glob("*/usr/lib/sysusers.d")))
    lines = [
        line.split() for folder in folders for path in folder.glob("*.conf") for line in path.read_text().splitlines()
    ]
    ours = {words[1] for words in lines if words[:1] in (["u"], ["g"], ["u!"])}
    assert ours - set(numbers) == {"audio"}, "audio is one of Debian's own"


def test_every_place_that_is_mounted_is_there() -> None:
    made = {mode.path for mode in configure.read_modes(_IMAGE / "modes.txt") if mode.folder}
    lines = re.findall(r"^[^#\s]\S*\s+(/\S*)\s", (_IMAGE / "root/etc/fstab").read_text(), re.MULTILINE)
    assert lines
    assert set(lines) - made <= {"/dev/shm", "/run", "/tmp", "/var/lib/NetworkManager"}, "packages have these"
