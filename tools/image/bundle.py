"""Makes the update of an image: manifest, index and blocks (appliance/core/updating.py), without a signature.

``kontor update publish`` signs it and lays it where devices look. The same partitions give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from appliance.core.updating import BLOCK, Bundle, Part
from appliance.update.bundle import dump, hash_of

ARCHITECTURE = "arm64"


def make_bundle(boot_image: Path, root_image: Path, version: str, out: Path, epoch: int, boards: Sequence[str]) -> Path:
    """Write the three files of a bundle into the folder ``out``; returns the manifest's.

    :param boot_image: the content of a slot's boot partition, and ``root_image`` of its root partition; what is missing to a
        whole block counts as zeros.
    :param epoch: Unix time of the commit.
    :param boards: for which boards it is: names from device trees (``compatible``), the exact ones.
    :raises OSError: it cannot be read or written.
    """
    name = f"kontor-{version}-{ARCHITECTURE}".lower().replace("~", "-").replace("+", "-")
    images = {"boot": boot_image, "root": root_image}
    parts: dict[str, Part] = {}
    index = bytearray()
    seen: set[bytes] = set()
    blocks = out / f"{name}.blocks"
    with blocks.open("wb") as file:
        for part, path in images.items():
            digest, size = hashlib.sha256(), 0
            with path.open("rb") as image:
                for block in _blocks(image):
                    digest.update(block)
                    size += BLOCK
                    key = hash_of(block)
                    index += key
                    if key not in seen:
                        seen.add(key)
                        file.write(block)
            parts[part] = Part(size, digest.hexdigest())
    (out / f"{name}.index").write_bytes(index)
    bundle = Bundle(
        version=version,
        built=epoch,
        boards=tuple(dict.fromkeys(boards)),
        index=f"{name}.index",
        index_sha256=hashlib.sha256(index).hexdigest(),
        blocks=blocks.name,
        blocks_size=BLOCK * len(seen),
        parts=parts,
    )
    manifest = out / f"{name}.toml"
    manifest.write_bytes(dump(bundle))
    return manifest


def _blocks(image: BinaryIO) -> Iterator[bytes]:
    while block := image.read(BLOCK):
        yield block.ljust(BLOCK, b"\0")
