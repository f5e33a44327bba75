"""The real updater writes a bundle into the slots of a small card; whenever the power goes, a whole slot comes up again."""

from collections import Counter
from pathlib import Path

import pytest

from tests.update.judge import Judge
from tests.update.machine import judge_all, lay_out, update
from tests.update.recorded import Recorder
from tests.update.small import BOOT_SIZE, KEPT, ROOT_SIZE, make_card, make_version, need_programs
from tests.update.test_boot_script import SCRIPT
from tests.update.uboot import VARIABLES
from tools.image.bundle import make_bundle

BOARD = "raspberrypi,3-model-b"
TORN = 60


@pytest.mark.timeout(300)
def test_a_power_cut_at_any_write_of_an_update_leaves_a_card_that_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_programs()
    one, two = make_version(tmp_path, "1.0.1", 1), make_version(tmp_path, "1.0.2", 2)
    card, root = make_card(tmp_path, one), tmp_path / "machine"
    places = lay_out(
        root, card, 'IMAGE_VERSION="1.0.1"\nKONTOR_BUILT=1000\n', BOARD, {"boot": BOOT_SIZE, "root": ROOT_SIZE}
    )
    out = tmp_path / "bundle"
    out.mkdir()
    manifest = make_bundle(two.boot, two.root, two.name, out, 2000, [BOARD])
    with monkeypatch.context() as patch:
        recorder = Recorder(places, patch)
        update(root, manifest)
    recorder.save(tmp_path / "log")
    found = judge_all(card, tmp_path / "log", Judge(SCRIPT, [one, two], KEPT, VARIABLES), TORN)
    assert not [verdict for verdict in found if verdict.lost]
    assert not [verdict for verdict in found if verdict.tried], "a slot is started before it is whole"
    assert found[0].version == "1.0.1"
    versions = Counter(verdict.version for verdict in found)
    assert versions["1.0.1"] > TORN // 2
    assert versions["1.0.2"] > 1, "the last flushes are those of the record"
