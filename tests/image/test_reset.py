"""A file on the boot partition: what the device knew is gone at its next start, the card's own settings are not.

Somebody puts it there, or a hand that holds ROOM for ten seconds (also tests/systemd/test_reset.py).
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.image.card import UNHEARD, Card
from tests.image.conftest import running, virt
from tests.image.device import Device
from tests.image.inside import look, panel
from tests.support.need import need
from tools.image.layout import DATA

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SETTINGS = f'schema = 1\n[device]\nname = "Cedar"\n{UNHEARD}'


def wiped(device: Device) -> None:
    """Wait until its start has come past the data, and see that they are new."""
    # it is asked long before its data is there
    device.run("sh", "-c", "until systemctl -q is-active kontor-data.service; do sleep 1; done", seconds=300)
    said = device.run("journalctl", "--no-pager", "-o", "cat", "-u", "kontor-reset.service")
    print(said)
    assert "factory reset: done" in said
    kept = device.run("ls", "-A", "/data").split()
    assert "kontor" in kept
    assert "left" not in kept
    device.run("sync")


def test_the_file_wipes_the_data_and_goes(image: Path, archive: bytes, tmp_path: Path) -> None:
    card = Card(image, tmp_path / "card.img")
    card.put("kontor.toml", b'schema = 1\n[device]\nname = "Cedar"\n')
    card.put("factory-reset.txt", b"")
    left = tmp_path / "left"
    left.write_text("of the old owner")
    debugfs = need("debugfs", "something is put on the data partition")
    subprocess.run([debugfs, "-w", "-R", f"write {left} left", f"{card.path}?offset={DATA.start}"], check=True)
    with running(card, virt(card, tmp_path, archive), None) as device:
        wiped(device)
    names = [name.lower() for name in card.names()]
    assert "kontor.toml" in names
    assert "factory-reset.txt" not in names


def test_ten_seconds_on_room_wipe_it_and_a_mute_stays_one(image: Path, archive: bytes, tmp_path: Path) -> None:
    card = Card(image, tmp_path / "card.img")
    card.put("kontor.toml", SETTINGS.encode())
    with running(card, virt(card, tmp_path, archive), None) as device:
        device.until(look.closed_by, "hand", "switch")
        device.call(panel.cycle)
        device.until(panel.lamps, mic=False)
        device.call(panel.switch, True)
        device.until(panel.lamps, mic=True)
        device.run("touch", "/data/left")
        device.run("sync")
        device.call(panel.pull, "room", False)
        device.greeted()  # it is started anew, by itself; the wires are as when nobody touches them
        wiped(device)
        device.until(look.closed_by, "hand", "switch")
        assert device.call(panel.lamps)["mic"]
    names = [name.lower() for name in card.names()]
    assert "kontor.toml" in names
    assert "factory-reset" not in names
