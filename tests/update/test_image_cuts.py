"""The real updater writes the image's next version into the image's card; the card at every flush, and torn, is judged.

Its calls of write and fsync are noted on this machine: no QEMU, so no data partition in use (test_image_updates.py has both).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.image.card import Card
from tests.update.card import FileDisk
from tests.update.conftest import STATES
from tests.update.judge import Judge, Version
from tests.update.life import VARIABLES, script_of
from tests.update.machine import judge_all, lay_out, update
from tests.update.recorded import Recorder
from tests.update.versions import Next, built_of
from tools.image.boards import EMULATED
from tools.measurements import Figure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def test_no_power_cut_in_the_updaters_writes_loses_the_card(
    image: Path,
    images: list[Version],
    following: Next,
    call_figures: list[Figure],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card, root = Card(image, tmp_path / "card").path, tmp_path / "machine"
    release = f"IMAGE_VERSION=first\nKONTOR_BUILT={built_of(following.manifest) - 1}\n"
    places = lay_out(root, card, release, EMULATED, {})
    with monkeypatch.context() as patch:
        recorder = Recorder(places, patch)
        status = update(root, following.manifest)
    recorder.save(tmp_path / "log")
    disk = FileDisk(card)
    judge = Judge(script_of(disk), images, {}, VARIABLES)
    disk.close()
    found = judge_all(card, tmp_path / "log", judge, STATES)
    lost = [verdict for verdict in found if verdict.lost]
    versions = Counter(verdict.version for verdict in found)
    told = f"calls of the updater on the image's card; {versions['first']} start the version before, {versions['next']} the next"
    fetched, size = status["fetched"], status["size"]
    came = f"{fetched / 1e6:.1f} of {size / 1e6:.1f} MB: another version and one changed line, built anew; slot b was empty"
    call_figures += [
        Figure("update.states_checked", len(found), "", f">= {STATES}", note=told),
        Figure("update.states_lost", len(lost), "", "== 0"),
        Figure("update.delta_percent", round(100 * fetched / size, 2), "%", "<= 15", note=came),
    ]
    assert not lost, lost[:5]
    assert not [verdict for verdict in found if verdict.tried], "a slot is started before it is whole"
    assert versions["first"]
    assert versions["next"]
    assert fetched <= 0.15 * size
