"""The shell and the commands in which boot.cmd is run here; the same texts go to the real U-Boot in test_real_uboot.py."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.update.card import FileDisk
from tests.update.hush import HushError
from tests.update.texts import TEXTS
from tests.update.uboot import UBoot
from tests.update.words import seal, unseal


@pytest.fixture
def nothing(tmp_path: Path) -> Iterator[FileDisk]:
    """A card with nothing on it."""
    path = tmp_path / "card"
    path.write_bytes(bytes(512))
    disk = FileDisk(path)
    yield disk
    disk.close()


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_says_what_u_boot_says(text: str, nothing: FileDisk) -> None:
    uboot = UBoot(nothing)
    assert uboot.run(text) is None
    assert uboot.said == [*TEXTS[text], "the script has ended"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo a | b", "'|' is not known here"),
        ("if true; then echo a", "'fi' is missing before 'the end'"),
        ("echo 'a", "a quote has no end"),
        ("echo ${a:-b}", "a variable of this kind is not known here"),
        ("done", "'done' stands alone"),
        ("x=1", "variables of the shell are not known here"),
        ("x=${y}", "variables of the shell are not known here"),
        ("exit 0", "the command exit is not known here"),
        ("echo a\\\nb", "a line's end after a backslash"),
        ("saveenv", "the command saveenv is not known here"),
        ("while true; do true; done", "a loop has no end"),
        ("setexpr x gsub a b", "setexpr gsub is not known here"),
        ("env default -a", "env default is not known here"),
    ],
)
def test_what_is_not_known_is_refused(text: str, why: str, nothing: FileDisk) -> None:
    with pytest.raises(HushError, match=re.escape(why)):
        UBoot(nothing).run(text)


def test_a_sealed_block_opens_again_and_a_torn_one_does_not() -> None:
    block = seal({"order": "a b", "left_a": "3", "reason": "back\\slash"})
    assert len(block) == 4096
    assert unseal(block) == {"order": "a b", "left_a": "3", "reason": "back\\slash"}
    assert unseal(block[:100] + b"x" + block[101:]) is None
    assert unseal(bytes(4096)) is None
