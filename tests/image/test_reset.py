"""A file on the boot partition: what the device knew is gone at its next start, the card's own settings are not.

What makes the file, ten seconds on ROOM, is tested under a systemd of its own (tests/systemd/test_reset.py).
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.image.card import Card
from tests.image.conftest import running, virt
from tests.support.need import need
from tools.image.layout import DATA

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_the_file_wipes_the_data_and_goes(image: Path, archive: bytes, tmp_path: Path) -> None:
    card = Card(image, tmp_path / "card.img")
    card.put("kontor.toml", b'schema = 1\n[device]\nname = "Cedar"\n')
    card.put("factory-reset.txt", b"")
    left = tmp_path / "left"
    left.write_text("of the old owner")
    debugfs = need("debugfs", "something is put on the data partition")
    subprocess.run([debugfs, "-w", "-R", f"write {left} left", f"{card.path}?offset={DATA.start}"], check=True)
    with running(card, virt(card, tmp_path, archive), None) as device:
        # it is asked long before its data is there
        device.run("sh", "-c", "until systemctl -q is-active kontor-data.service; do sleep 1; done", seconds=300)
        said = device.run("journalctl", "--no-pager", "-o", "cat", "-u", "kontor-reset.service")
        print(said)
        assert "factory reset: done" in said
        kept = device.run("ls", "-A", "/data").split()
        assert "kontor" in kept
        assert "left" not in kept
        device.run("sync")
    names = [name.lower() for name in card.names()]
    assert "kontor.toml" in names
    assert "factory-reset.txt" not in names
