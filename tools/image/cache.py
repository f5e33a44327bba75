"""``make image-packages``: everything that the image of this commit is made of, for a release to carry along.

``python -m tools.image.cache [--out dist/packages]``. Mirrors drop packages; whoever has this folder can make the image
again: ``make image SNAPSHOT='file:///FOLDER/{sha256}.deb' PIP_FIND_LINKS=FOLDER/wheels PIP_NO_INDEX=1``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.image import sbom, space
from tools.image.errors import ImageError
from tools.image.fetch import fetch, read_lock
from tools.package import source

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("root.lock", "toolbox-amd64.lock", "toolbox-arm64.lock")


def fill(folder: Path, files: Sequence[Path]) -> int:
    """Put copies of these files into a folder, and nothing else but folders; bytes in all.

    :raises MissingError: there is no room for them.
    """
    size = sum(path.stat().st_size for path in files)
    space.require(folder, size, "a copy of the packages")
    folder.mkdir(parents=True, exist_ok=True)
    names = {path.name for path in files}
    for path in files:
        if not (folder / path.name).exists():
            unfinished = folder / f".{path.name}.part"
            shutil.copyfile(path, unfinished)
            unfinished.replace(folder / path.name)
    for path in folder.iterdir():
        if path.name not in names and not path.is_dir():
            path.unlink()
    return size


def main(arguments: Sequence[str]) -> int:
    """Fetch what is not there yet, copy, and tell; 75 when something is missing that can be had."""
    parser = argparse.ArgumentParser(prog="make image-packages", description="what the image is made of, in a folder")
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "packages", help="where it goes (dist/packages/)")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "image", help="where fetched packages are kept")
    parser.add_argument("--wheels", type=Path, default=ROOT / ".cache" / "wheels", help="where fetched wheels are kept")
    given = parser.parse_args(arguments)
    try:
        origin = source.read(ROOT)
        packages = [package for name in LOCKS for package in read_lock(ROOT / "image" / name)]
        files = fetch(packages, given.cache, os.environ.get("SNAPSHOT", ""))
        size = fill(given.out, sorted(files.values()))
        size += fill(given.out / "wheels", sbom.locked_wheels(origin, given.wheels))
    except source.SourceError as error:
        print(f"kontor: {error}")
        return 75
    except ImageError as error:
        print(f"kontor: {error}")
        return error.status
    print(f"kontor: {given.out}: {len(files)} packages and their wheels, {size / 1e6:.0f} MB.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
