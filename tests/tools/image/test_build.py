"""The builder puts all in place or nothing; the verifier sees what differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.image import build, fetch, layout, manifest, pack, verify
from tools.image.errors import ImageError, MissingError

Folders = tuple[Path, Path]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """Work and result of an earlier build; nothing has to be fetched."""
    work, out = tmp_path / "build" / "image", tmp_path / "dist"
    for folder in (work, out):
        folder.mkdir(parents=True)
        (folder / "old").write_text("old\n")
    monkeypatch.setattr(build, "gather", lambda *_: None)
    return work, out


def _built(folders: Folders, monkeypatch: pytest.MonkeyPatch, error: ImageError | None = None) -> int:
    def make(_given: object, work: Path, out: Path) -> Path:
        (work / "card.img").write_bytes(b"card")
        (out / "kontor.img.zst").write_bytes(b"packed")
        if error is not None:
            raise error
        return out / "kontor.img.zst"

    monkeypatch.setattr(build, "make", make)
    return build.main(["--work", str(folders[0]), "--out", str(folders[1])])


def _there(folders: Folders) -> list[list[str]]:
    return [sorted(path.name for path in folder.iterdir()) for folder in (folders[0].parent, *folders)]


def test_the_result_takes_its_place_when_all_of_it_is_there(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _built(folders, monkeypatch) == 0
    assert _there(folders) == [["image"], ["card.img"], ["kontor.img.zst", "old"]]


@pytest.mark.parametrize("error", [ImageError("no image"), MissingError("no mirror")])
def test_what_was_there_stays_when_no_image_can_be_made(
    error: ImageError, folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _built(folders, monkeypatch, error) == error.status
    assert _there(folders) == [["image"], ["old"], ["old"]]
    assert capsys.readouterr().out.splitlines()[-1] == f"kontor: {error}"


def test_a_disk_that_is_too_small_is_told_before_anything_begins(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "_NEEDS", 1 << 60)
    assert _built(folders, monkeypatch) == 75
    assert "making an image needs" in capsys.readouterr().out
    assert _there(folders) == [["image"], ["old"], ["old"]]


def test_a_part_that_outgrew_its_partition_makes_no_card(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"x")
    with large.open("wb") as file:
        file.truncate(257 << 20)
    with pytest.raises(ImageError, match=r"root a has 257\.0 MiB, and its partition 256"):
        pack.card(tmp_path / "card", small, small, large, small)


def test_a_card_has_every_part_in_its_place(tmp_path: Path) -> None:
    parts = []
    for number in range(4):
        parts.append(tmp_path / str(number))
        parts[-1].write_bytes(bytes(3 << 20) + b"%d" % number)
    pack.card(tmp_path / "card", *parts)
    places = (layout.FIRMWARE, *layout.SLOTS["a"], layout.DATA)
    with (tmp_path / "card").open("rb") as file:
        for number, part in enumerate(places):
            file.seek(part.start + (3 << 20))
            assert file.read(2) == b"%d\0" % number
    assert (tmp_path / "card").stat().st_size == layout.IMAGE_SIZE


def test_the_list_for_imager_says_what_it_will_find(tmp_path: Path) -> None:
    image, card = tmp_path / "kontor.img.zst", tmp_path / "card.img"
    image.write_bytes(b"packed")
    card.write_bytes(b"as it is flashed")
    manifest.write(tmp_path / "list.json", image, card, "1.2.3", 1_764_000_000)
    (entry,) = json.loads((tmp_path / "list.json").read_text())["os_list"]
    assert (entry["url"], entry["release_date"]) == ("kontor.img.zst", "2025-11-24")
    assert (entry["image_download_size"], entry["image_download_sha256"]) == (6, fetch.sha256_of(image))
    assert (entry["extract_size"], entry["extract_sha256"]) == (16, fetch.sha256_of(card))


def _made(folder: Path, **files: bytes) -> verify.Made:
    made = verify.Made(folder / "work", folder / "out", 60.0, 90.0)
    for place in (made.work, made.out):
        place.mkdir(parents=True)
    for name in verify._PARTS:
        (made.work / name).write_bytes(b"same")
    for name, data in files.items():
        (made.out / name).write_bytes(data)
    return made


def test_the_first_file_that_differs_is_what_others_are_made_of(tmp_path: Path) -> None:
    one, two = _made(tmp_path / "1", image=b"1", same=b"x"), _made(tmp_path / "2", image=b"2", same=b"x")
    assert list(verify.differences(one, two)) == [(one.out / "image", two.out / "image")]
    (two.work / "root.tar").write_bytes(b"other")
    (two.out / "same").unlink()
    assert [pair[0].name for pair in verify.differences(one, two)] == ["root.tar", "image", "same"]


def test_what_one_build_lacks_is_told_and_not_looked_into(tmp_path: Path) -> None:
    one, two = _made(tmp_path / "1", image=b"1"), _made(tmp_path / "2")
    ((left, right),) = verify.differences(one, two)
    assert (verify.size(left), verify.size(right)) == ("1 bytes", "missing")
    assert verify.explain(left, right, tmp_path / "report") == "one build did not make it"
