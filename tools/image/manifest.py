"""What Raspberry Pi Imager reads to offer an image: an operating system list (its schema/os-list-schema.json, version 4).

``url`` is the image's name: whoever publishes it puts it beside this file, or the address in front.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from tools.image.fetch import sha256_of

DEVICES = ("pi5-64bit", "pi4-64bit", "pi3-64bit")
"""Imager's tags: a Zero 2 W counts as pi3-64bit, a 400 and a CM4 as pi4-64bit."""


def write(path: Path, image: Path, card: Path, version: str, epoch: int) -> None:
    """Write the list.

    :param image: as it is published, packed; ``card`` the same unpacked.
    :param epoch: Unix time of the release.
    """
    entry = {
        "name": f"Kontor {version}",
        "description": "An always-open voice room for offices",
        "url": image.name,
        "release_date": f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d}",
        "extract_size": card.stat().st_size,
        "extract_sha256": sha256_of(card),
        "image_download_size": image.stat().st_size,
        "image_download_sha256": sha256_of(image),
        "devices": list(DEVICES),
        "init_format": "none",
    }
    path.write_text(json.dumps({"os_list": [entry]}, indent=1) + "\n")
