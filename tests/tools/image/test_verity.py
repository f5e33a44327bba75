"""The hash tree is the one that cryptsetup makes."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.support.need import need
from tools.image import verity
from tools.system import find


def _veritysetup(path: Path, found: verity.Verity) -> int:
    program = need(find("veritysetup"), "veritysetup is not installed: apt-get install cryptsetup-bin")
    form = ["--no-superblock", "--format=1", f"--data-blocks={found.blocks}", f"--salt={found.salt}"]
    place = f"--hash-offset={found.blocks * verity.BLOCK}"
    command = [program, "verify", *form, place, str(path), str(path), found.hash]
    return subprocess.run(command, capture_output=True, check=False).returncode


@pytest.mark.parametrize("blocks", [2, 128, 129, 16_385])
def test_veritysetup_finds_nothing_wrong(blocks: int, tmp_path: Path) -> None:
    path = tmp_path / "root"
    path.write_bytes(b"".join(hashlib.sha256(b"%d" % number).digest() * 128 for number in range(blocks))[:-5])
    found = verity.seal(path)
    assert found.blocks == blocks
    assert path.stat().st_size % verity.BLOCK == 0
    assert _veritysetup(path, found) == 0


def test_an_altered_block_is_found(tmp_path: Path) -> None:
    path = tmp_path / "root"
    path.write_bytes(bytes(300 * verity.BLOCK))
    found = verity.seal(path)
    with path.open("r+b") as file:
        file.seek(200 * verity.BLOCK + 7)
        file.write(b"x")
    assert _veritysetup(path, found) != 0


def test_what_stays_the_same_keeps_its_part_of_the_tree(tmp_path: Path) -> None:
    """An update fetches what differs: the salt is no other for another version."""
    one, two = tmp_path / "one", tmp_path / "two"
    data = b"".join(hashlib.sha256(b"%d" % number).digest() * 128 for number in range(1000))
    one.write_bytes(data)
    two.write_bytes(data[:-1] + b"x")
    assert verity.seal(one).hash != verity.seal(two).hash
    blocks = [path.read_bytes()[1000 * verity.BLOCK :] for path in (one, two)]
    pairs = [[tree[at : at + verity.BLOCK] for at in range(0, len(tree), verity.BLOCK)] for tree in blocks]
    assert sum(left != right for left, right in zip(*pairs, strict=True)) == 2
