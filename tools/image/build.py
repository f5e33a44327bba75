"""``make image``: the SD card's image of the last commit, the same bytes wherever it is made.

``python -m tools.image.build [--out dist] [--work build/image] [--cache .cache/image]``. Everything is locked (image/*.lock,
requirements/*.lock) and comes from the cache, or is fetched into it; ``SNAPSHOT`` in the environment names an archive for
what the mirrors no longer have (tools/image/fetch.py). Ends with 75 when something is missing that can be had, with 70 when
no image can be made of this; what stood in ``out`` and ``work`` stays then as it was.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools import pinmap
from tools.image import boards, boot_slot, bundle, fetch, initrd, layout, licences, manifest, pack, sbom, space, verity
from tools.image.errors import ImageError, MissingError
from tools.image.root import Root, make_root
from tools.image.toolbox import Toolbox, make_toolbox
from tools.package import build as package
from tools.package import source, wheels
from tools.package.targets import ON_THE_CARD

ROOT = Path(__file__).resolve().parents[2]
IMAGE = ROOT / "image"
CACHE, WHEELS = ROOT / ".cache" / "image", ROOT / ".cache" / "wheels"
RECIPE = ("image", "hardware/pinmap.toml", "tools")
"""What the image is made by, in the checkout."""
_NEEDS = 3 << 30
"""Bytes on the builder's disk, beside cache and toolbox."""

CARD, BOOT, SLOT_ROOT, FIRMWARE, DATA = "card.img", "boot.fat", "root.erofs", "firmware.fat", "data.ext4"
"""What is left in the work folder, beside the root file system: the card as it is flashed, and its partitions."""


Enter = Callable[[Toolbox], Toolbox]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an image is made of. ``files`` are packages by their SHA-256."""

    origin: source.Source
    packages: tuple[fetch.Package, ...]
    files: dict[str, Path]
    toolbox: Toolbox
    cache: Path
    wheels: Path


class Clock:
    """Tells each step when it is done, and what it took."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def done(self, what: str) -> None:
        now = time.monotonic()
        print(f"kontor: {what} ({now - self._last:.0f} s)", flush=True)
        self._last = now


def gather(cache: Path, wheel_cache: Path, snapshot: str, enter: Enter) -> Inputs:
    """Everything that has to be fetched.

    :raises ImageError: something cannot be had.
    """
    try:
        origin = source.read(ROOT)
    except source.SourceError as error:
        raise MissingError(str(error)) from None
    packages = fetch.read_lock(IMAGE / "root.lock")
    files = fetch.fetch(packages, cache, snapshot)
    toolbox = enter(make_toolbox(IMAGE, cache, origin.epoch, snapshot))
    return Inputs(origin, packages, files, toolbox, cache, wheel_cache)


def make(given: Inputs, work: Path, out: Path) -> Path:
    """Make the image and all that goes with it; the path of the image.

    :param work: an empty folder, for what it is made of.
    :param out: an empty folder, for what is published.
    :raises ImageError: it cannot be made.
    """
    clock = Clock()
    version, epoch, toolbox = given.origin.version, given.origin.epoch, given.toolbox
    own = _own(given, work)
    texts = licences.texts(given.packages, given.files)
    inside = sbom.locked_wheels(given.origin, given.wheels)
    bill = sbom.make_sbom(given.packages, given.files, texts, inside, own, version=version, epoch=epoch)
    root = make_root(work, toolbox, given.files, given.packages, own, epoch)
    licences.require(root.folder, texts)
    clock.done("root file system")
    pack.erofs(toolbox, work / SLOT_ROOT, root.tar)
    sealed = verity.seal(work / SLOT_ROOT)
    clock.done("its image and hash tree")
    (work / "initrd").write_bytes(initrd.make_initrd(root.folder, root.release))
    toolbox.run(["zstd", "-19", "-q", "/work/initrd", "-o", "/work/initrd.zst"], binds={work: "/work"})
    slot = boot_slot.files((root.kernel / "vmlinuz").read_bytes(), (work / "initrd.zst").read_bytes(), version, sealed)
    _keep(work / "slot", slot)
    pack.fat(toolbox, work / BOOT, layout.BOOT_A, layout.SLOT_LABEL, slot)
    names = _firmware(given, root, work)
    pack.ext4(toolbox, work / DATA, layout.DATA.size)
    pack.card(work / CARD, work / FIRMWARE, work / BOOT, work / SLOT_ROOT, work / DATA)
    clock.done("first file system, boot partitions, card")
    image = _compressed(toolbox, work / CARD, out / f"kontor-{version}-arm64.img.zst")
    clock.done("packed")
    bundle.make_bundle(work / BOOT, work / SLOT_ROOT, version, out, epoch, names)
    manifest.write(out / f"kontor-{version}-arm64.imager.json", image, work / CARD, version, epoch)
    sbom.write(out / f"kontor-{version}-arm64.cdx.json", bill)
    clock.done("update, manifest, bill of materials")
    return image


def _own(given: Inputs, work: Path) -> Path:
    """Kontor's package."""
    try:
        return package.build(ON_THE_CARD, given.origin, work / "deb", given.wheels)
    except wheels.WheelError as error:
        raise MissingError(str(error)) from None


def _firmware(given: Inputs, root: Root, work: Path) -> tuple[str, ...]:
    """The first partition; the names of the boards that it is for."""
    pins = pinmap.load()
    paths = {each.name: given.files[each.sha256] for each in given.packages}
    taken = {name: paths[name] for name in (boards.FIRMWARE, boards.U_BOOT)}
    files = boards.files(pins, given.toolbox, root.kernel, taken, given.origin.epoch)
    _keep(work / "firmware", files)
    pack.fat(given.toolbox, work / FIRMWARE, layout.FIRMWARE, layout.BOOT_LABEL, files)
    return boards.compatible([path for path, _ in boards.trees(pins, root.kernel)])


def _keep(folder: Path, files: dict[str, bytes]) -> None:
    """Leave the files of a partition for whoever looks at the work folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _compressed(toolbox: Toolbox, card: Path, image: Path) -> Path:
    """The card as it is published, with its SHA-256 beside it."""
    places = {card: "/card.img", image.parent: "/out"}
    toolbox.run(["zstd", "-19", "-T0", "-q", "/card.img", "-o", f"/out/{image.name}"], binds=places)
    (image.parent / f"{image.name}.sha256").write_text(f"{fetch.sha256_of(image)}  {image.name}\n")
    return image


def build(work: Path, out: Path, cache: Path, wheel_cache: Path, enter: Enter) -> Path:
    """Gather, make, and put the result in place when all of it is there; the path of the image.

    :raises ImageError: no image; ``work`` and ``out`` are as they were.
    """
    os.umask(0o022)
    space.require(work, _NEEDS, "making an image")
    given = gather(cache, wheel_cache, os.environ.get("SNAPSHOT", ""), enter)
    for folder in (work.parent, out):
        folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=work.parent, prefix=f".{work.name}-") as scratch,
        tempfile.TemporaryDirectory(dir=out, prefix=".image-") as published,
    ):
        inside = Path(scratch) / "work"
        inside.mkdir()
        image = make(given, inside, Path(published))
        for path in sorted(Path(published).iterdir()):
            path.replace(out / path.name)
        if work.exists():
            work.rename(Path(scratch) / "before")
        inside.rename(work)
    return out / image.name


def main(arguments: Sequence[str], enter: Enter = lambda toolbox: toolbox) -> int:
    """Make it, and tell. ``enter`` may give the toolbox another shape: ``make image-verify`` does."""
    parser = argparse.ArgumentParser(prog="make image", description="the image of an SD card, and its update")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where it goes (dist/)")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "image", help="what it is made of")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where fetched packages are kept")
    parser.add_argument("--wheels", type=Path, default=WHEELS, help="where fetched wheels are kept")
    given = parser.parse_args(arguments)
    for path in source.changed(ROOT):
        print(f"kontor: not in the image, since it is not committed as it is: {path}")
    for path in source.changed(ROOT, RECIPE):
        print(f"kontor: used as it lies here, not as it is committed: {path}")
    try:
        image = build(given.work, given.out, given.cache, given.wheels, enter)
    except ImageError as error:
        print(f"kontor: {error}")
        return error.status
    print(f"kontor: {image} ({image.stat().st_size / layout.MIB:.0f} MiB)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
