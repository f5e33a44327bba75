"""Accepted settings on the disk."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.provisioning.files import find
from appliance.provisioning.publication import Published
from appliance.provisioning.sets import BOOT_LAYER, Layer, Sets, digest_of, layer_of

BOOT = Layer(BOOT_LAYER, "/boot/firmware/kontor.toml", b"schema = 1\n", Path("/boot/firmware"))
ALL = layer_of(Published("all", 42, b"schema = 1\n[audio]\nbitrate = 24000\n", 1_900_000_000.0, "ABCD"))
GROUP = layer_of(Published("groups/east", 7, b"schema = 1\n"))
DEVICE = layer_of(Published("devices/blue", 3, b"schema = 1\n"))


@pytest.fixture
def sets(tmp_path: Path) -> Sets:
    return Sets(tmp_path / "var/lib/kontor/settings")


def test_a_set_comes_back_as_it_was_with_the_documents_in_it(sets: Sets) -> None:
    layers = (BOOT, ALL, GROUP, DEVICE)
    digest = sets.add(layers)
    assert digest == digest_of(layers)
    assert sets.read(digest) == layers


def test_every_process_reads_what_the_link_leads_to(sets: Sets, tmp_path: Path) -> None:
    assert (sets.linked("active"), find(None, tmp_path).digest) == ("", "")
    digest = sets.add((BOOT, ALL))
    sets.point("active", digest)
    found = find(None, tmp_path)
    assert (sets.linked("active"), sets.linked("good"), found.digest) == (digest, "", digest)
    assert found.sources == (BOOT.source, ALL.source)
    sets.point("active", "")
    sets.point("active", "")
    assert find(None, tmp_path).sources == ()


def test_services_may_read_it_and_nobody_else_whatever_the_umask(sets: Sets, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        digest = sets.add((BOOT,))
    finally:
        os.umask(before)
    settings = tmp_path / "var/lib/kontor/settings"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (settings / "sets", settings / "sets" / digest)]
    assert modes == [0o750, 0o750]
    files = (settings / "sets" / digest).iterdir()
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o640}


def test_another_name_version_or_content_makes_another_set() -> None:
    changes = (
        replace(BOOT, name="/boot/kontor.toml"),
        replace(BOOT, content=b"schema = 1\n\n"),
        replace(BOOT, folder=Path("/boot")),
    )
    others: list[tuple[Layer, ...]] = [(change, ALL) for change in changes]
    others += [(BOOT, layer_of(Published("all", 43, ALL.content, 1_900_000_000.0, "ABCD"))), (BOOT,), (ALL,)]
    digests = {digest_of(each) for each in [(BOOT, ALL), *others]}
    assert len(digests) == len(others) + 1
    assert digest_of(()) == ""


def test_a_set_that_is_there_is_not_written_again_unless_it_is_damaged(sets: Sets, tmp_path: Path) -> None:
    digest = sets.add((BOOT, ALL))
    file = tmp_path / "var/lib/kontor/settings/sets" / digest / BOOT_LAYER
    before = file.stat().st_ino
    assert sets.add((BOOT, ALL)) == digest
    assert file.stat().st_ino == before
    file.write_bytes(b"\0\0\0")
    with pytest.raises(ValueError, match="are damaged"):
        sets.read(digest)
    assert sets.add((BOOT, ALL)) == digest
    assert sets.read(digest) == (BOOT, ALL)


def test_sets_that_nothing_leads_to_are_removed_with_the_next_one(sets: Sets, tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/kontor/settings/sets"
    kept = sets.add((BOOT,))
    sets.point("good", kept)
    tried = sets.add((ALL,))
    sets.point("active", tried)
    left = sets.add((GROUP,))
    assert sorted(os.listdir(folder)) == sorted([kept, tried, left])
    last = sets.add((DEVICE,))
    assert sorted(os.listdir(folder)) == sorted([kept, tried, last])
    (folder / ".abc.new").mkdir()
    (folder / ".abc.new/20-boot.toml").write_text("half of")
    sets.point("good", last)
    sets.point("active", last)
    sets.add((DEVICE,))
    assert os.listdir(folder) == [last]


def test_a_disk_that_is_full_changes_nothing(sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = sets.add((BOOT,))
    sets.point("active", kept)
    sets.point("good", kept)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            sets.add((BOOT, ALL))
    assert os.listdir(tmp_path / "var/lib/kontor/settings/sets") == [kept]
    assert find(None, tmp_path).sources == (BOOT.source,)
