"""What a bundle is made of, what of a manifest is understood, what a machine says of itself; the image's rules about slots."""

import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.documents import NotTaken, Why
from appliance.core.updating import BLOCK, HASH, Bundle, Here, Part
from appliance.update.bundle import dump, hash_of, parse
from appliance.update.slots import look_here, running_slot
from tests.updating.machine import BOARD, bundle, image
from tools.image import layout

ROOT = Path("image/root/usr")
SHA = "0" * 64
BUNDLE = Bundle(
    "0.9.0", 200, (BOARD,), "x.index", SHA, "x.blocks", 4096, {"boot": Part(4096, SHA), "root": Part(8192, SHA)}
)

names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
sizes = st.integers(1, 1000).map(lambda blocks: blocks * BLOCK)
parts = st.builds(Part, sizes, st.just(SHA))


@given(
    st.builds(
        Bundle,
        st.from_regex(r"[0-9][0-9a-z.+~_-]{0,20}", fullmatch=True),
        st.integers(0, 2**40),
        st.lists(st.just(BOARD), max_size=3).map(tuple),
        names,
        st.just(SHA),
        names,
        st.integers(0, 2**40),
        st.fixed_dictionaries({"boot": parts, "root": parts}),
    )
)
def test_what_is_written_is_read(each: Bundle) -> None:
    assert parse(dump(each)) == each


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("schema = 1", "schema = 2"),
        ("schema = 1\n", ""),
        ('version = "0.9.0"', "version = 9"),
        ('version = "0.9.0"', 'version = "0.9.0\\u001b"'),
        ("built = 200", "built = true"),
        ("built = 200", "built = -1"),
        ("built = 200", f"built = {1 << 48}"),
        (f'boards = ["{BOARD}"]', f'boards = "{BOARD}"'),
        (f'boards = ["{BOARD}"]', 'boards = ["a b"]'),
        (f'boards = ["{BOARD}"]', "boards = [" + 65 * '"a", ' + "]"),
        ('file = "x.index"', 'file = "../x.index"'),
        ('file = "x.blocks"', 'file = ".x"'),
        (f'sha256 = "{SHA}"', 'sha256 = "00"'),
        ("size = 8192", "size = 8191"),
        ("size = 8192", "size = 0"),
        ("size = 8192", f"size = {1 << 40}"),
        ("[root]", "[roof]"),
        ("[index]", "[index"),
    ],
)
def test_what_is_not_understood_is_refused(old: str, new: str) -> None:
    text = dump(BUNDLE).decode()
    assert old in text
    with pytest.raises(NotTaken) as caught:
        parse(text.replace(old, new).encode())
    assert caught.value.why is Why.DAMAGED


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(NotTaken, match="this version understands"):
        parse(b"\xff\xfe")


def test_a_bundle_has_each_different_block_once_and_is_the_same_each_time(tmp_path: Path) -> None:
    content = image(100, 5)
    first, second = bundle(tmp_path / "one", content), bundle(tmp_path / "two", content)
    for suffix in (".toml", ".index", ".blocks"):
        assert first.with_suffix(suffix).read_bytes() == second.with_suffix(suffix).read_bytes()
    found = parse(first.read_bytes())
    whole = content.boot + content.root
    index = first.with_suffix(".index").read_bytes()
    assert index == b"".join(hash_of(whole[at : at + BLOCK]) for at in range(0, len(whole), BLOCK))
    assert found.blocks_size == first.with_suffix(".blocks").stat().st_size
    assert found.blocks_size == len(whole) - 2 * BLOCK, "three of its blocks are nothing but zeros"
    assert found.parts["root"].sha256 == hashlib.sha256(content.root).hexdigest()
    assert (found.count, len(index)) == (13, 13 * HASH)


def test_what_is_missing_to_a_whole_block_is_zeros(tmp_path: Path) -> None:
    content = image(100, 2)
    short = bundle(tmp_path, type(content)(100, content.boot[:-7], content.root))
    assert parse(short.read_bytes()).parts["boot"].size == len(content.boot)


def test_which_slot_runs_is_said_by_the_boot_loader(tmp_path: Path) -> None:
    assert running_slot(tmp_path) is None
    (tmp_path / "proc").mkdir()
    for words, slot in (
        ("quiet", None),
        ("kontor.slot=b x", "b"),
        ("kontor.slot=", None),
        ("kontor.slot=a kontor.slot=b", "b"),
    ):
        (tmp_path / "proc/cmdline").write_text(f"console=ttyS1 {words}\n")
        assert running_slot(tmp_path) == slot


def test_what_runs_is_said_by_the_image(tmp_path: Path) -> None:
    assert look_here(tmp_path, "a") == Here("a", "unknown", 0, ())
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('NAME="x"\nIMAGE_VERSION="0.8.0"\nKONTOR_BUILT=12x\n')
    assert look_here(tmp_path, "b") == Here("b", "0.8.0", 0, ())


def test_udev_knows_the_partitions_of_the_card() -> None:
    rules = (ROOT / "lib/udev/rules.d/61-kontor-slots.rules").read_text()
    named = dict(re.findall(r'=="(4b4f4e54-[0-9]+)", SYMLINK\+="kontor/([a-z0-9-]+)"', rules))
    wanted = {part.uuid: f"record-{number}" for number, part in enumerate(layout.RECORDS)}
    for slot, two in layout.SLOTS.items():
        wanted |= {part.uuid: f"{kind}-{slot}" for kind, part in zip(("boot", "root"), two, strict=True)}
    assert named == wanted
    for slot, other in (("a", "b"), ("b", "a")):
        (written,) = re.findall(
            rf'ENV{{kontor.slot}}=="{slot}", ENV{{ID_PART_ENTRY_UUID}}=="([^"]+)", MODE="0660"', rules
        )
        assert {part.uuid for part in layout.SLOTS[other]} == {uuid for uuid in named if re.fullmatch(written, uuid)}


def test_the_service_may_open_these_and_nothing_else() -> None:
    unit = (ROOT / "lib/systemd/system/kontor-update@.service").read_text()
    rules = (ROOT / "lib/udev/rules.d/61-kontor-slots.rules").read_text()
    allowed = re.findall(r"^DeviceAllow=/dev/(kontor/[a-z0-9-]+) rw$", unit, re.MULTILINE)
    assert sorted(allowed) == sorted(re.findall(r'SYMLINK\+="([^"]+)"', rules))
    assert "DevicePolicy=closed" in unit
