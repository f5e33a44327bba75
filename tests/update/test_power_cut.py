"""The real updater writes a bundle into the slots of a small card; whenever the power goes, a whole slot comes up again."""

import asyncio
import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from appliance.core.documents import Floor
from appliance.health.journal import Journal
from appliance.update.bundle import parse
from appliance.update.source import Folder, Offer
from appliance.update.work import Updater, read_status
from tests.update import made
from tests.update.judge import Judge, Verdict, Version
from tests.update.recorded import Recorder
from tests.update.small import BOOT_SIZE, KEPT, ROOT_SIZE, make_card, make_version, need_programs
from tests.update.test_boot_script import SCRIPT
from tests.update.uboot import VARIABLES
from tests.update.writes import draw, read_log, states
from tools.image import layout
from tools.image.bundle import make_bundle

BOARD = "raspberrypi,3-model-b"
TORN = 60


def lay_out(root: Path, card: Path) -> dict[Path, int]:
    """The machine's files: its partitions, and what it says of itself; where each partition is on the card."""
    parts = {f"record-{number}": part for number, part in enumerate(layout.RECORDS)}
    parts |= {
        f"{kind}-{slot}": part
        for slot, two in layout.SLOTS.items()
        for kind, part in zip(("boot", "root"), two, strict=True)
    }
    devices = root / "dev/kontor"
    for folder in (devices, root / "etc", root / "proc/device-tree", root / "state", root / "run"):
        folder.mkdir(parents=True)
    with card.open("rb") as file:
        for name, part in parts.items():
            file.seek(part.start)
            most = BOOT_SIZE if name.startswith("boot") else ROOT_SIZE
            (devices / name).write_bytes(file.read(min(part.size, most)))
    (root / "etc/os-release").write_text('IMAGE_VERSION="1.0.1"\nKONTOR_BUILT=1000\n')
    (root / "proc/device-tree/compatible").write_bytes(BOARD.encode() + b"\0brcm,bcm2837\0")
    return {devices / name: part.start for name, part in parts.items()}


def update(root: Path, manifest: Path) -> None:
    """Run the updater."""
    offer = Offer(parse(manifest.read_bytes()), Folder(manifest.parent), {})

    async def find_it(_: Mapping[str, Floor]) -> Offer:
        return offer

    updater = Updater(root, "a", state=root / "state", runtime=root / "run", journal=Journal("test", io.StringIO()))
    asyncio.run(updater.apply(find_it, again=False))
    status = read_status(root / "run")
    assert status["state"] == "ready", status


@pytest.mark.timeout(300)
def test_a_power_cut_at_any_write_of_an_update_leaves_a_card_that_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_programs()
    one, two = make_version(tmp_path, "1.0.1", 1), make_version(tmp_path, "1.0.2", 2)
    card, root = make_card(tmp_path, one), tmp_path / "machine"
    places = lay_out(root, card)
    out = tmp_path / "bundle"
    out.mkdir()
    manifest = make_bundle(two.boot, two.root, two.name, out, 2000, [BOARD])
    with monkeypatch.context() as patch:
        recorder = Recorder(places, patch)
        update(root, manifest)
    recorder.save(tmp_path / "log")
    found = judge_all(tmp_path, card, [one, two])
    assert not [verdict for verdict in found if verdict.lost]
    assert not [verdict for verdict in found if verdict.tried], "a slot is started before it is whole"
    assert found[0].version == "1.0.1"
    versions = Counter(verdict.version for verdict in found)
    assert versions["1.0.1"] > TORN // 2
    assert versions["1.0.2"] > 1, "the last flushes are those of the record"


def judge_all(folder: Path, card: Path, versions: list[Version]) -> list[Verdict]:
    judge = Judge(SCRIPT, versions, KEPT, VARIABLES)
    working = made.copy(card, folder / "working")
    with read_log(folder / "log") as log:
        weighty = [(part.start, part.start + part.size) for part in layout.RECORDS]
        return [judge.judge(state) for state in states(log, working, draw(log, TORN, 8, weighty))]
