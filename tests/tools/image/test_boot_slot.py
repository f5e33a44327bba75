"""What stands in a boot slot, and which version is the later one."""

import gzip

import pytest

from tools.image import boot_slot
from tools.image.boards import BOOT_SCRIPT
from tools.image.errors import ImageError
from tools.image.verity import Verity

ROOT = Verity(1000, "5a" * 32, "a5" * 32)


def test_the_boot_script_finds_every_file_and_every_word() -> None:
    files = boot_slot.files(b"kernel", b"initrd", "1.2.3", ROOT)
    assert gzip.decompress(files["kernel.gz"]) == b"kernel"
    assert files["initrd.zst"] == b"initrd"
    assert files["slot.env"].decode().splitlines() == [
        "rank=0x10000200003",
        "root_blocks=1000",
        f"root_hash={'a5' * 32}",
        f"root_salt={'5a' * 32}",
        "version=1.2.3",
    ]
    text = BOOT_SCRIPT.read_text()
    assert [name for name in files if f" {name}" not in text] == []
    assert "version root_blocks root_salt root_hash" in text


def test_a_slot_is_the_same_each_time_it_is_made() -> None:
    assert boot_slot.files(b"k" * 5000, b"i", "1.0.0", ROOT) == boot_slot.files(b"k" * 5000, b"i", "1.0.0", ROOT)


def test_later_versions_rank_higher() -> None:
    versions = ["0", "0.1.0", "0.1.1", "0.2.0", "0.10.0", "1.0.0", "1.0.10", "10.0.0"]
    ranks = [boot_slot.rank(version) for version in versions]
    assert ranks == sorted(set(ranks))
    assert max(ranks) < 2**62  # U-Boot compares signed numbers of 64 bits


@pytest.mark.parametrize("version", ["", "next", f"1.{1 << 20}.0"])
def test_a_version_that_cannot_be_ranked_makes_no_slot(version: str) -> None:
    with pytest.raises(ImageError, match="has no rank"):
        boot_slot.rank(version)
