"""What becomes of the data partition at a start (image/root/usr/lib/kontor-image/data.sh), with the real e2fsck and mke2fs.

The partition is a file here: it cannot be mounted without root and a loop device, so ``mount`` and ``systemd-growfs`` are
programs of the test that write down what they were asked, and say whether a file system is one that could be mounted.
"""

import importlib.util
import json
import os
import stat
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.blank_card import blank_card
from tests.support.need import need
from tools.image import layout
from tools.system import find

SCRIPT = Path("image/root/usr/lib/kontor-image/data.sh")
GROW = SCRIPT.with_name("grow.py")
SIZE = 24 * 1024 * 1024
LARGER = layout.IMAGE_SIZE + (1 << 30)

_MOUNT = """#!/bin/sh
echo "mount $*" >>"$ASKED"
[ "$2" = tmpfs ] || e2fsck -n "$5" >/dev/null 2>&1 || exit 32
"""
_PLAIN = """#!/bin/sh
echo "$(basename "$0") $*" >>"$ASKED"
"""


class Box:
    """A data partition, a place to mount it, and what was asked for at each start."""

    def __init__(self, folder: Path) -> None:
        for program in ("e2fsck", "mkfs.ext4", "debugfs"):
            need(program, f"{program} (Debian: e2fsprogs) is what the box has")
        self.folder, self.device, self.data = folder, folder / "part", folder / "data"
        self.told = folder / "told"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name, text in (("mount", _MOUNT), ("systemd-growfs", _PLAIN), ("chown", _PLAIN)):
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)

    def start(self) -> tuple[list[str], str]:
        """What mount and its like were asked, and what the journal has."""
        asked = self.folder / "asked"
        asked.write_text("")
        script = SCRIPT.read_text().replace("/usr/lib/systemd/systemd-growfs", "systemd-growfs")
        path = f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(
            ["sh", "-c", script, "data.sh", str(self.device), str(self.data), str(self.told)],
            env=os.environ | {"PATH": path, "ASKED": str(asked)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said = [line for line in done.stderr.splitlines() if "data partition" in line]
        return [line.split()[2 if "tmpfs" in line else 0] for line in asked.read_text().splitlines()], "\n".join(said)

    def make(self) -> None:
        """As the image has it: an empty file system, smaller than its partition will be."""
        self.device.write_bytes(bytes(SIZE))
        subprocess.run(["mkfs.ext4", "-q", "-F", "-L", "kontor-data", str(self.device), "20M"], check=True)

    def keep(self, name: str, text: str) -> None:
        """Write a file into the file system."""
        given = self.folder / "given"
        given.write_text(text)
        subprocess.run(
            ["debugfs", "-w", "-R", f"write {given} {name}", str(self.device)], check=True, capture_output=True
        )

    def kept(self, name: str) -> str:
        """What a file there says; "" when there is none."""
        command = ["debugfs", "-R", f"cat {name}", str(self.device)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def superblock(self) -> bytes:
        """Of two sectors: a power cut may come between them."""
        return self.device.read_bytes()[1024:2048]

    def label(self) -> bytes:
        """The name that the file system has (ext4: 120 bytes into its superblock)."""
        return self.superblock()[120:136].rstrip(b"\0")


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_what_is_whole_is_mounted_and_grown(box: Box) -> None:
    box.make()
    box.keep("mute", "closed")
    asked, said = box.start()
    assert asked == ["mount", "systemd-growfs", "chown"]
    assert (said, box.kept("mute"), box.told.read_text()) == ("", "closed", "kept\n")
    folders = {path.name: stat.S_IMODE(path.stat().st_mode) for path in box.data.iterdir()}
    open_, closed = 0o755, 0o700
    assert folders == {
        "kontor": open_,
        "timesync": open_,
        "log": open_,
        "network": closed,
        "network-state": closed,
        "ssh": closed,
    }


def test_what_can_be_mended_keeps_what_it_holds(box: Box) -> None:
    box.make()
    box.keep("mute", "closed")
    with box.device.open("r+b") as card:
        card.seek(1024)
        card.write(bytes(1024))  # the first superblock: there are others
    asked, said = box.start()
    assert "mount" in asked
    assert "mending" in said
    assert "anew" not in said
    assert box.kept("mute") == "closed"


def test_a_superblock_of_which_only_half_was_written_keeps_what_it_holds(box: Box) -> None:
    box.make()
    older = box.superblock()
    box.keep("mute", "closed")
    newer = box.superblock()
    assert older[:512] != newer[:512]
    with box.device.open("r+b") as card:
        card.seek(1024)
        card.write(older[:512])
    asked, said = box.start()
    assert asked == ["mount", "systemd-growfs", "chown"]
    assert "mending" in said
    assert "anew" not in said
    assert (box.kept("mute"), box.told.read_text()) == ("closed", "kept\n")


@pytest.mark.parametrize(("looks", "told"), [(2, "kept"), (3, "anew")])
def test_what_a_first_look_leaves_is_looked_at_again_before_all_is_given_up(box: Box, looks: int, told: str) -> None:
    """As it was seen of superblocks on a card of 8 GB: the copy that is taken is mended by the first look, and it ends with 4."""
    box.make()
    box.keep("mute", "closed")
    with box.device.open("r+b") as card:
        card.seek(1024)
        card.write(bytes(512))
    (box.bin / "e2fsck").write_text(
        f"""#!/bin/sh
case "$*" in *-y*) ;; *) exec /sbin/e2fsck "$@" ;; esac
echo look >>"$ASKED.looks"
[ "$(wc -l <"$ASKED.looks")" -gt {looks} ] || exit 4
exec /sbin/e2fsck "$@"
"""
    )
    (box.bin / "e2fsck").chmod(0o755)
    box.start()
    assert box.told.read_text() == f"{told}\n"
    if told == "kept":
        assert box.kept("mute") == "closed"


@pytest.mark.parametrize(
    "content", [bytes(SIZE), b"\xff" * SIZE, b"kontor" * (SIZE // 6)], ids=["empty", "worn", "other"]
)
def test_what_is_beyond_repair_is_made_anew(box: Box, content: bytes) -> None:
    box.device.write_bytes(content)
    asked, said = box.start()
    assert asked == ["mount", "systemd-growfs", "chown"]
    assert "is made anew" in said
    assert (box.label(), box.told.read_text()) == (b"kontor-data", "anew\n")
    assert box.start()[1] == "", "and at the next start it is whole"


def test_without_a_partition_the_box_starts_and_keeps_nothing(box: Box) -> None:
    box.device = box.folder / "none" / "part"
    asked, said = box.start()
    assert asked == ["tmpfs", "chown"]
    assert "nothing is kept" in said
    assert box.told.read_text() == "memory\n"


def test_a_file_system_that_is_whole_and_cannot_be_mounted_is_made_anew(box: Box) -> None:
    """Better a box without its memory than one that stays away."""
    box.make()
    (box.bin / "mount").write_text(
        _MOUNT.replace("[ ", '[ -e "$ASKED.second" ] || { touch "$ASKED.second"; exit 32; }\n[ ', 1)
    )
    asked, said = box.start()
    assert asked == ["mount", "mount", "systemd-growfs", "chown"]
    assert "is made anew" in said


@pytest.fixture
def grow() -> ModuleType:
    """What writes the entry. That the kernel then resizes what is in use is seen on a booted image (tests/image)."""
    spec = importlib.util.spec_from_file_location("grow", GROW)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A card with room behind what the image has, and its tables."""
    return blank_card(tmp_path / "card", LARGER)


def _entered(grow: ModuleType, card: Path, number: int = layout.DATA.number) -> tuple[int, int]:
    disk = os.open(card, os.O_RDWR)
    try:
        told: tuple[int, int] = grow.enter(disk, number, LARGER // layout.SECTOR)
    finally:
        os.close(disk)
    return told


def test_the_data_partition_ends_where_the_card_does_and_nothing_else_is_written(grow: ModuleType, card: Path) -> None:
    sfdisk = need(find("sfdisk"), "sfdisk is not installed: apt-get install fdisk")
    before = dict(layout.tables())
    start = layout.DATA.start // layout.SECTOR
    for _ in range(2):
        assert _entered(grow, card) == (start, LARGER // layout.SECTOR - start)
    told = subprocess.run([sfdisk, "--json", str(card)], capture_output=True, check=True)
    sizes = {part["node"]: part["size"] for part in json.loads(told.stdout)["partitiontable"]["partitions"]}
    assert sizes.pop(f"{card}{layout.DATA.number}") == LARGER // layout.SECTOR - start
    others = [part for part in (*layout.PRIMARY, *layout.LOGICAL) if part is not layout.DATA]
    assert sizes == {f"{card}{part.number}": part.size // layout.SECTOR for part in others}
    with card.open("rb") as file:
        for at, table in before.items():
            file.seek(at)
            now = file.read(len(table))
            length = 446 + 16 * (layout.DATA.number - 1) + 12
            assert [
                byte for byte in range(len(table)) if now[byte] != table[byte] and not length <= byte < length + 4
            ] == []


def test_what_is_not_the_last_partition_or_no_table_is_left_alone(grow: ModuleType, card: Path) -> None:
    with pytest.raises(ValueError, match="not the last"):
        _entered(grow, card, layout.EXTENDED.number)
    with pytest.raises(ValueError, match="no partition table"):
        _entered(grow, card, 5)
    with card.open("r+b") as file:
        file.write(bytes(512))
    with pytest.raises(ValueError, match="no partition table"):
        _entered(grow, card)
    with card.open("rb") as file:
        assert file.read(512) == bytes(512)


def test_the_kernel_is_told_in_bytes_and_in_its_own_order(grow: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of struct blkpg_ioctl_arg: op, flags, length of what follows, its address. Source: linux/blkpg.h."""
    asked = []
    monkeypatch.setattr(grow.fcntl, "ioctl", lambda disk, request, told: asked.append((disk, request, told)))
    grow.tell(7, 4, 2048, 4096)
    [(disk, request, told)] = asked
    assert (disk, request) == (7, 0x1269)
    assert (len(told), told[:12]) == (24, bytes([3, 0, 0, 0, 0, 0, 0, 0, 152, 0, 0, 0]))
