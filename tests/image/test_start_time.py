"""How long the image takes to its sound: in seconds of an emulated processor, and in instructions: a board's are as many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.image.card import Card
from tests.image.conftest import running, virt
from tests.image.inside import look, panel
from tests.image.office import Office
from tools.measurements import Figure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def test_instructions_until_sound_and_link_are_ready(
    image: Path, archive: bytes, office: Office, tmp_path: Path, figures: list[Figure]
) -> None:
    card = Card(image, tmp_path / "card.img")
    told: dict[str, Any] = {}
    for start in ("first", "second"):
        boot = virt(card, tmp_path, archive, words="quiet")
        with running(card, boot, office) as device:
            device.until(look.finished, seconds=1800)
            told = device.call(look.cost, seconds=300)
            print(start, told, device.run("systemd-analyze", "critical-chain", "--no-pager", seconds=300), sep="\n")
            print(device.run("systemd-analyze", "blame", "--no-pager", seconds=300))
            assert set(device.call(panel.lamps)) == set(panel.LAMPS)
    parts = told["parts"]
    ready = max(parts[part]["ready_s"] for part in ("sound", "link"))
    note = (
        "from the kernel on, without firmware and U-Boot; second start; "
        "one emulated processor of 1e9 instructions a second, so seconds of CPU are 1e9 instructions; "
        "a Cortex-A72 does about as many a second"
    )
    figures.append(Figure("image.boot_to_ready_s", round(ready, 1), "s", note=note))
    figures.append(Figure("image.boot_instructions", round(told["busy_s"], 1), "1e9", note=note))
    for part in look.SERVICES:
        figures.append(Figure(f"image.{part}_ready_s", round(parts[part]["ready_s"], 1), "s", note=note))
        figures.append(Figure(f"image.{part}_start_instructions", round(parts[part]["cpu_s"], 2), "1e9", note=note))
