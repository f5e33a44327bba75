"""The real updater on the partitions of a card, as files of this machine; and what its writes make of the card."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.core.documents import Floor
from appliance.health.journal import Journal
from appliance.update.bundle import parse
from appliance.update.source import Folder, Offer
from appliance.update.work import Updater, read_status
from tests.update import made
from tests.update.judge import Judge, Verdict
from tests.update.writes import draw, read_log, states
from tools.image import layout

SEED = 8


def lay_out(root: Path, card: Path, release: str, board: str, sizes: Mapping[str, int]) -> dict[Path, int]:
    """The machine's files: its partitions, and what it says of itself; where each partition is on the card.

    :param release: its /etc/os-release.
    :param sizes: bytes of each part that are enough, where a partition is larger: "boot" and "root".
    """
    parts = {f"record-{number}": part for number, part in enumerate(layout.RECORDS)}
    for slot, two in layout.SLOTS.items():
        parts |= {f"{kind}-{slot}": part for kind, part in zip(("boot", "root"), two, strict=True)}
    devices = root / "dev/kontor"
    for folder in (devices, root / "etc", root / "proc/device-tree", root / "state", root / "run"):
        folder.mkdir(parents=True)
    with card.open("rb") as file:
        for name, part in parts.items():
            file.seek(part.start)
            (devices / name).write_bytes(file.read(min(part.size, sizes.get(name.partition("-")[0], part.size))))
    (root / "etc/os-release").write_text(release)
    (root / "proc/device-tree/compatible").write_bytes(board.encode() + b"\0")
    return {devices / name: part.start for name, part in parts.items()}


def update(root: Path, manifest: Path) -> dict[str, Any]:
    """Run the updater of slot a; how it went."""
    offer = Offer(parse(manifest.read_bytes()), Folder(manifest.parent), {})

    async def find_it(_: Mapping[str, Floor]) -> Offer:
        return offer

    updater = Updater(root, "a", state=root / "state", runtime=root / "run", journal=Journal("test", io.StringIO()))
    asyncio.run(updater.apply(find_it, again=False))
    status = read_status(root / "run")
    assert status["state"] == "ready", status
    return status


def judge_all(card: Path, log: Path, judge: Judge, torn: int) -> list[Verdict]:
    """The verdicts on every flush of a log, and on so many torn states."""
    working = made.copy(card, log.with_name("working"))
    with read_log(log) as written:
        weighty = [(part.start, part.start + part.size) for part in layout.RECORDS]
        return [judge.judge(state) for state in states(written, working, draw(written, torn, SEED, weighty))]
